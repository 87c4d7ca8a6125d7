"""The decoder lens in numbers, against a plain softmax and a walk up the depths."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.analysis.depths import settling
from core.request import Request
from core.trace import Predictions, Tokens, Trace

VOCAB, START, END = 7, 0, 1


def softmax(row):
    weights = [math.exp(x - max(row)) for x in row]
    return [weight / sum(weights) for weight in weights]


def trace_of(logits, ids):
    """A trace with the predictions that these logits [position, vocab] mean."""
    chances = np.array([softmax(row) for row in logits.tolist()])
    tops = np.argsort(-chances, axis=1, kind="stable")[:, :3]
    actual = [math.log(chances[row, ids[row + 1]]) if row + 1 < len(ids) else math.nan for row in range(len(ids))]
    nats = np.log(np.take_along_axis(chances, tops, 1)).astype(np.float32)
    expected = Predictions(tops, nats, np.array(actual, np.float32), np.zeros(len(ids), np.float32))
    tokens = Tokens(ids, tuple(map(str, ids)), tuple(range(len(ids))), (False,) * len(ids))
    return Trace(Request("x", (3,), ids), None, tokens, (), next_logits=logits[-1].astype(np.float32), predictions=expected)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 4), st.integers(1, 2), st.booleans())
def test_every_number_is_what_softmax_and_a_walk_up_the_depths_give(seed, written, depths, first, ended):
    rng = np.random.default_rng(seed)
    ids = (START, *(int(i) for i in rng.integers(2, VOCAB, written + first - 1)))
    logits = rng.normal(0, 2, (depths, len(ids), VOCAB))
    found = settling([trace_of(one, ids) for one in logits], first, END if ended else None)
    written = [*ids[first:], *([END] if ended else [])]
    assert list(found.ids) == written
    for place, id in enumerate(written):
        rows = [softmax(logits[depth, first - 1 + place].tolist()) for depth in range(depths)]
        likeliest = [row.index(max(row)) for row in rows]
        settled = depths
        while settled and likeliest[settled - 1] == id:
            settled -= 1
        assert found.settled[place] == settled
        assert found.likeliest[:, place].tolist() == likeliest
        assert np.allclose(found.chance[:, place], [row[id] for row in rows], atol=1e-6)
        assert np.allclose(found.best[:, place], [max(row) for row in rows], atol=1e-6)
    assert np.allclose(found.whole, [math.log(math.prod(row)) for row in found.chance])
    assert found.differing == sum(any(found.likeliest[d, p] != written[p] for p in range(len(written))) for d in range(depths - 1))
