"""Predictions in numbers, on distributions one can check by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.analysis import changes, kl, moved, probabilities

LOGITS = arrays(np.float64, 6, elements=st.floats(-30, 30))


def trace(*odds: float, masked: dict | None = None) -> SimpleNamespace:
    logits = np.log(np.array(odds)) if odds else None
    return SimpleNamespace(next_logits=logits, masked_logits=masked or {}, token_text=lambda i: "abcdef"[i])


def test_probabilities_are_the_softmax():
    assert probabilities(np.log([1.0, 2.0, 5.0])) == pytest.approx([0.125, 0.25, 0.625])


def test_kl_of_a_fair_coin_from_a_loaded_one():
    # Σ p ln(p/q) = ½ ln(½ / ¾) + ½ ln(½ / ¼)
    assert kl(np.log([0.5, 0.5]), np.log([0.75, 0.25])) == pytest.approx(0.5 * np.log(2 / 3) + 0.5 * np.log(2))


@given(LOGITS, LOGITS)
def test_kl_is_never_negative_and_0_only_between_equals(before, after):
    assert kl(before, after) >= 0
    assert kl(before, before + 3.0) == pytest.approx(0, abs=1e-9)


def test_kl_stays_finite_where_a_probability_vanishes():
    assert np.isfinite(kl(np.array([0.0, 0.0]), np.array([0.0, -800.0])))


def test_moved_is_the_share_that_changed_hands():
    assert moved(np.log([0.5, 0.5]), np.log([0.75, 0.25])) == pytest.approx(0.25)


def test_changes_are_sorted_by_what_is_now_and_know_what_was():
    rows = changes(trace(0.2, 0.5, 0.3), trace(0.6, 0.3, 0.1), k=2)
    assert [(row.text, pytest.approx(row.now), pytest.approx(row.before)) for row in rows] == [
        ("b", 0.5, 0.3),
        ("a", 0.2, 0.6),  # the old favourite takes the place of c, so that its fall is seen
    ]


def test_without_a_before_there_is_none():
    assert [(row.text, row.before) for row in changes(trace(0.2, 0.8), k=1)] == [("b", None)]


def test_a_model_that_does_not_predict_has_no_candidates():
    assert changes(trace()) == []
    assert changes(trace(), position=3) == []


def test_an_encoder_is_asked_at_a_place():
    at_two = trace(masked={2: np.log([0.1, 0.9])})
    assert [row.text for row in changes(at_two, k=1, position=2)] == ["b"]


@given(LOGITS, LOGITS, st.integers(1, 6))
def test_the_first_candidate_is_always_the_likeliest_now(before, after, k):
    now, was = (SimpleNamespace(next_logits=one, masked_logits={}, token_text=lambda i: "abcdef"[i]) for one in (after, before))
    rows = changes(now, was, k)
    assert len(rows) == k and rows[0].now == max(probabilities(after))
    once = probabilities(before)
    assert k == 1 or once.max() in {once[row.id] for row in rows}  # of several that are equally likely, one
