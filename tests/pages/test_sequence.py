"""The page Sequence modelling, without a browser: every number asked again of the model, and counted again."""

import json
import math
import re

import pytest

import core
from core import paths
from core.analysis.sources import Source, together, verdict
from core.analysis.surprisal import perplexity
from core.model import trigram
from core.model.weights import read_rows
from core.trace import log_softmax
from tests.printed import numbers, shows


def bits(logits, id: int) -> float:
    return -float(log_softmax(logits)[id]) / math.log(2)


def sent(page) -> dict:
    """What the picture was sent."""
    return json.loads(next(part for part in page.app.get("bidi_component") if part.key == "surprisal").proto.json)


def judged(page) -> list[dict]:
    return [one for one in sent(page)["tokens"] if one["ours"] and one["ours"]["bits"] is not None]


def test_a_writers_tokens_are_asked_one_by_one(screen) -> None:
    text = "neither the students nor the teacher"
    page, lens = screen("sequence", model="writer", text=text), core.load("writer")
    ids = lens.request(text).target
    table = trigram.for_model("writer")
    ours = [bits(lens.run(lens.request(ids=ids[:n])).next_logits, ids[n]) for n in range(1, len(ids))]
    theirs = [-math.log2(table.probabilities(ids[1:n])[ids[n]]) for n in range(1, len(ids))]
    shown = judged(page)
    assert [one["ours"]["bits"] for one in shown] == pytest.approx(ours, abs=1e-3)
    assert [one["theirs"]["bits"] for one in shown] == pytest.approx(theirs, abs=1e-9)
    (score,) = [re.sub(r"<[^>]+>", " ", body) for body in page.html if "bits in all" in body]
    assert {pytest.approx(perplexity(bits), rel=0.006) in numbers(score) for bits in (ours, theirs)} == {True}
    nor = next(one for one in shown if one["text"] == "nor")
    assert nor["ours"]["bits"] < nor["theirs"]["bits"] - 5  # what only a long memory can know
    assert shows(page.lead, max(ours), 1, " bits")
    last = sent(page)["tokens"][-1]
    best = lens.run(lens.request(text)).next_tokens(1)[0]
    assert last["next"] and last["ours"]["rows"][0]["share"] == pytest.approx(best.probability, rel=1e-4)


def test_the_classroom_is_asked_for_each_word_with_the_words_before(screen) -> None:
    page, lens = screen("sequence"), core.load("classroom")
    given = [one for one in judged(page) if not one["written"]]
    words = ["gen", "ai", "is"]
    for n, one in enumerate(given, 1):
        trace = lens.run(lens.request(" ".join(words[:n]), ""))
        (id,) = lens.request("x", words[n]).target[1:]
        assert one["text"] == words[n] and one["ours"]["bits"] == pytest.approx(bits(trace.next_logits, id), abs=1e-3)
    own = [one for one in judged(page) if one["written"]]
    assert [one["text"] for one in own] == ["interesting", "domain"]
    trace = lens.run(lens.request("gen ai is", "interesting"))
    (id,) = lens.request("x", "domain").target[1:]
    assert own[1]["ours"]["bits"] == pytest.approx(bits(trace.next_logits, id), abs=1e-3)
    assert any(f"over {len(given)} judged tokens" in body for body in page.html)


def test_a_word_of_several_tokens_is_asked_token_by_token(screen) -> None:
    page, lens = screen("sequence", text="we furiously", target=""), core.load("classroom")
    ids = lens.request("x", "furiously").target[1:]
    assert len(ids) > 1
    wanted = [bits(lens.run(lens.request(ids=lens.encode("we"), target_ids=ids[:n])).next_logits, ids[n]) for n in range(len(ids))]
    assert [one["ours"]["bits"] for one in judged(page)] == pytest.approx(wanted, abs=1e-3)


