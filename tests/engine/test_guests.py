"""Models from outside: their code never runs, families that cannot be watched are refused in time, budgets hold, many
threads may load at once, and nobody's terminal is written on.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import core
from core.engine.files import budget_of
from core.engine.loading import pretrained
from core.errors import DeviceError, LensError, ModelFileError, ModelTooLargeError, UnsupportedModelError
from core.request import KEEPS, MaskRule
from core.trace import Trace
from tests import families

SMALL: dict[str, Any] = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}

# families whose maps are no square of queries by keys: class, its configuration
ELSEWHERE: dict[str, tuple[str, dict[str, Any]]] = {
    "longformer": ("LongformerForMaskedLM", SMALL | {"intermediate_size": 16, "attention_window": 4}),
    "big_bird": ("BigBirdForMaskedLM", SMALL | {"intermediate_size": 16, "block_size": 4, "num_random_blocks": 1}),
    "funnel": ("FunnelForMaskedLM", {"vocab_size": 40, "d_model": 16, "n_head": 2, "d_head": 8, "d_inner": 16,
               "block_sizes": [1], "num_decoder_layers": 1}),
    "led": ("LEDForConditionalGeneration", {"vocab_size": 40, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1,
            "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16,
            "attention_window": 4}),
    "squeezebert": ("SqueezeBertForMaskedLM", SMALL | {"intermediate_size": 16, "embedding_size": 16}),
    "yoso": ("YosoForMaskedLM", SMALL | {"intermediate_size": 16}),
}  # fmt: skip

# models that read something else than text
SENSES: dict[str, tuple[str, dict[str, Any]]] = {
    "whisper": ("WhisperForConditionalGeneration", {"vocab_size": 40, "d_model": 16, "encoder_layers": 1,
                "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 16,
                "decoder_ffn_dim": 16, "num_mel_bins": 8, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
                "decoder_start_token_id": 1}),
    "vit": ("ViTModel", {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
            "image_size": 8, "patch_size": 4}),
    "wav2vec2": ("Wav2Vec2Model", {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                 "intermediate_size": 16, "conv_dim": [8], "conv_stride": [2], "conv_kernel": [2],
                 "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "num_feat_extract_layers": 1}),
}  # fmt: skip


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads weights in this test."""
    monkeypatch.setattr(pretrained, "_read", lambda *args: pytest.fail("the weights were read"))


def saved(folder: Path, name: str, values: dict[str, Any]) -> Path:
    cls = getattr(transformers, name)
    cls(cls.config_class(**values)).save_pretrained(folder)
    return folder


@pytest.fixture
def copy(folder_of: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(folder_of(name), tmp_path / name))


def refused(kind: type[LensError], name: object, **options: Any) -> LensError:
    with pytest.raises(LensError) as caught:
        core.load(str(name), **{"device": "cpu", **options})
    assert type(caught.value) is kind, repr(caught.value)
    assert caught.value.todo
    return caught.value


# families


@pytest.mark.parametrize("family", ELSEWHERE)
def test_families_with_other_maps_are_refused_with_reason_and_alternatives(family, tmp_path, unread):
    error = refused(UnsupportedModelError, saved(tmp_path / "model", *ELSEWHERE[family]))
    assert family in error.got and "one row for each token" in error.expected
    assert "GPT-2" in error.todo and "T5" in error.todo


@pytest.mark.parametrize("family", SENSES)
def test_models_that_read_no_text_say_what_they_read(family, tmp_path, unread):
    error = refused(UnsupportedModelError, saved(tmp_path / "model", *SENSES[family]))
    assert "text" in error.expected and family in error.got


def test_a_model_without_attention_is_refused(tmp_path):
    values = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "state_size": 4}
    assert "mamba" in refused(UnsupportedModelError, saved(tmp_path / "model", "MambaForCausalLM", values)).got


def test_quantised_weights_are_refused(copy, unread):
    folder = copy("llama")
    values = json.loads((folder / "config.json").read_text()) | {"quantization_config": {"quant_method": "gptq"}}
    (folder / "config.json").write_text(json.dumps(values))
    assert "quantised" in refused(UnsupportedModelError, folder).got


# code

CODE = """
from pathlib import Path
Path({mark!r}).touch()
from transformers import {base}
class Planted({base}):
    pass
"""


def plant(folder: Path, mark: Path) -> None:
    """Code beside the weights that leaves a mark when it runs, named wherever transformers looks for code."""
    for module, base in (("configuration_x", "PreTrainedConfig"), ("modeling_x", "PreTrainedModel"),
                         ("tokenization_x", "PreTrainedTokenizerFast")):  # fmt: skip
        (folder / f"{module}.py").write_text(CODE.format(mark=str(mark), base=base))
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(CODE.format(mark=str(mark), base="PreTrainedModel"))
    own = {
        "AutoConfig": "configuration_x.Planted",
        **dict.fromkeys(("AutoModel", "AutoModelForCausalLM", "AutoModelForMaskedLM"), "modeling_x.Planted"),
        "AutoModelForSeq2SeqLM": "modeling_x.Planted",
        "AutoTokenizer": ["tokenization_x.Planted", "tokenization_x.Planted"],
    }
    for name in ("config.json", "tokenizer_config.json"):
        path = folder / name
        held = json.loads(path.read_text()) if path.is_file() else {}
        path.write_text(json.dumps(held | {"auto_map": own}))


