"""Transductive learning: a few labelled points tell their labels to exactly those unlabelled ones that stand beside them.

Throughout: n points, m classes. x float [n, d], one row a point. labels int [n], a class 0 … m − 1, or NONE where it is not known.
gamma is in 1 / (unit of x)²: large looks only at what is very near.
"""

from __future__ import annotations

import numpy as np

from core.trace import log_softmax

NONE = -1


def distances(x: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """Squared distances ‖x − y‖² of every row of x to every row of `others` (of x where None): float64 [n, k], never negative."""
    x = np.asarray(x, dtype=np.float64)
    y = x if others is None else np.asarray(others, dtype=np.float64)
    found = np.square(x).sum(1)[:, None] + np.square(y).sum(1)[None] - 2 * (x @ y.T)
    if others is None:
        np.fill_diagonal(found, 0.0)
    return np.maximum(found, 0.0)


def weights(x: np.ndarray, gamma: float) -> np.ndarray:
    """W: e^(−γ‖x − y‖²) for every pair, 1 on the diagonal (Zhu and Ghahramani 2002, eq. 1). float64 [n, n]."""
    return np.exp(-gamma * distances(x))


def propagation(x: np.ndarray, gamma: float) -> np.ndarray:
    """The matrix of label propagation, D⁻¹W with D = the sums of W's rows: exactly the softmax over y of −γ‖x − y‖².

    float64 [n, n], each row sums to 1, a point looks at itself too: P = D⁻¹W of Zhu, Ghahramani and Lafferty 2003. (Zhu and
    Ghahramani 2002, eq. 2, divide by the sums of the columns first, then by those of the rows.)
    """
    return np.exp(log_softmax(-gamma * distances(x)))


def spreading(x: np.ndarray, gamma: float) -> np.ndarray:
    """The matrix of label spreading, S = D^(−½) W D^(−½) with W's diagonal 0 (Zhou et al. 2004, steps 1 and 2).

    float64 [n, n], symmetric; rows do not sum to 1. A point so far from all others that its weights vanish has a row of zeros.
    """
    w = weights(x, gamma)
    np.fill_diagonal(w, 0.0)
    degree = w.sum(1)
    scale = np.divide(1.0, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0)
    return scale[:, None] * w * scale[None]


def known(labels: np.ndarray, classes: int) -> np.ndarray:
    """Y: 1 where a point is labelled with a class, else 0. float64 [n, m]."""
    labels = np.asarray(labels)
    return (labels[:, None] == np.arange(classes)).astype(np.float64)


def propagate(matrix: np.ndarray, y: np.ndarray, passes: int) -> list[np.ndarray]:
    """F after 0, 1, …, `passes` passes of label propagation: F ← D⁻¹W F, then every labelled point gets its own label back
    (a hard clamp; Zhu and Ghahramani 2002, section 2.2). One pass is one step of attention whose values are the labels.

    matrix D⁻¹W float64 [n, n], y float64 [n, m]; each F float64 [n, m].
    """
    given, now = y.sum(1) > 0, y.copy()
    found = [now]
    for _ in range(passes):
        now = matrix @ now
        now[given] = y[given]
        found.append(now)
    return found


def propagated(matrix: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where label propagation ends: F_u = (I − P_uu)⁻¹ P_ul Y_l (Zhu, Ghahramani and Lafferty 2003, eq. 5). float64 [n, m].

    Rows of points that no label reaches stay 0.
    """
    given = y.sum(1) > 0
    end = y.copy()
    if given.all() or not given.any():
        return end
    # P_uu with the self-look taken out, each row divided by what is left: the same fixed point, and no 1 − 0.999…
    rest = matrix[~given].copy()
    rest[np.arange(len(rest)), np.flatnonzero(~given)] = 0.0
    left = rest.sum(1, keepdims=True)
    rest = np.divide(rest, left, out=np.zeros_like(rest), where=left > 0)
    open_, from_labels = rest[:, ~given], rest[:, given] @ y[given]
    end[~given] = np.linalg.lstsq(np.eye(len(open_)) - open_, from_labels, rcond=None)[0]
    return np.clip(end, 0.0, None)


def spread(matrix: np.ndarray, y: np.ndarray, alpha: float, passes: int) -> list[np.ndarray]:
    """F after 0, 1, …, `passes` passes of label spreading: F ← αSF + (1 − α)Y (a soft clamp; Zhou et al. 2004, step 3).

    matrix S float64 [n, n], y float64 [n, m]; each F float64 [n, m].
    """
    now = y.copy()
    found = [now]
    for _ in range(passes):
        now = alpha * (matrix @ now) + (1 - alpha) * y
        found.append(now)
    return found


def reach(matrix: np.ndarray, alpha: float) -> np.ndarray:
    """(1 − α)(I − αS)⁻¹: how much of each point's label arrives at each other one in the end. float64 [n, n]; it needs no label,
    so one inverse serves every choice of labels (Zhou et al. 2004, eq. 3)."""
    return (1 - alpha) * np.linalg.inv(np.eye(len(matrix)) - alpha * matrix)


def decided(scores: np.ndarray) -> np.ndarray:
    """The class of the largest score in each row, NONE where no label has arrived at all. int64 [n]."""
    return np.where(scores.max(1) > 0, scores.argmax(1), NONE)
