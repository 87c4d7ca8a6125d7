"""A real head brought down to the plane: queries and keys of two numbers whose dot products come as near as they can.

The score matrix S [query, key] (what enters the softmax before the mask) has each row's mean taken off, which no softmax
notices, since it only sees differences. Its best approximation of rank 2 is that of the singular value decomposition
(Eckart and Young 1936): S ≈ U₂ Σ₂ V₂ᵀ, so the rows of U₂√Σ₂ are queries and those of V₂√Σ₂ keys in the plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.analysis.cell import stages
from core.trace import Attention


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """A head in the plane, float64. query, key, value [position, 2], values measured from their mean; score the dot products
    of the plane and centred the head's own scores less each row's mean, weight what the softmax makes of the plane's scores
    under the head's mask and true the head's own weights, all [query, key]; output [query, 2] the true weights' sum of values.

    kept: the share of the variance of the centred scores that two dimensions hold; value_kept: that of the values. d: how many
    dimensions the head has. off [query]: half the sum of |weight − true| over a row, 0 (equal) to 1.
    """

    query: np.ndarray
    key: np.ndarray
    value: np.ndarray
    score: np.ndarray
    centred: np.ndarray
    weight: np.ndarray
    true: np.ndarray
    allowed: np.ndarray
    output: np.ndarray
    kept: float
    value_kept: float
    d: int

    @property
    def off(self) -> np.ndarray:
        """Half the sum of |weight − true| of each row, [query]: how much attention stands elsewhere in the plane."""
        return np.abs(self.weight - self.true).sum(axis=-1) / 2


def flatten(attention: Attention, head: int) -> Flat:
    """One head in two dimensions. Raises NotKeptError where the trace did not keep "qkv"."""
    maps = stages(attention, head)
    scores = next(maps[name] for name in ("warmed", "biased", "capped", "scaled", "product") if name in maps)
    mean = scores.mean(axis=-1, keepdims=True)
    centred = scores - mean
    left, right, kept = two_factors(centred)
    score = left @ right.T
    allowed, sink = attention.allowed[head], attention.sink_logit(head)
    power = np.where(allowed, score + mean, -np.inf)
    top = power.max(axis=-1, keepdims=True)
    top = top if sink is None else np.maximum(top, sink)
    grown = np.exp(power - top)
    weight = grown / (grown.sum(axis=-1, keepdims=True) + (0.0 if sink is None else np.exp(sink - top)))
    values = np.asarray(attention.value[attention.kv_of(head)], np.float64)
    spread = values - values.mean(axis=0)
    _, axes, value_kept = two_factors(spread)
    lengths = np.linalg.norm(axes, axis=0)
    flat = spread @ np.divide(axes, lengths, out=np.zeros_like(axes), where=lengths > 1e-12)
    true = np.asarray(attention.head(head), np.float64)
    return Flat(
        left, right, flat, score, centred, weight, true, allowed, true @ flat, kept, value_kept, attention.query.shape[-1]
    )  # fmt: skip


def two_factors(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """(left [row, 2], right [column, 2], share of the sum of squares kept) of the best approximation left · rightᵀ of rank 2.

    Both take half of each singular value; signs are such that the largest entry of a column of `right` is positive. A matrix
    of zeros is kept whole.
    """
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    u, s, vt = (np.pad(part, width) for part, width in zip((u, s, vt), _room(len(s)), strict=True))
    u, s, vt = u[:, :2], s[:2], vt[:2]
    sign = np.sign(vt[[0, 1], np.abs(vt).argmax(axis=1)])
    sign = np.where(sign == 0, 1.0, sign)
    total = float((matrix**2).sum())
    kept = float((s**2).sum() / total) if total > 1e-20 else 1.0
    kept = 1.0 if kept > 1 - 1e-9 else kept  # what two dimensions hold whole is not called less for rounding's sake
    return u * sign * np.sqrt(s), (vt.T * sign) * np.sqrt(s), kept


def _room(rank: int) -> tuple[tuple, int | tuple, tuple]:
    """What must be added so that there are two of each, where a matrix has one row or column only."""
    more = max(0, 2 - rank)
    return ((0, 0), (0, more)), (0, more), ((0, more), (0, 0))
