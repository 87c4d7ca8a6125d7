"""Lenses that are read only: every number is the model's own, bit for bit, and every change is refused with the reason."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from inspect import signature
from typing import Any

import numpy as np
import pytest
import torch

import core
from core import export
from core.attention import decode_u8
from core.engine.loading.readonly import read_only
from core.errors import NotAPredictor, UnsupportedModelError
from core.interventions import KINDS
from core.request import HeadRef, MaskRule, PositionRule, Stream
from tests import families

EVERY = tuple(families.READ_ONLY)
SEQ2SEQ = ("fsmt", "mvp")
FILLERS = ("deberta", "deberta_v2", "deberta_v3", "mpnet", "convbert", "xlm")
WRITERS = tuple(name for name in EVERY if name not in (*FILLERS, "xlnet"))
SAMPLE = ("gpt_neo", "deberta_v3", "mvp")


def own_output(model: Any, request: Any) -> Any:
    """The untouched model's output for a request. Its logits are the last alone where the family can leave the others out."""
    source, target = (None if ids is None else torch.tensor([ids]) for ids in (request.source, request.target))
    inputs = {"input_ids": target if source is None else source}
    if source is not None and target is not None:
        inputs |= {"decoder_input_ids": target, "use_cache": False}  # FSMT hides the future without a cache only
    if target is not None and "logits_to_keep" in signature(model.forward).parameters:
        inputs["logits_to_keep"] = 1
    with torch.inference_mode():
        return model(**inputs, output_attentions=True, output_hidden_states=True, return_dict=True)


def own_patterns(output: Any, stream: Stream, layer: int) -> np.ndarray:
    names = {Stream.ENCODER: "encoder_attentions", Stream.DECODER: "decoder_attentions", Stream.CROSS: "cross_attentions"}
    held = output["attentions"] if "attentions" in output else output[names[stream]]
    return held[layer][0].numpy()


@pytest.mark.parametrize("name", EVERY)
def test_patterns_and_logits_are_the_models_own_bit_for_bit(name, lens_of, eager_of):
    lens = lens_of(name)
    for length, salt in ((9, 0), (23, 1)):
        request = families.ask(lens, length, target=length - 3, salt=salt)
        trace, own = lens.run(request), own_output(eager_of(name), request)
        assert [a.site for a in trace.attention] == list(lens.info.sites)
        for attention in trace.attention:
            theirs = own_patterns(own, attention.site.stream, attention.site.layer)
            assert attention.pattern.dtype == np.float32 and np.array_equal(attention.pattern, theirs)
            assert np.array_equal(attention.allowed.any(axis=0), (theirs > 0).any(axis=0))
            assert not attention.pattern[~attention.allowed].any()
            assert np.allclose(attention.pattern.sum(axis=-1), 1, atol=1e-5)
        if lens.info.can_predict and lens.info.kind != "encoder":
            assert np.array_equal(trace.next_logits, own.logits[0, -1].numpy())


@pytest.mark.parametrize("name", EVERY)
def test_what_kind_of_model_it_is(name, lens_of):
    info = lens_of(name).info
    assert info.kind == ("encoder-decoder" if name in SEQ2SEQ else "decoder" if name in WRITERS else "encoder")
    assert info.causal == (name in WRITERS) and info.can_predict == (name != "xlnet")
    assert info.changes == frozenset() and info.reason.endswith(".")
    assert {site.stream for site in info.sites} == (set(Stream) if name in SEQ2SEQ else {info.sites[0].stream})


@pytest.mark.parametrize("name", EVERY)
def test_hidden_states_are_the_models_own(name, lens_of, eager_of):
    lens = lens_of(name)
    request = families.ask(lens, 7, keep=("residual",))
    residual, own = lens.run(request).residual, own_output(eager_of(name), request)
    for stream, depths in residual.items():
        theirs = own["hidden_states" if "hidden_states" in own else f"{stream.value}_hidden_states"]
        assert lens.info.layers <= len(depths) <= lens.info.layers + 1
        for mine, state in zip(depths, theirs, strict=False):
            last = len(depths) == lens.info.layers + 1 and state is theirs[-1]
            assert last or np.array_equal(mine, state[0].numpy())


@pytest.mark.parametrize("name", WRITERS)
def test_what_it_writes_is_what_generate_writes(name, lens_of, eager_of):
    lens, model = lens_of(name), eager_of(name)
    request = families.ask(lens, 8, target=1)
    given = torch.tensor([request.target if request.source is None else request.source])
    more = {} if request.source is None else {"decoder_input_ids": torch.tensor([request.target])}
    own = model.generate(given, **more, max_new_tokens=10, do_sample=False, num_beams=1, pad_token_id=0)[0]
    steps = list(lens.generate(request, steps=10))
    assert [step.choice.id for step in steps] == own[len(request.target) :].tolist()
    assert all(step.trace.attention[-1].shape[1] == len(step.request.target) for step in steps)


