"""The same labels given to four ways: two that see the unlabelled points (transductive), two that do not (inductive)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.analysis.transductive import inductive, transduction
from core.analysis.transductive.pointsets import PointSet
from core.analysis.transductive.transduction import NONE

PASSES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
SIDE = 56  # places along a side of a shaded field
EDGE = 0.07  # how far the field goes beyond the points, of their extent


@dataclass(frozen=True, slots=True)
class Graph:
    """Who looks at whom, whatever the labels: the matrices of propagation and spreading, and where spreading ends
    (`transduction.reach`), each float64 [n, n]."""

    own: np.ndarray
    symmetric: np.ndarray
    reached: np.ndarray


def graph(points: PointSet, gamma: float, alpha: float) -> Graph:
    """The graph of these points."""
    symmetric = transduction.spreading(points.x, gamma)
    return Graph(transduction.propagation(points.x, gamma), symmetric, transduction.reach(symmetric, alpha))


@dataclass(frozen=True, slots=True)
class Answers:
    """decided: way → classes of all points, int64 [n]. passes: way → (pass, classes), the end as pass −1. regions: way → classes of
    SIDE × SIDE places of the field (left, right, bottom, top), row 0 at the bottom; empty where points have more than two numbers.
    matrices: those of propagation and spreading, float64 [n, n]."""

    decided: dict[str, np.ndarray]
    passes: dict[str, tuple[tuple[int, np.ndarray], ...]]
    regions: dict[str, np.ndarray]
    field: tuple[float, float, float, float] | None
    matrices: tuple[np.ndarray, np.ndarray]
    labels: np.ndarray
    classes: np.ndarray

    def right(self, way: str) -> float | None:
        """The share of the unlabelled points that a way tells right; None where all are labelled, or none."""
        rest = self.labels == NONE
        if rest.all() or not rest.any():
            return None
        return float((self.decided[way] == self.classes)[rest].mean())

    def wrong(self, way: str) -> int:
        """How many unlabelled points a way tells wrong."""
        return int((self.decided[way] != self.classes)[self.labels == NONE].sum())


def answers(points: PointSet, labels: np.ndarray, gamma: float, alpha: float, looks: Graph | None = None) -> Answers:
    """What the four ways make of these labels (int [n]). looks: their graph, where it is at hand."""
    labels = np.asarray(labels)
    looks = graph(points, gamma, alpha) if looks is None else looks
    own, symmetric = looks.own, looks.symmetric
    y = transduction.known(labels, points.count)
    spread, pulled = looks.reached @ y, transduction.propagated(own, y)
    decided = {"spreading": transduction.decided(spread), "propagation": transduction.decided(pulled)}
    runs = {
        "spreading": transduction.spread(symmetric, y, alpha, PASSES[-1]),
        "propagation": transduction.propagate(own, y, PASSES[-1]),
    }
    passes = {
        way: (*((n, transduction.decided(run[n])) for n in PASSES), (-1, decided[way])) for way, run in runs.items()
    }  # fmt: skip
    flat = points.x.shape[1] == 2
    edges = _field(points.x) if flat else None
    regions: dict[str, np.ndarray] = {}
    given = np.flatnonzero(labels != NONE)
    if not len(given):
        nothing = np.full(len(labels), NONE)
        decided |= {"nearest": nothing, "logistic": nothing}
        return Answers(decided, passes, regions, edges, (own, symmetric), labels, points.classes)
    rule = inductive.logistic(points.x[given], labels[given], points.count)
    decided["nearest"] = inductive.nearest(points.x[given], labels[given], points.x)
    decided["logistic"] = inductive.answer(rule, points.x)
    if edges is not None:
        left, right, bottom, top = edges
        across, up = (low + (np.arange(SIDE) + 0.5) * (high - low) / SIDE for low, high in ((left, right), (bottom, top)))
        grid = np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)
        regions["nearest"] = inductive.nearest(points.x[given], labels[given], grid)
        regions["logistic"] = inductive.answer(rule, grid)
    return Answers(decided, passes, regions, edges, (own, symmetric), labels, points.classes)


def _field(x: np.ndarray) -> tuple[float, float, float, float]:
    low, high = x.min(0), x.max(0)
    beyond = EDGE * float((high - low).max())
    return float(low[0]) - beyond, float(high[0]) + beyond, float(low[1]) - beyond, float(high[1]) + beyond
