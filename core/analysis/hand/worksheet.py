"""Exercises in attention for pencil and paper: three words with small whole numbers, and their solution.

Queries and keys have four numbers, so that √d = 2; values have two. Every number of the solution is eq. 1 (Vaswani et al.
2017) in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.attention import readonly
from core.errors import InputError

WORDS = (("the", "cat", "sleeps"), ("dogs", "chase", "cats"), ("she", "reads", "books"), ("rain", "falls", "softly"))
D, LAST = 4, 9999  # numbers of a query; the highest number of a sheet


@dataclass(frozen=True, slots=True, eq=False)
class Exercise:
    """One sheet. query and key int [3, 4], value int [3, 2]; what is to be found, float64: product q·k and score q·k/2, both
    [query, key], power e^score, weight its share of the row, output [query, 2]."""

    number: int
    words: tuple[str, ...]
    query: np.ndarray
    key: np.ndarray
    value: np.ndarray
    product: np.ndarray
    score: np.ndarray
    power: np.ndarray
    weight: np.ndarray
    output: np.ndarray


def exercise(number: int) -> Exercise:
    """Sheet `number`, from 1: the same number, the same sheet. Scores stay within ±2.5, no two of a row are equal, so that each
    word has one that it looks at most, and no two rows are alike. Raises InputError for a number that no sheet has."""
    if type(number) is not int or not 1 <= number <= LAST:
        raise InputError(f"a sheet from 1 to {LAST}", f"{number!r}")
    random = np.random.default_rng([number, D])
    while True:
        query, key = random.integers(-1, 3, (2, 3, D))
        value = random.integers(-4, 7, (3, 2))
        product = query @ key.T
        apart = all(len(set(row)) == 3 for row in product.tolist()) and len({tuple(row) for row in product.tolist()}) == 3
        if apart and np.abs(product).max() <= 5 and len({tuple(row) for row in value.tolist()}) == 3:
            break
    score = product / np.sqrt(D)
    power = np.exp(score)
    weight = power / power.sum(axis=-1, keepdims=True)
    parts = (query, key, value, product.astype(np.float64), score, power, weight, weight @ value)
    return Exercise(number, WORDS[(number - 1) % len(WORDS)], *(readonly(part) for part in parts))
