"""Painting: strokes become rules, and the rules, run by the engine, allow exactly what was painted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import core
from core.errors import MaskError
from core.request import MaskRule, Stream
from core.ui.masks.gallery import read_picked
from core.ui.masks.strokes import MOST, History, Stroke, painted, read_strokes, rules_of, sheet
from tests.families import ask, build

TEXT = "the cat sits on the mat"
ACTS = st.sampled_from(["forbid", "allow"])
CELLS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12).map(tuple)
STROKES = st.lists(
    st.tuples(ACTS, st.sampled_from(["head", "layer", "all"]), CELLS, st.integers(0, 2), st.integers(0, 3)),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def lens():
    return core.load("classroom")


@settings(max_examples=25, deadline=None)
@given(strokes=STROKES)
def test_what_was_painted_is_what_the_engine_allows(lens, strokes):
    request = lens.request(TEXT, "")
    native = sheet(lens.run(request), Stream.ENCODER)
    heads = {layer: len(allowed) for layer, allowed in native.items()}
    wanted = {layer: allowed.copy() for layer, allowed in native.items()}
    made = native
    for number, (act, scope, cells, layer, head) in enumerate(strokes):
        layer, head = layer % len(heads), head % heads[layer % len(heads)]
        tried = {place: allowed.copy() for place, allowed in wanted.items()}
        for place in heads:
            for one in range(heads[place]):
                if scope == "all" or (place == layer and (scope == "layer" or one == head)):
                    for query, key in cells:
                        tried[place][one, query, key] = act == "allow"
        if any(not allowed.any(axis=-1).all() for allowed in tried.values()):
            with pytest.raises(MaskError, match="Nothing was painted"):
                painted(made, native, Stroke(number + 1, act, scope, cells), layer, head)
            continue
        wanted, made = tried, painted(made, native, Stroke(number + 1, act, scope, cells), layer, head)
    for rule in rules_of(Stream.ENCODER, made, native):
        request = request.with_mask(rule)
    run = sheet(lens.run(request), Stream.ENCODER)
    assert all(np.array_equal(run[layer], wanted[layer]) for layer in heads)


def test_forbidding_never_opens_where_layers_were_trained_under_different_masks(tmp_path):
    """Gemma 2 takes turns between a window and the whole past: a cell shut in one layer may be open in the next."""
    lens = core.load(build("gemma2", tmp_path))
    request = ask(lens, 12)
    native = sheet(lens.run(request), Stream.DECODER)
    assert not np.array_equal(native[0], native[1])
    made = painted(native, native, Stroke(1, "forbid", "all", ((11, 0), (11, 5))), 0, 0)
    for rule in rules_of(Stream.DECODER, made, native):
        request = request.with_mask(rule)
    for layer, allowed in sheet(lens.run(request), Stream.DECODER).items():
        wanted = native[layer].copy()
        wanted[:, 11, [0, 5]] = False
        assert np.array_equal(allowed, wanted)


def test_painting_all_heads_is_one_rule_and_painting_back_is_none(lens):
    native = sheet(lens.run(lens.request(TEXT, "")), Stream.ENCODER)
    shut = painted(native, native, Stroke(1, "forbid", "all", ((2, 0), (4, 2))), 0, 0)
    assert rules_of(Stream.ENCODER, shut, native) == (MaskRule(Stream.ENCODER, "custom", edges=((2, 0), (4, 2))),)
    again = painted(shut, native, Stroke(2, "allow", "all", ((2, 0), (4, 2))), 0, 0)
    assert rules_of(Stream.ENCODER, again, native) == ()
    one = painted(native, native, Stroke(1, "forbid", "head", ((1, 1),)), 2, 3)
    assert rules_of(Stream.ENCODER, one, native) == (MaskRule(Stream.ENCODER, "custom", (2,), (3,), edges=((1, 1),)),)


def test_a_column_of_a_whole_map_is_one_short_edge(lens):
    native = sheet(lens.run(lens.request(TEXT, "")), Stream.ENCODER)
    column = tuple((query, 3) for query in range(7))
    made = painted(native, native, Stroke(1, "forbid", "all", column), 0, 0)
    assert rules_of(Stream.ENCODER, made, native) == (MaskRule(Stream.ENCODER, "custom", edges=((None, 3),)),)


def test_every_change_of_the_mask_can_be_taken_back_and_brought_again():
    one, two = (MaskRule(Stream.ENCODER, "causal"),), (MaskRule(Stream.ENCODER, "full"),)
    known = History()
    for mask in ((), one, one, two):
        known.follow("text", mask)
    assert (known.past, known.future) == ([(), one], [])
    assert known.step(back=True) == one
    known.follow("text", one)
    assert known.step(back=True) == ()
    assert known.step(back=True) == ()
    assert known.step(back=False) == one
    assert known.step(back=False) == two
    assert known.step(back=False) == two
    known.step(back=True)
    known.follow("text", ())
    assert known.future == []
    known.follow("another text", ())
    assert known.past == []


GOOD = [1, "forbid", "all", [0, 3]]


@pytest.mark.parametrize(
    "raw",
    [None, [], {}, {"strokes": []}, {"strokes": GOOD, "version": "v"}, {"strokes": [GOOD], "version": "w"},
     {"strokes": "x", "version": "v"},
     {"strokes": [GOOD], "version": "v", "more": 1}, {"strokes": [GOOD] * (MOST + 1), "version": "v"},
     *({"strokes": [bad], "version": "v"} for bad in (
         [1, "forbid", "all"], [0, "forbid", "all", [0]], [True, "forbid", "all", [0]], [1, "burn", "all", [0]],
         [1, "forbid", "one", [0]],
         [1, "forbid", "all", []], [1, "forbid", "all", [4]], [1, "forbid", "all", [-1]], [1, "forbid", "all", [0.0]],
         [1, "forbid", "all", [True]], [1, "undo", "all", [0]], [1, "forbid", "all", [0] * 5], [1, ["forbid"], "all", [0]],
     ))],
)  # fmt: skip
def test_what_a_browser_sends_is_checked(raw):
    assert read_strokes(raw, (2, 2), "v") == ()


def test_what_was_painted_is_read():
    sent = {"strokes": [GOOD, [2, "undo", "head", []]], "version": "v"}
    assert read_strokes(sent, (2, 2), "v") == (Stroke(1, "forbid", "all", ((0, 0), (1, 1))), Stroke(2, "undo", "head"))


@pytest.mark.parametrize(
    "raw",
    [None, {}, {"card": "causal"}, {"card": "no", "width": None}, {"card": "causal", "width": 0},
     {"card": "causal", "width": 1000}, {"card": "causal", "width": True},
     {"card": "causal", "width": "2"},
     {"card": ["causal"], "width": None}],
)  # fmt: skip
def test_what_the_gallery_sends_is_checked(raw):
    assert read_picked(raw, ["causal"]) is None


def test_what_was_picked_is_read():
    assert read_picked({"card": "causal", "width": None}, ["causal"]) == ("causal", None)
    assert read_picked({"card": "block", "width": 4}, ["causal", "block"]) == ("block", 4)