def test_a_translation_is_weighed_with_its_source_in_view(screen) -> None:
    source, target = "the black cat sleeps on the red sofa", "o gato preto dorme no sofá vermelho"
    page, lens = screen("sequence", model="translator", text=source, target=target), core.load("translator")
    ids = lens.request(source, target).target
    wanted = [
        bits(lens.run(lens.request(source, target_ids=ids[1:n])).next_logits, ids[n]) for n in range(1, len(ids))
    ]
    assert [one["ours"]["bits"] for one in judged(page)] == pytest.approx(wanted, abs=1e-3)
    table = trigram.for_model("translator")
    assert judged(page)[2]["theirs"]["bits"] == pytest.approx(-math.log2(table.probabilities(ids[1:3])[ids[3]]), abs=1e-9)


def test_the_loop_appends_takes_back_and_stands_in_the_link(screen) -> None:
    page, lens = screen("sequence"), core.load("classroom")
    page.app.button(key="loop-take-0").click().run()
    page.app.button(key="loop-take-0").click().run()
    assert page.calm()
    (text,) = page.said("exercise grown")
    assert text == "gen ai is interesting domain ?"
    best = lens.run(lens.request("gen ai is", "interesting domain")).next_tokens(1)[0]
    assert page.bars()[0]["share"] == pytest.approx(best.probability, rel=1e-4)
    again = screen("sequence", forced=".".join(map(str, lens.request("x", "interesting domain").target[1:])))
    assert again.said("exercise grown") == [text]
    again.app.button(key="loop-back").click().run()
    assert again.said("exercise grown") == ["gen ai is interesting ?"]
    again.app.button(key="loop-draw").click().run()
    assert any("Chance drew" in line for line in again.said("how")) and again.calm()
    again.app.button(key="loop-over").click().run()
    assert again.said("exercise grown") == ["gen ai is ?"]


def test_the_loop_stops_where_the_model_ends_the_text(screen) -> None:
    page = screen("sequence", forced="2")
    assert page.calm() and any("end of the text" in line for line in page.said("how"))
    assert page.app.button(key="loop-take-0").disabled and not page.app.button(key="loop-back").disabled


def test_the_questions_are_checked_by_what_stands_there(screen) -> None:
    page = screen("sequence", model="writer", text="the cat sits on the mat")
    first = judged(page)[0]["ours"]["bits"]
    page.app.text_input(key="ask-sequence-0").set_value(f"{first:.1f}").run()
    ours = [one["ours"]["bits"] for one in judged(page)]
    page.app.text_input(key="ask-sequence-1").set_value(f"{perplexity(ours) / 2:.1f}").run()
    verdicts = page.said("verdict")
    assert len(verdicts) == 3 and all(line.startswith("Right.") for line in verdicts)  # counting wins on this text


@pytest.mark.parametrize("preset", range(5))
def test_every_preset_opens(screen, preset) -> None:
    page = screen("sequence")
    page.app.button(key=f"try-sequence-{preset}").click().run()
    assert page.calm() and not page.said("trouble") and judged(page)


def test_the_presets_show_what_their_lines_promise(screen) -> None:
    def weighed(preset: int) -> dict[str, tuple[dict, dict]]:
        page.app.button(key=f"try-sequence-{preset}").click().run()
        return {one["text"]: (one["ours"], one["theirs"]) for one in judged(page)}

    page = screen("sequence")
    ours, theirs = weighed(0)["nor"]
    assert ours["bits"] < theirs["bits"]  # “neither” is still in view
    ours, theirs = weighed(2)["cake"]
    assert max(row["share"] for row in theirs["rows"]) > 0.5 and theirs["rows"][0]["text"] == "cake"
    ours, theirs = weighed(3)["mat"]
    assert ours["bits"] > theirs["bits"]


