"""The page Masks, without a browser."""

import json

import numpy as np
import pytest
import streamlit as st

import core
from core.analysis import kl, logits_of
from core.figures.labels import label, percent
from core.figures.payloads.mask_painter import unpack
from core.request import MaskRule, Sampling, Stream
from core.ui.masks import sections as masks
from core.ui.session.rules import read_rules
from tests.families import build

TEXT = "the cat sits on the mat"


def component(page, name):
    (found,) = [one.proto for one in page.app.get("bidi_component") if one.proto.component_name == name]
    return found


def painted(page):
    """What the painter was sent: header, pattern now and before, allowed now and as trained."""
    return unpack(component(page, "lookback_mask_painter").bytes)


def cards(page):
    return {card["name"]: card for card in json.loads(component(page, "lookback_mask_gallery").json)["cards"]}


@pytest.fixture
def send(monkeypatch):
    """Send what a browser sends from one of the components: AppTest runs no scripts, so a button calls what they call."""
    sent = {}

    def wired(name, real):
        def drawn(*args):
            real(*args)
            st.button(name, key=f"send-{name}", on_click=lambda: args[-1](*sent["values"]))

        return drawn

    for name in ("mask_painter", "mask_gallery"):
        monkeypatch.setattr(masks, name, wired(name, getattr(masks, name)))

    def send(page, name, *values):
        sent["values"] = values
        page.app.button(key=f"send-{name}").click().run()
        return page.app.query_params.get("mask", "")

    return send


def test_the_page_opens_on_the_mask_as_trained(screen):
    page = screen("masks")
    assert page.calm() and not page.said("trouble")
    header, now, before, allowed, native = painted(page)
    assert not header["changed"] and header["kl"] is None
    assert np.array_equal(now, before) and np.array_equal(allowed, native)
    assert [row[2] for row in header["next"]] == [None] * 6
    assert page.lead.startswith(f"As trained, {native.sum()} of {native.size} cells")
    assert list(cards(page)) == ["causal", "full", "window", "prefix", "padding", "block", "yours"]
    assert cards(page)["causal"]["note"] == "native" and cards(page)["causal"]["on"]


@pytest.mark.parametrize("stream", ["encoder", "decoder", "cross"])
def test_each_card_shows_what_the_api_gives_for_its_mask(screen, stream):
    page = screen("masks", stream=stream, text=TEXT, target="and the dog sleeps")
    lens = core.load("classroom")
    request = lens.request(TEXT, "and the dog sleeps")
    native = lens.run(request)
    keys = len(request.source if stream != "decoder" else request.target)
    rules = {"full": MaskRule(stream, "full"), "padding": MaskRule(stream, "padding", edges=((None, keys - 1),))}
    if stream != "cross":
        rules |= {"causal": MaskRule(stream, "causal"), "prefix": MaskRule(stream, "prefix", width=2)}
        rules |= {"window": MaskRule(stream, "window", width=2), "block": MaskRule(stream, "block", width=3)}
    shown = cards(page)
    assert set(shown) == {*rules, "yours"}
    far = {name: kl(logits_of(native), logits_of(lens.run(request.with_mask(rule)))) for name, rule in rules.items()}
    for name, rule in rules.items():
        trace, card = lens.run(request.with_mask(rule)), shown[name]
        wanted = trace.at(Stream(stream), 0).allowed[0]
        assert [[sign == "1" for sign in row] for row in card["rows"]] == wanted.tolist()
        best = trace.next_tokens(1)[0]
        assert (card["token"], card["share"]) == (label(best.text), percent(best.probability))
        assert card["turned"] == (best.id != native.next_tokens(1)[0].id)
        if card["kl"] == "< 0.001":
            assert 0 < far[name] < 0.001
        else:
            assert float(card["kl"]) == pytest.approx(far[name], rel=0.005, abs=0.0006)
        assert card["bar"] == pytest.approx(far[name] / max(far.values()), abs=1e-6)


def test_a_card_adopts_its_mask_and_its_width_is_changed_in_it(screen, send):
    page = screen("masks", stream="encoder", text=TEXT)
    send(page, "mask_gallery", "window", None)
    assert page.calm()
    assert page.app.query_params["mask"] == "encoder.window.2"
    assert cards(page)["window"]["on"] and painted(page)[0]["kl"] is not None
    send(page, "mask_gallery", "window", 4)
    assert page.app.query_params["mask"] == "encoder.window.4"
    assert cards(page)["window"]["width"] == 4
    send(page, "mask_gallery", "full", None)
    assert "mask" not in page.app.query_params


