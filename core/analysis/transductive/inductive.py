"""Inductive learning: a rule is learnt from the labelled points alone, and then answers for any point whatever."""

from __future__ import annotations

import numpy as np

from core.analysis.transductive.transduction import distances
from core.trace import log_softmax


def nearest(x: np.ndarray, labels: np.ndarray, asked: np.ndarray, k: int = 1) -> np.ndarray:
    """The commonest class among the k labelled points nearest to each asked one (the smaller class where two are as common).

    x float [n, d] and labels int [n]: the labelled points. asked float [q, d]. Gives int64 [q].
    """
    k = min(k, len(x))
    order = np.argsort(distances(asked, x), axis=1, kind="stable")[:, :k]
    votes = np.asarray(labels)[order]
    return np.array([np.bincount(row).argmax() for row in votes], dtype=np.int64)


def logistic(x: np.ndarray, labels: np.ndarray, classes: int, passes: int = 1500) -> np.ndarray:
    """Multinomial logistic regression of the labelled points: V float64 [..., d + 1, m], the last row the intercepts.

    It minimises Σ −log softmax(xV)[label] + ½‖V‖² over everything but the intercepts, what scikit-learn's LogisticRegression
    minimises with C = 1, by Nesterov's accelerated gradient. x float [..., n, d], labels int [..., n]: leading axes are problems
    solved side by side.
    """
    one = np.concatenate([x, np.ones_like(x[..., :1])], -1).astype(np.float64)
    y = np.eye(classes)[labels]
    flat = np.swapaxes(one, -1, -2)
    keep = np.ones((one.shape[-1], 1))
    keep[-1] = 0.0  # the intercept pays nothing
    step = 1 / (0.5 * np.linalg.norm(one, ord=2, axis=(-2, -1))[..., None, None] ** 2 + 1)
    now = ahead = np.zeros((*one.shape[:-2], one.shape[-1], classes))
    t = 1.0
    for _ in range(passes):
        slope = flat @ (np.exp(log_softmax(one @ ahead)) - y) + keep * ahead
        new = ahead - step * slope
        later = (1 + np.sqrt(1 + 4 * t * t)) / 2
        ahead, now, t = new + (t - 1) / later * (new - now), new, later
        if np.abs(step * slope).max() < 1e-7:
            break
    return now


def answer(v: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The likeliest class of each asked point under logistic regression V. asked float [..., q, d]; gives int64 [..., q]."""
    return (asked @ v[..., :-1, :] + v[..., -1:, :]).argmax(-1)
