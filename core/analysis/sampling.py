"""Where sampling cuts the distribution: what temperature makes of it, and how far down each filter lets one go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.request import Sampling
from core.trace import log_softmax


@dataclass(frozen=True, slots=True)
class Filtered:
    """One filter at work, on the tokens in order of their probability after temperature.

    kept: how many of the likeliest it leaves. mass: their share of the probability after temperature. level: the
    probability after temperature below which min-p cuts; None for the others.
    """

    name: str
    kept: int
    mass: float
    level: float | None = None


def tempered(logits: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(logits / T) [vocabulary], float64; all of it on the likeliest at T = 0, the limit."""
    logits = np.asarray(logits, dtype=np.float64)
    if temperature == 0:
        return np.eye(len(logits))[int(np.argmax(logits))]
    with np.errstate(over="ignore"):
        return np.exp(log_softmax((logits - logits.max()) / temperature))


def cuts(logits: np.ndarray, sampling: Sampling) -> list[Filtered]:
    """The filters in their order (top-k, top-p of what that left, min-p), each leaving a beginning of the sorted tokens.

    Top-p keeps the fewest whose renormalised sum reaches p (Holtzman et al. 2020, eq. 2–3); min-p what has at least m times
    the likeliest one's probability. Greedy (T = 0) is a cut after the first.
    """
    heat = np.sort(tempered(logits, sampling.temperature))[::-1]
    if sampling.temperature == 0:
        before = np.exp(log_softmax(np.asarray(logits)))
        return [Filtered("greedy", 1, float(before.max()))]
    found, kept = [], len(heat)
    if sampling.top_k is not None:
        kept = min(kept, sampling.top_k)
        found.append(Filtered("top-k", kept, float(heat[:kept].sum())))
    if sampling.top_p is not None:
        reached = np.cumsum(heat[:kept] / heat[:kept].sum())
        kept = int(np.searchsorted(reached, min(sampling.top_p, reached[-1]))) + 1
        found.append(Filtered("top-p", kept, float(heat[:kept].sum())))
    if sampling.min_p is not None:
        level = sampling.min_p * heat[0]
        kept = int((heat[:kept] >= level).sum())
        found.append(Filtered("min-p", kept, float(heat[:kept].sum()), float(level)))
    return found
