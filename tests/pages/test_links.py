"""What is chosen on a page stands in the link: a page opened with it is the page that was clicked to."""

import json

import numpy as np
import pytest
import streamlit as st

import core
from core.analysis import brought, rollout
from core.request import PositionRule, Stream
from core.request_json import request_from_json, request_to_json
from core.ui.attention.positions import rule_of
from core.ui.masks import sections as masks
from core.ui.session.state import Choice
from tests.pages.conftest import numbers

CAT = {"stream": "encoder", "text": "the cat sits on the mat", "target": "and the dog", "layer": "2", "head": "3"}


def same(screen, page, name):
    """Open the link of this page in another session: whatever stands there must be the same. Gives the other one."""
    again = screen(name, **dict(page.app.query_params.items()))
    assert page.calm() and again.calm() and not again.said("note")
    assert again.app.query_params == page.app.query_params
    one, other = page.everything(), again.everything()
    for what in one:
        assert other[what] == one[what], what
    return again


CLICKS = [  # page, how it is opened, [key of a widget, what is chosen there], what the link says then
    ("attention", CAT, [("measure", "norm")], {"measure": "norm"}),
    ("attention", CAT, [("measure", "rollout")], {"measure": "rollout"}),
    ("attention", CAT | {"open": "places"}, [("place-how", "shifted")], {"positions": "shifted.10"}),
    ("attention", CAT | {"open": "places"}, [("place-how", "shifted"), ("place-by", 4)], {"positions": "shifted.4"}),
    ("attention", CAT | {"open": "places.take"}, [("place-how", "shuffled"), ("place-seed", 7)], {"positions": "shuffled.7"}),
    ("attention", CAT | {"open": "check-cell.check-stages"}, [("stage", "product")], {"stage": "product"}),
    ("attention", CAT | {"open": "pieces", "text": "unbelievable teapots"}, [("merge-of", 1), ("merges", 2)], {"merges": "2.2"}),
    ("rnn", {}, [("task", "copy")], {"game": "copy.16.0.1"}),
    ("rnn", {}, [("delay-recall", 0), ("task", "copy")], {"game": "copy.2.0.1"}),
    ("rnn", {}, [("delay-recall", 28), ("another", None), ("another", None)], {"game": "recall.28.2.1"}),
    ("rnn", {}, [("task", "copy"), ("answer-number", 5)], {"game": "copy.16.0.5"}),
    ("rnn", {}, [("own-recall", " a3 b7 → b ")], {"exercise": "a3 b7 → b"}),
    ("rnn", {}, [("depth", "Maths")], {"dial": "maths"}),
    ("encoder", CAT, [("depth", "Code")], {"dial": "code"}),
    ("generate", {"model": "writer", "text": "the", "sampling": "t1.9_s6"}, [("loop-more", None)], {"length": "48"}),
]


@pytest.mark.parametrize(("name", "opened", "clicks", "said"), CLICKS)
def test_a_page_opened_with_the_link_is_the_page_that_was_clicked_to(screen, name, opened, clicks, said):
    page = screen(name, **opened)
    before = page.everything()
    for key, value in clicks:
        widget = page.app.get_by_key(key)
        (widget.click() if value is None else widget.set_value(value)).run()
    assert page.everything() != before
    assert {one: page.app.query_params[one] for one in said} == said
    again = same(screen, page, name)
    for one in said:  # going back to the address of before moves the widgets, too
        del again.app.query_params[one]
    for one, value in opened.items():
        again.app.query_params[one] = value
    again.app.run()
    assert again.everything()["widgets"] == before["widgets"]
    assert again.everything()["plots"] == before["plots"]


def test_the_width_of_a_card_that_nobody_adopted_stands_in_the_link(screen, monkeypatch):
    real = masks.mask_gallery

    def drawn(cards, stream, picked):
        real(cards, stream, picked)
        st.button("wider", key="wider", on_click=picked, args=("block", 5))

    monkeypatch.setattr(masks, "mask_gallery", drawn)
    page = screen("masks", **CAT)
    page.app.button(key="wider").click().run()
    assert page.app.query_params["widths"] == "block5" and "mask" not in page.app.query_params
    same(screen, page, "masks")


@pytest.mark.parametrize(
    ("name", "params", "kept"),
    [
        ("attention", {"measure": "<b>"}, "<b>"), ("attention", {"positions": "shifted.999"}, "shifted.999"),
        ("attention", {"open": "take.nothing"}, "take.nothing"), ("attention", {"stage": "soft"}, "soft"),
        ("masks", {"widths": "window0"}, "window0"), ("generate", {"length": "4000"}, "4000"), ("encoder", {"dial": "x"}, "x"),
        ("attention", {"merges": "x"}, "x"),
        ("rnn", {"game": "chess.16.0.1"}, "game"), ("rnn", {"game": "recall.17.0.1"}, "game"), ("rnn", {"game": "<b>"}, "<b>"),
    ],
)  # fmt: skip
def test_rubbish_in_a_link_is_told_and_the_page_shows_the_usual(screen, name, params, kept):
    page = screen(name, **params)
    assert page.calm()
    assert any(kept in note for note in page.said("note"))
    assert not {*params} & {*page.app.query_params}


