"""Attention itself: Vaswani et al. 2017, “Attention Is All You Need”, §3.2, read from top to bottom.

Masks are boolean, True = may look; the additive form appears only at the softmax. What attention did is never left on a
module: whoever wants to see or change it passes a probe as an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class AttentionCall:
    """One attention about to happen; the same for our modules and for every Hugging Face family.

    query [batch, head, query, d], key and value [batch, kv head, key, d], as they enter the product.
    mask: the family's own: bool (True = may look) or additive, [batch, 1 or head, query, key], None where all may look.
    owner(mask) runs the family's own formula: output [batch, query, head, d], weights [batch, head, query, key].
    fused(mask, causal) gives the output alone by a kernel that keeps no weights; None where the family has no such path.
    causal says that the mask is the plain triangle, so that the kernel may leave out the future instead of hiding it.
    additive: the number format in which the family takes masks (0 and a very small number); None: it takes bool.
    bias [1 or batch, head, query, key], softcap and sink [head] are None where the family has none.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    scaling: float
    mask: Tensor | None
    owner: Callable[[Tensor | None], tuple[Tensor, Tensor]]
    fused: Callable[[Tensor | None, bool], Tensor] | None = None
    additive: torch.dtype | None = None
    bias: Tensor | None = None
    softcap: float | None = None
    sink: Tensor | None = None


class Probe(Protocol):
    """Watches, and may change, every attention of one forward pass. Made for the pass and thrown away after it."""

    def attend(self, call: AttentionCall) -> tuple[Tensor, Tensor | None]:
        """Give the output [batch, query, head, d] of this attention, and its weights where they were computed."""
        ...


def attention(
    query: Tensor,  # [batch, head, query, d]
    key: Tensor,  # [batch, head, key, d]
    value: Tensor,  # [batch, head, key, d]
    mask: Tensor | None = None,  # bool, broadcasts to [batch, head, query, key]
    scaling: float | None = None,
) -> tuple[Tensor, Tensor]:
    """softmax(q·k / √d) · v (eq. 1). Gives output [batch, head, query, d] and weights [batch, head, query, key]."""
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = scaling * (query @ key.transpose(-2, -1))  # [batch, head, query, key]
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.softmax(dim=-1)
    return weights @ value, weights


def rotate(x: Tensor, start: int, places: Tensor | None = None) -> Tensor:
    """Turn each pair of features by an angle that grows with the position (Su et al. 2021, RoFormer, eq. 34).

    x [batch, head, position, d] with d even; the first position is `start`. places [batch, position]: where each token is
    to stand instead; below 0 it is not turned at all.
    """
    half = x.shape[-1] // 2
    speed = 10_000.0 ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    if places is None:
        at = torch.arange(start, start + x.shape[-2], device=x.device, dtype=torch.float32)
    else:
        at = places.clamp(min=0).to(torch.float32)[:, None]  # [batch, 1, position]
    angle = at[..., None] * speed
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)  # [position, half] or [batch, 1, position, half]
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, concatenated and mixed by W_O (§3.2.2)."""

    def __init__(self, d_model: int, heads: int, rotary: bool = False) -> None:
        super().__init__()
        self.heads, self.rotary = heads, rotary
        self.query = nn.Linear(d_model, d_model)
        self.key = nn.Linear(d_model, d_model)
        self.value = nn.Linear(d_model, d_model)
        self.output = nn.Linear(d_model, d_model)

    def split(self, x: Tensor) -> Tensor:
        """[batch, position, d_model] → [batch, head, position, d]."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def keys_values(self, x: Tensor, start: int = 0, places: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What the tokens x [batch, key, d_model] offer to whoever looks: key and value, each [batch, head, key, d]."""
        key, value = self.split(self.key(x)), self.split(self.value(x))
        return (rotate(key, start, places) if self.rotary else key), value

    def forward(
        self,
        x: Tensor,  # [batch, query, d_model]
        key: Tensor,  # [batch, head, key, d]
        value: Tensor,  # [batch, head, key, d]
        mask: Tensor | None,  # bool [batch or 1, 1, query, key]
        probe: Probe | None = None,
        start: int = 0,
        places: Tensor | None = None,  # [batch, query]: where the queries stand instead of from `start` on
    ) -> Tensor:  # [batch, query, d_model]
        query = self.split(self.query(x))
        if self.rotary:
            query = rotate(query, start, places)
        if probe is None:
            heads = F.scaled_dot_product_attention(query, key, value, mask).transpose(1, 2)
        else:
            heads, _ = probe.attend(our_call(query, key, value, mask))
        return self.output(heads.flatten(-2))  # concat, then W_O


def our_call(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> AttentionCall:
    """Our attention in the form a probe understands."""

    def owner(mask: Tensor | None) -> tuple[Tensor, Tensor]:
        output, weights = attention(query, key, value, mask)
        return output.transpose(1, 2), weights

    def fused(mask: Tensor | None, causal: bool) -> Tensor:
        mask = None if causal else mask
        return F.scaled_dot_product_attention(query, key, value, mask, is_causal=causal).transpose(1, 2)

    return AttentionCall(query, key, value, query.shape[-1] ** -0.5, mask, owner, fused)
