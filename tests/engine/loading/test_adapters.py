"""LoRA folders: a plain one is merged into its base weight by weight, anything else is refused by name."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file

import core
from core.errors import LensError, ModelFileError, ModelNotFoundError, UnsupportedModelError
from tests import families

# family → the linear modules that its adapter changes, as its class with a head calls them
CHANGED = {
    "gpt2": ("transformer.h.0.attn.c_attn", "transformer.h.1.mlp.c_proj"),
    "llama": ("model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.v_proj", "model.layers.1.mlp.down_proj"),
    "bert": ("bert.encoder.layer.0.attention.self.query", "bert.encoder.layer.1.output.dense"),
    "t5": ("encoder.block.0.layer.0.SelfAttention.q", "decoder.block.1.layer.1.EncDecAttention.v"),
}
# as peft writes it, entries without effect among them
USUAL: dict[str, Any] = {
    "peft_type": "LORA", "base_model_name_or_path": "owner/base", "r": 3, "lora_alpha": 12, "lora_dropout": 0.1, "bias": "none",
    "task_type": "CAUSAL_LM", "inference_mode": True, "use_dora": False, "use_rslora": False, "modules_to_save": None,
    "init_lora_weights": True, "megatron_core": "megatron.core", "qalora_group_size": 16, "rank_pattern": {}, "revision": None,
    "fan_in_fan_out": False, "target_modules": ["q_proj"], "layer_replication": None, "loftq_config": {},
}  # fmt: skip


def adapter(folder: Path, model: Any, modules: tuple[str, ...], **changes: Any) -> dict[str, torch.Tensor]:
    """Write an adapter with random factors; gives them."""
    folder.mkdir(exist_ok=True)
    about, random = USUAL | changes, torch.Generator().manual_seed(5)
    factors = {}
    for name in modules:
        weight = model.get_submodule(name).weight
        rows, columns = weight.shape[::-1] if "gpt2" in type(model).__name__.lower() else weight.shape
        for which, shape in (("A", (about["r"], columns)), ("B", (rows, about["r"]))):
            factors[f"base_model.model.{name}.lora_{which}.weight"] = torch.randn(shape, generator=random) * 0.2
    save_file(factors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    (folder / "adapter_config.json").write_text(json.dumps(about))
    return factors


@pytest.fixture
def beside(folder_of: Callable[[str], Path], eager_of: Callable[[str], Any], tmp_path: Path) -> Callable[..., Any]:
    """A base in a folder "base", an adapter beside it, and the adapter's factors: beside("gpt2", **entries of its file)."""

    def make(family: str, **changes: Any) -> tuple[Path, dict[str, torch.Tensor]]:
        shutil.copytree(folder_of(family), tmp_path / "base", dirs_exist_ok=True)
        return tmp_path / "tuned", adapter(tmp_path / "tuned", eager_of(family), CHANGED[family], **changes)

    return make


def refused(kind: type[LensError], folder: Path) -> LensError:
    with pytest.raises(LensError) as caught:
        core.load(str(folder), device="cpu")
    assert type(caught.value) is kind, repr(caught.value)
    assert caught.value.expected and caught.value.got and caught.value.todo
    return caught.value


@pytest.mark.parametrize("family", CHANGED)
@pytest.mark.parametrize("stabilised", [False, True])
def test_an_adapter_is_merged_weight_by_weight(family, stabilised, beside, eager_of):
    folder, factors = beside(family, use_rslora=stabilised)
    lens = core.load(str(folder), device="cpu")
    assert lens.info.name == "tuned" and lens.info.id == str(folder)
    scale = 12 / (math.sqrt(3) if stabilised else 3)
    held = dict(lens.backend.model.named_parameters())
    for name, weight in eager_of(family).named_parameters():
        module = name.removesuffix(".weight")
        wanted = weight.detach().clone()
        if module in CHANGED[family]:
            a, b = (factors[f"base_model.model.{module}.lora_{which}.weight"] for which in "AB")
            change = torch.stack([scale * (b[row] @ a) for row in range(len(b))])
            wanted += change.T if family == "gpt2" else change
        assert torch.allclose(held[name], wanted, atol=1e-5), name
        assert (module in CHANGED[family]) == (not torch.equal(held[name], weight)), name


@pytest.mark.parametrize("family", CHANGED)
def test_what_is_shown_is_the_merged_model(family, beside, folder_of):
    folder, factors = beside(family)
    lens, base = core.load(str(folder), device="cpu"), core.load(str(folder_of(family)), device="cpu")
    plain = getattr(transformers, families.FAMILIES[family][0]).from_pretrained(
        folder.parent / "base", attn_implementation="eager", dtype=torch.float32
    )
    for module in CHANGED[family]:
        a, b = (factors[f"base_model.model.{module}.lora_{which}.weight"] for which in "AB")
        plain.get_submodule(module).weight.data += 4 * (a.T @ b.T if family == "gpt2" else b @ a)
    request = families.ask(lens)
    inputs = {"input_ids": torch.tensor([request.source or request.target])}
    if family == "t5":
        inputs["decoder_input_ids"] = torch.tensor([request.target])
    with torch.inference_mode():
        output = plain.eval()(**inputs, output_attentions=True)
    own = (output.encoder_attentions if family == "t5" else output.attentions)[-1][0].numpy()
    last = [one for one in lens.run(request).attention if one.site.stream is lens.info.sites[0].stream][-1]
    assert np.abs(last.pattern - own).max() < 1e-5
    before = [one for one in base.run(families.ask(base)).attention if one.site.stream is lens.info.sites[0].stream][-1]
    assert np.abs(last.pattern - before.pattern).max() > 1e-3


