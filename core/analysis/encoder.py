"""What a walk through an encoder says about vectors: mean and deviation, neurons that fire, where they move, who is near."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """The residual stream of all depths on two axes. points float64 [depth, position, 2]; share: each axis's of the variance."""

    points: np.ndarray
    share: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Neuron:
    """A neuron that fires: its number from 0, its value here, and the positions that fire it most, with their values."""

    number: int
    value: float
    most: tuple[tuple[int, float], ...]


def paths(residual: np.ndarray) -> Paths:
    """Principal component analysis of the residual stream [depth, position, d_model], all depths jointly (Pearson 1901).

    The mean over all depth · position vectors is taken off; the axes are the two directions of most variance, each turned so
    that its largest coordinate is positive. Where the vectors span fewer than two directions the rest is 0.
    """
    depth, positions, d = residual.shape
    flat = residual.reshape(-1, d).astype(np.float64)
    flat = flat - flat.mean(axis=0)
    _, sizes, axes = np.linalg.svd(flat, full_matrices=False)
    axes = axes[:2] * np.sign(axes[:2][np.arange(len(axes[:2])), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    points = np.zeros((len(flat), 2))
    points[:, : len(axes)] = flat @ axes.T
    total = float((sizes**2).sum())
    share = [float(size**2 / total) if total > 0 else 0.0 for size in sizes[:2]] + [0.0, 0.0]
    return Paths(points.reshape(depth, positions, 2), (share[0], share[1]))


def cosines(vectors: np.ndarray) -> np.ndarray:
    """u·v / (|u| |v|) of each two vectors: [..., position, d] → float64 [..., position, position]. A zero vector gives 0."""
    vectors = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    return np.clip(unit @ np.swapaxes(unit, -1, -2), -1.0, 1.0)


def angle(u: np.ndarray, v: np.ndarray) -> float:
    """The angle between two vectors in degrees: arccos of their cosine. 90 where one of them is zero."""
    return float(np.degrees(np.arccos(cosines(np.stack([u, v]))[0, 1])))


def moments(x: np.ndarray) -> np.ndarray:
    """Mean and standard deviation (√ of the mean squared difference from the mean) of each vector: [..., d] → float64 [..., 2]."""
    x = np.asarray(x, dtype=np.float64)
    return np.stack([x.mean(axis=-1), x.std(axis=-1)], axis=-1)


def firing(fired: np.ndarray) -> np.ndarray:
    """How many neurons fire, which is: are above 0 after max(0, ·). [..., d_ff] → int [...]."""
    return (np.asarray(fired) > 0).sum(axis=-1)


def strongest_neurons(fired: np.ndarray, position: int, k: int = 10, most: int = 3) -> tuple[Neuron, ...]:
    """The neurons that fire most at a position, strongest first, each with the `most` positions of this text that fire it most.

    fired [position, d_ff]; ties go to the lower number. Neurons at 0 do not fire and are left out.
    """
    here = fired[position]
    order = [int(n) for n in np.argsort(-here, kind="stable")[:k] if here[n] > 0]
    found = []
    for number in order:
        column = fired[:, number]
        who = [int(p) for p in np.argsort(-column, kind="stable")[:most] if column[p] > 0]
        found.append(Neuron(number, float(here[number]), tuple((p, float(column[p])) for p in who)))
    return tuple(found)
