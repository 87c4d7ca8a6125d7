"""The page The encoder, without a browser: every number it says is the model's, computed here once more by torch."""

import re

import numpy as np
import pytest
import torch

from core import Stream, load
from core.figures.labels import label
from core.figures.payloads.encoder_walk import unpack
from core.model.encoder_steps import encoder_steps
from tests.printed import shows, shows_share

TEXT = "the river bank and the money bank"


def sent(page):
    """The message that the walk draws, and what is chosen in it."""
    ours = [one.proto for one in page.app.get("bidi_component") if one.proto.component_name.startswith("lookback_encoder")]
    part, walk = ours
    return unpack(walk.bytes), part


def stepped(name, text=TEXT):
    lens = load(name)
    request = lens.request(text, **({} if lens.info.kind == "encoder" else {"target": ""}))
    with torch.inference_mode():
        return lens, request, encoder_steps(lens.backend.model, torch.tensor(request.source))


def test_the_first_sentence_is_made_of_the_models_numbers(screen):
    page = screen("encoder", text=TEXT, stream="encoder", layer="2", head="3", cell="3")
    assert page.calm() and not page.said("trouble")
    _, _, (_, layers, _) = stepped("classroom")
    row, enters, leaves = layers[1]["pattern"][2, 2], layers[0]["leave"][2], layers[1]["leave"][2]
    turned = float(torch.rad2deg(torch.acos(torch.nn.functional.cosine_similarity(enters, leaves, dim=0))))
    fires = int((layers[1]["fired"][2] > 0).sum())
    key = int(row.argmax())
    at = "itself" if key == 2 else f"“{TEXT.split()[key]}”" if key < 7 else "“</s>”"
    assert page.lead.startswith(f"In layer 2, “bank” looks most at {at} (")
    assert shows_share(page.lead, float(row[key]), ", head 3)") and f"fires {fires} of 768 neurons" in page.lead
    assert shows(page.lead, turned, 0, "°.")


