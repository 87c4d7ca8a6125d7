"""Two parts of the recipe taken away: all but the k largest weights of a row, and the residual connections."""

from __future__ import annotations

import copy
from types import MethodType

import numpy as np
import pytest
import torch

from core.errors import RequestError
from core.export.requests import python_lines
from core.request import HeadRef, Intervention, MaskRule, Sampling, Stream
from core.request_json import request_from_json, request_to_json
from tests.families import DECODERS, EVERY, OURS
from tests.oracles import before_w_o, heads_of

ANY = pytest.mark.parametrize("name", EVERY)
KEEP = ("pattern", "scores", "qkv")


def largest(scores: np.ndarray, native: np.ndarray, k: int) -> np.ndarray:
    """The k largest allowed scores of each row, one row at a time: bool [head, query, key]."""
    kept = np.zeros_like(scores, dtype=bool)
    for head, query in np.ndindex(scores.shape[:2]):
        may = np.flatnonzero(native[head, query])
        best = sorted(may, key=lambda key: (-scores[head, query, key], key))[:k]
        kept[head, query, best] = True
    return kept


@ANY
@pytest.mark.parametrize("k", [1, 2])
def test_only_the_largest_weights_of_a_row_stay_and_reach_w_o(name, k, lens_of, ask):
    lens = lens_of(name)
    request = ask(name, 7, 5).keeping(*KEEP, capture="float32")
    native = lens.run(request)
    with before_w_o(lens.backend.model) as outputs:
        trace = lens.run(request.with_top_k(k))
    for held, plain, output in zip(trace.attention, native.attention, outputs, strict=True):
        wanted = largest(held.scores, plain.allowed, k)
        assert np.array_equal(held.allowed, wanted)
        power = np.where(wanted, np.exp(held.scores - held.scores.max(-1, keepdims=True, where=wanted, initial=-1e9)), 0)
        left = 1 if held.sink is None else 1 - held.sink[..., None]
        assert np.abs(power / power.sum(-1, keepdims=True) * left - held.pattern).max() <= 1e-5
        heads = heads_of(output, held.site.heads)
        for head in range(held.site.heads):
            assert np.abs(held.pattern[head] @ held.value[held.kv_of(head)] - heads[head]).max() <= 1e-4


@ANY
def test_as_many_as_there_are_is_the_untouched_model_bit_for_bit(name, lens_of, ask):
    lens = lens_of(name)
    request = ask(name, 7, 5)
    native, all_of_them = lens.run(request), lens.run(request.with_top_k(7))
    for one, other in zip(native.attention, all_of_them.attention, strict=True):
        assert np.array_equal(one.pattern, other.pattern) and np.array_equal(one.allowed, other.allowed)
    if native.next_logits is not None:
        assert np.array_equal(native.next_logits, all_of_them.next_logits)


@pytest.mark.parametrize("name", [DECODERS[0], *OURS])
def test_however_they_are_stored_and_beside_whom_they_run_the_weights_are_the_same(name, lens_of, ask):
    lens = lens_of(name)
    requests = [ask(name, 7, 5, salt).with_top_k(k) if k else ask(name, 7, 5, salt) for salt, k in enumerate((2, None, 1, 3))]
    for request, beside in zip(requests, lens.run_many(requests), strict=True):
        alone, lazy = lens.run(request), lens.run(request.keeping("pattern", capture="lazy"))
        for one, other, late in zip(alone.attention, beside.attention, lazy.attention, strict=True):
            assert np.array_equal(one.allowed, other.allowed) and np.array_equal(one.allowed, late.allowed)
            assert np.abs(one.pattern - other.pattern).max() <= 1e-5 and np.abs(one.pattern - late.pattern).max() <= 1e-5


@pytest.mark.parametrize("name", [DECODERS[0], "ours"])
@pytest.mark.parametrize("change", ["top_k", "residual"])
def test_a_step_of_generation_is_the_row_of_the_whole(name, change, lens_of, ask):
    lens = lens_of(name)
    if change == "residual" and name not in OURS:
        with pytest.raises(RequestError, match="one of our own models"):
            lens.run(ask(name).without_residual())
        return
    request = ask(name, 6, 3).with_top_k(2) if change == "top_k" else ask(name, 6, 3).without_residual()
    for step in lens.generate(request, Sampling(temperature=0.0), steps=4):
        whole = lens.run(step.request)
        assert np.abs(step.trace.next_logits - whole.next_logits).max() <= 1e-4
        assert step.index == 0 or step.cache.reused > 0


def test_masks_cuts_and_top_k_work_together(lens_of, ask):
    request = ask("ours", 6, 6).keeping(*KEEP).with_mask(MaskRule(Stream.DECODER, "full")).with_top_k(2)
    trace = lens_of("ours").run(request.with_cut((HeadRef(Stream.DECODER, 0, 0), 0, 0)))
    held = trace.at(Stream.DECODER, 0)
    assert not held.allowed[0, 0, 0] and (held.allowed.sum(-1) == 2).all()


def bare(model):
    """A copy whose sublayers add nothing to what they compute."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if type(module).__name__ == "AddNorm":
            module.leave = MethodType(lambda self, x, result, carry=None: result if self.pre else self.norm(result), module)
    return model


@pytest.mark.parametrize("name", list(OURS))
def test_without_residual_each_sublayer_hands_on_its_own_result(name, lens_of, ask):
    lens = lens_of(name)
    request = ask(name, 7, 5).keeping("pattern", "residual")
    off = lens.run(request.without_residual())
    given = {
        side: None if ids is None else torch.tensor([ids]) for side, ids in (("source", request.source), ("target", request.target))
    }
    with torch.inference_mode():
        output = bare(lens.backend.model)(**given)
    for stream, depths in output.residual.items():
        assert np.abs(off.residual[Stream(stream)] - torch.cat(depths).numpy()).max() <= 1e-5
    assert np.abs(off.residual[next(iter(off.residual))][-1] - lens.run(request).residual[next(iter(off.residual))][-1]).max() > 0.1
    beside = lens.run_many([request, request.without_residual()])
    for alone, other in zip((lens.run(request), off), beside, strict=True):
        for stream in alone.residual:
            assert np.abs(alone.residual[stream] - other.residual[stream]).max() <= 1e-5


def test_what_makes_no_sense_is_refused_and_what_was_asked_is_remembered(ask):
    for wrong in ({"top_k": 0}, {"top_k": -1}, {"top_k": 1.5}, {"top_k": True}, {"residual": 0}, {"residual": None}):
        with pytest.raises(RequestError):
            Intervention(**wrong)
    request = ask("ours").with_top_k(3).without_residual()
    assert request != ask("ours") and hash(request) != hash(ask("ours")) and bool(request.intervention)
    assert request_from_json(request_to_json(request)) == request
    lines = python_lines(request, "ours", Stream.DECODER, 0, 0)
    assert "with_top_k(3)" in lines and "without_residual()" in lines
    assert request.without_interventions() == ask("ours")
