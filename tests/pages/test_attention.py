"""The page Attention, without a browser."""

import json
import re

import numpy as np
import pytest

import core
from core.engine.text import OurText
from core.errors import TooLongError
from core.request import MaskRule, PositionRule, Stream
from core.ui.kit import frame
from tests.families import build
from tests.pages.conftest import numbers
from tests.printed import shows_share

CLOSED = "decoder.full"


def opened(page, box):
    """A page with one of its boxes open: AppTest knows no click on a box, so the link opens it."""
    page.app.query_params["open"] = box
    page.app.run()
    assert page.calm()
    return page


def test_the_page_opens_on_a_grown_target_and_the_decoder(screen):
    page = screen("attention")
    assert page.calm()
    assert page.app.query_params["stream"] == "decoder"
    assert len(page.map) >= 3
    assert np.isnan(page.map[0, 1:]).all()


def test_the_switch_fills_the_decoders_upper_triangle_and_moves_the_next_token(screen):
    page = screen("attention")
    before = page.map
    assert all(row["before"] is None for row in page.bars(0))
    page.app.toggle(key="causal").set_value(False).run()
    assert page.calm()
    after = page.map
    upper = np.triu_indices(len(after), 1)
    assert np.isnan(before[upper]).all()
    assert (after[upper] > 0).all()
    assert after.sum(axis=1) == pytest.approx(np.ones(len(after)), abs=1e-4)
    assert any(row["before"] != row["share"] for row in page.bars(0))
    assert any("KL from native" in line and "nats" in line for line in page.said("how"))
    assert page.app.query_params["mask"] == CLOSED
    page.app.toggle(key="causal").set_value(True).run()
    assert np.array_equal(page.map, before, equal_nan=True)
    assert "mask" not in page.app.query_params


def test_the_switch_empties_the_encoders_upper_triangle(screen):
    page = screen("attention", stream="encoder")
    before = page.map
    assert not np.isnan(before).any()
    page.app.toggle(key="causal").set_value(True).run()
    after = page.map
    assert np.array_equal(np.isnan(after), ~np.tri(len(after), dtype=bool))
    assert page.lead.startswith("The future is hidden: ")
    assert any(row["before"] is not None for row in page.bars(0))


def test_only_new_pixels_are_waited_for_before_the_rest_is_worked_out(screen, monkeypatch):
    drawn = []
    monkeypatch.setattr(frame, "first", lambda: drawn.append(1))
    page = screen("attention", stream="encoder", text="the cat sits")
    assert len(drawn) == 1
    page.app.selectbox(key="row").set_value(1).run()
    assert len(drawn) == 1
    page.app.toggle(key="causal").set_value(True).run()
    assert len(drawn) == 2


def test_cross_attention_has_no_switch_and_says_why(screen):
    page = screen("attention", stream="cross")
    assert page.calm()
    assert not page.app.toggle
    assert any("two texts" in line for line in page.said("how"))
    assert page.map.shape[0] != 0


def test_a_map_of_one_row_disables_the_switch_and_says_so(screen):
    page = screen("attention", target="")
    assert page.calm()
    assert page.map.shape == (1, 1)
    assert page.app.toggle(key="causal").disabled
    assert any("no future to hide" in line for line in page.said("how"))


def test_masks_of_two_streams_live_side_by_side(screen):
    page = screen("attention", mask=f"{CLOSED},encoder.causal")
    assert not np.isnan(page.map).any()
    assert any("A mask is on the encoder" in line for line in page.said("how"))
    page.app.toggle(key="causal").set_value(True).run()
    assert page.app.query_params["mask"] == "encoder.causal"


def test_another_layer_and_head_change_the_map(screen):
    maps = [screen("attention", stream="encoder", layer=layer, head=head).map for layer, head in ("11", "21", "23")]
    assert not np.array_equal(maps[0], maps[1])
    assert not np.array_equal(maps[1], maps[2])


