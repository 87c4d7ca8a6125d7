"""Heads in numbers, on vectors one can check by hand."""

import numpy as np
import pytest

from core.analysis import QUARTERS, effective_tokens, in_quarter, pooled, quarter_shares, received, strongest
from core.analysis.patterns import sink


def test_a_row_on_one_token_has_one_effective_token_and_an_even_row_has_all_of_its_tokens():
    pattern = np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25, 0.25, 0.25, 0.25]], dtype=np.float32)
    assert effective_tokens(pattern) == pytest.approx([1, 2, 4])


def test_spread_ignores_what_a_sink_took_and_a_row_without_weight_has_none():
    assert effective_tokens(np.array([[0.2, 0.2, 0.0], [0.0, 0.0, 0.0]])) == pytest.approx([2, 0])


def test_spread_is_e_to_the_entropy():
    row = np.array([[0.7, 0.2, 0.1]])
    assert effective_tokens(row) == pytest.approx([np.exp(-(0.7 * np.log(0.7) + 0.2 * np.log(0.2) + 0.1 * np.log(0.1)))])


def test_received_is_the_sum_of_a_column_and_all_of_them_make_the_number_of_rows():
    pattern = np.array([[1, 0, 0], [0.5, 0.5, 0], [0.25, 0.25, 0.5]])
    assert received(pattern) == pytest.approx([1.75, 0.75, 0.5])
    assert received(pattern).sum() == pytest.approx(len(pattern))


@pytest.mark.parametrize("types", [(0, 0, 0, 1, 1), (0, 1, 1, 1, 2), (0, 0, 0, 0, 0), (1, 0, 1, 0, 0)])
def test_four_quarters_hold_each_cell_once_and_the_shares_of_a_row_sum_to_1(types):
    pattern = np.random.default_rng(0).random((5, 5), dtype=np.float32)  # rows that sum to anything: a share is of all of it
    assert (sum(in_quarter(types, name).astype(int) for name in QUARTERS) == 1).all()
    assert sum(quarter_shares(pattern, types, name) for name in QUARTERS) == pytest.approx(np.ones(5))


def test_the_share_of_a_quarter_is_what_rows_of_the_one_sentence_give_the_other():
    pattern = np.array([[0.5, 0.25, 0.25], [0, 1, 0], [0.2, 0.2, 0.4]])  # the last row gave .2 to a sink
    assert quarter_shares(pattern, (0, 0, 1), "ab") == pytest.approx([0.25, 0, 0])
    assert quarter_shares(pattern, (0, 0, 1), "bb") == pytest.approx([0, 0, 0.5])
    assert quarter_shares(np.zeros((2, 2)), (0, 1), "aa") == pytest.approx([0, 0])


def test_strongest_takes_the_first_of_equals():
    assert strongest(np.array([[0.4, 0.4, 0.2]]), 0) == 0


def test_pooling_keeps_a_thin_diagonal_and_calls_a_block_forbidden_only_if_all_of_it_is():
    pattern = np.where(np.tri(8, dtype=bool), 0.0, np.nan)
    np.fill_diagonal(pattern, 1.0)
    small = pooled(pattern, 4)
    assert small.shape == (4, 4)
    assert np.diag(small) == pytest.approx(np.ones(4))
    assert np.isnan(small[0, 1:]).all()
    assert small[3, 0] == 0


def test_a_small_pattern_is_not_pooled():
    pattern = np.eye(3)
    assert pooled(pattern, 48) is pattern


def weights_of(query, key, allowed):
    scores = np.where(allowed, query @ key.T / np.sqrt(query.shape[1]), -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("causal", [False, True])
def test_a_sink_is_told_by_its_direction_even_where_its_key_is_short(causal):
    rng = np.random.default_rng(0)
    allowed = np.tri(9, dtype=bool) if causal else np.ones((9, 9), bool)
    query, key = rng.normal(size=(9, 16)), rng.normal(size=(9, 16))
    query[:, 0], key[0] = 8.0, 0
    key[:, 0], key[0, 0] = -2, 1.5
    found = sink(weights_of(query, key, allowed), allowed, query, key)
    assert found.key == 0 and found.share > 0.9 and found.length == pytest.approx(
        1.5 / np.linalg.norm(key[1:], axis=1).mean()
    )
    assert found.length < 0.6 and found.cosine > 0.8 > 0 > found.others


def test_a_key_that_only_its_own_row_may_see_is_no_sink():
    allowed, vectors = np.tri(6, dtype=bool), np.eye(6)
    assert sink(np.eye(6), allowed, vectors, vectors) is None  # each row looks at itself; the last column has one row
    assert sink(np.full((6, 6), 1 / 6), np.ones((6, 6), bool), vectors, vectors) is None
    assert sink(np.ones((1, 1)), np.ones((1, 1), bool), np.ones((1, 2)), np.ones((1, 2))) is None
