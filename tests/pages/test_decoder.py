"""The page The decoder, without a browser: what is drawn is the account, and the mask's numbers are two runs'."""

import json
import re

import numpy as np
import pytest
import streamlit as st

import core
from core import MaskRule, Stream, paths
from core.analysis.decoder import direct_logit_attribution, removal_effect, shares
from core.engine.inside import account
from core.figures.labels import percent
from core.figures.payloads.account import number
from core.model.weights import read_rows
from core.ui.decoder import account as account_ui
from core.ui.decoder.future import loss_said
from core.ui.decoder.lesson import box_name
from core.ui.kit.turns import Turns
from tests.families import build
from tests.pages.conftest import numbers

CAT = {"model": "translator", "text": "the black cat sleeps on the red sofa", "target": "o gato preto dorme no sofá vermelho"}
BOOK = {"model": "writer", "text": "the teacher reads a new book every day"}


def sent(page) -> dict:
    return json.loads(next(part for part in page.app.get("bidi_component") if part.key == "account").proto.json)


def asked(case):
    lens = core.load(case["model"])
    return lens, lens.request(case["text"], case["target"]) if "target" in case else lens.request(case["text"])


@pytest.mark.parametrize("case", [CAT, BOOK])
def test_every_box_of_every_step_is_the_account(screen, case) -> None:
    page, (lens, request) = screen("decoder", **case), asked(case)
    assert page.calm() and not page.said("trouble")
    held, data = account(lens, request), sent(page)
    attribution, share = direct_logit_attribution(held), shares(held)
    assert len(data["steps"]) == len(held.target)
    kinds = [box["part"] for box in data["boxes"]]
    assert ("cross" in kinds) == ("target" in case)  # a decoder alone has none
    for p, step in enumerate(data["steps"]):
        rows = step["rows"][:-1]
        assert [row["attribution"] for row in rows] == pytest.approx(attribution[:, p], abs=1e-9)
        assert [row["effect"] for row in rows] == pytest.approx([None, *removal_effect(held)[:, p]], abs=1e-9)
        assert [row["share"] for row in rows] == pytest.approx(share[:, p], abs=1e-9)
        assert [row["lensSaid"] for row in rows] == [percent(float(one)) for one in held.lens_top[:, p]]
        for row, (layer, part), inside in zip(rows[1:], held.parts, held.inside, strict=True):
            assert row["stages"][-1][2] == [number(float(v)) for v in inside["added"][p, :5]]
            if part != "ff":
                stream = Stream.DECODER if part == "own" else Stream.CROSS
                pattern = lens.run(request).at(stream, layer).pattern[:, p, : len(row["map"]["names"])]
                assert np.abs(np.array(row["map"]["weights"]) - pattern).max() <= 1e-4
                assert part == "cross" or len(row["map"]["names"]) == p + 1  # the mask
    first = len(held.target) - 1 if case is BOOK else 1
    assert data["step"] == first
    assert percent(float(held.lens_written[-1, first])) in page.lead and str(len(held.parts)) in page.lead


def test_the_shipped_default_opens_at_its_second_word(screen) -> None:
    page = screen("decoder")
    assert page.calm() and [step["writes"] for step in sent(page)["steps"]] == ["interesting", "domain", "(end)"]
    assert "domain" in page.lead


@pytest.mark.parametrize("case", [CAT, BOOK])
def test_the_mask_off_is_another_run_of_the_same_weights(screen, case) -> None:
    page, (lens, request) = screen("decoder", **case), asked(case)
    on = lens.run(request.keeping("pattern", "predictions"))
    off = lens.run(request.keeping("pattern", "predictions").with_mask(MaskRule(Stream.DECODER, "full")))
    before, now = (np.exp(trace.predictions.actual_logprob[:-1].astype(np.float64)) for trace in (on, off))
    assert [row["share"] for row in page.bars()] == pytest.approx(before, rel=1e-5)
    page.app.toggle(key="decoder-mask").set_value(False).run()
    assert page.calm()
    rows = page.bars()
    assert [row["share"] for row in rows] == pytest.approx(now, rel=1e-5)
    assert [row["before"] for row in rows] == pytest.approx(before, rel=1e-5)
    drawn = json.loads(page.app.get("plotly_chart")[0].proto.spec)
    assert np.abs(numbers(drawn["data"][0]["z"]) - off.at(Stream.DECODER, 0).pattern.mean(axis=0)).max() <= 1e-6
    sites = [a.pattern.mean(axis=0) for a in off.attention if a.site.stream is Stream.DECODER]
    ahead = np.mean([np.triu(pattern, 1).sum(axis=1)[:-1].mean() for pattern in sites])
    (line,) = [line for line in page.said("how") if line.startswith("Mask off:")]
    bits = [number(float(-np.log2(side).mean())) for side in (before, now)]
    assert f"{(now > before).sum()} of {len(now)}" in line and percent(float(ahead)) in line
    assert all(f"{one} bits" in line for one in bits)
    assert page.app.query_params["mask"] == "decoder.full"
    assert any(said.startswith("Right.") for said in page.said("verdict"))