def test_what_was_chosen_in_the_view_stands_in_the_link_and_comes_back(screen):
    page = screen("attention", stream="encoder", view="ws~pin1.2-2.3~mix1.1-1.2~by_previous~share0.8")
    assert page.calm()
    assert page.app.query_params["view"] == "ws~pin1.2-2.3~mix1.1-1.2~by_previous~share0.8"
    assert not page.said("note")


def test_the_focused_row_is_what_the_sentence_and_the_bars_say(screen):
    page = screen("attention", stream="encoder", cell="1")
    weights = page.map[0]
    best = int(np.argmax(weights))
    assert page.tokens[0] in page.lead
    assert page.tokens[best] in page.lead
    shares = [row["share"] for row in page.bars(1)]
    assert shares == pytest.approx(sorted(weights, reverse=True)[:8])
    page.app.selectbox(key="row").set_value(1).run()
    assert page.app.query_params["cell"] == "2"
    page.app.selectbox(key="column").set_value(0).run()
    assert page.app.query_params["cell"] == "2.1"
    assert f"“{page.tokens[1]}” gives" in page.lead


def test_a_link_reopens_the_same_view(screen):
    page = screen(
        "attention", stream="encoder", layer="2", head="3", cell="2.1", mask="encoder.causal", text="a new idea"
    )
    again = screen("attention", **dict(page.app.query_params.items()))
    assert again.lead == page.lead
    assert np.array_equal(again.map, page.map, equal_nan=True)
    assert again.app.query_params == page.app.query_params


def test_choices_follow_from_page_to_page(screen):
    page = screen("attention", stream="encoder")
    page.type("the model is new")
    page.app.toggle(key="causal").set_value(True).run()
    page.go("home")
    assert page.app.text_input(key="bar-text").value == "the model is new"
    page.go("attention")
    assert page.app.toggle(key="causal").value is True


def test_a_typed_target_is_read_and_can_be_given_back_to_the_model(screen):
    page = screen("attention")
    grown = page.app.text_input(key="bar-target-text").value
    page.type("quite another text here", "bar-target-text")
    assert page.app.query_params["target"] == "quite another text here"
    assert "another" in "".join(page.tokens)
    page.app.button(key="write").click().run()
    assert page.app.text_input(key="bar-target-text").value == grown


def test_start_again_forgets_every_choice(screen):
    page = screen("attention", text="the cat", stream="encoder", layer="2", mask="encoder.causal")
    page.app.button(key="reset").click().run()
    assert page.app.text_input(key="bar-text").value == "gen ai is"
    assert "mask" not in page.app.query_params


@pytest.mark.parametrize(
    "text",
    [
        "a", "\x00\x01\x07 bell", "مرحبا بالعالم", "नमस्ते दुनिया", "👩‍👩‍👧‍👦 🏳️‍🌈", "<img src=x onerror=alert(1)>", "![x](http://127.0.0.1:1/x.png)",
        "$\\frac{1}{2}$ :red[x] **b** `c`", "%{x} {{x}} ${x}", "x" * 40, "\u202eabc", "\ufeff\u200b word", "</s> <s> <pad>",
        "a\nb\tc", "'; DROP TABLE heads; --",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["home", "attention"])
def test_any_text_keeps_the_page_alive_and_is_kept(screen, name, text):
    page = screen(name)
    page.type(text)
    assert page.calm()
    assert not page.said("trouble")
    assert page.app.text_input(key="bar-text").value == text
    sent = "".join(page.html)
    assert "<img" not in sent
    assert page.map.shape[0] >= 1


@pytest.mark.parametrize("text", ["", "   ", "word " * 20_000, "x" * 100_000])
@pytest.mark.parametrize("name", ["home", "attention"])
def test_what_cannot_be_read_is_told_and_the_text_kept(screen, name, text):
    page = screen(name)
    page.type(text)
    assert page.calm()
    (said,) = page.said("trouble")
    assert said.startswith("Expected ")
    assert page.app.text_input(key="bar-text").value == text
    page.type("gen ai is")
    assert not page.said("trouble")
    assert len(page.map) >= 3


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        ({"stream": "sideways"}, "sideways"), ({"layer": "abc"}, "abc"), ({"layer": "99"}, "layer 99"), ({"head": "99"}, "head 99"),
        ({"cell": "9.9.9"}, "9.9.9"), ({"mask": "encoder.nonsense"}, "nonsense"), ({"mask": "cross.causal"}, "cross.causal"),
        ({"text": "x" * 5000}, "xxx"), ({"view": "<b>"}, "<b>"), ({"layer": "<img onerror=1>"}, "<img onerror=1>"),
    ],
)  # fmt: skip
def test_a_bad_link_shows_the_usual_and_says_so(screen, params, kept):
    page = screen("attention", **params)
    assert page.calm()
    assert any(kept in note for note in page.said("note"))
    assert len(page.map) >= 3


