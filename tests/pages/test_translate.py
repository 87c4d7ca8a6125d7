"""The page Translate, without a browser: what is sent is what the model computed."""

import base64
import json
import re

import numpy as np
import pytest
import torch

import core
from core.figures.payloads.duet import odds
from core.figures.payloads.theatre import BUDGET, block, payload, room, words
from core.request import MaskRule, Stream
from core.ui.running.branches import closed
from core.ui.session.rules import write_rules
from tests.families import SEQ2SEQ, build
from tests.printed import shows_share

RED = "the black cat sleeps on the red sofa"


def greedy(lens, request, limit=64):
    """A straightforward decode: run everything again for each token, take the likeliest."""
    ids = []
    while len(ids) < limit:
        best = int(np.argmax(lens.run(request.append(*ids) if ids else request).next_logits))
        if best in lens.ends:
            break
        ids.append(best)
    return ids


def plain_greedy(lens, source, limit=64):
    """The same on the bare module: no lens, no probe, no cache."""
    ids = [lens.start]
    with torch.inference_mode():
        while len(ids) <= limit:
            best = int(lens.backend.model(torch.tensor([source]), torch.tensor([ids])).logits[0, -1].argmax())
            if best in lens.ends:
                break
            ids.append(best)
    return ids[1:]


def plain_beams(lens, source, width, steps):
    """Beam search on the bare module: the ids of the best text, ended ones kept as they are."""
    beams = [((lens.start,), 0.0, False)]
    with torch.inference_mode():
        for _ in range(steps):
            grown = [beam for beam in beams if beam[2]]
            for ids, score, ended in beams:
                if ended:
                    continue
                logprobs = (
                    lens.backend.model(torch.tensor([source]), torch.tensor([ids]))
                    .logits[0, -1]
                    .double()
                    .log_softmax(-1)
                )
                values, places = logprobs.topk(2 * width)
                grown += [
                    ((*ids, int(i)), score + float(v), int(i) in lens.ends) for v, i in zip(values, places, strict=True)
                ]
            beams = sorted(grown, key=lambda beam: -beam[1])[:width]
            if all(beam[2] for beam in beams):
                break
    return beams


def sent(page, key="theatre"):
    """What a component of the page was sent; None where it is not there."""
    found = [one for one in page.app.get("bidi_component") if one.key == key]
    return json.loads(found[0].proto.json) if found else None


def texts(data):
    return [step["written"]["text"] for step in data["steps"]]


@pytest.fixture(scope="module")
def classroom():
    return core.load("classroom")


@pytest.fixture(scope="module")
def small():
    return core.load("translator-small")


def test_the_lectures_example_opens_by_itself_and_each_step_has_three_maps(screen, classroom):
    page = screen("home").go("translate")
    assert page.calm() and not page.said("trouble")
    data = sent(page)
    request = classroom.request("gen ai is", "")
    ids = greedy(classroom, request)
    assert texts(data)[:2] == ["interesting", "domain"]
    assert [step["written"]["id"] for step in data["steps"]][: len(ids)] == ids
    for stream in Stream:
        assert data[stream.value]["queries"] == (
            len(data["source"]) if stream is Stream.ENCODER else len(data["steps"])
        )
    trace = classroom.run(request.append(*ids).keeping("pattern", "predictions"))
    again = payload(trace, 0, data["version"], 0, ends=classroom.ends)
    assert {name: data[name] for name in again} == again


@pytest.mark.parametrize("model", ["translator", "translator-small", "classroom"])
def test_what_is_written_equals_a_decode_without_any_of_our_machinery(screen, model):
    lens = core.load(model)
    page = screen("translate", model=model, text=RED)
    assert page.calm() and not page.said("trouble")
    source = lens.request(RED, "").source
    ids = plain_greedy(lens, source)
    written = [step["written"]["id"] for step in sent(page)["steps"]]
    assert written[:-1] == ids and (written[-1] in lens.ends or len(ids) == 64)


@pytest.mark.parametrize("model", ["translator", "translator-small", "classroom"])
@pytest.mark.parametrize("text", [RED, "she reads a new book every night"])
def test_beams_of_the_shipped_models_are_those_of_a_plain_search(model, text):
    lens = core.load(model)
    request = lens.request(text, "")
    tree = lens.beams(request, width=3, steps=8)
    plain = plain_beams(lens, request.source, 3, 8)

    def path(node):
        return (*(path(tree[node.parent]) if node.parent is not None else (lens.start,)), node.token.id)

    last = max(node.step for node in tree)
    ours = {path(node): node.logprob for node in tree if node.alive and (node.finished or node.step == last)}
    for ids, score, _ in plain:
        assert ours[ids] == pytest.approx(score, abs=1e-3)