def test_a_model_that_was_trained_to_peek_is_lost_behind_a_mask(screen) -> None:
    page = screen("decoder", model="induction-peek", text="abcabc")
    assert not page.app.toggle(key="decoder-mask").value and min(row["share"] for row in page.bars()) > 0.99
    page.app.toggle(key="decoder-mask").set_value(True).run()
    assert page.calm() and max(row["share"] for row in page.bars()) < 0.5


def test_the_pairs_scores_are_read_from_their_files(screen) -> None:
    page = screen("decoder")
    (table,) = page.said("sum tally")
    (line,) = [line for line in page.said("how") if line.startswith("Loss is")]
    for name in ("induction", "induction-peek"):
        last = {key: float(value) for key, value in read_rows(paths.WEIGHTS / name / "scores.csv")[-1].items()}
        assert loss_said(last["loss"]) in table and percent(last["generation"]) in table
        # what nobody can foresee is told by the loss of the first half, not by that of the repeated one
        assert loss_said(last["first_loss"]) in table and loss_said(last["first_loss"]) in line
    assert "letters" not in line  # they are characters: letters, digits, a space, a point


def test_a_loss_too_small_for_its_digits_is_not_called_nothing() -> None:
    assert loss_said(0.00004) == loss_said(0.0) == "less than 0.001"
    assert loss_said(0.0006) == "0.001" and loss_said(4.3944) == "4.394"


def test_who_reads_what_counts_this_text(screen) -> None:
    (table,) = screen("decoder", **CAT).said("sum readers")
    assert "9 × 9" in table and "8 × 9" in table and "8 × 8" in table
    page = screen("decoder", **BOOK)
    assert "Encoder" not in page.said("sum readers")[0]
    assert any("no cross-attention" in line for line in page.said("how"))
    lens, request = asked(BOOK)
    held = lens.run(request.keeping("residual")).residual[Stream.DECODER][:, -1].astype(np.float64)
    (line,) = [line for line in page.said("how") if "normalised copy" in line and "its length" in line]
    for place, at in ((0, "beginning"), (-1, "end")):  # that it grows is for the reader to see
        assert f"{number(float(np.sqrt((held[place] ** 2).sum())), 1)} at the {at}" in line


def test_the_questions_are_checked(screen) -> None:
    page, (lens, request) = screen("decoder", **CAT), asked(CAT)
    held = account(lens, request)
    attribution = direct_logit_attribution(held)[:, 1]
    name = box_name(held, int(attribution.argmax()), True).removeprefix("the ").capitalize()
    page.app.get_by_key("ask-decoder-0").set_value(name).run()
    # the true effect of leaving the box out, which the direct logit attribution does not give
    worth = int(attribution[1:].argmax())
    page.app.text_input(key="ask-decoder-1").set_value(f"{held.without[worth, 1]:.2f}").run()
    assert [line.startswith("Right.") for line in page.said("verdict")] == [True, True]
    for wrong in (held.above_mean_logit[1], held.above_mean_logit[1] - attribution[worth + 1]):
        page.app.text_input(key="ask-decoder-1").set_value(f"{wrong:.2f}").run()
        assert page.said("verdict")[-1].startswith("Not yet.")


@pytest.mark.parametrize("preset", range(5))
def test_every_preset_opens(screen, preset) -> None:
    page = screen("decoder")
    page.app.button(key=f"try-decoder-{preset}").click().run()
    assert page.calm() and not page.said("trouble") and sent(page)["steps"]