@pytest.mark.parametrize("params", [{"merges": "90.9"}, {"stage": "biased"}, {"measure": "rollout", "stream": "cross"}])
def test_what_means_nothing_on_this_text_shows_the_usual(screen, params):
    page = screen("attention", open="check-stages.pieces", **(CAT | params))
    plain = screen("attention", open="check-stages.pieces", **(CAT | {"stream": params.get("stream", "encoder")}))
    assert page.calm() and page.everything()["widgets"] == plain.everything()["widgets"]


@pytest.mark.parametrize("stream", [Stream.ENCODER, Stream.DECODER])
@pytest.mark.parametrize(("reading", "moved"), [("norm", "shuffled.7"), ("rollout", "shifted.4"), ("weight", "off")])
def test_the_copied_python_gives_the_very_numbers_on_the_screen(screen, stream, reading, moved):
    """Also those of the reading and of the position lab; and the request with its positions moved asks the same."""
    params = CAT | {"stream": stream.value, "measure": reading, "positions": moved, "open": "places.take"}
    page = screen("attention", mask=f"{stream.value}.{'causal' if stream is Stream.ENCODER else 'full'}", **params)
    (lines,) = [code.value for code in page.app.code if "lens = load(" in code.value]
    space: dict = {}
    exec(lines, space)
    maps = [numbers(one["data"][0]["z"]) for one in map_specs(page)]
    main, (stands, shifted, change) = maps[0], maps[-3:]
    shown = {"weight": "pattern", "norm": "lengths", "rollout": "shares"}[reading]
    assert np.nan_to_num(main) == pytest.approx(space[shown], abs=1e-6)
    assert np.nan_to_num(stands) == pytest.approx(space["pattern"], abs=1e-6)
    assert np.nan_to_num(change) == pytest.approx(space["change"], abs=1e-6)
    assert np.nan_to_num(shifted) == pytest.approx(space["pattern"] + space["change"], abs=1e-6)
    how, amount = (*moved.split("."), "0")[:2]
    asked = space["request"].with_positions(PositionRule(stream, how, int(amount)))
    assert space["moved"].request == asked == request_from_json(request_to_json(asked))
    assert f"Request, positions {how}" in [one.proto.label for one in page.app.get("download_button")]
    # an oracle of its own: the API, without the lines
    lens = core.load("classroom")
    trace = lens.run(space["request"].keeping("pattern", "qkv"))
    attention = trace.at(stream, 1)
    if reading == "norm":
        assert space["lengths"] == pytest.approx(
            brought(attention.head(2), attention.value[attention.kv_of(2)], lens.projection(stream, 1)[2]), abs=1e-6
        )
    if reading == "rollout":
        assert space["shares"] == pytest.approx(rollout([trace.at(stream, n).pattern for n in range(2)]), abs=1e-6)


def map_specs(page):
    specs = [json.loads(chart.proto.spec) for chart in page.app.get("plotly_chart")]
    return [one for one in specs if any(trace["type"] == "heatmap" for trace in one["data"])]


def test_a_closed_lab_is_not_in_the_python(screen):
    page = screen("attention", **CAT, positions="shifted.4", open="take")
    (lines,) = [code.value for code in page.app.code if "lens = load(" in code.value]
    assert "PositionRule" not in lines
    assert not [one for one in page.app.get("download_button") if "positions" in one.proto.label]


def test_the_moved_positions_can_be_taken_as_a_picture(screen):
    page = screen("attention", **CAT, positions="shifted.4", open="places.take")
    offered = page.app.selectbox(key="take-figure").options
    for name in ("Positions shifted", "Changed by positions shifted"):
        assert name in offered
        page.app.selectbox(key="take-figure").set_value(name).run()
        assert page.calm() and not page.said("trouble")


def test_a_model_whose_positions_cannot_be_moved_has_no_lab_to_take(monkeypatch):
    class Inside:
        can_move_tokens = False

    class It:
        choice = Choice().but(open=("places",))

        class now:
            source, target = (1, 2), None

        stream = Stream.ENCODER

    class View:
        info = Inside

    assert rule_of(View, It) is None
    monkeypatch.setattr(Inside, "can_move_tokens", True)
    assert rule_of(View, It) == PositionRule(Stream.ENCODER, "off")
    monkeypatch.setattr(It, "choice", Choice())
    assert rule_of(View, It) is None
