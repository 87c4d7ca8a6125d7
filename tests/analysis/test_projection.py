"""A head in the plane: the best rank-2 scores there are, and the weights they give beside the head's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import core
from core.analysis.projection import flatten, two_factors
from core.request import Stream

SIZES = st.tuples(st.integers(1, 7), st.integers(1, 7))
MATRICES = SIZES.flatmap(lambda size: arrays(np.float64, size, elements=st.floats(-9, 9, width=32)))


@given(MATRICES)
def test_two_factors_are_the_best_two_and_say_what_they_keep(matrix):
    left, right, kept = two_factors(matrix)
    assert left.shape == (matrix.shape[0], 2) and right.shape == (matrix.shape[1], 2)
    missed = float(((matrix - left @ right.T) ** 2).sum())
    values = np.sort(np.linalg.eigvalsh(matrix @ matrix.T))[::-1]  # squares of the singular values, found another way
    assert missed == pytest.approx(max(0.0, float(values[2:].sum())), abs=1e-6)
    total = float((matrix**2).sum())
    assert kept == pytest.approx(1 - missed / total if total > 1e-20 else 1.0, abs=1e-6)


@given(arrays(np.float64, (5, 2), elements=st.floats(-3, 3)), arrays(np.float64, (4, 2), elements=st.floats(-3, 3)))
def test_what_was_flat_stays_as_it_is(query, key):
    left, right, kept = two_factors(query @ key.T)
    assert np.allclose(left @ right.T, query @ key.T, atol=1e-9) and kept == pytest.approx(1.0)


@pytest.fixture(scope="module")
def trace():
    lens = core.load("classroom")
    return lens.run(lens.request("the little girl reads a book", "in the garden", keep=("pattern", "qkv", "scores")))


@pytest.mark.parametrize("stream", list(Stream))
def test_a_real_head_in_the_plane_is_its_own_scores_as_near_as_two_dimensions_allow(trace, stream):
    for layer in range(3):
        attention = trace.at(stream, layer)
        for head in range(attention.site.heads):
            flat = flatten(attention, head)
            scores = np.asarray(attention.scores[head], np.float64)
            assert np.allclose(flat.centred, scores - scores.mean(-1, keepdims=True), atol=1e-4)
            assert np.array_equal(flat.true, attention.head(head).astype(np.float64))
            assert np.allclose(flat.score, flat.query @ flat.key.T)
            missed = ((flat.centred - flat.score) ** 2).sum() / (flat.centred**2).sum()
            assert flat.kept == pytest.approx(1 - missed, abs=1e-9) and 0 < flat.kept <= 1
            # under the head's mask the plane's weights are a softmax of the plane's dot products
            power = np.where(attention.allowed[head], np.exp(flat.query @ flat.key.T), 0)
            assert np.allclose(flat.weight, power / power.sum(-1, keepdims=True))
            # and the whole of the centred scores gives the head's own weights: taking a row's mean off changes nothing
            power = np.where(attention.allowed[head], np.exp(flat.centred), 0)
            assert np.allclose(flat.true, power / power.sum(-1, keepdims=True), atol=1e-5)
            assert (flat.off >= 0).all() and (flat.off <= 1).all()
            # values: a turn of the space and a cut, so the output in the plane is the plane's view of the real output
            values = attention.value[attention.kv_of(head)].astype(np.float64)
            inner = (values - values.mean(0)) @ (values - values.mean(0)).T
            assert ((flat.value @ flat.value.T) ** 2).sum() <= (inner**2).sum() + 1e-6
            assert flat.value_kept == pytest.approx((flat.value**2).sum() / np.trace(inner), abs=1e-9)
            assert np.allclose(flat.output, flat.true @ flat.value)
