"""One head in numbers. A pattern is float32 [query, key]; its rows sum to 1, or to 1 less what a sink took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

QUARTERS = ("aa", "ab", "ba", "bb")  # of a pair of sentences A and B: "ab" is A looking at B
SINK = 0.3  # a sink gets at least this much, on average, of the rows that may look at it


@dataclass(frozen=True, slots=True)
class Sink:
    """A key that gets a large share of the rows, whatever they look for, and why. key: its place; share: its mean weight over the
    rows that may look at it.
    length: how long its key vector is, in mean lengths of the others. cosine, others: the mean cosine of the queries that may look
    with it, and with the other keys."""

    key: int
    share: float
    length: float
    cosine: float
    others: float


def sink(pattern: np.ndarray, allowed: np.ndarray, query: np.ndarray, key: np.ndarray) -> Sink | None:
    """The sink of one head, None where there is none. pattern and allowed [query, key]; query [query, d]; key [key, d].

    Xiao et al. 2024 name it; that its key is aligned with all queries and not long is Gu et al. 2024. At least half of the rows
    must be able to look at it: a key that only its own row may see gets everything there.
    """
    rows = allowed.sum(axis=0)
    means = np.divide(received(np.where(allowed, pattern, 0)), rows, out=np.zeros(len(rows)), where=rows > len(pattern) / 2)
    best = int(means.argmax())
    if means[best] < SINK or len(means) < 2:
        return None
    lengths = [np.linalg.norm(np.asarray(x, dtype=np.float64), axis=-1) for x in (query, key)]
    cosine = query.astype(np.float64) @ key.astype(np.float64).T / np.maximum(np.outer(*lengths), 1e-30)
    other = np.arange(len(means)) != best
    mean = float(lengths[1][other].mean())
    return Sink(
        best, float(means[best]), float(lengths[1][best]) / max(mean, 1e-30), float(cosine[:, best][allowed[:, best]].mean()),
        float(cosine[:, other][allowed[:, other]].mean()),
    )  # fmt: skip


def effective_tokens(pattern: np.ndarray) -> np.ndarray:
    """The effective number of tokens that each query looks at: e^entropy of its row. float64 [..., query], from 1 to key.

    The row is normalised first, so mass taken by a sink does not count. A row without weight gives 0.
    """
    weights = np.asarray(pattern, dtype=np.float64)
    total = weights.sum(axis=-1, keepdims=True)
    share = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    return np.where(total[..., 0] > 0, np.exp(-(share * logs).sum(axis=-1)), 0.0)


def received(pattern: np.ndarray) -> np.ndarray:
    """How much attention each key gets from all queries together: the sum of its column. float64 [..., key]."""
    return np.asarray(pattern, dtype=np.float64).sum(axis=-2)


def in_quarter(types: Sequence[int], quarter: str) -> np.ndarray:
    """The cells of one quarter of a pair: bool [query, key]. types: `Request.types`, 0 for sentence A, more for B.

    quarter: one of QUARTERS; in "ab", rows of A look at keys of B.
    """
    second = np.asarray(types) > 0
    looks, at = (second if sentence == "b" else ~second for sentence in quarter)
    return looks[:, None] & at[None, :]


def quarter_shares(pattern: np.ndarray, types: Sequence[int], quarter: str) -> np.ndarray:
    """Which share of its weight each row gives to a quarter: Σ of its weights there ÷ Σ of all its weights, float64 [query].

    0 in rows of the other sentence, so the shares of a row in the four quarters sum to 1. pattern float [query, key].
    """
    weights = np.asarray(pattern, dtype=np.float64)
    total = weights.sum(axis=-1)
    there = (weights * in_quarter(types, quarter)).sum(axis=-1)
    return np.divide(there, total, out=np.zeros_like(there), where=total > 0)


def strongest(pattern: np.ndarray, query: int) -> int:
    """The key that a query looks at most; the first one where several tie."""
    return int(np.argmax(pattern[query]))


def moved_share(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Which share of each row's attention went elsewhere: ½ Σ |Δα|, the total variation distance. float64 [..., query]."""
    return 0.5 * np.abs(np.asarray(now, np.float64) - np.asarray(before, np.float64)).sum(axis=-1)


def pooled(pattern: np.ndarray, limit: int) -> np.ndarray:
    """A pattern shrunk to at most limit × limit by taking the largest weight of each block, NaN where a block has none.

    pattern float [query, key] with NaN in forbidden cells. The largest, not the mean: a thin diagonal must not vanish.
    """
    for axis in (0, 1):
        if pattern.shape[axis] > limit:
            pattern = np.fmax.reduceat(pattern, blocks(pattern.shape[axis], limit), axis=axis)
    return pattern


def blocks(length: int, limit: int) -> np.ndarray:
    """Where the blocks begin that `pooled` makes of `length` positions: int [at most limit]."""
    return np.linspace(0, length, min(length, limit), endpoint=False).astype(int)
