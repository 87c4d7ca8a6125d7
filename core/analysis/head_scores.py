"""What the heads of a stream can be sorted by: each score a mean over the rows of one head's pattern.

A further score is one entry in HEAD_SCORES: the sort menu of the attention view and links follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from core.request import Stream

DIGITS = 4  # a score is kept to so many decimals


@dataclass(frozen=True, slots=True)
class HeadScore:
    """`of(weights, start)` takes the float32 pattern [query, key] of one head and the position of its first query.

    says: its line in the sort menu. ascending: whether the smallest comes first. inside: whether it compares places in one text,
    so that it means nothing between two texts.
    """

    of: Callable[[np.ndarray, int], float]
    says: str
    ascending: bool = False
    inside: bool = False


def effective(weights: np.ndarray, start: int) -> float:
    """The effective number of tokens a row looks at: e to the entropy, each row as shares of its sum."""
    total = np.maximum(weights.sum(axis=1), 1e-30)
    logs = np.log(np.maximum(weights, 1e-38))
    entropy = np.log(total) - np.einsum("qk,qk->q", weights, logs) / total
    return float(np.exp(np.maximum(entropy, 0)).mean())


def at_distance(shift: int) -> Callable[[np.ndarray, int], float]:
    """The weight on the key that stands `shift` places after the query: 0 for the query's own, −1 for the one before."""

    def score(weights: np.ndarray, start: int) -> float:
        line = np.diagonal(weights, start + shift) if start + shift < weights.shape[1] else np.zeros(0)
        return float(line.mean()) if len(line) else 0.0

    return score


HEAD_SCORES: Mapping[str, HeadScore] = MappingProxyType(  # in the order of the sort menu
    {
        "spread": HeadScore(effective, "effective tokens (e^entropy), most first"),
        "narrow": HeadScore(effective, "effective tokens (e^entropy), fewest first", ascending=True),
        "self": HeadScore(at_distance(0), "looks at itself", inside=True),
        "previous": HeadScore(at_distance(-1), "looks one token back", inside=True),
        "next": HeadScore(at_distance(1), "looks one token ahead", inside=True),
        "first": HeadScore(lambda weights, start: weights[:, 0].mean(), "looks at the first token"),
        "received": HeadScore(lambda weights, start: weights.mean(axis=0).max(), "one token gets most of it"),
    }
)


def offered(stream: Stream, keys: int) -> dict[str, HeadScore]:
    """The scores that mean something on a stream: places are compared only within one text of two tokens or more."""
    inside = stream is not Stream.CROSS and keys > 1
    return {name: score for name, score in HEAD_SCORES.items() if inside or not score.inside}


def scored(scores: Mapping[str, HeadScore], weights: np.ndarray, start: int) -> dict[str, float]:
    """Every score of one head; a formula that two of them share is worked out once."""
    found = {of: of(weights, start) for of in {score.of for score in scores.values()}}
    return {name: round(float(found[score.of]), DIGITS) for name, score in scores.items()}