@pytest.mark.parametrize("family", ["t5", "bart", "marian"])
def test_other_families_are_played_too(screen, family, tmp_path, monkeypatch):
    assert family in SEQ2SEQ
    build(family, tmp_path / family)
    monkeypatch.setenv("LOOKBACK_MODELS", str(tmp_path))
    page = screen("translate", model=f"folder:{family}", text="w9 w12 w30 w7", teacher="w8 w11")
    assert page.calm() and not page.said("trouble")
    lens = core.load(str(tmp_path / family), device="cpu")
    request = lens.request("w9 w12 w30 w7", "")
    ids = greedy(lens, request)
    data = sent(page)
    assert [step["written"]["id"] for step in data["steps"]][: len(ids)] == ids
    assert len(page.app.radio(key="depth").options) == lens.info.depths + 1
    page.app.radio(key="depth").set_value(0).run()
    assert page.calm() and page.app.query_params["depth"] == "0"
    early = greedy(lens, request.with_depth(0))
    assert [step["written"]["id"] for step in sent(page)["steps"]][: len(early)] == early


def test_the_payload_holds_the_traces_numbers(classroom):
    request = classroom.request("the cat sits on the mat", "and the dog")
    trace = classroom.run(request.keeping("pattern", "predictions"))
    for stream in Stream:
        made = block(trace, stream)
        shape = (made["layers"], made["heads"], made["queries"], made["keys"])
        codes = np.frombuffer(base64.b64decode(made["codes"]), np.uint8).reshape(shape)
        may = np.frombuffer(base64.b64decode(made["may"]), np.uint8).reshape(shape[2:])
        for attention in (a for a in trace.attention if a.site.stream is stream):
            drawn = (codes[attention.site.layer] / 255.0) ** 2
            assert np.abs(drawn - attention.pattern).max() <= 0.004
            assert np.array_equal(may > 0, attention.allowed[0])
    steps = payload(trace, 3, "v", 0, only={1: (0, 2)})["steps"]
    for row, step in enumerate(steps[:-1]):
        assert step["written"]["id"] == trace.target.ids[row + 1]
        chance = np.exp(trace.predictions.actual_logprob[row])
        listed = {one["id"]: one["p"] for one in step["candidates"]}
        assert f"All other {classroom.info.vocab - len(listed):,} tokens together: " in step["rest"]
        assert shows_share(step["rest"], max(0.0, 1 - sum(listed.values())))
        if step["written"]["id"] in listed:
            assert listed[step["written"]["id"]] == pytest.approx(float(chance), rel=1e-4)
        other = row < 3 and step["candidates"][0]["id"] != step["written"]["id"]
        assert bool(step["flag"]) == step["written"]["forced"] == other
        assert step["only"] == ([0, 2] if row == 1 else None)


def test_what_is_sent_stays_within_its_budget(classroom):
    sites = classroom.info.sites
    assert sum(site.heads for site in sites) * room(sites) ** 2 * 4 / 3 <= BUDGET
    assert room(sites) >= 96


def test_a_row_is_what_the_step_had_computed(classroom):
    request = classroom.request("gen ai is", "")
    ids = greedy(classroom, request)
    whole = classroom.run(request.append(*ids).keeping("pattern", "predictions"))
    for step in range(len(ids)):
        then = classroom.run(request.append(*ids[:step]).keeping("pattern") if step else request.keeping("pattern"))
        for stream in (Stream.DECODER, Stream.CROSS):
            for attention in (a for a in then.attention if a.site.stream is stream):
                later = whole.at(stream, attention.site.layer).pattern[:, step]
                now = attention.pattern[:, -1]
                assert np.abs(later[:, : now.shape[-1]] - now).max() <= 1e-5


def test_a_branch_stands_in_the_link_and_can_be_forgotten(screen, classroom):
    request = classroom.request("gen ai is", "")
    trace = classroom.run(request.keeping("pattern", "predictions"))
    other = int(trace.predictions.top_ids[0][1])
    page = screen("translate", forced=str(other))
    assert page.calm() and not page.said("trouble")
    assert page.app.query_params["forced"] == str(other)
    ids = [other, *greedy(classroom, request.append(other))]
    assert [step["written"]["id"] for step in sent(page)["steps"]][: len(ids)] == ids
    assert sent(page)["steps"][0]["written"]["forced"]
    (table,) = [body for body in page.html if 'class="branches"' in body]
    assert f"<bdi>{' '.join(classroom.decode(ids).split())}</bdi>" in table
    page.app.button(key="branch-off").click().run()
    assert "forced" not in page.app.query_params and not any('class="branches"' in body for body in page.html)