def test_a_link_shows_the_adopted_card_as_it_was(screen):
    shown = cards(screen("masks", stream="encoder", text=TEXT, mask="encoder.window.4"))
    assert shown["window"]["width"] == 4 and shown["window"]["on"] and not shown["yours"]["on"]


def test_a_painted_mask_gives_exactly_the_trace_of_the_api(screen, send):
    page = screen("masks", stream="encoder", text=TEXT, layer="2", head="3")
    version = painted(page)[0]["version"]
    strokes = [[1, "forbid", "all", [14, 15]], [2, "forbid", "layer", [30]], [3, "forbid", "head", [6]]]
    send(page, "mask_painter", {"strokes": strokes, "version": version})
    assert page.calm()
    lens = core.load("classroom")
    request = lens.request(TEXT, page.app.text_input(key="bar-target-text").value)
    native = lens.run(request)
    rules = [
        MaskRule(Stream.ENCODER, "custom", edges=((2, 0), (2, 1))),
        MaskRule(Stream.ENCODER, "custom", (1,), edges=((2, 0), (2, 1), (4, 2))),
        MaskRule(Stream.ENCODER, "custom", (1,), (2,), edges=((0, 6), (2, 0), (2, 1), (4, 2))),
    ]
    asked = request
    for rule in rules:
        asked = asked.with_mask(rule)
    masked = lens.run(asked)
    header, now, before, allowed, trained = painted(page)
    for shown, trace, what in ((now, masked, "head"), (before, native, "head")):
        assert np.array_equal(shown, trace.at(Stream.ENCODER, 1).head(2)), what
    assert np.array_equal(allowed, masked.at(Stream.ENCODER, 1).allowed[2])
    assert np.array_equal(trained, native.at(Stream.ENCODER, 1).allowed[2])
    best = masked.next_tokens(1)[0]
    assert header["next"][0][:2] == [label(best.text), pytest.approx(best.probability, abs=1e-9)]
    assert float(header["shift"]) == pytest.approx(np.abs(now.astype(float) - before).sum() / 2, abs=0.0051)
    assert cards(page)["yours"]["on"] and cards(page)["yours"]["note"] == "4 cells"
    # the link alone brings the same
    again = painted(screen("masks", **dict(page.app.query_params)))
    for mine, other in zip(painted(page)[1:], again[1:], strict=True):
        assert np.array_equal(mine, other)


def test_strokes_are_taken_back_and_brought_again_and_counted_once(screen, send):
    page = screen("masks", stream="encoder", text=TEXT)
    version = painted(page)[0]["version"]

    def stroke(*strokes):
        return send(page, "mask_painter", {"strokes": list(strokes), "version": version})

    first, second = [1, "forbid", "all", [0]], [2, "forbid", "all", [8]]
    assert stroke(first) == "encoder.custom.1k1"
    assert stroke(first, second) == "encoder.custom.1k1-2k2"
    assert stroke([3, "undo", "all", []]) == "encoder.custom.1k1"
    assert stroke([4, "undo", "all", []], [5, "redo", "all", []]) == "encoder.custom.1k1"
    header = painted(page)[0]
    assert (header["undo"], header["redo"], header["seen"]) == (1, 1, 5)
    send(page, "mask_gallery", "causal", None)
    assert stroke([6, "undo", "all", []]) == "encoder.custom.1k1"


def test_a_row_is_never_emptied_and_the_page_says_why(screen, send):
    page = screen("masks", stream="encoder", text=TEXT)
    version = painted(page)[0]["version"]
    send(page, "mask_painter", {"strokes": [[1, "forbid", "all", list(range(7))]], "version": version})
    header, _, _, allowed, native = painted(page)
    assert np.array_equal(allowed, native)
    assert "Nothing was painted" in header["refused"]


def test_as_trained_takes_the_mask_off_and_leaves_other_streams_alone(screen):
    page = screen("masks", stream="encoder", text=TEXT, mask="encoder.causal,cross.padding.k1")
    page.app.button(key="mask-off").click().run()
    assert page.app.query_params["mask"] == "cross.padding.k1"


def test_a_mask_that_cannot_be_is_told_and_taken_off(screen):
    page = screen("masks", stream="encoder", text="the cat", mask="encoder.custom.1k1x3")
    assert not page.app.exception
    assert any("Leave one cell of that row open" in line for line in page.said("trouble"))
    assert page.app.text_input(key="bar-text").value == "the cat"
    page.app.button(key="mask-off").click().run()
    assert not page.said("trouble") and painted(page)


