"""The trigram tables that ship: the counts of `core.model.ngrams` over the training text, as sorted columns.

`python -m core.data.trigrams` writes them. Reading a table is fast, while counting again would take about ten seconds. Every
number equals that of `Ngrams` on the same sentences (tests/data/test_trigrams.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.model.vocabulary import START
from core.paths import DATA, WEIGHTS


class Level(NamedTuple):
    """The n-grams of one order, sorted. gram int64 [gram]: its ids as digits in base `size`. often int64 [gram]: its count.
    discount: what Kneser–Ney subtracts from each count."""

    gram: np.ndarray
    often: np.ndarray
    discount: float


class Term(NamedTuple):
    """p = max(0, seen − discount) / total + discount · kinds / total · lower: one order of the interpolation.

    known: how many ids before are used. seen: how often this id came after them. total: how often any id came after them. kinds:
    how many different ids came after them.
    """

    known: int
    seen: int
    total: int
    kinds: int
    discount: float
    lower: float
    p: float


class Trigram:
    """p(next | the last two ids), interpolated Kneser–Ney (Chen & Goodman 1999, §2.7), from a table of counts."""

    def __init__(self, gram: np.ndarray, count: np.ndarray, size: int, start: int = START, sentences: int = 0) -> None:
        """gram: trigrams as sorted whole numbers (a · size + b) · size + c; count: how often each stood in the text."""
        self.size, self.start, self.sentences = size, start, sentences
        levels = [_level(gram, count)]
        for order in (2, 1):  # a lower order counts the contexts before an n-gram, not how often it was seen
            levels.append(_level(*np.unique(levels[-1].gram % size**order, return_counts=True)))
        self.levels = levels[::-1]

    @classmethod
    def load(cls, path: Path) -> Trigram:
        with np.load(path, allow_pickle=False) as held:
            first, second, third, count = (
                held[name].astype(np.int64) for name in ("first", "second", "third", "count")
            )
            size, sentences = int(held["size"]), int(held["sentences"])
        return cls((first * size + second) * size + third, count, size, START, sentences)

    def seen(self, context: Sequence[int]) -> tuple[tuple[int, int], np.ndarray, np.ndarray]:
        """The counts after the last two ids: the pair itself, the ids that followed it int64 [kind], how often int64 [kind]."""
        first, second = self._row(context)[-2:]
        low, high = self._span(2, (first, second))
        return (first, second), self.levels[2].gram[low:high] % self.size, self.levels[2].often[low:high]

    def probabilities(self, context: Sequence[int]) -> np.ndarray:
        """The probability of every id after `context`: float64 [size], which sums to 1."""
        row = self._row(context)
        p = np.full(self.size, 1 / self.size)
        for n, level in enumerate(self.levels):
            low, high = self._span(n, row[len(row) - n :])
            counts = level.often[low:high]
            total = counts.sum()
            if total:
                kept = np.zeros(self.size)
                kept[level.gram[low:high] % self.size] = np.maximum(0.0, counts - level.discount) / total
                p = kept + level.discount * (high - low) / total * p
        return p

    def terms(self, context: Sequence[int], id: int) -> list[Term]:
        """The terms of one id's probability, from the one that uses the last two ids to the one that uses none. Contexts that
        were never seen are left out."""
        row, found, p = self._row(context), [], 1 / self.size
        for n, level in enumerate(self.levels):
            low, high = self._span(n, row[len(row) - n :])
            counts = level.often[low:high]
            if high > low:
                count = int(counts[level.gram[low:high] % self.size == id].sum())
                total = int(counts.sum())
                kept = max(0.0, count - level.discount) / total
                found.append(
                    Term(
                        n, count, total, high - low, level.discount, p, kept + level.discount * (high - low) / total * p
                    )
                )
                p = found[-1].p
        return found[::-1]

    def _row(self, context: Sequence[int]) -> tuple[int, ...]:
        return (self.start, self.start, *context)

    def _span(self, n: int, seen: Sequence[int]) -> tuple[int, int]:
        """The places (first, one after the last) of the n-grams that begin with these ids."""
        number = 0
        for id in seen:
            number = number * self.size + id
        low, high = np.searchsorted(self.levels[n].gram, [number * self.size, (number + 1) * self.size])
        return int(low), int(high)


def _level(gram: np.ndarray, count: np.ndarray) -> Level:
    once, twice = int((count == 1).sum()), int((count == 2).sum())
    return Level(gram, count, once / max(1, once + 2 * twice))


def for_model(model: str) -> Trigram | None:
    """The table whose counts are in the tokens of this shipped model; None where there is none."""
    if not (WEIGHTS / model / "tokenizer.json").is_file():
        return None
    ours = fingerprint(model)
    return next((Trigram.load(path) for path in sorted(DATA.glob("trigrams.*.npz")) if _counted_in(path) == ours), None)


def _counted_in(path: Path) -> bytes:
    """The fingerprint of the vocabulary whose tokens a table counts."""
    with np.load(path, allow_pickle=False) as held:
        return bytes(held["pieces"])


def table(language: str) -> Path:
    return DATA / f"trigrams.{language}.npz"


def fingerprint(model: str) -> bytes:
    """A hash of a model's tokenizer, which tells vocabularies apart."""
    return blake2b((WEIGHTS / model / "tokenizer.json").read_bytes(), digest_size=16).digest()