@pytest.mark.parametrize("model", ["nonsense", "../../etc", "folder:secret", "hub:no one/here", "<img src=x>"])
def test_an_unknown_model_is_told_and_the_page_stands(screen, model):
    page = screen("attention", model=model)
    assert page.calm()
    assert page.said("trouble")[0].startswith("Expected ")
    assert page.app.text_input(key="bar-text").value == "gen ai is"
    page.app.radio(key="bar-model").set_value("classroom").run()
    assert not page.said("trouble")
    assert len(page.map) >= 3


def test_a_cell_outside_the_text_falls_back_to_the_pages_own_choice(screen):
    page = screen("attention", cell="90.90")
    assert page.calm()
    assert "of its attention to" in page.lead


def test_the_sum_of_the_focused_cell_ends_in_the_number_of_the_map(screen):
    page = screen("attention", stream="encoder", text="the cat sits on the mat", cell="2.5")
    assert not page.said("sum")
    opened(page, "check-cell")
    assert page.calm()
    said = page.said("sum")[0]
    assert f"“{page.tokens[1]}” looks at “{page.tokens[4]}”" in said
    (number,) = re.findall(r"the number in the map(\d\.\d{8})", said)
    assert float(number) == pytest.approx(page.map[1, 4], abs=1e-7)
    for step in ("× scaling (1/√48)", "+ mask", "denominator", "softmax"):
        assert step in said
    assert "position bias" not in said and "soft-cap" not in said


def test_the_sum_of_a_forbidden_cell_says_so(screen):
    page = screen("attention", cell="1.3")
    opened(page, "check-cell")
    assert page.calm()
    assert "may not look: the score becomes −∞" in page.said("sum")[0]


def test_the_stages_are_the_heads_steps_and_end_in_its_weights(screen):
    page = screen("attention", stream="encoder", text="the cat sits on the mat")
    weights = page.map
    opened(page, "check-stages")
    assert page.calm()
    stage = page.app.get_by_key("stage")
    assert stage.options == ["q·k", "× scaling", "+ mask", "softmax", "weight × ‖value‖"]
    drawn = [json.loads(chart.proto.spec) for chart in page.app.get("plotly_chart")][-1]
    assert numbers(drawn["data"][0]["z"]) == pytest.approx(weights, abs=1e-6)
    stage.set_value("product").run()
    assert page.calm()
    assert page.said("how")


def test_what_is_taken_away_holds_the_numbers_on_the_screen(screen):
    page = screen("attention", stream="encoder", text="the cat sits", layer="2", head="3", mask="encoder.causal")
    opened(page, "take")
    assert page.calm()
    (lines,) = [code.value for code in page.app.code if "lens = load(" in code.value]
    space: dict = {}
    exec(lines, space)
    assert np.array_equal(np.nan_to_num(page.map).astype(np.float32), space["pattern"])
    assert len(page.app.get("download_button")) == 5
    assert "mask=encoder.causal" in page.app.code[-2].value and "head=3" in page.app.code[-2].value


