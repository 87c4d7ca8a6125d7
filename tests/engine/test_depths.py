"""The decoder reading an earlier layer of the encoder: equal to the same model with its upper encoder layers sawn off."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from core.errors import RequestError
from core.export.requests import python_lines
from core.request import Intervention, Sampling, Stream
from core.request_json import request_from_json, request_to_json
from tests.families import OURS, SEQ2SEQ

OWN = [name for name in OURS if OURS[name]["kind"] == "encoder-decoder"]
EACH = pytest.mark.parametrize("name", [*OWN, *SEQ2SEQ])


def sawn(name, lens, eager_of, request, depth):
    """Logits [position, vocab] of a copy of the model that has only the first `depth` encoder layers."""
    source, target = torch.tensor([request.source]), torch.tensor([request.target])
    with torch.inference_mode():
        if name in OWN:
            model = copy.deepcopy(lens.backend.model)
            model.encoder = model.encoder[:depth]
            return model(source=source, target=target).logits[0].numpy()
        model = copy.deepcopy(eager_of(name))
        encoder = model.get_encoder()
        part = "block" if hasattr(encoder, "block") else "layers"
        setattr(encoder, part, getattr(encoder, part)[:depth])
        return model(input_ids=source, decoder_input_ids=target).logits[0].numpy()


@EACH
def test_each_depth_is_the_model_with_its_upper_encoder_layers_sawn_off(name, lens_of, eager_of, ask):
    lens = lens_of(name)
    request = ask(name, 7, 4).keeping("pattern", "predictions")
    layers = len(lens.info.at(Stream.ENCODER))
    assert lens.info.depths == layers
    seen = []
    for depth in range(layers + 1):
        trace = lens.run(request.with_depth(depth))
        wanted = sawn(name, lens, eager_of, request, depth)
        assert np.abs(trace.next_logits - wanted[-1]).max() <= 1e-5
        seen.append(trace.next_logits)
    for early in seen[:-1]:
        assert np.abs(early - seen[-1]).max() > 1e-3


@EACH
@pytest.mark.parametrize("keep", [("pattern",), ("pattern", "residual", "predictions"), ()])
def test_the_last_depth_is_the_untouched_model_bit_for_bit(name, keep, lens_of, ask):
    lens = lens_of(name)
    request = ask(name, 7, 4).keeping(*keep)
    native, last = lens.run(request), lens.run(request.with_depth(lens.info.depths))
    assert np.array_equal(native.next_logits, last.next_logits)
    assert len(native.attention) == len(last.attention)
    for one, other in zip(native.attention, last.attention, strict=True):
        assert one.site == other.site and np.array_equal(one.pattern, other.pattern)
    if "residual" in keep:
        assert native.residual.keys() == last.residual.keys()
        assert all(np.array_equal(native.residual[stream], last.residual[stream]) for stream in native.residual)


@EACH
def test_requests_of_different_depths_side_by_side_answer_as_one_by_one(name, lens_of, ask):
    lens = lens_of(name)
    requests = [ask(name, 7, 4, salt).with_depth(depth) for salt, depth in enumerate((0, None, 1, lens.info.depths, 0))]
    for request, trace in zip(requests, lens.run_many(requests), strict=True):
        assert np.abs(trace.next_logits - lens.run(request).next_logits).max() <= 1e-5


@EACH
def test_writing_on_reads_the_same_depth_at_every_step(name, lens_of, ask):
    lens = lens_of(name)
    steps = list(lens.generate(ask(name, 6, 1).with_depth(1), Sampling(temperature=0.0), steps=5))
    for step in steps:
        assert step.request.intervention.depth == 1
        whole = lens.run(step.request)
        assert np.abs(step.trace.next_logits - whole.next_logits).max() <= 1e-5
        row = whole.at(Stream.CROSS, 0).pattern[:, -1]
        assert np.abs(step.trace.at(Stream.CROSS, 0).pattern[:, -1] - row).max() <= 1e-5
    assert steps[-1].cache.reused == len(steps) - 1 or len(steps) == 1


def test_a_depth_is_part_of_the_question(lens_of, ask):
    request = ask("ours", 6, 3)
    deep = request.with_depth(1)
    assert deep != request and hash(deep) != hash(request) and deep == request.with_depth(1)
    assert deep.intervention and not Intervention() and deep.with_depth(None) == request
    assert deep.without_interventions() == request
    assert request_from_json(request_to_json(deep)) == deep
    old = request_to_json(request).replace('"depth": null,', "")
    assert '"depth"' not in old and request_from_json(old) == request
    lines = python_lines(deep, "x", Stream.CROSS, 0, 0)
    assert "request = request.with_depth(1)" in lines


@pytest.mark.parametrize("depth", [-1, 3, True, 1.5, "1"])
def test_a_depth_that_is_none_is_refused_with_the_range(depth, ask):
    with pytest.raises(RequestError, match="from 0"):
        ask("ours", 6, 3).with_depth(depth)


def test_where_no_encoder_is_read_there_is_no_depth(lens_of, ask):
    for name in ("ours_decoder", "ours_encoder", "gpt2", "bert"):
        assert lens_of(name).info.depths is None
        with pytest.raises(RequestError, match="reads an encoder"):
            ask(name, 6, 3).with_depth(0)
