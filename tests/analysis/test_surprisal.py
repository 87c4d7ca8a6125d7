"""Surprisal, perplexity, and who foresaw what: laws that hold for any text."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.analysis.surprisal import Place, Verdict, counting, draw, gaps, hardest, perplexity, surprisal, tally

chance = some.floats(1e-9, 1.0)


def place(ours: float | None, theirs: float | None = None, written: bool = False, id: int = 1) -> Place:
    verdicts = [None if p is None else Verdict((), p, 1) for p in (ours, theirs)]
    return Place(id, "x", False, False, written, *verdicts)


def test_bits_count_halvings() -> None:
    assert [surprisal(p) for p in (1.0, 0.5, 0.25, 0.125)] == [0, 1, 2, 3]
    assert surprisal(0.0) == math.inf
    assert perplexity([3.0] * 5) == 8 and math.isnan(perplexity([]))


@given(some.lists(chance, min_size=1, max_size=30))
def test_perplexity_is_one_over_the_geometric_mean(chances) -> None:
    found = perplexity([surprisal(p) for p in chances])
    assert found == pytest.approx(math.exp(-np.log(chances).mean()), rel=1e-9)
    assert 1 / max(chances) <= found * (1 + 1e-9) and found <= (1 + 1e-9) / min(chances)


@given(some.lists(some.floats(0.001, 1.0), min_size=1, max_size=20), some.floats(0, 1, exclude_max=True))
def test_a_draw_falls_where_the_wheel_says(weights, at) -> None:
    share = np.array(weights) / sum(weights)
    n = draw(share, at)
    assert share[:n].sum() <= at + 1e-9 and at < share[: n + 1].sum() + 1e-9


def test_draws_come_as_often_as_their_share() -> None:
    share = np.array([0.5, 0.0, 0.3, 0.2])
    found = np.bincount([draw(share, (i + 0.5) / 1000) for i in range(1000)], minlength=4) / 1000
    assert np.abs(found - share).max() <= 0.001


def test_ones_own_words_count_only_where_there_are_no_others() -> None:
    given_, own = place(0.5, 0.25), place(0.9, 0.5, written=True)
    assert counting([given_, own, Place(None, "")]) == [given_]
    assert counting([own]) == [own]
    assert tally([given_, own]).ours == (1.0,)


def test_wins_and_gaps() -> None:
    places = [place(0.5, 0.25, id=1), place(0.1, 0.4, id=2), place(0.5, 0.5, id=3), place(None, None, id=4)]
    found = tally(places)
    assert (found.won, found.lost, len(found.ours)) == (1, 1, 3)
    assert gaps(places) == (places[0], places[1]) and hardest(places) is places[1]
    assert gaps([places[2]]) == (None, None) and hardest([places[3]]) is None
    assert tally([place(0.5)]).theirs is None
