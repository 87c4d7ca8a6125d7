"""A trace is a value: saved, pickled or copied, it holds the same bits and answers the same questions, of every kind of model."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from dataclasses import fields, replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import Sampling, Trace, request_json
from core.attention import Recipe
from core.errors import LensError
from core.request import CAPTURES, KEEPS
from core.trace import Answer, Predictions, TokenTexts
from tests.families import FAMILIES, OURS, VOCAB
from tests.oracles import changes

# what an attention can be made of: plain, grouped queries, shared bias, soft-caps, sinks, windows, ALiBi read by its own eager code
MODELS = (*OURS, "gpt2", "llama", "t5", "gemma2", "gpt_oss", "bert", "modernbert", "marian", "gptj", "deberta_v3")


def assert_same(a, b, path="trace"):
    """Two values are equal to the bit, with types, dtypes and read-only flags."""
    assert type(a) is type(b), path
    if isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape) and a.tobytes() == b.tobytes() and not b.flags.writeable, path
    elif isinstance(a, (Answer, Trace, Predictions, Recipe)):
        for part in fields(a):
            assert_same(getattr(a, part.name), getattr(b, part.name), f"{path}.{part.name}")
    elif type(a).__name__ == "Attention":
        assert_same(a.held, b.held, f"{path} {a}")
    elif isinstance(a, dict):
        assert list(a) == list(b), path
        for key in a:
            assert_same(a[key], b[key], f"{path}[{key}]")
    elif isinstance(a, TokenTexts):
        assert [a(token) for token in range(VOCAB + 300)] == [b(token) for token in range(VOCAB + 300)], path
    elif isinstance(a, tuple) and a and type(a[0]).__name__ == "Attention":
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other, path)
    else:
        assert a == b, path


def said_of(attention, kept):
    """What an attention answers, or how it refuses."""
    try:
        return getattr(attention, kept)
    except LensError as error:
        return str(error)


def assert_answers(a, b):
    """Both say the same to every question, in numbers or in the words of a refusal."""
    for one, other in zip(a.attention, b.attention, strict=True):
        for kept in ("pattern", "scores", "query", "key", "value", "sink", "allowed", "approximate", "shape"):
            mine, theirs = said_of(one, kept), said_of(other, kept)
            assert np.array_equal(mine, theirs) if isinstance(mine, np.ndarray) else mine == theirs, kept
    for position in (None, *range(4)):
        answers = []
        for trace in (a, b):
            try:
                answers.append(trace.next_tokens(5, position))
            except LensError as error:
                answers.append(str(error))
        assert answers[0] == answers[1]
    assert a.request == b.request and a.request.sites == b.request.sites


@pytest.mark.parametrize("name", MODELS)
def test_saved_pickled_or_copied_a_trace_is_the_same_to_the_bit(name, lens_of, ask, tmp_path_factory):
    lens, place = lens_of(name), tmp_path_factory.mktemp("saved") / "trace.safetensors"
    keeps = KEEPS - {"scores", "qkv"} if lens.info.reason else KEEPS

    @settings(max_examples=8)
    @given(
        st.sets(st.sampled_from(sorted(keeps))),
        st.sampled_from(CAPTURES),
        st.sampled_from([None, (1,)]),
        st.integers(0, 99),
    )
    def check(keep, capture, layers, salt):
        request = ask(name, salt=salt, keep=keep, capture=capture, layers=layers)
        if salt % 3 and not lens.info.reason:
            request = changes(Random(salt), request)
        try:
            trace = lens.run(request)
        except LensError:  # a random mask may leave a row nothing to look at
            return
        trace.save(place)
        for again in (Trace.load(place), pickle.loads(pickle.dumps(trace)), copy.deepcopy(trace)):
            assert_same(trace, again)
        assert_answers(trace, Trace.load(place))

    check()


def test_a_mask_token_and_a_model_without_a_tokenizer_are_kept_too(lens_of, folder_of, tmp_path):
    import core

    lens = lens_of("bert")
    trace = lens.run(lens.request(ids=(5, lens.mask, 7)))
    trace.save(tmp_path / "a")
    again = Trace.load(tmp_path / "a")
    assert_same(trace, again)
    assert list(again.masked_logits) == [1] and again.next_tokens(3, 1) == trace.next_tokens(3, 1)
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in folder_of("gpt2").iterdir():
        if not file.name.startswith(("token", "special", "added")):
            (bare / file.name).write_bytes(file.read_bytes())
    plain = core.load(str(bare), device="cpu")
    trace = plain.run(plain.request(ids=(5, 6)))
    trace.save(tmp_path / "b")
    assert_same(trace, Trace.load(tmp_path / "b"))
    assert Trace.load(tmp_path / "b").token_text is str is pickle.loads(pickle.dumps(trace)).token_text


@pytest.mark.parametrize(
    ("kind", "shape"), [("text", (3,)), ("token", (9, 3)), ("span", (9, 2)), ("next", (2,)), ("text", (1,))]
)
def test_what_a_classifier_said_is_kept_too(kind, shape, lens_of, ask, tmp_path):
    logits = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    logits.flags.writeable = False
    answer = Answer(kind, tuple("abc"[: shape[-1]]), "softmax", logits)
    trace = replace(lens_of("bert").run(ask("bert", 9)), answer=answer)
    trace.save(tmp_path / "trace")
    again = Trace.load(tmp_path / "trace")
    assert_same(trace, again)
    assert again.answer.spans(3) == answer.spans(3)
    place = 4 if len(shape) == 2 else None
    assert again.answer.ranked(2, place) == answer.ranked(2, place)
    wrong = replace(trace, answer=replace(answer, labels=("only",) * 7))
    wrong.save(tmp_path / "wrong")
    with pytest.raises(LensError, match="answer of F32"):
        Trace.load(tmp_path / "wrong")


def test_steps_and_beams_are_pickled_with_their_traces_and_share_one_vocabulary(lens_of, ask):
    lens = lens_of("llama")
    steps = list(lens.generate(ask("llama"), Sampling(temperature=0.0), steps=4))
    again = pickle.loads(pickle.dumps(steps))
    for mine, theirs in zip(steps, again, strict=True):
        assert (mine.choice, mine.candidates, mine.cache) == (theirs.choice, theirs.candidates, theirs.cache)
        assert_same(mine.trace, theirs.trace)
    assert len({id(step.trace.token_text) for step in again}) == 1
    beams = lens.beams(ask("llama"), width=2, steps=2)
    assert [beam.token for beam in pickle.loads(pickle.dumps(beams))] == [beam.token for beam in beams]
    one = steps[-1].trace.attention[0]
    assert_same(one, pickle.loads(pickle.dumps(one)))


def test_a_file_is_small_and_lazy_layers_are_computed_from_it(lens_of, ask, tmp_path):
    """A mask or a bias that all layers share is saved once, and a lazy pattern as queries and keys."""
    lens, size = lens_of("t5"), {}
    for capture in ("lazy", "float32"):
        trace = lens.run(ask("t5", 60, target=60, capture=capture))
        trace.save(tmp_path / capture)
        size[capture] = (tmp_path / capture).stat().st_size
        from safetensors.numpy import load_file

        names = load_file(tmp_path / capture)
        assert sum(name.endswith(".allowed") for name in names) == 2  # one triangle, one that hides nothing
        assert ("encoder.1.query" in names) == (capture == "lazy") == ("encoder.1.pattern" not in names)
    assert size["lazy"] < size["float32"]


def test_a_saved_trace_needs_no_torch(lens_of, ask, tmp_path):
    lens_of("gpt2").run(ask("gpt2", keep=KEEPS)).save(tmp_path / "trace")
    code = (
        f"import sys; from core import Trace; t = Trace.load({str(tmp_path / 'trace')!r});"
        "t.attention[0].pattern; t.attention[1].scores; t.next_tokens(3); t.to_frame();"
        "assert not {'torch', 'transformers', 'streamlit'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_saved_are_all_fields_there_are():
    """Whoever adds a field to a trace, or to what it is made of, adds it here and to core/saving/saved.py."""
    from core.trace import Tokens

    assert [part.name for part in fields(Tokens)] == ["ids", "text", "word", "special"]
    assert [part.name for part in fields(Recipe)] == [
        "query",
        "key",
        "scaling",
        "softcap",
        "bias",
        "sink",
        "temperature",
    ]
    request = {"lens", "source", "target", "keep", "capture", "layers", "sites", "intervention", "types"}
    assert {part.name for part in fields(request_json.Request)} == request


def test_families_of_every_kind_are_among_them():
    assert len(set(MODELS) & set(FAMILIES)) >= 8 and set(OURS) <= set(MODELS)
