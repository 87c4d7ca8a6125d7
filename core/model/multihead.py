"""Attention itself: Vaswani et al. 2017, “Attention Is All You Need”, §3.2, read from top to bottom.

Masks are boolean, True = may look; the additive form appears only at the softmax. No module stores what attention did: to see
or change it, pass a probe as an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KeyValue = tuple[Tensor, Tensor]  # key and value, each [batch, head, position, d]


@dataclass(frozen=True, slots=True)
class AttentionCall:
    """The inputs of one attention that a probe now computes; the same for our modules and for every Hugging Face family.

    query [batch, head, query, d], key and value [batch, kv head, key, d], as they enter the product.
    mask: the model's own mask [batch, 1 or head, query, key], bool (True = may look) or additive. None where all may look.
    owner(mask) runs the family's own formula: output [batch, query, head, d], weights [batch, head, query, key].
    fused(mask, causal) gives the output alone by a kernel that keeps no weights; None where the family has no such path.
    Its argument causal says that the mask is the plain triangle, so that the kernel may skip the future instead of masking it.
    additive: the number format of a mask that is added to the scores (0, and a very small number where one may not look). None
    where the family takes a bool mask.
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


class ProbeLike(Protocol):
    """Sees, and may change, every attention of one forward pass. It is made for the pass and thrown away after it."""

    def attend(self, call: AttentionCall) -> tuple[Tensor, Tensor | None]:
        """Compute this attention: its output [batch, query, head, d], and its weights [batch, head, query, key] or None."""
        ...


@dataclass(frozen=True, slots=True)
class Pass:
    """What one forward pass gives to every layer of a stack, besides the residual stream x [batch, position, d_model].

    With its default values it changes nothing: the stack runs as it was trained.
    probe: sees, and may change, every attention of the pass.
    skip [batch, 1, 1]: the factor on x in x + f(x). 0 switches the residual connections of a row off; None leaves all on.
    places int [batch, position]: the position of each token, below 0 for a token without one. None means start, start + 1 and
    so on. start: how many positions a cache already holds.
    """

    probe: ProbeLike | None = None
    skip: Tensor | None = None
    places: Tensor | None = None
    start: int = 0


PLAIN = Pass()


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

    x [batch, head, position, d] with d even. Its positions are start, start + 1 and so on, or those of places [batch, position]
    where these are given. A token with a position below 0 is not turned.
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

    def keys_values(self, x: Tensor, run: Pass = PLAIN, past: KeyValue | None = None) -> KeyValue:
        """The keys and values of the tokens x [batch, key, d_model], which queries will look at: each [batch, head, key, d].

        past: the keys and values of the tokens before them, which come first.
        """
        key, value = self.split(self.key(x)), self.split(self.value(x))
        if self.rotary:
            key = rotate(key, run.start, run.places)
        if past is not None:
            key, value = torch.cat([past[0], key], dim=-2), torch.cat([past[1], value], dim=-2)
        return key, value

    def forward(
        self,
        x: Tensor,  # [batch, query, d_model]
        key: Tensor,  # [batch, head, key, d]
        value: Tensor,  # [batch, head, key, d]
        mask: Tensor | None,  # bool [batch or 1, 1, query, key]
        run: Pass = PLAIN,
    ) -> Tensor:  # [batch, query, d_model]
        query = self.split(self.query(x))
        if self.rotary:
            query = rotate(query, run.start, run.places)
        if run.probe is None:
            heads = F.scaled_dot_product_attention(query, key, value, mask).transpose(1, 2)
        else:
            heads, _ = run.probe.attend(our_call(query, key, value, mask))
        return self.output(heads.flatten(-2))  # concat, then W_O


def our_call(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> AttentionCall:
    """The inputs of our own attention in the form that a probe takes."""

    def owner(mask: Tensor | None) -> tuple[Tensor, Tensor]:
        output, weights = attention(query, key, value, mask)
        return output.transpose(1, 2), weights

    def fused(mask: Tensor | None, causal: bool) -> Tensor:
        mask = None if causal else mask
        return F.scaled_dot_product_attention(query, key, value, mask, is_causal=causal).transpose(1, 2)

    return AttentionCall(query, key, value, query.shape[-1] ** -0.5, mask, owner, fused)