@pytest.mark.parametrize(
    "params", [{"stream": "encoder"}, {"stream": "cross"}, {"model": "filler"}, {"mask": "decoder.full"}]
)
def test_every_figure_of_the_page_can_be_taken(screen, params):
    page = screen("attention", text="the cat sits", **params)
    opened(page, "take")
    offered = page.app.selectbox(key="take-figure").options
    assert {"This head as a map", "This head as lines", "All heads", "Weight × value norm", "Stage: softmax"} <= set(
        offered
    )
    assert ("Rollout" in offered) == (params.get("stream") != "cross")
    assert len([name for name in offered if name in ("Next token", "What fits here")]) == 1
    for name in offered:
        page.app.selectbox(key="take-figure").set_value(name).run()
        assert page.calm()
        assert not page.said("trouble")


def test_start_again_stands_with_what_is_taken(screen):
    page = screen("attention", text="the cat", layer="2")
    opened(page, "take")
    page.app.button(key="reset-here").click().run()
    assert page.app.text_input(key="bar-text").value == "gen ai is"


def test_a_candidate_that_the_mask_brought_up_shows_its_true_earlier_probability(screen):
    text = "the cat sits on the red sofa"
    page = screen("attention", model="filler", text=text, cell="1")
    page.app.toggle(key="causal").set_value(True).run()
    lens = core.load("filler")
    asked = lens.request(text)
    past = np.exp(lens.logprobs(asked, 0, range(lens.info.vocab)))
    likeliest = lens.run(asked.keeping("predictions")).predictions.top_ids[0]
    found = lens.run(asked.with_mask(MaskRule(Stream.ENCODER, "causal")).keeping("predictions")).next_tokens(6, 0)
    assert any(token.id not in likeliest for token in found), "the text must bring something new up"
    for row, token in zip(page.bars(), found, strict=True):
        assert row["before"] == pytest.approx(past[token.id], rel=1e-4) and row["share"] == pytest.approx(
            token.probability
        )


def drawn_as(page, unit):
    """The map beside the colour bar that names `unit`."""
    for chart in page.app.get("plotly_chart"):
        drawn = json.loads(chart.proto.spec)
        for trace in drawn["data"]:
            if trace["type"] == "heatmap" and any(
                unit in text for text in trace.get("colorbar", {}).get("ticktext", [])
            ):
                return numbers(trace["z"])
    raise AssertionError(unit)


@pytest.mark.parametrize("stream", [Stream.ENCODER, Stream.DECODER])
def test_a_head_is_read_three_ways_each_with_its_formula(screen, stream):
    page = screen(
        "attention", stream=stream.value, text="the cat sits on the mat", layer="2", head="3", target="and the dog"
    )
    lens = core.load("classroom")
    trace = lens.run(lens.request("the cat sits on the mat", "and the dog", keep=("pattern", "qkv")))
    attention = trace.at(stream, 1)
    page.app.get_by_key("measure").set_value("norm").run()
    assert page.calm()
    value = attention.value[attention.kv_of(2)]
    wanted = attention.head(2)[:, :, None] * (value @ lens.projection(stream, 1)[2])[None]
    wanted = np.where(attention.allowed[2], np.linalg.norm(wanted, axis=-1), np.nan)
    assert drawn_as(page, "length") == pytest.approx(wanted, abs=1e-5, nan_ok=True)
    assert any("Kobayashi et al. 2020" in line for line in page.said("how"))
    page.app.get_by_key("measure").set_value("rollout").run()
    steps = [0.5 * trace.at(stream, layer).pattern.mean(0) + 0.5 * np.eye(len(wanted)) for layer in (0, 1)]
    assert np.nan_to_num(drawn_as(page, "share")) == pytest.approx(steps[1] @ steps[0], abs=1e-5)
    assert any("Abnar" in line for line in page.said("how"))


def test_cross_attention_has_no_rollout(screen):
    page = screen("attention", stream="cross")
    assert page.app.get_by_key("measure").options == ["Weight", "Weight × value norm"]


