"""The page From RNN to attention, without a browser: every number is a machine's, run again here."""

import json

import numpy as np
import pytest

from core.errors import LensError
from core.model import recall
from core.ui.memory import exercise, read_own, seen, shares
from tests.pages.conftest import numbers


def drawn(page):
    """The maps of the page, in order: state, alignment, own."""
    charts = [json.loads(chart.proto.spec) for chart in page.app.get("plotly_chart")]
    return [numbers(chart["data"][0]["z"]) for chart in charts]


def test_the_page_opens_and_shows_what_each_machine_keeps(screen):
    page = screen("rnn")
    assert page.calm() and not page.said("trouble")
    what = exercise(16, 0)
    assert what.source[:4].count(what.asked) == 1  # a pair from before the delay is asked
    source, target = recall.load_machine("gru").encode(what.source), recall.load_machine("gru").encode(f"{what.asked}→")
    looks = {kind: recall.load_machine(kind).look(source, target) for kind in recall.SHAPES}
    state, alignment, own = drawn(page)
    assert np.nanmax(np.abs(state.ravel()[:88] - looks["gru"].reader[-1])) <= 1e-6
    assert np.abs(alignment[:, 0] - looks["attention"].alignment[-1]).max() <= 1e-6
    assert np.abs(own - looks["transformer"].own[-1].mean(0)).max() <= 1e-6
    (table,) = [body for body in page.said("sum") if "answer" in body]
    for kind, title in recall.TITLES.items():
        best = recall.SYMBOLS[int(looks[kind].chances[-1].argmax())]
        assert f"{title}{best}" in table


def test_the_curve_is_the_cards(screen):
    page = screen("rnn")
    spec = json.loads(page.app.get("vega_lite_chart")[0].proto.spec)
    table = {(row["machine"], row["delay"]): row["accuracy"] for row in recall.results()}
    assert {key[1] for key in table} == set(recall.MEASURED)
    assert "layer" in spec
    assert table["gru", 28] < 0.6 < 0.95 <= table["attention", 28]


def test_a_longer_delay_is_a_longer_exercise_and_another_one_is_another(screen):
    page = screen("rnn")
    first = page.said("exercise")[0]
    page.app.get_by_key("delay").set_value(28).run()
    second = page.said("exercise")[0]
    assert len(second) > len(first)
    page.app.button(key="another").click().run()
    assert page.said("exercise")[0] != second


def test_ones_own_exercise_is_answered(screen):
    page = screen("rnn")
    page.app.text_input(key="own-exercise").set_value("a3 b7 c1 -> b").run()
    assert page.calm() and not page.said("trouble")
    (table,) = [body for body in page.said("sum") if "answer" in body]
    assert "Transformer7" in table and "GRU with attention7" in table


@pytest.mark.parametrize("text", ["a3", "a3 b7 →", "a3 b7 → z", "a3 a4 → a", "a3 b → a", "é3 → é", "a3 → a → a", "<b>", "a3" * 400])
def test_what_is_no_exercise_is_told(text):
    with pytest.raises(LensError, match="For example"):
        read_own(text)


def test_the_gradient_shown_is_each_machines_own_as_a_share():
    what = exercise(8, 1)
    for kind in recall.SHAPES:
        found = shares(seen(kind, what)[1])
        assert found.sum() == pytest.approx(1.0, abs=1e-5) or not found.any()
        machine = recall.load_machine(kind)
        again = machine.gradient(machine.encode(what.source), machine.encode(f"{what.asked}→"), 1, recall.PLACE[what.value])
        assert np.allclose(found, again / again.sum(), atol=1e-4)
