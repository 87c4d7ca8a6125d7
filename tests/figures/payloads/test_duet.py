"""Teacher forcing beside free running: every number is the model's, and the texts part where they part."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import core
from core.figures.labels import label
from core.figures.payloads.duet import END, first_difference, odds, payload
from core.trace import log_softmax

IDS = st.lists(st.integers(0, 3), max_size=5)


@given(IDS, IDS)
def test_the_first_difference_is_where_the_texts_stop_being_the_same(one, other):
    step = first_difference(one, other)
    if step is None:
        assert one == other
    else:
        assert one[:step] == other[:step] and one[step : step + 1] != other[step : step + 1]


def test_odds_are_said_so_that_they_can_be_read():
    assert odds(np.log(0.42)) == "42\N{NO-BREAK SPACE}%"
    assert odds(np.log(1 / 4200)) == "1 in 4,200"
    assert odds(-18 * np.log(10)) == "1 in 10¹⁸"
    assert odds(0.0) == "100\N{NO-BREAK SPACE}%"


@pytest.fixture(scope="module")
def lens():
    return core.load("translator-small")


def test_both_runs_hold_the_models_own_numbers(lens):
    def written(ids):
        return lens.run(lens.request("the red car", target_ids=ids).keeping("pattern", "predictions"))

    start = lens.request("the red car", "")
    ids = []
    while (
        len(ids) < 20
        and (best := int(lens.run(start.append(*ids) if ids else start).next_logits.argmax())) not in lens.ends
    ):
        ids.append(best)
    other = list(lens.request("x", "o gato vermelho").target[1:])
    given_, free = written(other), written(ids)
    made = payload(given_, free, True, lens.ends, "v")
    for trace, side, own in ((given_, made["given"], other), (free, made["free"], ids)):
        assert [one["id"] for one in side["steps"]] == [*own, END]
        total = 0.0
        for row, step in enumerate(side["steps"]):
            request = lens.request("the red car", target_ids=own[:row])
            logprobs = log_softmax(lens.run(request).next_logits)
            token = own[row] if row < len(own) else max(lens.ends, key=lambda end, held=logprobs: held[end])
            total += logprobs[token]
            assert step["own"] == (int(logprobs.argmax()) == token)
            assert step["best"] == label(trace.token_text(int(logprobs.argmax())), 18)
        assert side["logprob"] == pytest.approx(total, abs=1e-4)
    assert all(step["own"] for step in made["free"]["steps"])
    assert made["first"] == first_difference([*other, END], [*ids, END])


def test_rows_are_the_same_up_to_the_first_difference(lens):
    start = lens.request("the red car", "")
    best = int(lens.run(start).next_logits.argmax())
    one = lens.run(start.append(best, 700, 701).keeping("pattern", "predictions"))
    two = lens.run(start.append(best, 702, 703).keeping("pattern", "predictions"))
    made = payload(one, two, False, lens.ends, "v")
    assert made["first"] == 1
    for a, b in zip(one.attention, two.attention, strict=True):
        if a.site.stream.value == "cross":
            assert np.abs(a.pattern[:, :2] - b.pattern[:, :2]).max() <= 1e-5
    assert any(
        np.abs(a.pattern[:, 2] - b.pattern[:, 2]).max() > 1e-3
        for a, b in zip(one.attention, two.attention, strict=True) if a.site.stream.value == "cross"
    )  # fmt: skip