@pytest.mark.parametrize("name", ["ours", "gpt2", "bert", "t5"])
def test_code_beside_the_weights_never_runs(name, copy, tmp_path):
    folder, mark = copy(name), tmp_path / "ran"
    plant(folder, mark)
    lens = core.load(str(folder), device="cpu")  # a family transformers itself knows: its own code is used
    lens.run(families.ask(lens))
    assert not mark.exists()


@pytest.mark.parametrize("family", ["x", "custom", "gpt2-x"])
def test_a_family_that_is_only_its_own_code_is_refused(family, copy, tmp_path):
    folder, mark = copy("gpt2"), tmp_path / "ran"
    plant(folder, mark)
    values = json.loads((folder / "config.json").read_text()) | {"model_type": family}
    (folder / "config.json").write_text(json.dumps(values))
    error = refused(UnsupportedModelError, folder)
    assert "code of its own" in error.got and "runs no code" in error.todo
    assert not mark.exists()


@pytest.mark.parametrize("name", ["T5Tokenizer", "Planted", "BertJapaneseTokenizer", "NoSuchTokenizer", "../../x"])
def test_a_tokenizer_class_cannot_bring_code(name, copy, tmp_path):
    folder, mark = copy("gpt2"), tmp_path / "ran"
    plant(folder, mark)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tokenizer_class": name}))
    try:
        core.load(str(folder), device="cpu")
    except LensError as error:
        assert type(error) is ModelFileError
    assert not mark.exists()


def test_a_configuration_cannot_name_kernels_to_fetch(copy, monkeypatch):
    folder = copy("gpt2")
    values = json.loads((folder / "config.json").read_text())
    for key in ("attn_implementation", "_attn_implementation", "experts_implementation"):
        (folder / "config.json").write_text(json.dumps(values | {key: "someone/kernel@main"}))
        lens = core.load(str(folder), device="cpu", local_only=True)
        assert lens.backend.model.config._attn_implementation == "lookback"


# budgets, devices, number formats


@pytest.mark.parametrize("name", ["ours", "gpt2"])
def test_a_budget_is_held_before_anything_is_read(name, folder_of, unread, monkeypatch):
    folder = folder_of(name)
    size = (folder / "model.safetensors").stat().st_size
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", lambda *args: pytest.fail("the weights were read"))
    error = refused(ModelTooLargeError, folder, budget=size - 1)
    assert "MB" in error.expected and "MB" in error.got
    refused(ModelTooLargeError, folder, budget=0)
    monkeypatch.setenv("LOOKBACK_MODEL_BYTES", "1e3")
    refused(ModelTooLargeError, folder)
    monkeypatch.undo()
    monkeypatch.setenv("LOOKBACK_MODEL_BYTES", str(size))
    assert core.load(str(folder), device="cpu").info.layers == 2
    refused(ModelTooLargeError, folder, budget=10)  # the argument comes first


@pytest.mark.parametrize("value", ["lots", "-1", "nan", "1 GB", "0x10"])
def test_a_budget_that_is_no_number(value, folder_of, monkeypatch):
    monkeypatch.setenv("LOOKBACK_MODEL_BYTES", value)
    assert "LOOKBACK_MODEL_BYTES" in refused(ModelTooLargeError, folder_of("gpt2")).expected


def test_no_budget_is_no_limit(monkeypatch):
    monkeypatch.setenv("LOOKBACK_MODEL_BYTES", " ")
    assert budget_of(None) is None and budget_of(5) == 5
    monkeypatch.setenv("LOOKBACK_MODEL_BYTES", "inf")
    assert budget_of(None) == float("inf")


ABSENT = ["cuda", "cuda:7", "mps", "xpu", "meta", "tpu", "", "gpu", "cpu cpu", "vulkan", None, 3.5, []]


@pytest.mark.parametrize("device", ABSENT, ids=repr)
def test_a_device_this_machine_lacks(device, folder_of, unread):
    if str(device).split(":")[0] in ("cuda", "mps") and torch.accelerator.is_available():
        pytest.skip("this machine has one")
    error = refused(DeviceError, folder_of("gpt2"), device=device)
    assert 'device="auto"' in error.todo


@pytest.mark.parametrize("dtype", ["int8", "float64", "", "half", None, 16, ["float32"], torch.int64])
def test_a_number_format_that_is_none_of_ours(dtype, folder_of, unread):
    assert "bfloat16" in refused(DeviceError, folder_of("gpt2"), dtype=dtype).expected


