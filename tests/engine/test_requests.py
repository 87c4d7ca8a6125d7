"""A Request is a small hashable value that says everything, refuses what cannot be, and whose answer depends on it alone."""

from __future__ import annotations

import pickle
from contextlib import suppress
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError, LensError, MaskError, NoSuchHeadError, NotKeptError, RequestError, TooLongError
from core.request import Ablation, Cut, HeadRef, Intervention, MaskRule, Request, Sampling, Site, Stream
from tests.families import EVERY
from tests.oracles import changes

HEAD = HeadRef(Stream.DECODER, 1, 2)
IDS = st.lists(st.integers(0, 60), min_size=1, max_size=8)


@given(ids=IDS, width=st.integers(1, 5), temperature=st.floats(0.1, 9), keep=st.sets(st.sampled_from(
    ["pattern", "scores", "qkv", "residual", "predictions"])))  # fmt: skip
def test_equal_questions_are_equal_and_hash_alike_however_they_were_written(ids, width, temperature, keep):
    def make(kind):
        request = Request("any", None, kind(ids), keep=kind(keep))
        rule = MaskRule("decoder", "window", width=kind([width])[0], heads=kind([0, 2]))
        return request.with_mask(rule).with_cut((HEAD, 0, 0)).with_ablation(HEAD).with_temperature(temperature)

    one, other = make(list), make(tuple)
    assert one == other and hash(one) == hash(other) and len({one, other}) == 1
    assert pickle.loads(pickle.dumps(one)) == one
    assert one.append(3) != one and one.append(3) == other.append(3)
    assert one.without_interventions() == Request("any", None, ids, keep=frozenset(keep))


def test_every_part_of_a_question_counts():
    plain = Request("any", (1, 2), (3, 4))
    others = [
        Request("other", (1, 2), (3, 4)),
        Request("any", (1, 3), (3, 4)),
        Request("any", (1, 2), (3, 5)),
        Request("any", None, (3, 4)),
        plain.keeping("scores"),
        plain.keeping("pattern", capture="u8"),
        Request("any", (1, 2), (3, 4), layers=(0,)),
        plain.append(1),
        plain.with_temperature(2),
        plain.with_ablation(HEAD),
        plain.with_ablation(HEAD, how="mean"),
        plain.with_cut((HEAD, 1, 0)),
        plain.with_mask(MaskRule(Stream.DECODER, "full")),
        plain.with_mask(MaskRule(Stream.DECODER, "full", heads=(0,))),
        plain.with_mask(MaskRule(Stream.CROSS, "full")),
    ]
    assert len({plain, *others}) == len(others) + 1


def test_the_list_of_sites_is_for_checks_and_no_part_of_the_question():
    sites = (Site(Stream.DECODER, 0, 2),)
    assert Request("any", None, (1,), sites=sites) == Request("any", None, (1,))


def test_methods_give_new_requests_and_leave_the_old_as_it_was(ask):
    request = ask("llama")
    before = hash(request)
    request.with_mask(MaskRule(Stream.DECODER, "full")).with_cut((HEAD, 1, 0)).with_ablation(HEAD).append(4)
    assert hash(request) == before and not request.intervention
    with pytest.raises(AttributeError):
        request.keep = frozenset()


def test_interventions_hold_tuples_whatever_they_were_given():
    rule = MaskRule(Stream.DECODER, "full")
    one = Intervention(masks=[rule], ablated=[Ablation(HEAD)], cuts=[Cut(HEAD, 1, 0)], temperature=np.float32(2))
    assert one == Intervention((rule,), (Ablation(HEAD),), (Cut(HEAD, 1, 0),), 2.0) and hash(one)
    assert one and not Intervention() and Intervention(temperature=2)