@pytest.mark.parametrize("name", ["classroom", "translator", "filler"])
def test_the_walk_gets_the_vectors_of_the_whole_text(screen, name):
    page = screen("encoder", model=name, text=TEXT)
    assert page.calm() and not page.said("trouble")
    (head, arrays), _ = sent(page)
    lens, request, (begin, layers, final) = stepped(name)
    assert head["walk"] and head["layers"] == len(layers) and [t["id"] for t in head["tokens"]] == list(request.source)
    assert np.abs(arrays["embedding"] - begin["embedding"].numpy()).max() <= 1e-5
    assert np.abs(arrays["place"] - begin["place"].numpy()).max() <= 1e-5
    assert np.abs(arrays["stream"][-1] - layers[-1]["leave"].numpy()).max() <= 1e-5
    assert np.abs(arrays["final"] - final.numpy()).max() <= 1e-5
    config = lens.backend.model.config
    told = [config.vocab, config.d_model, config.heads, config.d_ff, config.d_model // config.heads]
    assert [head[name] for name in ("vocab", "d", "heads", "dff", "headD")] == told


def test_the_end_of_an_encoder_alone_says_what_fits(screen):
    page = screen("encoder", model="filler", text=TEXT, box="next", layer="4")
    (head, _), _ = sent(page)
    lens, _, (_, _, final) = stepped("filler")
    chances = (final @ lens.backend.model.embedding.weight.T).softmax(-1).detach()
    for token, rows in enumerate(head["fits"]):
        best = chances[token].topk(6)
        assert [value for _, value in rows] == pytest.approx(best.values.tolist(), abs=1e-5)
        assert [text for text, _ in rows] == [label(lens.text.token_text(id), 18) for id in best.indices.tolist()]
    assert "fits" not in sent(screen("encoder", text=TEXT))[0][0]


def test_the_formulas_hold_with_the_numbers_in_them(screen):
    page = screen("encoder", text=TEXT, stream="encoder", layer="1", head="2", cell="7")
    page.app.get_by_key("depth").set_value("Maths").run()
    assert page.calm()
    said = [formula.value for formula in page.app.latex]
    assert len(said) == 6
    number = r"(-?[+]?\d+\.\d+)"
    e, p, total = map(float, re.search(rf"x_1 = {number} {number} = {number}", said[0]).groups())
    assert e + p == pytest.approx(total, abs=2e-3)
    x, mean, deviation, standard = map(
        float, re.search(rf"frac{{{number} - \(?{number}\)?}}{{{number}}} = {number}", said[1]).groups()
    )
    assert (x - mean) / deviation == pytest.approx(standard, abs=5e-3) and x == total
    steps = stepped("classroom")[2][1][0]
    (read,) = re.search(rf"\(x\)_1 = {number}", said[2]).groups()
    assert float(read) == pytest.approx(float(steps["normed"][6, 0]), abs=1e-3)  # γ and β are at work in what a box reads
    for formula, name in ((said[4], "mixed"), (said[5], "fed")):
        a, b, c = map(float, re.search(rf"_1 = {number} {number} = {number}", formula).groups())
        assert a + b == pytest.approx(c, abs=2e-3)
        assert b == pytest.approx(float(steps[name][6, 0]), abs=1e-3)


def test_the_questions_know_their_answers(screen):
    page = screen("encoder", text=TEXT, stream="encoder", layer="1", head="1", cell="3")
    _, _, (begin, layers, _) = stepped("classroom")
    fires = [int((steps["fired"][2] > 0).sum()) for steps in layers]
    many, spread = "ask-encoder-0", "ask-encoder-2"
    assert not page.said("verdict")
    page.app.text_input(key=many).set_value(f"{fires[0] + 1}").run()
    assert page.said("verdict")[0].startswith("Not yet")
    page.app.text_input(key=many).set_value(f"{fires[0]}")
    page.app.text_input(key=spread).set_value(f"{begin['leave'][2].std(correction=0):.2f}").run()
    assert [verdict[:5] for verdict in page.said("verdict")] == ["Right", "Right"]
    fewest = 1 + int(np.argmin(fires))
    page = screen("encoder", text=TEXT, stream="encoder", layer=str(fewest), cell="3", box="neurons")
    told = f"{min(fires)} fire there. All layers, from the first: {', '.join(map(str, fires))}."
    assert page.said("verdict") == [f"Right. {told}"]


def test_presets_open_what_they_promise(screen):
    page = screen("encoder")
    for number, (text, box) in enumerate([(TEXT, "embedding"), ("one two", "sum0"), (TEXT, "neurons"), ("the children", "next")]):
        page.app.button(key=f"try-encoder-{number}").click().run()
        assert page.calm() and not page.said("trouble") and page.said("note")
        _, part = sent(page)
        assert f'"box": "{box}"' in part.json or f'"box":"{box}"' in part.json
        assert page.app.text_input(key="bar-text").value.startswith(text)


def test_a_model_without_an_encoder_of_ours_shows_its_paths_and_the_way_out(screen):
    page = screen("encoder", model="writer", text=TEXT)
    assert page.calm() and "only writes" in page.lead and "decoder" in " ".join(page.said("how"))
    (head, arrays), _ = sent(page)
    lens = load("writer")
    trace = lens.run(lens.request(TEXT).keeping("residual"))
    stream = trace.residual[Stream.DECODER].astype(np.float64)
    unit = stream / np.linalg.norm(stream, axis=-1, keepdims=True)
    assert not head["walk"] and np.abs(arrays["cosines"] - unit @ unit.swapaxes(1, 2)).max() <= 1e-5
    page.app.button(key="walk-ours").click().run()
    assert page.lead.startswith("In layer 1") and sent(page)[0][0]["walk"]


@pytest.mark.parametrize("text", ["x", "<b>&“bdi”", "\u202e\u0301 \U0001f600", "word " * 100])
def test_odd_and_long_texts_are_walked_too(screen, text):
    page = screen("encoder", text=text)
    assert page.calm() and not page.said("trouble")
    (head, arrays), _ = sent(page)
    assert len(head["held"]) in (1, len(head["tokens"]))
    assert arrays["points.all"].shape == (4, len(head["tokens"]), 2)


def test_a_mask_set_elsewhere_is_told_not_to_count(screen):
    page = screen("encoder", text=TEXT, stream="encoder", mask="encoder.causal")
    assert page.calm() and "does not count here" in page.said("note")[0]
    assert page.lead == screen("encoder", text=TEXT, stream="encoder").lead


def test_what_a_link_asks_beyond_the_model_is_brought_inside(screen):
    page = screen("encoder", text=TEXT, stream="encoder", layer="40", head="40", cell="400", box="nowhere")
    assert page.calm() and page.lead.startswith("In layer 3") and "head 4" in page.lead
    _, part = sent(page)
    assert "nowhere" not in part.json
