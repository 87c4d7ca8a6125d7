"""How well plain counting foresees a text: interpolated Kneser–Ney of several orders, number for number `core.model.ngrams`.

The training text and the text that is asked for are coded together, so that equal n-grams have equal codes, and NumPy counts
the codes: a few seconds for a million tokens, where one dictionary for each order takes a minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

Ids = Sequence[int]
ORDERS = 5  # the longest n-gram: the token that comes, and four before it


def losses(
    lines: Iterable[Ids], asked: Sequence[tuple[Ids, Ids]], size: int, start: int, orders: int = ORDERS
) -> np.ndarray:
    """The negative log-probability in nats of each asked text after its context: float64 [order, text], with n-grams of 1, 2, …
    `orders` tokens. lines: the training text, as ids from the first word to the end token, without the start token. asked:
    (context, text) each. size: how many ids there are."""
    trained = windows([((), line) for line in lines], start, orders)
    places = windows(asked, start, orders)
    levels = counted(np.concatenate([trained, places]), len(trained), size)
    owner = np.repeat(np.arange(len(asked)), [len(text) for _, text in asked])
    found, p = [], np.full(len(places), 1 / size)
    for level in levels:
        found.append(np.bincount(owner, -np.log(level.mixed(level.often, p)), len(asked)))
        p = level.mixed(level.neighbours, p)  # below the highest order, contexts count, not occurrences
    return np.array(found)


def windows(texts: Sequence[tuple[Ids, Ids]], start: int, width: int) -> np.ndarray:
    """int64 [place, width]: each id of each text, last, with the ids before it, first those of its context; before the first one
    stands `start`."""
    rows = [[*[start] * (width - 1), *context, *text] for context, text in texts]
    flat = np.fromiter(chain.from_iterable(rows), dtype=np.int64)
    lengths = np.array([len(text) for _, text in texts], dtype=np.int64)
    ends = np.cumsum([len(row) for row in rows])
    last = np.repeat(ends - np.cumsum(lengths), lengths) + np.arange(lengths.sum())
    return flat[last[:, None] + np.arange(1 - width, 1)]


@dataclass(frozen=True)
class Level:
    """The n-grams of one length. Of each kind in the training text: its code, sorted; the code of its context, which is all
    but its last id; how often it stands there, and after how many different ids. Of each asked place: the codes of its n-gram and
    of its context. All int64."""

    codes: np.ndarray
    contexts: np.ndarray
    often: np.ndarray
    neighbours: np.ndarray
    asked: np.ndarray
    after: np.ndarray

    def mixed(self, counts: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """p = max(0, c − D) / C + D · kinds / C · lower of every asked place; `lower` where its context was never seen."""
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        discount = once / max(1, once + 2 * twice)
        length = 1 + max(int(self.contexts.max()), int(self.after.max(initial=0)))
        total = np.bincount(self.contexts, counts, length)[self.after]
        kinds = np.bincount(self.contexts, minlength=length)[self.after]
        at = np.minimum(np.searchsorted(self.codes, self.asked), len(self.codes) - 1)
        count = np.where(self.codes[at] == self.asked, counts[at], 0)
        some = np.maximum(total, 1)
        return np.where(total > 0, np.maximum(0, count - discount) / some + discount * kinds / some * lower, lower)


def counted(rows: np.ndarray, trained: int, size: int) -> list[Level]:
    """The levels of 1, 2, … ids. rows: windows, the first `trained` of the training text, the others asked for."""
    width = rows.shape[1]
    context = np.zeros(len(rows), dtype=np.int64)  # code of the n ids before the last
    found: list[tuple[np.ndarray, ...]] = []
    for n in range(width):
        if n:
            context = np.unique(rows[:, -1 - n] * (int(context.max()) + 1) + context, return_inverse=True)[1]
        gram = context * size + rows[:, -1]
        codes, first, often = np.unique(gram[:trained], return_index=True, return_counts=True)
        found.append((codes, first, often, gram, context))
    levels = []
    for n, (codes, first, often, gram, context) in enumerate(found):
        longer = found[n + 1][1] if n + 1 < width else first  # a place of every different n-gram that is longer by one
        neighbours = np.unique(gram[longer], return_counts=True)[1]
        levels.append(Level(codes, context[first], often, neighbours, gram[trained:], context[trained:]))
    return levels