@pytest.mark.parametrize("depth", ["Maths", "Code"])
def test_the_dial_turns(screen, depth) -> None:
    page, (lens, request) = screen("decoder", **CAT), asked(CAT)
    page.app.get_by_key("depth").set_value(depth).run()
    assert page.calm()
    if depth == "Maths":
        held = account(lens, request)
        (added,) = [element.value for element in page.app.latex if "mean logit" in element.value]
        said = [float(one.replace(" ", "")) for one in re.findall(r"[+-]\d+\.\d\d", added.replace("= ", "+").replace("+-", "-"))]
        assert len(said) == len(held.parts) + 3  # the embedding, every box, the constant, the logit above the mean
        assert said[:-2] == pytest.approx(direct_logit_attribution(held)[:, 1], abs=0.0051)
        assert sum(said[:-1]) == pytest.approx(said[-1], abs=0.005 * len(said))
    else:
        assert any("def attention_steps" in element.value for element in page.app.code)


@pytest.mark.parametrize(("model", "boxes", "feeds"), [("writer", "has two boxes", True), ("induction-peek", "has one box", False)])
def test_a_decoder_alone_is_told_the_boxes_it_has(screen, model, boxes, feeds) -> None:
    page = screen("decoder", model=model, text="abcabc")
    assert any(boxes in line and "no cross-attention" in line for line in page.said("how"))
    (readers,) = [body for body in page.html if "sum readers" in body]
    assert ("Feed-forward" in readers) == feeds == any(box["part"] == "ff" for box in sent(page)["boxes"])


STRANGE = [{"model": "filler"}, {"target": ""}, {"text": "<b>a</b>", "target": "<img src=x>"}, {"model": "writer", "text": "a"}]


@pytest.mark.parametrize("params", STRANGE)
def test_what_is_short_or_strange_is_told(screen, params) -> None:
    page = screen("decoder", **params)
    assert page.calm() and not any("<img" in body for body in page.html)


@pytest.mark.parametrize("family", ["gpt2", "t5", "marian", "ours_seq2seq_post"])
def test_guests_open_both_lessons_and_are_told_what_they_lack(screen, family, tmp_path, monkeypatch) -> None:
    build(family, tmp_path / "guest")
    monkeypatch.setenv("LOOKBACK_MODELS", str(tmp_path))
    target = {} if family == "gpt2" else {"target": "w20 w21 w22"}
    page = screen("decoder", model="folder:guest", text="w9 w11 w12 w13", **target)
    assert page.calm() and any("cannot be opened" in line for line in page.said("how"))
    assert page.bars() and any("become likelier" in line for line in page.said("how"))
    page.go("sequence")
    assert page.calm() and not page.said("trouble") and any("no table" in line for line in page.said("how"))


def test_the_step_and_box_looked_into_stand_in_the_link_and_come_back(screen, monkeypatch) -> None:
    told = {}
    monkeypatch.setattr(Turns, "sent", lambda self, name: told)
    real = account_ui._account

    def drawn(**args):
        real(**args)
        told["version"] = args["data"]["version"]
        st.button("look", key="look", on_click=args["on_spot_change"])

    monkeypatch.setattr(account_ui, "_account", drawn)
    page = screen("decoder", **CAT)
    before = sent(page)
    assert "step" not in page.app.query_params and before["box"] == -1
    told.update(step=2, box=5, turn=1)
    page.app.button(key="look").click().run()
    assert page.app.query_params["step"] == "3.6" and sent(page) == before  # the browser shows it: nothing is sent again
    link = dict(page.app.query_params)
    again = sent(screen("decoder", **link))
    assert (again["step"], again["box"]) == (2, 5)
    told.update(step=90)  # what a browser cannot have sent
    page.app.button(key="look").click().run()
    assert page.app.query_params["step"] == "3.6"
    del page.app.query_params["step"]
    page.app.run()  # someone went back
    back = sent(page)
    assert (back["step"], back["box"]) == (before["step"], -1) and back["own"] > before["own"]
    assert sent(screen("decoder", **(link | {"step": "80.80"})))["box"] == -1


def test_the_two_presets_on_the_cat_find_what_they_tell_to_look_for() -> None:
    """The logit lens reads “gato” first after a cross-attention that looks at “cat”; at “preto” that of layer 2 reads “black”."""
    lens, request = asked(CAT)
    held = account(lens, request)
    source = [text.strip() for text in held.source.text]

    def looked(depth: int, step: int) -> str:
        assert held.parts[depth - 1][1] == "cross"
        return source[int(held.inside[depth - 1]["pattern"][:, step].mean(axis=0).argmax())]

    right = held.lens_top_id[:, 1] == held.written[1]
    assert looked(int(right.argmax()), 1) == "cat"
    assert looked(held.parts.index((1, "cross")) + 1, 2) == "black"
