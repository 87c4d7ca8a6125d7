"""Bars of probabilities, tested on their data."""

import altair as alt
import pytest

from core.figures.distribution import Bar, bars, describe
from core.figures.theme import DARK, LIGHT


def spaced(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def table(chart) -> list[dict]:
    return chart["data"]["values"]


def marks(chart) -> list[str]:
    return [layer["mark"]["type"] for layer in chart["layer"]]


def test_each_row_keeps_its_number_and_its_order():
    rows = table(bars([Bar(" todas", 0.49), Bar(" cada", 0.21)], LIGHT.decoder, LIGHT))
    assert [(row["place"], row["name"], row["share"], spaced(row["said"])) for row in rows] == [
        (0, "todas", 0.49, "49 %"),
        (1, "cada", 0.21, "21 %"),
    ]


def test_a_change_shows_what_was():
    chart = bars([Bar("todos", 0.37, 0.19), Bar("new", 0.2)], DARK.decoder, DARK)
    assert [spaced(row["was"]) for row in table(chart)] == ["was 19 %", ""]
    assert "tick" in marks(chart)


def test_without_a_change_there_is_no_tick():
    assert "tick" not in marks(bars([Bar("a", 0.5)], LIGHT.decoder, LIGHT))


def test_bars_begin_at_0_and_the_longest_bar_or_tick_ends_the_scale():
    for chart in (bars([Bar("a", 0.4, 0.9)], LIGHT.decoder, LIGHT), bars([Bar("a", 0.4)], LIGHT.decoder, LIGHT)):
        scales = [layer["encoding"]["x"]["scale"] for layer in chart["layer"] if "field" in layer["encoding"]["x"]]
        assert scales and all(scale["zero"] and not scale["nice"] and "domain" not in scale for scale in scales)


@pytest.mark.parametrize("rows", [[], [Bar("a", 0.5)], [Bar("a", 0.5, 0.2), Bar("<b>", 0.1)]])
def test_altair_takes_the_drawing_for_valid(rows):
    assert alt.Chart.from_dict(bars(rows, LIGHT.decoder, LIGHT)).to_dict()["layer"]


def test_one_drawing_does_not_leak_its_data_into_the_next():
    first, second = bars([Bar("a", 0.5)], LIGHT.decoder, LIGHT), bars([Bar("b", 0.5)], LIGHT.decoder, LIGHT)
    assert table(first)[0]["name"] == "a"
    assert table(second)[0]["name"] == "b"


def test_the_bars_are_described_in_words():
    assert (
        spaced(describe([Bar("a", 0.4, 0.9), Bar("b", 0.1)], "Next token")) == "Next token: a 40 % (was 90 %), b 10 %."
    )
