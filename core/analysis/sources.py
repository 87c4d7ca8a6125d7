"""A network beside plain counting on text that neither has seen, source by source: what is easy would hide what is hard."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEVEL = 0.02  # perplexities that lie closer than this share count as equal
TRIGRAM = 3


@dataclass(frozen=True, slots=True)
class Source:
    """Held-out text of one source. says: what text it is. network: its perplexity per token; counting: those of Kneser–Ney with
    n-grams of 1, 2, … tokens, on the same tokens."""

    name: str
    says: str
    sentences: int
    tokens: int
    network: float
    counting: tuple[float, ...]

    @property
    def trigram(self) -> float:
        return self.counting[TRIGRAM - 1]

    @property
    def order(self) -> int:
        """The length of n-grams that foresees this text best: chosen on this very text, in favour of counting."""
        return self.counting.index(self.best) + 1

    @property
    def best(self) -> float:
        """The lowest perplexity of counting."""
        return min(self.counting)

    @property
    def ratio(self) -> float:
        """The network's perplexity divided by the best of counting: below 1, the network foresees better."""
        return self.network / self.best

    def to_row(self) -> dict[str, str]:
        """As a line of a table, of which `from_row` makes the same source again."""
        held = {"source": self.name, "says": self.says, "sentences": str(self.sentences), "tokens": str(self.tokens)}
        orders = {f"order {n}": f"{value:.4f}" for n, value in enumerate(self.counting, 1)}
        return {**held, "network": f"{self.network:.4f}", **orders}

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> Source:
        counting = tuple(float(value) for name, value in row.items() if name.startswith("order "))
        return cls(row["source"], row["says"], int(row["sentences"]), int(row["tokens"]), float(row["network"]), counting)


def together(sources: Sequence[Source], name: str = "all") -> Source:
    """All sources as one: every token counts the same."""
    tokens = sum(source.tokens for source in sources)

    def mean(values: Sequence[float]) -> float:
        nats = (source.tokens * math.log(value) for source, value in zip(sources, values, strict=True))
        return math.exp(sum(nats) / tokens)

    counting = tuple(map(mean, zip(*(source.counting for source in sources), strict=True)))
    sentences = sum(source.sentences for source in sources)
    return Source(name, "", sentences, tokens, mean([source.network for source in sources]), counting)


def better(source: Source) -> str:
    """Who foresees a source better: "network", "counting" or, where the two lie within LEVEL, "neither"."""
    if abs(math.log(source.ratio)) < math.log(1 + LEVEL):
        return "neither"
    return "network" if source.ratio < 1 else "counting"


def verdict(sources: Sequence[Source]) -> str:
    """Who foresees which source better, in sentences with both perplexities."""
    return " ".join(map(_said, sources))


def _said(source: Source) -> str:
    ours, theirs = f"{source.network:.1f}", f"{source.best:.1f} with n-grams of {source.order} tokens"
    where = f"On {source.name} ({source.says})"
    if (who := better(source)) == "neither":
        return f"{where} the network foresees about as well as counting: a perplexity of {ours} beside {theirs}."
    if who == "network":
        return f"{where} the network foresees better: a perplexity of {ours} against {theirs}."
    return f"{where} plain counting foresees better: a perplexity of {theirs}, against the network’s {ours}."