@pytest.mark.parametrize("name", ["ours", "gpt2", "bert", "t5"])
@pytest.mark.parametrize("dtype", ["auto", "float32", "bfloat16", "float16", torch.bfloat16])
def test_number_formats_that_are(name, dtype, folder_of):
    lens = core.load(str(folder_of(name)), device="cpu", dtype=dtype)
    assert lens.info.dtype == ("float32" if dtype == "auto" else str(dtype).removeprefix("torch."))
    trace = lens.run(families.ask(lens))
    assert trace.attention[0].pattern.dtype == np.float32
    assert np.allclose(trace.attention[0].pattern.sum(-1), 1, atol=2e-2)


# quiet, and many at once


@pytest.mark.parametrize("name", ["ours", "gpt2", "bert", "t5"])
def test_loading_says_its_stages_and_writes_nothing(name, folder_of, capfd):
    before = transformers.utils.logging.get_verbosity(), transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.set_verbosity_info()
    transformers.utils.logging.enable_progress_bar()
    try:
        said: list[str] = []
        core.load(str(folder_of(name)), device="cpu", progress=said.append)
        assert transformers.utils.logging.get_verbosity() == transformers.logging.INFO
        assert transformers.utils.logging.is_progress_bar_enabled()
    finally:
        transformers.utils.logging.set_verbosity(before[0])
        if not before[1]:
            transformers.utils.logging.disable_progress_bar()
    written = capfd.readouterr()
    assert (written.out, written.err) == ("", "")
    assert said[0] == "Looking for the model" and "Reading the weights" in said


def test_refusing_writes_nothing_either(copy, capfd):
    folder = copy("gpt2")
    values = json.loads((folder / "config.json").read_text())
    for change in ({"n_layer": 1}, {"n_layer": 3}, {"vocab_size": 50}, {"model_type": "x"}):
        (folder / "config.json").write_text(json.dumps(values | change))
        with pytest.raises(LensError):
            core.load(str(folder), device="cpu")
    written = capfd.readouterr()
    assert (written.out, written.err) == ("", "")


def test_threads_may_load_the_same_and_other_models_at_once(folder_of, lens_of):
    names = ["gpt2", "t5", "ours", "bert"]
    serial = {name: lens_of(name).run(families.ask(lens_of(name))) for name in names}
    functions = torch.nn.init.normal_, transformers.PreTrainedModel.tie_weights, torch.linspace
    gate = threading.Barrier(8)

    def load(n: int) -> None:
        gate.wait(60)
        name = names[n % 4]
        lens = core.load(str(folder_of(name)), device="cpu", dtype="bfloat16" if n >= 8 else "auto")
        if n < 8:
            trace = lens.run(families.ask(lens))
            for mine, other in zip(trace.attention, serial[name].attention, strict=True):
                assert np.array_equal(mine.pattern, other.pattern)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(load, range(16)))
    # transformers swaps these out while it loads: two loads side by side would leave them swapped for ever
    assert functions == (torch.nn.init.normal_, transformers.PreTrainedModel.tie_weights, torch.linspace)
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize("other", ["gpt2", "t5", "ours"])
def test_a_run_beside_a_load_gives_the_same_numbers(other, folder_of, lens_of):
    lenses = [lens_of(name) for name in ("gpt2", "ours", "gemma2", "t5", "modernbert")]
    requests = [families.ask(lens).with_temperature(1.7) for lens in lenses]
    expected = [lens.run(request) for lens, request in zip(lenses, requests, strict=True)]
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            core.load(str(folder_of(other)), device="cpu", dtype="bfloat16")

    loader = threading.Thread(target=load)
    loader.start()
    try:
        for _ in range(25):
            for lens, request, before in zip(lenses, requests, expected, strict=True):
                now = lens.run(request)
                for mine, theirs in zip(now.attention, before.attention, strict=True):
                    assert np.array_equal(mine.pattern, theirs.pattern)
                if before.next_logits is not None:
                    assert np.array_equal(now.next_logits, before.next_logits)
    finally:
        stop.set()
        loader.join()


@pytest.mark.parametrize("name", families.EVERY)
def test_no_number_depends_on_the_processes_default_number_format(name, lens_of):
    """While a model of half precision is being built, that default is another one for every thread."""
    lens = lens_of(name)
    plain, everything = families.ask(lens), families.ask(lens, keep=KEEPS, capture="lazy")
    requests = [
        plain,
        everything,
        plain.with_temperature(1.7),
        plain.with_mask(MaskRule(lens.info.sites[0].stream, "full")),
    ]
    before = [numbers(lens.run(request)) for request in requests]
    torch.set_default_dtype(torch.bfloat16)
    try:
        after = [numbers(lens.run(request)) for request in requests]
    finally:
        torch.set_default_dtype(torch.float32)
    for one, other in zip(before, after, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def numbers(trace: Trace) -> list[np.ndarray]:
    found = [attention.pattern for attention in trace.attention] + list((trace.residual or {}).values())
    return found if trace.next_logits is None else [*found, trace.next_logits]