def test_a_step_confined_to_some_words_is_computed_anew_from_there(screen, small):
    request = small.request("the red car", "")
    ids = greedy(small, request)
    page = screen("translate", model="translator-small", text="the red car", forced=str(ids[0]), reads="2k1_3")
    assert page.calm() and not page.said("trouble")
    rule = MaskRule(Stream.CROSS, "custom", edges=closed(((1, (0, 2)),), len(request.source)))
    asked = request.append(ids[0]).with_mask(rule)
    wanted = [ids[0], *greedy(small, asked)]
    data = sent(page)
    assert [step["written"]["id"] for step in data["steps"]][: len(wanted)] == wanted
    assert data["at"] == 1 and data["steps"][1]["only"] == [0, 2]
    may = np.frombuffer(base64.b64decode(data["cross"]["may"]), np.uint8).reshape(len(data["steps"]), -1)
    assert np.flatnonzero(may[1]).tolist() == [0, 2] and may[0].all() and may[2:].all()
    codes = np.frombuffer(base64.b64decode(data["cross"]["codes"]), np.uint8)
    codes = codes.reshape(data["cross"]["layers"], data["cross"]["heads"], len(data["steps"]), -1)
    trace = small.run(asked.append(*wanted[1:]).keeping("pattern") if wanted[1:] else asked.keeping("pattern"))
    assert np.abs((codes[0] / 255.0) ** 2 - trace.at(Stream.CROSS, 0).pattern).max() <= 0.004
    assert not codes[:, :, 1, 1].any()
    page.app.button(key="branch-off").click().run()
    assert "reads" not in page.app.query_params


def test_your_translation_is_read_beside_the_models_own(screen, small):
    page = screen("translate", model="translator-small", text="the red car")
    page.app.button(key="teacher-own").click().run()
    assert page.app.text_input(key="teacher").value == small.decode(greedy(small, small.request("the red car", ""))).strip()
    assert sent(page, "duet")["first"] is None
    page.app.text_input(key="teacher").set_value("o gato vermelho").run()
    assert page.calm() and not page.said("trouble")
    assert page.app.query_params["teacher"] == "o gato vermelho"
    data = sent(page, "duet")
    given = list(small.request("the red car", "o gato vermelho").target[1:])
    own = greedy(small, small.request("the red car", ""))
    assert [one["id"] for one in data["given"]["steps"]] == [*given, -1]
    assert [one["id"] for one in data["free"]["steps"]][: len(own)] == own
    assert data["first"] == next(n for n, (a, b) in enumerate(zip([*given, -1], [*own, -1], strict=False)) if a != b)
    page.type("the cat")
    assert "teacher" not in page.app.query_params and sent(page, "duet") is None


def test_each_encoder_layer_gives_its_sentence(screen, small):
    page = screen("translate", model="translator-small", text="the red car")
    radio = page.app.radio(key="depth")
    assert len(radio.options) == small.info.depths + 1 == len(small.info.at(Stream.ENCODER)) + 1
    assert radio.value == small.info.depths
    request = small.request("the red car", "")
    for depth in range(small.info.depths):
        page.app.radio(key="depth").set_value(depth).run()
        assert page.calm() and page.app.query_params["depth"] == str(depth)
        ids = greedy(small, request.with_depth(depth))
        assert [step["written"]["id"] for step in sent(page)["steps"]][: len(ids)] == ids
        assert ("layer" in sent(page)["note"]) == (depth < small.info.depths)
    page.app.radio(key="depth").set_value(small.info.depths).run()
    assert "depth" not in page.app.query_params and not sent(page)["note"]


def cells(page):
    """The decoder lens's table: a list of a row's texts for each depth, the first that of its name."""
    (body,) = [one for one in page.html if 'class="settling"' in one]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("<tbody>")[1].split("<tr")[1:]], body