@pytest.mark.parametrize("name", FILLERS)
def test_masked_words_are_filled_in_as_the_model_does(name, lens_of, eager_of):
    lens = lens_of(name)
    hole = lens.text.mask
    request = lens.request(ids=(7, hole, 9, 11, hole, 30))
    trace, logits = lens.run(request), own_output(eager_of(name), request).logits[0].numpy()
    assert set(trace.masked_logits) == {1, 4}
    for place in (1, 4):
        assert np.array_equal(trace.masked_logits[place], logits[place])
        assert trace.next_tokens(1, position=place)[0].id == int(logits[place].argmax())


def test_a_model_that_looks_both_ways_and_fills_nothing_in_says_no_next_word(lens_of):
    with pytest.raises(NotAPredictor):
        next(lens_of("xlnet").generate(families.ask(lens_of("xlnet"))))


@pytest.mark.parametrize("name", EVERY)
def test_many_texts_give_what_each_gives_alone(name, lens_of):
    lens = lens_of(name)
    keep = ("pattern", "predictions", "residual") if lens.info.can_predict else ("pattern", "residual")
    asked = [families.ask(lens, 6 + n % 3, target=4 + n % 2, salt=n, keep=keep) for n in range(5)]
    for request, trace in zip(asked, lens.run_many(asked), strict=True):
        alone = lens.run(request)
        assert all(np.array_equal(a.pattern, b.pattern) for a, b in zip(trace.attention, alone.attention, strict=True))
        assert all(np.array_equal(states, alone.residual[stream]) for stream, states in trace.residual.items())
        if lens.info.can_predict:
            assert np.allclose(trace.predictions.top_logprob, alone.predictions.top_logprob, atol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", SAMPLE)
def test_half_precision(name, dtype, folder_of):
    lens = core.load(str(folder_of(name)), device="cpu", dtype=dtype)
    for attention in lens.run(families.ask(lens, 20)).attention:
        assert np.allclose(attention.pattern.sum(axis=-1), 1, atol=1e-2)
        assert not attention.pattern[~attention.allowed].any()
        future = np.triu(np.ones(attention.shape[1:], bool), 1)
        assert attention.site.stream is not Stream.DECODER or not attention.allowed[:, future].any()


def test_a_family_that_mixes_formats_asks_for_another(folder_of):
    with pytest.raises(UnsupportedModelError, match=r'Use dtype="float32"'):
        core.load(str(folder_of("xlnet")), device="cpu", dtype="bfloat16")


@pytest.mark.parametrize("name", SAMPLE)
def test_threads_share_it(name, lens_of):
    lens = lens_of(name)
    asked = [families.ask(lens, 5 + n, target=4, salt=n) for n in range(8)]
    serial = [lens.run(request) for request in asked]
    with ThreadPoolExecutor(8) as pool:
        for one, other in zip(pool.map(lens.run, asked * 4), serial * 4, strict=True):
            assert all(np.array_equal(a.pattern, b.pattern) for a, b in zip(one.attention, other.attention, strict=True))


@pytest.mark.parametrize("name", SAMPLE)
def test_every_way_to_store_a_pattern(name, lens_of):
    lens = lens_of(name)
    whole = lens.run(families.ask(lens, capture="float32"))
    lazy, coded, few = (
        lens.run(families.ask(lens, **how)) for how in ({"capture": "lazy"}, {"capture": "u8"}, {"layers": (1,)})
    )
    for one, same, codes in zip(whole.attention, lazy.attention, coded.attention, strict=True):
        assert np.array_equal(one.pattern, same.pattern) and not same.approximate
        assert codes.approximate and np.abs(codes.pattern - one.pattern).max() < 0.004
        assert np.array_equal(codes.pattern[0], decode_u8(codes.codes(0)))
    assert {a.site.layer for a in few.attention} == {1}


@pytest.mark.parametrize("name", SAMPLE)
def test_exports(name, lens_of, tmp_path):
    lens = lens_of(name)
    trace = lens.run(families.ask(lens))
    (tmp_path / "trace.npz").write_bytes(export.npz(trace))
    held = np.load(tmp_path / "trace.npz")
    shapes = {held[key].shape for key in held.files}
    assert all(attention.shape in shapes for attention in trace.attention)
    assert len(export.csv_table(trace, trace.attention[:1]).splitlines()) > trace.attention[0].pattern.size
    assert export.request_from_json(export.request_to_json(trace.request)) == trace.request
    lines = export.python_lines(trace.request, lens.info.id, trace.attention[0].site.stream, 0, 0)
    assert json.dumps(lens.info.id)[1:-1] in lines


# what is refused


def changed(lens: Any) -> dict[str, Any]:
    """A request for every kind of change, by its name."""
    plain, site = families.ask(lens), lens.info.sites[-1]
    head = HeadRef(site.stream, 0, 0)
    text = Stream.ENCODER if lens.info.kind == "encoder" else Stream.DECODER
    found = {
        "masks": plain.with_mask(MaskRule(site.stream, "full")),
        "ablated": plain.with_ablation(head),
        "cuts": plain.with_cut((head, 2, 1)),
        "temperature": plain.with_temperature(2.0),
        "top_k": plain.with_top_k(2),
        "residual": plain.without_residual(),
        "positions": plain.with_positions(PositionRule(text, "off")),
    }
    return found | ({"depth": plain.with_depth(1)} if lens.info.kind == "encoder-decoder" else {})


@pytest.mark.parametrize("name", SAMPLE)
def test_every_change_is_refused_with_the_reason_before_anything_runs(name, lens_of, monkeypatch):
    lens = lens_of(name)
    asked = changed(lens)
    assert set(asked) >= KINDS - {"depth"}
    monkeypatch.setattr(lens.backend, "forward", lambda *args, **how: pytest.fail("the model ran"))
    for kind, request in asked.items():
        assert request.intervention.kinds == {kind}
        asks = [lens.run, lambda one: lens.run_many([one]), lambda one: lens.logprobs(one, 0, [7])]
        asks += [] if lens.info.kind == "encoder" else [lens.generate, lens.beams, lens.next_words]
        for ask in asks:
            with pytest.raises(UnsupportedModelError) as caught:
                ask(request)
            assert lens.info.reason.rstrip(".") in caught.value.todo and "as it was trained" in caught.value.todo


@pytest.mark.parametrize("keep", ["scores", "qkv"])
def test_what_the_model_does_not_tell_is_refused(keep, lens_of):
    for name in SAMPLE:
        with pytest.raises(UnsupportedModelError, match=keep):
            families.ask(lens_of(name), keep=("pattern", keep))
        assert lens_of(name).projection(lens_of(name).info.sites[0].stream, 0) is None
        assert lens_of(name).run(families.ask(lens_of(name))).attention[0].scaling is None


def test_other_lenses_can_change_all_that_applies(lens_of):
    assert lens_of("gpt2").info.changes == KINDS - {"depth", "residual", "positions"}
    assert lens_of("t5").info.changes == KINDS - {"residual", "positions"}
    assert lens_of("ours").info.changes == KINDS and not lens_of("ours").info.reason


# models handed over by others


@pytest.mark.parametrize("name", ["gpt2", "bert", "t5"])
def test_any_model_can_be_read_only(name, folder_of, lens_of):
    model = core.load(str(folder_of(name)), device="cpu").backend.model  # a copy of its own
    backend, seen = read_only(model, lens_of(name).info.kind, True, "Because.")
    assert seen.sites == lens_of(name).info.sites and seen.causal == lens_of(name).info.causal
    assert backend.reason == "Because."


def spoilt(pattern: torch.Tensor, how: str) -> torch.Tensor:
    match how:
        case "sums":
            return pattern * 1.01
        case "nan":
            return pattern * float("nan")
        case "keys":
            return pattern[..., :-1]
        case "heads":
            return pattern[0]
        case _:
            return torch.full_like(pattern, 1 / pattern.shape[-1])


@pytest.mark.parametrize("how", ["sums", "nan", "keys", "heads", "future"])
def test_maps_that_are_no_attention_weights_are_refused_at_load_and_later(how, lens_of, monkeypatch):
    lens = lens_of("gpt_neo")
    untouched = lens.backend.model.forward

    def forward(**inputs: Any) -> Any:
        output = untouched(**inputs)
        output.attentions = tuple(spoilt(pattern, how) for pattern in output.attentions)
        return output

    monkeypatch.setattr(lens.backend.model, "forward", forward)
    with pytest.raises(UnsupportedModelError, match="gpt_neo"):
        lens.run(families.ask(lens))
    if how != "future":  # seen from the beginning, such maps make it a model that looks both ways
        with pytest.raises(UnsupportedModelError, match="gpt_neo"):
            read_only(lens.backend.model, "decoder", True, "Because.")
