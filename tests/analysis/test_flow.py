"""Rollout and the norm of what is brought, written a second time cell by cell."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.analysis import brought, rollout

SEEDS = st.integers(0, 2**32 - 1)


def pattern_of(rng, heads, size, causal):
    weights = rng.random((heads, size, size)) * (np.tri(size) if causal else 1)
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


@given(SEEDS, st.integers(1, 6), st.integers(1, 5), st.integers(1, 4))
def test_what_is_brought_is_the_length_of_the_weighted_vector(seed, queries, d, d_model):
    rng = np.random.default_rng(seed)
    pattern, value = rng.random((queries, 4)), rng.standard_normal((4, d))
    projection = rng.standard_normal((d, d_model))
    found, before = brought(pattern, value, projection), brought(pattern, value, None)
    for q in range(queries):
        for k in range(4):
            vector = [sum(pattern[q, k] * value[k, i] * projection[i, j] for i in range(d)) for j in range(d_model)]
            assert found[q, k] == pytest.approx(math.sqrt(sum(x * x for x in vector)), abs=1e-9)
            assert before[q, k] == pytest.approx(pattern[q, k] * math.sqrt(sum(x * x for x in value[k])), abs=1e-9)


@given(SEEDS, st.integers(1, 4), st.integers(1, 3), st.integers(1, 5), st.booleans())
def test_a_rollout_is_the_sum_over_all_paths(seed, layers, heads, size, causal):
    rng = np.random.default_rng(seed)
    patterns = [pattern_of(rng, heads, size, causal) for _ in range(layers)]
    found = rollout(patterns)

    def share(layer, query, key):
        """What reaches `query` after `layer` layers from `key`, by walking every path."""
        if layer == 0:
            return float(query == key)
        mean = [sum(float(patterns[layer - 1][h, query, m]) for h in range(heads)) / heads for m in range(size)]
        return sum((0.5 * mean[m] + 0.5 * (m == query)) * share(layer - 1, m, key) for m in range(size))

    for q in range(size):
        assert found[q].sum() == pytest.approx(1)
        for k in range(size):
            assert found[q, k] == pytest.approx(share(layers, q, k), abs=1e-5)
    if causal:
        assert not np.triu(found, 1).any()


def test_mass_that_a_sink_took_is_left_out():
    full = pattern_of(np.random.default_rng(1), 2, 4, True)
    assert rollout([full * np.float32(0.5)]) == pytest.approx(rollout([full]), abs=1e-6)
    with pytest.raises(ValueError, match="at least one layer"):
        rollout([])
