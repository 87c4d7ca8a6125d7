"""How a cost grows with length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def exponent(lengths: Sequence[float], costs: Sequence[float]) -> float:
    """p of the power law cost ≈ c · length^p that fits best: the slope of log cost over log length by least squares.

    1: twice the length costs twice as much; 2: four times. Raises ValueError for fewer than two lengths, or costs not above 0.
    """
    x, y = np.asarray(lengths, dtype=np.float64), np.asarray(costs, dtype=np.float64)
    if len(set(x.tolist())) < 2 or (x <= 0).any() or (y <= 0).any():
        raise ValueError("two lengths at least, and costs above 0")
    x, y = np.log(x) - np.log(x).mean(), np.log(y)
    return float(x @ (y - y.mean()) / (x @ x))


def exponent_interval(
    lengths: Sequence[float], samples: Sequence[Sequence[float]], share: float = 0.9, draws: int = 400
) -> tuple[float, float]:
    """Between which exponents `share` of them fall when the measurements are drawn again from themselves (Efron 1979, the
    bootstrap), each time with the medians of what was drawn. samples[i] are the costs measured at lengths[i]."""
    rng = np.random.default_rng(0)
    found = [
        exponent(lengths, [float(np.median(rng.choice(costs, len(costs)))) for costs in samples]) for _ in range(draws)
    ]
    low, high = np.quantile(found, ((1 - share) / 2, (1 + share) / 2))
    return float(low), float(high)
