"""The kernels that can compute one attention, and the choice among them: the fastest one that still gives what must be kept.

All of them compute one formula, softmax(cap(scaling · q·k) + bias + mask ⊕ sink) · v; tests compare them with each other.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.model.multihead import AttentionCall

GROUPING = frozenset({"cuda"})  # devices whose fused kernels take fewer keys than queries
CODED_CELLS = 1_000_000  # cells whose float32 weights exist at once while they are being coded


class Kernel(Enum):
    """Which code computes one attention; the value says when it is chosen."""

    FUSED = "no weights are kept: PyTorch's fused kernel never makes them"
    IN_PLACE = "float32 weights are kept and only scaling and mask are at work: the eager function's steps, done in place"
    CODED = "8-bit codes are kept and only scaling and mask are at work: the same, a few heads at a time"
    OWNER = "bias, soft-cap, sink or half precision are at work, or no fused kernel: the family's own eager function"
    REFERENCE = "a temperature divides the scores, which no family's own function can do: the formula as it is written"


def choose_kernel(call: AttentionCall, stored: Collection[str | None], with_temperature: bool) -> Kernel:
    """The kernel for one attention of a batch. stored: how each request keeps its pattern ("float32", "u8", "lazy", or None
    for not at all); with_temperature: whether any request has a temperature other than 1."""
    if with_temperature:
        return Kernel.REFERENCE
    if is_plain(call) and "float32" in stored:
        return Kernel.IN_PLACE
    if is_plain(call) and "u8" in stored:
        return Kernel.CODED
    return Kernel.OWNER if call.fused is None or "float32" in stored else Kernel.FUSED


@dataclass(frozen=True, slots=True)
class Computed:
    """What a kernel computed; None for what it did not compute.

    output [batch, query, head, d]; weights [batch, head, query, key]; sink_weight [batch, head, query]; codes [batch, head,
    query, key]: 8-bit codes of the weights' square roots.
    """

    output: Tensor
    weights: Tensor | None = None
    sink_weight: Tensor | None = None
    codes: Tensor | None = None


def compute(
    kernel: Kernel,
    call: AttentionCall,
    mask: Tensor | None,  # used instead of the call's own mask; bool or additive, as the family takes it
    causal: bool,  # whether this mask is the plain triangle
    temperature: Tensor | float,  # a number, or [batch, 1, 1, 1]
    sink: bool,  # whether the weight of the sink is wanted, where there is a sink
) -> Computed:
    """Compute one attention by one kernel. Only REFERENCE uses the temperature, and only FUSED and CODED use `causal`."""
    match kernel:
        case Kernel.REFERENCE:
            return Computed(*reference(call, as_bool(mask), temperature))
        case Kernel.IN_PLACE:
            weights = weigh(call, mask)
            output = weights @ repeat_heads(call.value, call.query.shape[1])
            return Computed(output.transpose(1, 2).contiguous(), weights)
        case Kernel.CODED:
            output, codes = coded(call, mask, causal)
            return Computed(output, codes=codes)
        case Kernel.OWNER:
            output, known = call.owner(mask)
            wanted = sink and call.sink is not None
            return Computed(output, known, reference(call, as_bool(mask))[2] if wanted else None)
        case Kernel.FUSED:
            assert call.fused is not None
            return Computed(call.fused(mask, causal))


def is_plain(call: AttentionCall) -> bool:
    """Whether nothing but scaling and mask stands between q·k and the softmax, in float32."""
    return (call.bias, call.softcap, call.sink) == (None, None, None) and call.query.dtype == torch.float32


def scores_of(call: AttentionCall, rows: slice = slice(None)) -> Tensor:
    """cap(scaling · q·k) + bias for some rows of the batch, before mask and softmax: float32 [row, head, query, key]."""
    key = repeat_heads(call.key, call.query.shape[1])
    scores = (call.query[rows] @ key[rows].transpose(-2, -1)).float() * call.scaling
    if call.softcap is not None:
        scores = call.softcap * torch.tanh(scores / call.softcap)
    if call.bias is not None:
        scores = scores + (call.bias if len(call.bias) == 1 else call.bias[rows])
    return scores


def reference(
    call: AttentionCall,
    allowed: Tensor | None,  # bool, broadcasts to [batch, head, query, key]
    temperature: Tensor | float = 1.0,  # a number, or [batch, 1, 1, 1]
) -> tuple[Tensor, Tensor, Tensor | None]:
    """softmax(cap(scaling · q·k) + bias + mask ⊕ sink) · v, the formula that every family's own function must equal.

    Gives the output [batch, query, head, d], the weights [batch, head, query, key] and the sink's weight [batch, head, query].
    """
    value = repeat_heads(call.value, call.query.shape[1])
    scores = scores_of(call) / temperature
    if allowed is not None:
        scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
    if call.sink is None:
        weights, sink_weight = scores.softmax(dim=-1), None
    else:
        sink = call.sink.float().reshape(1, -1, 1, 1).expand(*scores.shape[:-1], 1)
        every = torch.cat([scores, sink], dim=-1).softmax(dim=-1)
        weights, sink_weight = every[..., :-1], every[..., -1]
    weights = weights.to(value.dtype)
    return (weights @ value).transpose(1, 2), weights, sink_weight


def weigh(call: AttentionCall, mask: Tensor | None, heads: slice = slice(None)) -> Tensor:
    """softmax(scaling · q·k + mask) of some heads: [batch, head, query, key]. For calls where `is_plain` holds.

    These are the steps of the eager functions in the same order, but done in place: the same bits with a third of the memory
    traffic.
    """
    key = repeat_heads(call.key, call.query.shape[1])[:, heads]
    scores = call.query[:, heads] @ key.transpose(-2, -1)
    scores *= call.scaling
    if mask is not None:
        mask = mask if mask.shape[1] == 1 else mask[:, heads]
        scores = scores.masked_fill_(~mask, -torch.inf) if mask.dtype == torch.bool else scores.add_(mask)
    # in place on a CPU, where new memory costs more than the softmax itself: each row is read before it is written
    return torch.softmax(scores, dim=-1, out=scores if scores.device.type == "cpu" else None)


def coded(call: AttentionCall, mask: Tensor | None, causal: bool = False) -> tuple[Tensor, Tensor]:
    """Output [batch, query, head, d], and 8-bit codes of the weights' square roots [batch, head, query, key].

    A few heads at a time, so that the float32 maps of a whole layer never exist. causal: the mask is the plain triangle.
    """
    batch, heads, queries, _ = call.query.shape
    keys, value = call.key.shape[-2], repeat_heads(call.value, heads)
    codes = torch.zeros(batch, heads, queries, keys, dtype=torch.uint8, device=call.query.device)
    output = torch.empty(batch, queries, heads, value.shape[-1], dtype=value.dtype, device=value.device)
    step = max(1, CODED_CELLS // (batch * queries * keys))
    for begin in range(0, heads, step):
        some = slice(begin, begin + step)
        weights = weigh(call, mask, some)
        output[:, :, some] = (weights @ value[:, some]).transpose(1, 2)
        write_codes(weights, codes[:, some], causal)
    return output, codes


def write_codes(weights: Tensor, codes: Tensor, causal: bool = False) -> None:
    """Write the 8-bit codes round(255·√weight) into `codes`, both [batch, head, query, key]; the weights are used up.

    causal: the weights above the diagonal are 0, as `codes` already is there.
    """
    if weights.device.type != "cpu":
        codes.copy_(weights.sqrt_().mul_(255).add_(0.5))
        return
    # NumPy turns float32 into bytes twice as fast as PyTorch does on a CPU
    roots, written, rows = weights.numpy(), codes.numpy(), weights.shape[-2]
    step = max(32, -(-rows // 4)) if causal else rows
    for begin in range(0, rows, step):
        part = np.s_[..., begin : begin + step, : begin + step if causal else None]
        found = np.sqrt(roots[part], out=roots[part])
        found *= 255
        found += 0.5
        np.copyto(written[part], found, casting="unsafe")


def fused_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scaling: float,
    bias: Tensor | None = None,
    causal: bool = False,
) -> Tensor:
    """PyTorch's fused kernel, which keeps no weights: output [batch, query, head, d]. mask: additive or bool or None."""
    heads = query.shape[1]
    causal = causal and bias is None
    if bias is not None:
        mask = bias if mask is None else bias + mask
    # a GPU's kernels read a shared key once for its whole group, where there is no mask; as transformers asks them to
    grouped = query.device.type in GROUPING and (causal or mask is None) and key.shape[-1] == value.shape[-1] <= 256
    if not grouped:
        key, value = repeat_heads(key, heads), repeat_heads(value, heads)
    output = F.scaled_dot_product_attention(
        query, key, value, None if causal else mask, is_causal=causal, scale=scaling, enable_gqa=grouped
    )
    return output.transpose(1, 2)


def repeat_heads(x: Tensor, heads: int) -> Tensor:
    """[batch, kv head, position, d] → [batch, head, position, d]: each key/value head serves a group of query heads."""
    return x if x.shape[1] == heads else x.repeat_interleave(heads // x.shape[1], dim=1)


def call_shape(call: AttentionCall) -> tuple[int, int]:
    """(queries, keys) of a call."""
    return call.query.shape[-2], call.key.shape[-2]


def as_bool(mask: Tensor | None) -> Tensor | None:
    """A mask as bool of the same shape, True = may look. An additive mask forbids by the lowest number of its type, or by −∞."""
    return None if mask is None else booleans(mask)


def booleans(mask: Tensor) -> Tensor:
    """The same as `as_bool`, for a mask that is not None."""
    return mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A bool mask as Hugging Face's eager functions add it: 0 where one may look, else the lowest number of `dtype`."""
    zero = torch.zeros((), dtype=dtype, device=mask.device)
    return torch.where(mask, zero, torch.finfo(dtype).min)
