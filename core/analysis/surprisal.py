"""How well a text was foreseen: surprisal of each token, perplexity of all, and who foresaw it better. All in bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.trace import Predictions, Token


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one model expected at one place. top: its likeliest tokens, likeliest first; probability: of the token that
    really stood there, and its rank from 1 (None: the place is still empty, or it was not among the `kept` likeliest)."""

    top: tuple[Token, ...]
    probability: float | None = None
    rank: int | None = None
    kept: int = 0

    @property
    def bits(self) -> float | None:
        """The surprisal of the token that stood there."""
        return None if self.probability is None else surprisal(self.probability)


@dataclass(frozen=True, slots=True)
class Counted:
    """What a trigram table knows of a place: how often the two tokens before stood together in the training text, how often
    this token followed, and how many different tokens did."""

    before: tuple[str, str]
    together: int
    followed: int
    kinds: int


@dataclass(frozen=True, slots=True)
class Place:
    """One token of a text as two models saw it coming; text "" is the place after the last one.

    joins: it continues the word before. written: the model itself wrote it. ours and theirs are None where nobody was asked.
    """

    id: int | None
    text: str
    special: bool = False
    joins: bool = False
    written: bool = False
    ours: Verdict | None = None
    theirs: Verdict | None = None
    counted: Counted | None = None

    @property
    def judged(self) -> bool:
        """Whether a model said how likely this token was."""
        return self.ours is not None and self.ours.probability is not None


@dataclass(frozen=True, slots=True)
class Tally:
    """A text in two lines: bits of each judged token, ours and (where there is a table) theirs."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...] | None

    @property
    def won(self) -> int:
        """How many tokens ours foresaw better."""
        return sum(mine < their for mine, their in zip(self.ours, self.theirs or (), strict=False))

    @property
    def lost(self) -> int:
        """How many tokens theirs foresaw better."""
        return sum(mine > their for mine, their in zip(self.ours, self.theirs or (), strict=False))


def surprisal(probability: float) -> float:
    """−log₂ p in bits: 0 for what was certain, 1 for a coin's side, infinite for what was impossible (Shannon 1948)."""
    return -math.log2(probability) if probability > 0 else math.inf


def perplexity(bits: Sequence[float]) -> float:
    """2 to the mean surprisal: among how many equally likely tokens a guess surprises as much. NaN for no token at all."""
    return 2 ** (sum(bits) / len(bits)) if bits else math.nan


def draw(probabilities: np.ndarray, at: float) -> int:
    """The place of the wheel that a number `at` in [0, 1) points to, each as wide as its probability [n], in order."""
    reach = np.cumsum(np.asarray(probabilities, dtype=np.float64))
    return min(int(np.searchsorted(reach, at * reach[-1], side="right")), len(reach) - 1)


def foreseen(predictions: Predictions, row: int, actual: int | None, top: Sequence[Token]) -> Verdict:
    """A network's verdict at one place: `row` of its predictions, which must be the token before. top: its likeliest."""
    if actual is None:
        return Verdict(tuple(top))
    found = np.flatnonzero(predictions.top_ids[row] == actual)
    chance = math.exp(float(predictions.actual_logprob[row]))
    return Verdict(tuple(top), chance, int(found[0]) + 1 if found.size else None, predictions.top_ids.shape[1])


def ranked(probabilities: np.ndarray, actual: int | None, top: Sequence[Token]) -> Verdict:
    """A verdict from the probabilities of every id [size]. top: the likeliest."""
    if actual is None:
        return Verdict(tuple(top))
    chance = float(probabilities[actual])
    return Verdict(tuple(top), chance, int((probabilities > chance).sum()) + 1, len(probabilities))


def counting(places: Sequence[Place]) -> list[Place]:
    """The places that count: those judged and not written by the model itself (it hardly surprises itself); all that were
    judged where it wrote everything."""
    judged = [place for place in places if place.judged]
    return [place for place in judged if not place.written] or judged


def tally(places: Sequence[Place]) -> Tally:
    """The bits of the places that count."""
    counted = counting(places)
    ours = tuple(float(p.ours.bits) for p in counted if p.ours is not None and p.ours.bits is not None)
    theirs = [p.theirs.bits for p in counted if p.theirs is not None and p.theirs.bits is not None]
    return Tally(ours, tuple(theirs) if counted and len(theirs) == len(counted) else None)


def gaps(places: Sequence[Place]) -> tuple[Place | None, Place | None]:
    """Where each is furthest ahead: the token that ours foresaw best against theirs, and the other way round; None where one
    is ahead nowhere. Ahead by Δ bits is 2^Δ times the probability."""
    both = [(p, p.theirs.bits - p.ours.bits) for p in counting(places)  # type: ignore[operator, union-attr]
            if p.theirs is not None and p.theirs.bits is not None]  # fmt: skip
    best, worst = max(both, key=lambda one: one[1], default=None), min(both, key=lambda one: one[1], default=None)
    return best[0] if best and best[1] > 0 else None, worst[0] if worst and worst[1] < 0 else None


def hardest(places: Sequence[Place]) -> Place | None:
    """The token that surprised ours most; None where none was judged."""
    return max(counting(places), key=lambda p: p.ours.bits or 0.0, default=None)  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True)
class Price:
    """A text's log-probability in nats, over how many tokens."""

    nats: float
    tokens: int

    @property
    def bits(self) -> float:
        """Its surprisal, −log₂ p = −nats / ln 2."""
        return -self.nats / math.log(2)

    @property
    def bits_each(self) -> float:
        """Bits per token."""
        return self.bits / max(1, self.tokens)

    @property
    def perplexity(self) -> float:
        """2 to the bits per token (Jelinek et al. 1977): among how many equally likely tokens it was as hard to guess."""
        return 2.0**self.bits_each


def price(nats: Sequence[float]) -> Price:
    """The price of tokens whose log-probabilities, each given all before, are `nats`."""
    return Price(float(sum(nats)), len(nats))