@pytest.mark.parametrize(("family", "stream"), [("gpt2", "decoder"), ("bert", "encoder"), ("t5", "encoder")])
def test_the_causal_switch_turns_any_lens(screen, family, stream, tmp_path, monkeypatch):
    build(family, tmp_path / family)
    monkeypatch.setenv("LOOKBACK_MODELS", str(tmp_path))
    page = screen("masks", model=f"folder:{family}", text="w7 w9 w12 w30", stream=stream)
    assert page.calm() and not page.said("trouble"), page.said("trouble")
    _, _, before, allowed, native = painted(page)
    assert np.array_equal(allowed, native)
    page.app.toggle(key="causal").set_value(not page.app.toggle(key="causal").value).run()
    assert page.calm()
    _, now, still, allowed, _ = painted(page)
    size = len(allowed)
    assert np.array_equal(allowed, np.tri(size, dtype=bool) if stream == "encoder" else np.ones((size, size), dtype=bool))
    lens = core.load(tmp_path / family)
    written = [page.app.text_input(key="bar-target-text").value] if family == "t5" else []
    request = lens.request("w7 w9 w12 w30", *written)
    rule = MaskRule(stream, "causal" if stream == "encoder" else "full")
    assert np.array_equal(now, lens.run(request.with_mask(rule)).at(Stream(stream), 0).head(0))
    assert np.array_equal(still, before)


@pytest.mark.parametrize("text", ["مرحبا بالعالم", "नमस्ते दुनिया", "👩‍👩‍👧 🏳️‍🌈", "x" * 40, "<img src=x onerror=alert(1)>"])
def test_any_text_can_be_painted_on(screen, text):
    page = screen("masks", stream="encoder", text=text)
    assert page.calm() and not page.said("trouble")
    header, *_ = painted(page)
    assert all(len(name) <= 14 for name in header["rows"])
    assert not any("<img" in body for body in page.html)


def test_costly_cards_are_run_when_asked_for_and_say_their_price(screen, monkeypatch):
    monkeypatch.setattr(masks, "COSTLY", 10)
    page = screen("masks", stream="encoder", text=TEXT)
    assert painted(page) and not [
        one for one in page.app.get("bidi_component") if one.proto.component_name.endswith("gallery")
    ]
    assert any("7 × 7 tokens" in line for line in page.said("how"))
    page.app.button(key="mask-runs").click().run()
    assert len(cards(page)) == 7


def test_a_text_too_long_to_paint_on_still_shows_what_a_mask_does(screen, monkeypatch):
    monkeypatch.setattr(masks, "LONGEST", 4)
    page = screen("masks", stream="encoder", text=TEXT, mask="encoder.causal")
    assert page.calm() and cards(page)["causal"]["on"]
    assert any("up to 4 tokens; this one has 7" in line for line in page.said("how"))
    lens = core.load("classroom")
    request = lens.request(TEXT, page.app.text_input(key="bar-target-text").value)
    best = lens.run(request.with_mask(MaskRule("encoder", "causal"))).next_tokens(1)[0]
    assert page.bars()[0]["share"] == pytest.approx(best.probability, abs=1e-6)


@pytest.mark.parametrize("mask", ["cross.custom.2k1", "decoder.custom.2k1", "encoder.custom.2k1"])
def test_the_sentence_is_written_under_a_mask_on_any_stream(screen, mask):
    page = screen("masks", stream=mask.partition(".")[0], mask=mask)
    assert page.calm() and not page.said("trouble")
    lens = core.load("classroom")
    grown = page.app.text_input(key="bar-target-text").value
    request = lens.request("gen ai is", "" if mask.startswith("encoder") else grown)
    (rule,) = read_rules(mask)
    written = []
    for asked in (request, request.with_mask(rule)):
        steps = lens.generate(asked, Sampling(temperature=0.0), 16)
        text = lens.decode([step.choice.id for step in steps if not step.finished]).strip()
        written.append(text if mask.startswith("encoder") else f"{grown} {text}".strip())
    said = [line for line in page.said("both") + page.said("how") if "before" in line or "with and without" in line]
    assert all(" ".join(text.split()) in " ".join(said[0].split()) for text in written)


def test_another_text_takes_off_what_was_painted_and_keeps_what_has_a_name(screen):
    page = screen("masks", stream="encoder", text=TEXT, mask="encoder.causal,cross.custom.1k7")
    page.type("the cat")
    assert page.calm() and not page.said("trouble")
    assert page.app.query_params["mask"] == "encoder.causal"
    assert any("old text" in line for line in page.said("note"))
