"""gpt-oss as it was published: experts packed as MXFP4 are unpacked to the numbers that transformers makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

import core
from core.engine.loading import mxfp4
from core.errors import DeviceError, LensError, UnsupportedModelError
from tests import families

QUANTISED = {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"]}


def random_packed(*shape: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Blocks [*shape, 16] with every nibble, and scales of usual sizes."""
    random = torch.Generator().manual_seed(seed)
    blocks = torch.randint(0, 256, (*shape, 16), generator=random, dtype=torch.uint8)
    return blocks, torch.randint(118, 126, shape, generator=random, dtype=torch.uint8)


def published(folder: Path, **quantised: object) -> Path:
    """A tiny gpt-oss whose experts are packed, as its makers published it."""
    sizes = {"head_dim": 8, "num_local_experts": 4, "num_experts_per_tok": 2, "hidden_size": 64, "intermediate_size": 32}
    config = transformers.GptOssConfig(**families._DECODER | sizes, layer_types=["sliding_attention", "full_attention"])
    torch.manual_seed(0)
    model = transformers.GptOssForCausalLM(config)
    families.enliven(model)
    model.save_pretrained(folder)
    held = load_file(folder / "model.safetensors")
    for seed, name in enumerate([name for name in held if name.endswith(("experts.gate_up_proj", "experts.down_proj"))]):
        experts, columns, rows = held.pop(name).shape
        held[f"{name}_blocks"], held[f"{name}_scales"] = random_packed(experts, rows, columns // 32, seed=seed)
    save_file(held, folder / "model.safetensors", metadata={"format": "pt"})
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"quantization_config": QUANTISED | quantised}))
    return folder


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 8, 2), (2, 64, 3)])
def test_each_number_is_the_one_that_transformers_unpacks(shape):
    blocks, scales = random_packed(*shape)
    wanted = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
    assert torch.equal(mxfp4.unpack(blocks, scales).float(), wanted)


def test_every_nibble_and_every_scale_that_bfloat16_holds():
    blocks = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    for scale in (3, 100, 127, 200, 250):
        scales = torch.full((1, 1, 16), scale, dtype=torch.uint8)
        assert torch.equal(
            mxfp4.unpack(blocks, scales).float(), convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
        )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_gpt_oss_as_published_is_the_model_that_transformers_unpacks(dtype, tmp_path):
    folder = published(tmp_path)
    lens = core.load(str(folder), device="cpu", dtype=dtype)
    plain = transformers.GptOssForCausalLM.from_pretrained(
        folder,
        quantization_config=transformers.Mxfp4Config(dequantize=True),
        attn_implementation="eager",
        dtype=getattr(torch, dtype),
    )
    held = dict(lens.backend.model.named_parameters())
    for name, weight in plain.named_parameters():
        assert torch.equal(held[name], weight), name
    request = families.ask(lens)
    with torch.inference_mode():
        output = plain.eval()(torch.tensor([request.target]), output_attentions=True)
    close = 1e-5 if dtype == "float32" else 2e-2
    for mine, other in zip(lens.run(request).attention, output.attentions, strict=True):
        assert np.abs(mine.pattern - other[0].float().numpy()).max() < close


def test_more_than_this_machine_holds_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(mxfp4, "memory", lambda: 1000.0)
    with pytest.raises(DeviceError, match="MXFP4"):
        core.load(str(published(tmp_path)), device="cpu")


@pytest.mark.parametrize("method", ["gptq", "bitsandbytes", "fp8", None])
def test_other_ways_to_quantise_are_refused(method, tmp_path):
    with pytest.raises(UnsupportedModelError, match="quantised"):
        core.load(str(published(tmp_path, quant_method=method)), device="cpu")


def test_blocks_without_their_scales_are_an_error_of_ours(tmp_path):
    folder = published(tmp_path)
    held = {name: one for name, one in load_file(folder / "model.safetensors").items() if not name.endswith("down_proj_scales")}
    save_file(held, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(LensError):
        core.load(str(folder), device="cpu")