def test_above_256_tokens_maps_are_computed_when_asked():
    assert Request("any", None, (1,) * 256).capture == "float32"
    assert Request("any", None, (1,) * 257).capture == "lazy"
    assert Request("any", (1,) * 257, (1,)).capture == "lazy"
    assert Request("any", None, (1,) * 257, capture="float32").capture == "float32"


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (InputError, lambda: Request("any", None, ())),
        (InputError, lambda: Request("any", None, None)),
        (RequestError, lambda: Request("any", None, (1.5,))),
        (RequestError, lambda: Request("any", None, (-1,))),
        (RequestError, lambda: Request("any", None, "12")),
        (RequestError, lambda: Request("any", None, (1,), keep={"everything"})),
        (RequestError, lambda: Request("any", None, (1,), keep=None)),
        (RequestError, lambda: Request("any", None, (1,), capture="float16")),
        (RequestError, lambda: Request("any", None, (1,), layers=(0.5,))),
        (RequestError, lambda: Request("any", None, (1,), intervention=None)),
        (RequestError, lambda: Request("any", None, (1,)).with_temperature(0)),
        (RequestError, lambda: Request("any", None, (1,)).with_temperature(-1)),
        (RequestError, lambda: Request("any", None, (1,)).with_temperature(float("nan"))),
        (RequestError, lambda: Request("any", None, (1,)).with_temperature(float("inf"))),
        (RequestError, lambda: Request("any", None, (1,)).with_temperature(1e-40)),
        (RequestError, lambda: Request("any", None, (1,)).with_temperature(True)),
        (RequestError, lambda: Request("any", None, (1,)).with_temperature("warm")),
        (RequestError, lambda: Request("any", None, (1,)).with_ablation("head 3")),
        (RequestError, lambda: Request("any", None, (1,)).with_ablation(HEAD, how="loudly")),
        (RequestError, lambda: Request("any", None, (1,)).with_cut((HEAD, 0))),
        (RequestError, lambda: Request("any", None, (1,)).with_cut(3)),
        (NoSuchHeadError, lambda: Request("any", None, (1,)).with_cut((HEAD, -1, 0))),
        (NoSuchHeadError, lambda: Request("any", None, (1,)).with_cut(Cut(HEAD, 0, 1))),
        (NoSuchHeadError, lambda: Request("any", None, (1,)).with_cut((HEAD, 1, 0))),
        (NoSuchHeadError, lambda: Cut(HEAD, 0, -1)),
        (NoSuchHeadError, lambda: HeadRef(Stream.DECODER, -1, 0)),
        (NoSuchHeadError, lambda: HeadRef(Stream.DECODER, 0, 1.5)),
        (RequestError, lambda: HeadRef("sideways", 0, 0)),
        (MaskError, lambda: Request("any", None, (1,)).with_mask("causal")),
        (RequestError, lambda: Request("any", (1,), None).append(2)),
        (RequestError, lambda: Sampling(temperature=-1)),
        (RequestError, lambda: Sampling(temperature=float("nan"))),
        (RequestError, lambda: Sampling(top_k=0)),
        (RequestError, lambda: Sampling(top_k=1.5)),
        (RequestError, lambda: Sampling(top_p=0)),
        (RequestError, lambda: Sampling(top_p=1.1)),
        (RequestError, lambda: Sampling(min_p=-0.1)),
        (RequestError, lambda: Sampling(min_p=2)),
        (RequestError, lambda: Sampling(seed=-1)),
        (RequestError, lambda: Sampling(seed=2**63)),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made_in_a_sentence(error, make):
    with pytest.raises(error, match=r"^Expected .+, but got .+\.") as caught:
        make()
    assert isinstance(caught.value, LensError) and caught.value.expected and caught.value.got


def test_heads_and_positions_the_model_has_not_are_refused(ask):
    request = ask("ours", 5, 4)
    for make in (
        lambda: request.with_ablation(HeadRef(Stream.DECODER, 2, 0)),
        lambda: request.with_ablation(HeadRef(Stream.DECODER, 0, 4)),
        lambda: request.with_cut((HeadRef(Stream.CROSS, 0, 0), 4, 0)),
        lambda: request.with_cut((HeadRef(Stream.CROSS, 0, 0), 0, 5)),
        lambda: request.with_cut((HeadRef(Stream.ENCODER, 0, 0), 5, 0)),
        lambda: ask("gpt2").with_ablation(HeadRef(Stream.CROSS, 0, 0)),
        lambda: ask("gpt2", layers=(2,)),
    ):
        with pytest.raises(NoSuchHeadError):
            make()
    assert request.with_cut((HeadRef(Stream.CROSS, 0, 0), 3, 4)).intervention.cuts