def test_the_text_is_shown_as_tokens_with_ids_bytes_and_the_merges_of_a_word(screen):
    page = opened(screen("attention", text="unbelievable <b>teapots</b> at 42 °C"), "pieces")
    (table,) = [body for body in page.html if "Source: tokens" in body]
    lens = core.load("classroom")
    ids = lens.request("unbelievable <b>teapots</b> at 42 °C", "").source
    assert all(f"<td>{token}</td>" in table for token in ids)
    assert all(raw.hex(" ").upper() in table for raw in lens.raw(ids))
    assert "<b>" not in table.replace("<bdi>", "") and "␣" in table
    word = max(lens.splitting("unbelievable").words, key=lambda one: len(one.ranks))
    page.app.selectbox[-1].set_value(0).run()
    stages = [slider for slider in page.app.select_slider if slider.label == "Merges done"]
    assert stages[0].options[-1] == str(len(word.ranks))
    stages[0].set_value(1).run()
    assert page.calm()
    assert any(f"learnt as number {word.ranks[0]:,} of {len_of_merges(lens):,}" in line for line in page.said("how"))


def len_of_merges(lens):
    return len(json.loads(lens.text.tokenizer.to_str())["model"]["merges"])


def test_words_and_positions_add_up_to_what_enters_the_first_layer(screen):
    page = opened(screen("attention", stream="encoder", text="the cat sits on the mat"), "places")
    strips = [json.loads(chart.proto.spec) for chart in page.app.get("plotly_chart")]
    words, places, entered = (numbers(drawn["data"][0]["z"]) for drawn in strips if "customdata" in drawn["data"][0])
    lens = core.load("classroom")
    trace = lens.run(lens.request("the cat sits on the mat", "", keep=("residual",)))
    assert entered == pytest.approx(trace.residual[Stream.ENCODER][0], abs=1e-4)
    assert words + places == pytest.approx(entered, abs=3e-4)
    assert np.array_equal(words[0], words[4])  # “the”, twice


@pytest.mark.parametrize(
    ("how", "key", "amount"), [("off", "", 0), ("shifted", "place-by", 5), ("shuffled", "place-seed", 2)]
)
def test_the_position_lab_shows_what_the_model_does_when_positions_move(screen, how, key, amount):
    page = opened(screen("attention", stream="encoder", text="the cat sits on the mat", layer="1", head="2"), "places")
    page.app.get_by_key("place-how").set_value(how).run()
    if key:
        page.app.number_input(key=key).set_value(amount).run()
    assert page.calm()
    lens = core.load("classroom")
    written = page.app.text_input(key="bar-target-text").value
    request = lens.request("the cat sits on the mat", written)
    moved = lens.run(request.with_positions(PositionRule(Stream.ENCODER, how, amount)))
    before, now = (trace.at(Stream.ENCODER, 0).head(1) for trace in (lens.run(request), moved))
    assert drawn_as(page, "less or more") == pytest.approx(now - before, abs=1e-5)
    share = 0.5 * float(np.abs(now - before).sum(1).mean())
    (said,) = [text.value for text in page.app.text if "½ Σ |Δα|" in text.value]
    assert shows_share(said[: said.index("%") + 1], share) and moved.next_tokens(1)[0].text.strip() in said


def test_rotary_positions_have_no_strip_of_their_own(screen):
    page = opened(screen("attention", model="writer", text="the cat sits"), "places")
    assert any("rotary positions" in line for line in page.said("how"))
    assert page.app.get_by_key("place-how")


@pytest.mark.parametrize(
    ("model", "text", "target"),
    [
        ("writer", "the teacher reads a new book every day " * 30, None), ("classroom", "x" * 3000, None),
        ("classroom", "the cat sits", "the dog sleeps " * 100),
    ],
)  # fmt: skip
def test_a_text_too_long_can_be_shortened_to_what_fits(screen, model, text, target):
    page = screen("attention", model=model, text=text, **({} if target is None else {"target": target}))
    assert page.said("trouble")[0].startswith("Expected at most")
    page.app.button(key="shorten").click().run()
    assert page.calm() and not page.said("trouble") and len(page.map)
    field, whole = ("bar-text", text) if target is None else ("bar-target-text", target)
    kept = page.app.text_input(key=field).value
    assert whole.startswith(kept) and 0 < len(kept) < len(whole)
    lens, more = core.load(model), whole[: whole.find(" ", len(kept) + 1) if " " in whole else len(kept) + 1]
    with pytest.raises(TooLongError):
        lens.request(more) if target is None else lens.request(text, more)
    if target is not None:
        assert page.app.text_input(key="bar-text").value == text


