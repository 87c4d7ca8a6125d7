"""What a text costs a model: surprisal piece by piece, and one text beside another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """A text's log-probability in nats, over how many pieces."""

    nats: float
    pieces: int

    @property
    def bits(self) -> float:
        """Its surprisal, −log₂ p = −nats / ln 2: how many yes-or-no questions' worth of news it is."""
        return -self.nats / math.log(2)

    @property
    def bits_each(self) -> float:
        """Bits a piece."""
        return self.bits / max(1, self.pieces)

    @property
    def perplexity(self) -> float:
        """2 to the bits a piece (Jelinek et al. 1977): among how many equally likely pieces it would have been as hard to guess."""
        return 2.0**self.bits_each


def price(nats: Sequence[float]) -> Price:
    """The price of pieces whose log-probabilities, each given all before, are `nats`."""
    return Price(float(sum(nats)), len(nats))


def ratio_said(nats: float) -> str:
    """How many times likelier a difference of log-probability is: e to the |difference|, in three digits."""
    times = math.exp(min(abs(nats), 700.0))
    if times < 1e6:
        return f"{times:,.0f} times" if times >= 100 else f"{times:.3g} times"
    return f"10 to the {abs(nats) / math.log(10):.0f} times"
