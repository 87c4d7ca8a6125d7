"""Points in a plane with known classes, drawn from a seed: where label spreading shines, and where it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.analysis.transductive.transduction import NONE


@dataclass(frozen=True, slots=True)
class PointSet:
    """x float64 [n, d], what distances are measured in; classes int64 [n], the truth; names of the classes."""

    x: np.ndarray
    classes: np.ndarray
    names: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many classes there are."""
        return len(self.names)


def moons(rng: np.random.Generator, each: int = 48) -> PointSet:
    """Two half circles of radius 1 that reach into each other, with normal noise of 0.09."""
    at = np.linspace(0, np.pi, each)
    upper = np.stack([np.cos(at), np.sin(at)], 1)
    lower = np.stack([1 - np.cos(at), 0.5 - np.sin(at)], 1)
    return _noisy(rng, [upper, lower], 0.09, ("upper moon", "lower moon"))


def rings(rng: np.random.Generator, each: int = 48) -> PointSet:
    """A ring of radius 0.45 inside one of radius 1.1, with normal noise of 0.07."""
    at = np.linspace(0, 2 * np.pi, each, endpoint=False)
    circle = np.stack([np.cos(at), np.sin(at)], 1)
    return _noisy(rng, [0.45 * circle, 1.1 * circle], 0.07, ("inner ring", "outer ring"))


def blobs(rng: np.random.Generator, each: int = 32) -> PointSet:
    """Three clouds around the corners of a triangle, with normal noise of 0.3."""
    corners = np.array([[0.0, 0.9], [-0.9, -0.6], [0.9, -0.6]])
    return _noisy(
        rng, [np.repeat(corner[None], each, 0) for corner in corners], 0.3, ("top cloud", "left cloud", "right cloud")
    )


def across(rng: np.random.Generator, each: int = 48) -> PointSet:
    """Two long clouds, one above the other, but the class is the side, left or right: each cloud holds both classes, so that
    "neighbours are alike" is wrong just where it matters."""
    along = np.concatenate([np.linspace(-1.2, -0.02, each // 2), np.linspace(0.02, 1.2, each // 2)])
    both = [np.stack([along, np.full(each, height)], 1) for height in (0.55, -0.55)]
    x = np.concatenate(both) + rng.normal(0, [0.02, 0.1], (2 * each, 2))
    classes = np.tile(np.repeat([0, 1], each // 2), 2)
    order = np.argsort(classes, kind="stable")
    return PointSet(x[order], classes[order], ("left side", "right side"))


SETS: dict[str, Callable[[np.random.Generator], PointSet]] = {
    "moons": moons, "rings": rings, "blobs": blobs, "across": across,
}  # fmt: skip


def draw(name: str, seed: int) -> PointSet:
    """One of SETS, the same for the same seed."""
    return SETS[name](np.random.default_rng([seed, *name.encode()]))


def some_labels(classes: np.ndarray, each: int, rng: np.random.Generator) -> np.ndarray:
    """The true labels of `each` points a class, chosen by rng, NONE for all others. int64 [n]."""
    labels = np.full(len(classes), NONE)
    for one in np.unique(classes):
        chosen = rng.choice(np.flatnonzero(classes == one), each, replace=False)
        labels[chosen] = one
    return labels


def _noisy(rng: np.random.Generator, parts: list[np.ndarray], noise: float, names: tuple[str, ...]) -> PointSet:
    x = np.concatenate(parts)
    return PointSet(
        x + rng.normal(0, noise, x.shape), np.repeat(np.arange(len(parts)), [len(part) for part in parts]), names
    )
