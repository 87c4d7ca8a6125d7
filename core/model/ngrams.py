"""The model to compare with: n-grams with interpolated Kneser–Ney smoothing (Kneser & Ney 1995; Chen & Goodman 1999, §2.7).

It only counts. It uses the same tokens as the transformer, so that the two perplexities can be compared.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence


class Ngrams:
    """p(next | the last order − 1 ids). Lower orders count the different contexts in which an id was seen, not how often."""

    def __init__(self, lines: Iterable[Sequence[int]], size: int, start: int, order: int = 3) -> None:
        """lines: ids from the first word to the end token, without the start token. size: the number of ids in the vocabulary;
        the lowest order gives each of them the same probability."""
        self.order, self.size, self.start = order, size, start
        self.counts: list[Counter[tuple[int, ...]]] = [Counter() for _ in range(order)]
        highest = self.counts[-1]
        for line in lines:
            row = (start,) * (order - 1) + tuple(line)
            highest.update(zip(*(row[i:] for i in range(order)), strict=False))
        for n in range(order - 1, 0, -1):  # each different longer n-gram is one context of the n-gram without its first id
            self.counts[n - 1].update(gram[1:] for gram in self.counts[n])
        self.kinds = [Counter(gram[:-1] for gram in counts) for counts in self.counts]
        self.total: list[Counter[tuple[int, ...]]] = [Counter() for _ in range(order)]
        self.discount = []
        for counts, total in zip(self.counts, self.total, strict=True):
            for gram, count in counts.items():
                total[gram[:-1]] += count
            often = Counter(counts.values())
            self.discount.append(often[1] / max(1, often[1] + 2 * often[2]))

    def probability(self, context: Sequence[int], id: int) -> float:
        row = (self.start,) * (self.order - 1) + tuple(context)
        p = 1 / self.size
        for n in range(self.order):
            seen = row[len(row) - n :]
            total = self.total[n].get(seen, 0)
            if total:
                kept = max(0.0, self.counts[n].get((*seen, id), 0) - self.discount[n]) / total
                p = kept + self.discount[n] * self.kinds[n][seen] / total * p
        return p

    def loss(self, context: Sequence[int], ids: Sequence[int]) -> float:
        """The negative log-probability of `ids` after `context`, in nats."""
        row = [*context, *ids]
        return -sum(math.log(self.probability(row[:i], row[i])) for i in range(len(context), len(row)))