def test_a_lens_refuses_requests_that_are_not_its_own(lens_of, ask):
    lens = lens_of("gpt2")
    for wrong in (
        ask("llama"),
        Request(lens.info.id, (1,), None),
        Request(lens.info.id, (1,), (2,)),
        b"gen ai is",
        None,
    ):
        for run in (lens.run, lambda r: lens.run_many([r]), lambda r: list(lens.generate(r))):
            with pytest.raises(RequestError):
                run(wrong)
    with pytest.raises(RequestError, match="a Request"):
        list(lens.generate("gen ai is"))
    with pytest.raises(InputError, match="ids below 61"):
        lens.run(Request(lens.info.id, None, (61,)))
    with pytest.raises(TooLongError, match=r"64.*65"):
        lens.run(Request(lens.info.id, None, (5,) * 65))
    with pytest.raises(NoSuchHeadError):  # made without the model's sites, checked when it comes
        lens.run(Request(lens.info.id, None, (5, 6)).with_ablation(HeadRef(Stream.DECODER, 9, 0)))


@pytest.mark.parametrize("capture", ["float32", "lazy", "u8"])
@pytest.mark.parametrize("name", ["ours", "llama", "gpt_oss", "bert"])
def test_only_what_was_asked_for_is_kept_and_the_rest_says_what_to_add(name, capture, lens_of, ask):
    lens = lens_of(name)
    arrays = {"pattern": ("pattern",), "scores": ("scores",), "qkv": ("query", "key", "value")}
    for asked in arrays:
        trace = lens.run(ask(name, keep=asked, capture=capture))
        assert trace.residual is None and trace.predictions is None
        for held in trace.attention:
            for kept, names in arrays.items():
                for array in names:
                    if kept == asked:
                        assert np.isfinite(getattr(held, array)).all()
                    else:
                        with pytest.raises(NotKeptError, match=f'"{kept}"'):
                            getattr(held, array)
            if asked != "pattern":
                with pytest.raises(NotKeptError):
                    held.head(0)
                with pytest.raises(NotKeptError):
                    held.codes(0)
    for asked in ((), ("residual",), ("predictions",)):
        assert lens.run(ask(name, keep=asked, capture=capture)).attention == ()


def test_only_the_layers_that_were_asked_for_are_kept(lens_of, ask):
    trace = lens_of("ours").run(ask("ours", layers=(1,)))
    assert {held.site.layer for held in trace.attention} == {1} and len(trace.attention) == 3
    with pytest.raises(NoSuchHeadError):
        trace.at(Stream.DECODER, 0)


def test_heads_and_sites_a_trace_does_not_hold_are_named_in_the_refusal(lens_of, ask):
    trace = lens_of("gpt2").run(ask("gpt2"))
    assert trace.at("decoder", 1) is trace.attention[1]
    for look in (
        lambda: trace.at(Stream.DECODER, 2),
        lambda: trace.at(Stream.CROSS, 0),
        lambda: trace.at("sideways", 0),
        lambda: trace.attention[0].head(4),
        lambda: trace.attention[0].head(-1),
        lambda: trace.attention[0].codes(4),
        lambda: trace.attention[0].kv_of(4),
    ):
        with pytest.raises(NoSuchHeadError):
            look()
    assert repr(trace.attention[0]) == "Attention(decoder layer 0: 4 heads, 9 × 9)"