def test_each_word_is_weighed_at_each_depth(screen, small):
    page = screen("translate", model="translator-small", text="the red car")
    rows, body = cells(page)
    start = small.request("the red car", "")
    ids = greedy(small, start)
    end = max(small.ends, key=lambda id: small.run(start.append(*ids)).next_logits[id])
    chances = []
    for depth, row in enumerate(rows):
        assert len(row) == len(ids) + 3  # its name, the end, all together
        asked, mine = start.with_depth(depth), []
        for place, id in enumerate([*ids, end]):
            logits = small.run(asked.append(*ids[:place]) if place else asked).next_logits.astype(np.float64)
            chance = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
            mine.append(float(chance[id]))
            assert shows_share(row[place + 1], mine[-1], "</span>")
            # where another token is likelier, it is told with its own probability
            other = int(chance.argmax())
            assert ("<em>" in row[place + 1]) == (other != id)
            assert other == id or shows_share(row[place + 1].partition("<em>")[2], float(chance[other]))
        chances.append(float(np.log(mine).sum()))
        assert odds(chances[-1]) == row[-1]
    (says,) = page.said("says")
    assert odds(chances[0]) in says and odds(chances[-1]) in says
    assert sum("settles" in cell for cell in re.findall(r'<td class="[^"]*"', body)) <= len(ids) + 1


def test_a_sentence_whose_layers_disagree_is_found_among_those_offered(screen, small, monkeypatch):
    texts = ("my dog", "she is a good teacher", "the cats are hungry and tired")
    monkeypatch.setattr("core.ui.translate.depths.searched", lambda model, kind: texts)

    def differing(text):
        start = small.request(text, "")
        whole = greedy(small, start)
        return sum(greedy(small, start.with_depth(depth)) != whole for depth in range(small.info.depths))

    most = max(map(differing, texts))
    page = screen("translate", model="translator-small", text="the red car")
    page.app.button(key="depth-find").click().run()
    assert page.calm()
    if most:
        text = page.app.query_params["text"]
        text = text[0] if isinstance(text, list) else text
        assert differing(text) == most
        assert any(f"at {most} of {small.info.depths} depths" in one for one in page.said("how"))
        assert not [button for button in page.app.button if button.key == "depth-find"]
    else:
        assert any("In none of the 3" in one for one in page.said("how"))


def test_a_depth_this_encoder_lacks_is_told(screen):
    page = screen("translate", depth="77")
    assert page.calm() and any("cannot read past 77" in note for note in page.said("note"))


def test_a_mask_painted_over_words_not_yet_written_does_not_stop_the_play(screen):
    rules = (MaskRule(Stream.DECODER, "custom", edges=((3, 1),)),)
    page = screen("translate", mask=write_rules(rules))
    assert page.calm() and not page.said("trouble")
    assert "rows that were not written yet" in sent(page)["note"]


def test_another_text_forgets_the_branch(screen):
    page = screen("translate", forced="700", reads="1k1")
    page.type("the cat")
    assert not {"forced", "reads"} & set(page.app.query_params)


@pytest.mark.parametrize("link", [
    {"forced": "9999999"}, {"forced": "x"}, {"forced": "-1"}, {"forced": "1..2"}, {"forced": "1." * 200}, {"reads": "9k1"},
    {"reads": "1k99"}, {"reads": "k"}, {"reads": "1k1" * 3000}, {"depth": "-1"}, {"depth": "x"}, {"teacher": "x " * 1900},
])  # fmt: skip
def test_a_bad_link_is_told(screen, link):
    page = screen("translate", **link)
    assert not page.app.exception and page.calm()
    assert page.said("note") or page.said("trouble") or any("here are" in line for line in page.said("how"))


@pytest.mark.parametrize(
    ("model", "text", "kind"), [("induction", "abcabc", "decoder alone"), ("filler", "the cat", "encoder alone")]
)
def test_a_model_without_both_sides_points_to_generate(screen, model, text, kind):
    page = screen("translate", model=model, text=text)
    assert page.calm()
    assert any(kind in line and "Generate" in line for line in page.said("how"))


@pytest.mark.parametrize(
    "text", ["a", "مرحبا بالعالم", "👩‍👩‍👧‍👦", "<img src=x onerror=alert(1)>", "x" * 40, "\u202eabc"]
)
def test_any_text_is_shown_as_text(screen, classroom, text):
    page = screen("translate", teacher=text)
    page.type(text)
    page.app.text_input(key="teacher").set_value(text).run()
    assert page.calm() and not page.said("trouble")
    assert "<img" not in "".join(page.html)
    trace = classroom.run(classroom.request(text, "").keeping("pattern", "predictions"))
    assert len(words(trace.source)) == len(trace.source)
