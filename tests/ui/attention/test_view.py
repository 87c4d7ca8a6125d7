"""What a browser may send back to the attention view: a choice that fits the trace, or nothing at all."""

from dataclasses import replace

import pytest

from core.request import Stream
from core.ui.attention.view import ViewChoice, moved, plain, read_choice, read_link, write_link
from tests.browser.made_up import trace_of

CHOICE = ViewChoice(
    Stream.CROSS, 2, 3, True, 5, 8, ((0, 1), (2, 3)), ((1, 1), (1, 2)), True, False, True, "previous", ("share", 0.8), "ab"
)
HOSTILE = [None, True, -1, 3, 10**9, 1.5, float("nan"), "0", "<img src=x onerror=alert(1)>"]
HOSTILE += [[], [[0, 1]], {}, [["a", 1]], [[0, 1, 2]]]


def test_a_choice_survives_the_way_to_the_browser_and_back():
    for choice in (CHOICE, ViewChoice(Stream.ENCODER), replace(CHOICE, query=None, key=None, lines=("weight", 0.0))):
        assert read_choice(plain(choice), trace_of()) == choice


@pytest.mark.parametrize("field", list(ViewChoice.__slots__))
def test_anything_else_is_refused_field_by_field(field):
    fits = {
        "layer": [0, 1, 2], "head": [0, 1, 2, 3], "query": [3], "key": [3], "pins": [[], [[0, 1]]], "mixed": [[], [[0, 1]]],
        "locked": [True], "words": [True], "special": [True], "sinks": [True],
    }.get(field, [])  # fmt: skip
    for value in HOSTILE:
        fine = any(type(value) is type(other) and value == other for other in fits)
        made = read_choice({**plain(CHOICE), field: value}, trace_of())
        assert (made is not None) == fine, (field, value)


def test_what_is_no_choice_at_all_is_refused():
    short = {name: value for name, value in plain(CHOICE).items() if name != "head"}
    for value in [*HOSTILE, {**plain(CHOICE), "more": 1}, short]:
        assert read_choice(value, trace_of()) is None
    many = [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0]]
    for changed in ({"query": 6}, {"key": 9}, {"query": None}, {"pins": [[0, 0]] * 2}, {"pins": many}):
        assert read_choice({**plain(CHOICE), **changed}, trace_of()) is None
    for lines in (
        ["weight", 0.6],
        ["share", 0.0],
        ["other", 0.2],
        ["weight"],
        ["weight", True],
        ["weight", float("nan")],
    ):
        assert read_choice({**plain(CHOICE), "lines": lines}, trace_of()) is None


def test_another_stream_lets_pins_go():
    assert moved(CHOICE, Stream.CROSS, 0, 0, (1, 2)).pins == CHOICE.pins
    there = moved(CHOICE, Stream.ENCODER, 0, 0, None)
    assert (there.pins, there.mixed, there.cell, there.words) == ((), (), None, True)


def test_a_choice_survives_the_way_through_a_link():
    for choice in (CHOICE, ViewChoice(Stream.ENCODER), replace(CHOICE, locked=False, lines=("weight", 0.0), sort="grid")):
        text = write_link(choice)
        again = moved(read_link(text, trace_of(), choice.stream), choice.stream, choice.layer, choice.head, choice.cell)
        assert replace(again, quarter=choice.quarter) == choice  # a quarter is a parameter of its own
        assert not set(text) - set("abcdefghijklmnopqrstuvwxyz0123456789_.~-")
    assert write_link(ViewChoice(Stream.CROSS, 2, 1, True, 0, 0)) == ""


@pytest.mark.parametrize(
    "text",
    ["", "~~~", "pin9.9", "pin1.1-1.1", "pin1", "pin-1.1", "mix9.1", "by_size", "weight", "sharenan", "share9", "xyz", "pin٣.١"],
)
def test_a_link_that_means_nothing_shows_the_view_as_it_opens(text):
    assert read_link(text, trace_of(), Stream.CROSS) == ViewChoice(Stream.CROSS)