@pytest.mark.parametrize("capture", ["float32", "lazy", "u8"])
@pytest.mark.parametrize("name", ["ours", "gpt2", "gpt_oss", "t5", "modernbert"])
def test_every_array_is_closed_for_writing(name, capture, lens_of, ask):
    keep = ("pattern", "scores", "qkv", "residual", "predictions")
    trace = lens_of(name).run(ask(name, keep=keep, capture=capture))
    arrays = [*trace.residual.values()]
    arrays += [getattr(trace.predictions, part) for part in ("top_ids", "top_logprob", "actual_logprob", "entropy")]
    arrays += [trace.next_logits] if trace.next_logits is not None else []
    for held in trace.attention:
        arrays += [held.pattern, held.allowed, held.scores, held.query, held.key, held.value, held.head(0)]
        arrays += [held.codes(0)] + [array for array in (held.sink, held.bias) if array is not None]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[(0,) * array.ndim] = 0
    for record, field in ((trace, "attention"), (trace.attention[0].site, "layer"), (trace.request, "lens")):
        with pytest.raises((AttributeError, TypeError)):
            setattr(record, field, None)


def same(a, b) -> bool:
    """Two traces bit for bit."""
    pairs = [(one.pattern, other.pattern) for one, other in zip(a.attention, b.attention, strict=True)]
    pairs += [(a.next_logits, b.next_logits)] if a.next_logits is not None else []
    return a.request == b.request and all(np.array_equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("name", EVERY)
def test_a_run_depends_on_its_request_and_on_nothing_that_ran_before(name, lens_of, ask):
    lens, random = lens_of(name), Random(name)
    request = ask(name, 8, 6)
    first = lens.run(request)
    for salt in range(6):
        other = changes(random, ask(name, 8, 6, salt))
        with suppress(MaskError):
            lens.run(other)
        if lens.info.kind != "encoder":
            list(lens.generate(ask(name, 4, 3, salt), steps=2))
    assert same(first, lens.run(request))
    assert same(first, lens.run(Request(request.lens, request.source, request.target)))


@pytest.mark.parametrize("name", ["bert", "gpt2", "ours", "ours_encoder"])
def test_the_logprobs_of_any_tokens_are_the_whole_distributions(name, lens_of, ask):
    lens = lens_of(name)
    request = ask(name, 5, 4)
    trace = lens.run(request.keeping("predictions"))
    for position in range(len(trace.predictions.top_ids)):
        whole = lens.logprobs(request, position, range(lens.info.vocab))
        assert np.exp(whole).sum() == pytest.approx(1)
        ids = trace.predictions.top_ids[position]
        assert np.allclose(whole[ids], trace.predictions.top_logprob[position], atol=1e-5)
        assert np.allclose(lens.logprobs(request, position, ids[::-1]), whole[ids[::-1]], atol=1e-6)
    for wrong in (-1, 99):
        with pytest.raises(NoSuchHeadError):
            lens.logprobs(request, wrong, [0])
    with pytest.raises(InputError):
        lens.logprobs(request, 0, [lens.info.vocab])


@pytest.mark.parametrize("name", ["ours", "ours_decoder", "ours_encoder", "gpt2", "bert", "t5"])
def test_a_plain_text_is_asked_as_request_asks_it(name, lens_of):
    lens, texts = lens_of(name), ["w7 w8 w9", "gen ai is interesting"]
    asked = [lens.request(text) for text in texts]
    for trace, request, text in zip(lens.run_many(texts), asked, texts, strict=True):
        assert trace.request == request == lens.run(text).request
        for one, other in zip(trace.attention, lens.run(request).attention, strict=True):
            assert np.allclose(one.pattern, other.pattern, atol=1e-5)
    mixed = lens.run_many(iter([texts[0], asked[1]]))
    assert [trace.request for trace in mixed] == asked
    with pytest.raises(InputError):
        lens.run("")
    for wrong in (texts[0], asked[0]):  # letters of a text are no texts
        with pytest.raises(RequestError, match="put it in a list"):
            lens.run_many(wrong)
    with pytest.raises(RequestError, match="a Request"):
        lens.run(7)
