"""The decoder lens in numbers: how likely each token of a text is when the decoder reads the encoder at each of its depths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.trace import Trace, log_softmax


class Settling(NamedTuple):
    """A text's tokens at every depth of the encoder, the words before each being given.

    ids: the tokens, the end among them where the text was ended. chance float64 [depth, token]: their probability.
    likeliest int64 and best float64 [depth, token]: the token that is likeliest there, and its probability. settled int64
    [token]: the first depth from which the token is the likeliest at every depth to the last; the number of depths where it is not
    even at the last.
    """

    ids: tuple[int, ...]
    chance: np.ndarray
    likeliest: np.ndarray
    best: np.ndarray
    settled: np.ndarray

    @property
    def whole(self) -> np.ndarray:
        """ln of the text's probability at each depth, the product of its tokens', in nats: float64 [depth]."""
        return np.log(self.chance).sum(axis=1)

    @property
    def differing(self) -> int:
        """At how many depths before the last another token is likeliest somewhere: there greedy writing gives another text."""
        return int((self.likeliest[:-1] != np.array(self.ids)).any(axis=1).sum())


def settling(traces: Sequence[Trace], first: int, end: int | None) -> Settling:
    """From the traces of one target, depth by depth, predictions kept.

    first: the target's place of the first token to weigh, at least 1. end: the id of the end that follows the target, None where
    it was not ended.
    """
    target = traces[-1].target
    assert target is not None
    rows = range(first - 1, len(target) - (end is None))
    ids = tuple(int(id) for id in target.ids[first:]) + (() if end is None else (end,))
    chance, likeliest, best = (np.zeros((len(traces), len(ids)), kind) for kind in (np.float64, np.int64, np.float64))
    for depth, trace in enumerate(traces):
        expected = trace.predictions
        assert expected is not None and trace.next_logits is not None
        for place, row in enumerate(rows):
            last = row == len(target) - 1
            nats = log_softmax(trace.next_logits)[ids[place]] if last else expected.actual_logprob[row]
            chance[depth, place] = np.exp(np.float64(nats))
            likeliest[depth, place] = expected.top_ids[row, 0]
            best[depth, place] = np.exp(np.float64(expected.top_logprob[row, 0]))
    misses = likeliest != np.array(ids, dtype=np.int64)
    settled = np.array([max((depth + 1 for depth in np.flatnonzero(column)), default=0) for column in misses.T], dtype=np.int64)
    return Settling(ids, chance, likeliest, best, settled)
