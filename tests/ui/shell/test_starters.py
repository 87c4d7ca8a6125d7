"""Every starter shows what its line says, by the weights of a real run."""

import re
from functools import lru_cache

import pytest

import core
from core.analysis import texts
from core.engine.files import shipped
from core.ui.decoder import lesson as decoder
from core.ui.running.scene import WORDS
from core.ui.sequence import lesson as sequence
from core.ui.session import state
from core.ui.shell.starters import KINDS, TASKS, head_of, proven, starters

PROVEN = [model for model in shipped() if proven(model)]
EACH = [pytest.param(model, one, id=f"{model}: {one.text}") for model in PROVEN for one in starters(model)]


@lru_cache
def lens_of(model):
    return core.load(model)


def trace_of(model, one):
    """The run the page makes: with the target given, or with the words a decoder writes on its own."""
    lens = lens_of(model)
    if lens.info.kind != "encoder-decoder":
        return lens.run(lens.request(one.text))
    request = lens.request(one.text, one.target or "")
    if one.target is None:
        written = []
        for step in lens.generate(request, steps=16):
            if step.finished or len(lens.decode([*written, step.choice.id]).split()) > WORDS:
                break
            written.append(step.choice.id)
        request = request.append(*written) if written else request
    return lens.run(request)


def named(line):
    return re.findall("“(.*?)”", line)


@pytest.mark.parametrize(("model", "one"), EACH)
def test_a_starter_shows_what_its_line_says(model, one):
    trace = trace_of(model, one)
    assert one.at or one.next or one.written, "a line that claims nothing"
    if one.written:
        assert lens_of(model).decode(trace.request.target).strip() == one.written
        assert all(word in one.written for word in named(one.look)[:1])
    if one.next:
        first, second = trace.next_tokens(2)
        assert first.text == one.next and first.probability > 2 * second.probability
        assert one.next.strip() in named(one.look)
    if one.at is None:
        return
    layer, head = head_of(one, trace)
    pattern = trace.at(one.at, layer).head(head)
    queries, keys = (tuple(text.strip() for text in tokens.text) for tokens in texts(trace, one.at))
    said = named(one.look)
    for query, key, least in one.sees:
        assert pattern[query].argmax() == key and pattern[query, key] >= least
        assert len(one.sees) > 3 or keys[key] in said
    if one.ignored is not None:
        assert pattern[:, one.ignored].sum() < 0.5 and keys[one.ignored] in said
    for word in said:
        assert word in " ".join((*queries, *keys)), word


def greedy(model, text, steps=40):
    """What the model writes by itself, to its end."""
    lens = lens_of(model)
    return lens.decode([step.choice.id for step in lens.generate(lens.request(text, ""), steps=steps) if not step.finished])


def offered():
    """(model, text, target) of each starter and each preset of a lesson that hands the decoder a target."""
    found = {(model, one.text, one.target) for model in PROVEN for one in starters(model) if one.target}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "choose", lambda **chosen: found.add(tuple(map(chosen.get, ("model", "text", "target")))))
        for preset in (*decoder.presets(), *sequence.presets()):
            preset.apply()
    return sorted(one for one in found if one[2])


@pytest.mark.parametrize(("model", "text", "target"), offered())
def test_a_target_that_is_offered_is_what_the_model_writes_by_itself(model, text, target):
    written = greedy(model, text).split()
    assert written[: len(target.split())] == target.split()


@pytest.mark.parametrize("model", PROVEN)
def test_each_kind_has_six_with_a_line_each(model):
    group = starters(model)
    assert len(group) == len({one.text for one in group}) == 6
    assert all(one.look.endswith((".", "?")) and one.ask.endswith(("?", ".")) for one in group)


def test_the_lines_of_every_task_are_held_to_some_model():
    assert {id(starters(model)) for model in PROVEN} == {id(group) for group in TASKS.values()}


def test_a_model_that_did_not_come_along_gets_its_kinds_texts_and_questions():
    for kind, group in KINDS.items():
        assert starters("hub:someone/model", kind) == group
    assert starters("induction-peek") == starters("induction")