@pytest.mark.parametrize("field", ["bar-text", "bar-target-text"])
def test_a_text_of_millions_of_characters_is_not_kept(screen, field):
    page = screen("attention", model="translator", text="the cat sits", target="o gato")
    before = page.app.text_input(key=field).value
    page.type("o gato " * 300_000, field)
    assert page.calm() and len(page.map) and page.app.text_input(key=field).value == before
    assert page.said("note") == ["Expected at most 1,000,000 characters, but got 2,100,000. What was there before is kept."]


@pytest.mark.parametrize("typed", ["the cat " * 100_000, "x" * 900_000, "🦆" * 500_000])
def test_a_long_text_is_shortened_without_being_read(screen, typed, monkeypatch):
    lens, encode, read = core.load("classroom"), OurText.encode, []

    def watched(text, typed, special=True, language=None):
        read.append(len(typed))
        return encode(text, typed, special, language)

    monkeypatch.setattr(OurText, "encode", watched)
    page = screen("attention").type(typed)
    assert page.calm() and page.said("trouble")[0].startswith("Expected at most 128 tokens") and max(read) < 100
    page.app.button(key="shorten").click().run()
    kept = page.app.text_input(key="bar-text").value
    assert page.calm() and not page.said("trouble") and typed.startswith(kept) and len(lens.encode(kept)) > 120
    assert max(read) <= lens.room and sum(read) < 20 * lens.room


def test_rows_that_share_with_a_sink_are_not_said_to_add_up_to_1(screen, tmp_path, monkeypatch):
    build("gpt_oss", tmp_path / "guest")
    monkeypatch.setenv("LOOKBACK_MODELS", str(tmp_path))
    page = screen("attention", model="folder:guest", text="w9 w11 w12 w13")
    assert page.calm() and float(np.nansum(page.map[-1])) < 0.999
    assert any("with what the head’s sink takes" in line for line in page.said("how"))
    assert any("Each row adds up to 1." in line for line in screen("attention", model="writer").said("how"))


def test_a_rollout_is_told_as_what_weights_alone_would_bring(screen):
    """It is computed from the pattern alone: other values give the same rollout."""
    page = screen("attention", measure="rollout")
    (said,) = [line for line in page.said("how") if "Abnar" in line]
    assert "if weights alone decided it" in said and "what reaches" not in said


@pytest.mark.parametrize(("model", "text", "swapped", "ordered"), [
    ("filler", "the cat sees the dog in the park", "the dog sees the cat in the park", False),
    ("writer", "the cat sees the dog in the park", "the dog sees the cat in the park", True),
])  # fmt: skip
def test_without_positions_a_causal_mask_still_tells_of_the_order(screen, model, text, swapped, ordered):
    """As the lab says: two words changing places change an encoder's vector of the last word not at all, a decoder's they do."""
    lens = core.load(model)
    stream = Stream.DECODER if ordered else Stream.ENCODER
    one, other = (
        lens.run(lens.request(said).with_positions(PositionRule(stream, "off")).keeping("residual")).residual[stream][-1]
        for said in (text, swapped)
    )
    last = -1 if ordered else -2  # an encoder's text ends with a sign
    moved = float(np.abs(one[last] - other[last]).max() / np.abs(one[last]).max())
    assert (moved > 0.01) == ordered and (ordered or moved < 1e-5)
    page = opened(screen("attention", model=model, text=text, positions="off"), "places")
    assert any("The mask still tells" in line for line in page.said("how")) == ordered
