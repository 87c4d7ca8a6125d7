"""The scores heads are sorted by, each counted again by hand on a pattern of three tokens."""

import re

import numpy as np
import pytest

from core.analysis.head_scores import HEAD_SCORES, HeadScore, offered, scored
from core.request import Stream

WEIGHTS = np.array([[0.5, 0.5, 0.0], [0.25, 0.5, 0.25], [0.0, 1.0, 0.0]], dtype=np.float32)
BY_HAND = {
    "spread": (2 + 2**1.5 + 1) / 3,  # entropies: log 2, 1.5 · log 2, 0
    "narrow": (2 + 2**1.5 + 1) / 3,
    "self": (0.5 + 0.5 + 0.0) / 3,
    "previous": (0.25 + 1.0) / 2,
    "next": (0.5 + 0.25) / 2,
    "first": (0.5 + 0.25 + 0.0) / 3,
    "received": 2 / 3,
}


@pytest.mark.parametrize("name", HEAD_SCORES)
def test_a_score_is_what_its_line_says(name):
    found = scored(HEAD_SCORES, WEIGHTS, 0)
    assert found[name] == pytest.approx(BY_HAND[name], abs=1e-4)


def test_rows_of_a_later_step_know_their_place():
    assert scored(HEAD_SCORES, WEIGHTS[2:], 2)["previous"] == 1.0
    assert scored(HEAD_SCORES, WEIGHTS[2:], 2)["next"] == 0.0


def test_places_are_compared_within_one_text_of_two_tokens_or_more():
    assert set(HEAD_SCORES) - set(offered(Stream.CROSS, 9)) == {"self", "previous", "next"}
    assert offered(Stream.ENCODER, 1).keys() == offered(Stream.CROSS, 9).keys()
    assert list(offered(Stream.DECODER, 2)) == list(HEAD_SCORES)


def test_a_formula_that_two_scores_share_is_worked_out_once():
    asked = []

    def count(weights, start):
        asked.append(start)
        return 1.0

    assert scored({"a": HeadScore(count, "a"), "b": HeadScore(count, "b", ascending=True)}, WEIGHTS, 0) == {"a": 1.0, "b": 1.0}
    assert asked == [0]


def test_the_registry_has_names_that_fit_a_link_and_cannot_be_changed():
    assert all(re.fullmatch("[a-z0-9]+", name) and score.says for name, score in HEAD_SCORES.items())
    assert "grid" not in HEAD_SCORES, "the order of layers and heads, which no score gives"
    with pytest.raises(TypeError):
        HEAD_SCORES["mine"] = HEAD_SCORES["first"]
