"""What a look brings, and what passes from layer to layer: two readings beside the raw weight, each with its formula."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def brought(pattern: np.ndarray, value: np.ndarray, projection: np.ndarray | None) -> np.ndarray:
    """How long the vector is that each look brings: ‖α · v · W_O‖ (Kobayashi et al. 2020, §3), float64 [query, key].

    pattern [query, key]; value [key, d], with its bias, as it enters the sum; projection W_O of this head [d, d_model], or
    None where it is not known: then ‖α · v‖, the length before W_O.
    """
    vectors = np.asarray(value, np.float64)
    if projection is not None:
        vectors = vectors @ np.asarray(projection, np.float64)
    return np.asarray(pattern, np.float64) * np.linalg.norm(vectors, axis=-1)


def rollout(patterns: Iterable[np.ndarray]) -> np.ndarray:
    """Attention rolled out over layers (Abnar & Zuidema 2020, eq. 1): float64 [query, key], each row adding up to 1.

    patterns: float [head, query, key] of one text's layers, from the first on, square. Heads are averaged; half of each
    position passes by the attention on the residual path: Ã = ½ · A + ½ · 1, rows normalised, then Ã_L · … · Ã_1.
    ValueError for no layers.
    """
    rolled = None
    for pattern in patterns:
        mean = np.asarray(pattern, np.float64).mean(axis=0)
        mean = mean / mean.sum(axis=-1, keepdims=True)  # what a sink took is left out
        step = 0.5 * mean + 0.5 * np.eye(len(mean))
        rolled = step if rolled is None else step @ rolled
    if rolled is None:
        raise ValueError("a rollout needs at least one layer")
    return rolled
