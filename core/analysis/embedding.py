"""A text as one vector, and many vectors as places in a plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def mean_pooled(residual: np.ndarray, special: Sequence[bool]) -> np.ndarray:
    """The mean over a text's own tokens (not <s> and the like), brought to length 1. residual float [pos, d]; gives float64 [d]."""
    rows = np.asarray(residual, dtype=np.float64)[~np.asarray(special, dtype=bool)]
    middle = rows.mean(0)
    return middle / np.linalg.norm(middle)


def plane(x: np.ndarray) -> np.ndarray:
    """The two directions in which points differ most (principal components): float64 [n, 2], the sign so that each direction's
    largest entry is positive."""
    centred = np.asarray(x, dtype=np.float64) - np.mean(x, 0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    largest = np.abs(directions).argmax(1)
    return centred @ (directions * np.sign(directions[np.arange(2), largest])[:, None]).T