@pytest.mark.parametrize("depth", ["Maths", "Code"])
def test_the_dial_turns(screen, depth) -> None:
    page = screen("sequence", model="writer", text="the cat sits")
    page.app.get_by_key("depth").set_value(depth).run()
    assert page.calm()
    if depth == "Maths":
        ours = perplexity([one["ours"]["bits"] for one in judged(page)])
        assert any(pytest.approx(ours, rel=0.006) in numbers(element.value) for element in page.app.latex)
        table, ids = trigram.for_model("writer"), core.load("writer").request("the cat sits").target[1:]
        shown = numbers(page.app.latex[-1].value)[-1]
        chances = [float(table.probabilities(ids[:n])[id]) for n, id in enumerate(ids)]
        assert any(shown == pytest.approx(chance, rel=0.006) for chance in chances)
    else:
        assert any("def perplexity" in element.value for element in page.app.code)


def test_a_guest_without_a_table_and_an_encoder_are_told(screen) -> None:
    page = screen("sequence", model="induction", text="abcabc")
    assert page.calm() and any("no table" in line for line in page.said("how")) and judged(page)
    page = screen("sequence", model="filler")
    assert page.calm() and any("writes none" in line for line in page.said("how"))


@pytest.mark.parametrize("text", ["<b>a</b>", "a", "\u202ea b", "x" * 90, "![](http://x) a"])
def test_any_text_is_drawn(screen, text) -> None:
    page = screen("sequence", text=text)
    assert page.calm()
    assert not any(re.search(r"<img|<b>a</b>", body) for body in page.html)


def test_the_trigram_mixes_in_shorter_memories_also_where_it_knows_the_two(screen) -> None:
    """What the page says of it: interpolated, not backed off; and each order's letters are those of its own terms."""
    table = trigram.for_model("classroom")
    ids = core.load("classroom").request("x", "the cat sits on the mat").target[1:]
    followed = [table.terms(ids[:n], id) for n, id in enumerate(ids) if n > 1]
    known = [terms[0] for terms in followed if terms[0].known == 2]
    assert known and all(term.p > max(0.0, term.seen - term.discount) / term.total > 0 for term in known if term.seen)
    fresh = [terms[0] for terms in followed if not terms[0].seen]
    assert fresh and all(term.p > 0 for term in fresh)  # never seen after the two, and yet not impossible
    page = screen("sequence", model="classroom", text="my grandmother made a chocolate cake yesterday", dial="maths")
    said, shown = " ".join(page.said("how")), page.app.latex[-1].value
    order = re.search(r"p_(\d) = \\frac", shown)[1]
    assert rf"\, p_{int(order) - 1} = " in shown
    assert ("p₃ = p₂" in said) == (order != "3") and "falls back" not in said


def test_perplexity_is_a_surprise_and_not_the_models_doubt(screen) -> None:
    sure = [-math.log2(0.001)] * 4  # a model that was sure of another token each time has no doubt and a high perplexity
    assert perplexity(sure) == pytest.approx(1000)
    page = screen("sequence", model="writer", text="the cat sits")
    assert "surprising" in " ".join(page.said("how")) and "unsure" not in " ".join(page.html)


def test_a_text_that_nothing_announces_is_told_so_and_not_called_unforeseeable(screen) -> None:
    page = screen("sequence", text="ai", target="")
    assert not judged(page) and page.lead.startswith("Nothing stands before the first word")


@pytest.mark.parametrize("model", ["writer", "classroom"])
def test_each_source_of_text_has_its_row_and_the_sentence_follows(screen, model) -> None:
    page = screen("sequence", model=model, text="the cat sleeps")
    sources = [Source.from_row(row) for row in read_rows(paths.WEIGHTS / model / "sources.csv")]
    (body,) = [body for body in page.html if "best n-gram" in body]
    rows = [numbers(row) for row in re.findall(r"<tr>(.+?)</tr>", body)[1:]]
    assert len(rows) == len(sources) + 1
    for row, source in zip(rows, [*sources, together(sources)], strict=True):
        wanted = [source.tokens, source.network, source.trigram, source.best, source.order]
        assert row == [pytest.approx(value, abs=0.051) for value in wanted]
    assert verdict(sources) in " ".join(page.html)


def test_a_model_that_was_not_compared_has_no_such_table(screen) -> None:
    page = screen("sequence", model="translator", text="the black cat", target="o gato preto")
    assert not [body for body in page.html if "best n-gram" in body]