def test_an_adapter_in_its_bases_own_folder_is_merged(folder_of, eager_of, tmp_path):
    folder = Path(shutil.copytree(folder_of("llama"), tmp_path / "both"))
    adapter(folder, eager_of("llama"), CHANGED["llama"], base_model_name_or_path="elsewhere")
    name = f"{CHANGED['llama'][0]}.weight"
    held = dict(core.load(str(folder), device="cpu").backend.model.named_parameters())[name]
    assert not torch.equal(held, dict(eager_of("llama").named_parameters())[name])


@pytest.mark.parametrize("name", ["owner/absent", "/home/someone/absent", "absent", "", r"C:\models\absent", "../..", 7])
def test_an_adapter_without_its_base_says_which_one_it_needs(name, beside, monkeypatch):
    import socket

    monkeypatch.setattr(socket.socket, "connect", pytest.fail)
    folder, _ = beside("gpt2", base_model_name_or_path=name)
    error = refused(ModelNotFoundError, folder)
    assert f"“{name}”" in error.expected and "adapter tuned" in error.expected


@pytest.mark.parametrize(
    "changes",
    [{"use_dora": True}, {"modules_to_save": ["lm_head"]}, {"rank_pattern": {"q_proj": 2}}, {"bias": "all"}, {"peft_type": "LOHA"},
     {"init_lora_weights": "pissa"}, {"layer_replication": [[0, 2]]}, {"trainable_token_indices": [3]}, {"some_new_entry": 1},
     {"peft_type": None}, {"lora_bias": True}, {"target_parameters": ["experts"]}],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_what_is_no_plain_lora_is_refused_by_name(changes, beside):
    folder, _ = beside("llama", **changes)
    name, value = next(iter(changes.items()))
    error = refused(UnsupportedModelError, folder)
    assert (str(value) if name == "peft_type" else name) in error.got


@pytest.mark.parametrize("changes", [{"r": 0}, {"r": None}, {"r": 4}, {"lora_alpha": "12"}, {"lora_alpha": float("nan")}], ids=str)
def test_numbers_that_do_not_fit_the_factors(changes, beside):
    folder, _ = beside("llama")
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    refused(ModelFileError, folder)


def test_factors_of_another_model_are_refused(beside, eager_of):
    folder, _ = beside("gpt2")
    adapter(folder, eager_of("llama"), CHANGED["llama"])
    assert "model.layers" in refused(ModelFileError, folder).expected


@pytest.mark.parametrize("key", ["base_model.model.lm_head.weight", "base_model.model.h.0.lora_embedding_A", "x"])
def test_an_adapter_with_more_than_factors_is_refused(key, beside):
    folder, factors = beside("llama")
    save_file(factors | {key: torch.ones(2, 2)}, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    assert key in refused(UnsupportedModelError, folder).got


def test_a_layer_tied_to_the_embedding_is_refused(folder_of, eager_of, tmp_path):
    shutil.copytree(folder_of("smollm"), tmp_path / "base")
    adapter(tmp_path / "tuned", eager_of("smollm"), ("lm_head",))
    assert "tied" in refused(UnsupportedModelError, tmp_path / "tuned").got


def test_damaged_files_of_an_adapter(beside):
    folder, _ = beside("llama")
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    assert "safetensors" in refused(ModelFileError, folder).expected
    (folder / "adapter_model.bin").rename(folder / "adapter_model.safetensors")
    body = (folder / "adapter_model.safetensors").read_bytes()
    (folder / "adapter_model.safetensors").write_bytes(body[:-7])
    refused(ModelFileError, folder)
    (folder / "adapter_config.json").write_text("[1]")
    refused(ModelFileError, folder)


def test_an_adapter_of_a_model_of_ours_is_refused(tmp_path, eager_of):
    families.build("ours", tmp_path / "base")
    adapter(tmp_path / "tuned", eager_of("llama"), CHANGED["llama"])
    refused(UnsupportedModelError, tmp_path / "tuned")


def test_an_adapters_folder_is_offered_beside_its_base(beside, monkeypatch):
    from core.ui.running.models import folders

    folder, _ = beside("gpt2")
    monkeypatch.setenv("LOOKBACK_MODELS", str(folder.parent))
    assert list(folders()) == ["base", "tuned"]
