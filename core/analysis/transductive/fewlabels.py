"""How right spreading and the two rules are on the unlabelled points, over the number of labels and over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.analysis.transductive import inductive
from core.analysis.transductive.pointsets import PointSet, some_labels
from core.analysis.transductive.transduction import NONE, decided, known, reach, spreading

WAYS = ("spreading", "nearest", "logistic")
SEEDS = 20
T95 = 2.093024  # 95 % of Student's t with 19 degrees of freedom (20 seeds) lies within ± this


@dataclass(frozen=True, slots=True)
class Measured:
    """right float64 [seed, way]: the share of the unlabelled points that is right, with `labels` labelled ones, ways as in WAYS."""

    labels: int
    right: np.ndarray

    def mean(self, way: str) -> float:
        """Mean over the seeds."""
        return float(self.right[:, WAYS.index(way)].mean())

    def interval(self, way: str) -> tuple[float, float]:
        """Where the mean lies with 95 %."""
        return interval(self.right[:, WAYS.index(way)])

    def lead(self) -> tuple[float, float, float]:
        """By how much spreading is ahead of the better of the two others, seed by seed: mean, and its 95 % interval."""
        ahead = self.right[:, 0] - self.right[:, 1:].max(1)
        return float(ahead.mean()), *interval(ahead)


def interval(values: np.ndarray) -> tuple[float, float]:
    """mean ± t · s / √20 of float [20], a value a seed: where the mean lies with 95 % confidence. ValueError for another count."""
    if len(values) != SEEDS:
        raise ValueError(f"the factor is that of {SEEDS} values, not of {len(values)}")
    middle, wide = float(values.mean()), T95 * float(values.std(ddof=1)) / np.sqrt(SEEDS)
    return middle - wide, middle + wide


def ends(sets: Sequence[PointSet], gamma: float, alpha: float) -> list[np.ndarray]:
    """For each set where spreading ends, whatever the labels: `transduction.reach`, float64 [n, n]. A set that comes again is
    worked out once."""
    found: dict[int, np.ndarray] = {}
    for points in sets:
        if id(points) not in found:
            found[id(points)] = reach(spreading(points.x, gamma), alpha)
    return [found[id(points)] for points in sets]


def draw(points: PointSet, each: int, seed: int) -> np.ndarray:
    """The labels of one draw, int64 [n]: `each` a class, NONE for all other points."""
    return some_labels(points.classes, each, np.random.default_rng([seed, each]))


def one_draw(points: PointSet, reached: np.ndarray, each: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(labels, spreading's classes, the nearest labelled point's) of one draw, each int [n]."""
    labels = draw(points, each, seed)
    at = np.flatnonzero(labels != NONE)
    return labels, decided(reached @ known(labels, points.count)), inductive.nearest(points.x[at], labels[at], points.x)


def measure(sets: Sequence[PointSet], reached: Sequence[np.ndarray], each: int) -> Measured:
    """`each` labels a class, drawn anew for every one of the SEEDS sets (which may be one and the same): who is right how often."""
    chosen = [draw(p, each, seed) for seed, p in enumerate(sets)]
    given = [np.flatnonzero(labels != NONE) for labels in chosen]
    rules = inductive.logistic(
        np.stack([p.x[at] for p, at in zip(sets, given, strict=True)]),
        np.stack([labels[at] for labels, at in zip(chosen, given, strict=True)]), sets[0].count,
    )  # fmt: skip
    rows = []
    for points, end, labels, at, rule in zip(sets, reached, chosen, given, rules, strict=True):
        rest = labels == NONE
        found = (
            decided(end[np.ix_(rest, at)] @ known(labels[at], points.count)),
            inductive.nearest(points.x[at], labels[at], points.x[rest]),
            inductive.answer(rule, points.x[rest]),
        )
        rows.append([float((one == points.classes[rest]).mean()) for one in found])
    return Measured(each * sets[0].count, np.array(rows))
