"""Weights packed as MXFP4 (OCP Microscaling 2023), in which gpt-oss was published: 4 bits a number, a power of two for every 32."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor

from core.errors import DeviceError

VALUES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # of the lowest three bits; the fourth is the sign
BLOCKS, SCALES = "_blocks", "_scales"
BIAS = 127  # of the stored exponents


def packed(config: Any) -> bool:
    """Whether a configuration says that its experts are packed this way."""
    about = getattr(config, "quantization_config", None)
    return isinstance(about, dict) and about.get("quant_method") == "mxfp4" and config.model_type == "gpt_oss"


def unpacked(weights: dict[str, Any]) -> dict[str, Any]:
    """The same weights, with each pair of blocks and scales as one weight that is unpacked when it is read."""
    pairs = {name.removesuffix(BLOCKS) for name in weights if name.endswith(BLOCKS)}
    pairs = {name for name in pairs if name + SCALES in weights}
    parts = {name + end for name in pairs for end in (BLOCKS, SCALES)}
    plain = {name: weight for name, weight in weights.items() if name not in parts}
    return plain | {name: Packed(weights[name + BLOCKS], weights[name + SCALES]) for name in pairs}


class Packed:
    """A weight that is unpacked each time it is asked for, as the slices of a safetensors file are read."""

    def __init__(self, blocks: Any, scales: Any) -> None:
        self.blocks, self.scales = blocks, scales

    def __getitem__(self, index: Any) -> Tensor:
        return unpack(self.blocks[...], self.scales[...])[index]


def unpack(blocks: Tensor, scales: Tensor) -> Tensor:
    """bfloat16 [expert, column, row] from blocks uint8 [expert, row, group, 16] and scales uint8 [expert, row, group].

    Each byte holds two numbers, the low half first. Every value of MXFP4 is one of bfloat16, too.
    """
    table = torch.tensor((*VALUES, *(-value for value in VALUES)), dtype=torch.float32)
    experts = []
    for block, scale in zip(blocks, scales, strict=True):  # one by one: the indices take sixteen times the room of the blocks
        halves = torch.stack((block & 15, block >> 4), dim=-1).flatten(-2)  # [row, group, 32]
        values = torch.ldexp(table[halves.int()], scale.int()[..., None] - BIAS)
        experts.append(values.to(torch.bfloat16).flatten(-2).T)
    return torch.stack(experts)


def check_memory(numbers: int, dtype: torch.dtype, title: str) -> None:
    """Raise DeviceError where the unpacked numbers cannot fit into this machine: they take four to eight times their file."""
    size = numbers * dtype.itemsize
    if size > memory():
        raise DeviceError(
            f"memory for {title}, {size / 1e9:,.0f} GB once its MXFP4 weights are unpacked to {str(dtype).removeprefix('torch.')}",
            f"{memory() / 1e9:,.0f} GB",
            'Use dtype="bfloat16", a larger machine, or a smaller model',
        )


def memory() -> float:
    """The bytes of memory of this machine; infinity where the system does not tell."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # no such names outside Unix
        return float("inf")
