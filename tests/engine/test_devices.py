"""Every tensor the engine makes takes device and number format from the query: nothing rests on the process's defaults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import numpy as np
import pytest
import torch

import core
from core.errors import MaskError
from core.request import HeadRef, MaskRule, Sampling, Stream
from tests.families import EVERY
from tests.oracles import changes

KEEP = {"pattern", "scores", "qkv", "residual", "predictions"}


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def numbers(trace):
    held = [*trace.residual.values(), trace.predictions.top_logprob, trace.predictions.entropy]
    for attention in trace.attention:
        held += [attention.pattern, attention.allowed, attention.scores, attention.query, attention.value]
        held += [array for array in (attention.sink, attention.bias) if array is not None]
    return held


def everything(lens, requests):
    """Runs, a batch and a generation: all an engine does, as a flat list of arrays."""
    held = [array for request in requests for array in numbers(lens.run(request))]
    held += [array for trace in lens.run_many(requests) for array in numbers(trace)]
    if lens.info.kind != "encoder":
        for step in lens.generate(requests[0], Sampling(seed=1), steps=3):
            held += [np.array(step.choice.id), step.trace.next_logits]
    return held


def mixes(name, lens, ask):
    random, found = Random(name), []
    for salt in range(30):
        request = changes(random, ask(name, 6, 5, salt, keep=KEEP, capture=("float32", "lazy")[salt % 2]))
        try:
            lens.run(request)
            found.append(request)
        except MaskError:
            continue
        if len(found) == 4:
            break
    return [*found, found[0].with_temperature(2.0)]


@pytest.mark.parametrize("name", EVERY)
def test_nothing_rests_on_the_default_device(name, lens_of, ask):
    lens = lens_of(name)
    requests = mixes(name, lens, ask)
    expected = everything(lens, requests)
    with torch.device("meta"):  # whatever is made without a device has no numbers there
        found = everything(lens, requests)
    assert len(found) == len(expected) and all(map(np.array_equal, expected, found))


@pytest.mark.parametrize("name", EVERY)
def test_nothing_rests_on_the_default_number_format(name, lens_of, ask):
    lens = lens_of(name)
    requests = mixes(name, lens, ask)
    expected = everything(lens, requests)
    with default_dtype(torch.float64):
        found = everything(lens, requests)
    assert [array.dtype for array in found] == [array.dtype for array in expected]
    assert all(map(np.array_equal, expected, found))


@pytest.mark.parametrize("name", ["ours", "ours_decoder", "llama", "gpt_oss", "gemma2", "t5", "bert", "bart"])
def test_half_precision_runs_and_keeps_float32_arrays(name, folder_of, lens_of, ask):
    lens, exact = core.load(str(folder_of(name)), device="cpu", dtype="bfloat16"), lens_of(name)
    assert lens.info.dtype == "bfloat16" and exact.info.dtype == "float32"
    for capture in ("float32", "lazy", "u8"):
        request = ask(name, capture=capture, keep={"pattern", "predictions"})
        stream = lens.info.sites[-1].stream
        changed = request.with_mask(MaskRule(stream, "custom", heads=(1,), edges=[(3, 1)])).with_temperature(1.5)
        for asked in (request, changed, request.with_ablation(HeadRef(stream, 1, 0), how="mean")):
            half, full = lens.run(asked), exact.run(asked)
            for a, b in zip(half.attention, full.attention, strict=True):
                assert a.pattern.dtype == np.float32 and np.array_equal(a.allowed, b.allowed)
                assert not a.pattern[~a.allowed].any()
                total = a.pattern.sum(axis=-1) + (0 if a.sink is None else a.sink)
                assert np.abs(total - 1).max() <= (0.05 if capture == "u8" else 0.02)
                assert np.abs(a.pattern - b.pattern).mean() <= 0.02
            assert np.abs(half.predictions.entropy - full.predictions.entropy).mean() <= 0.1


def test_a_step_of_generation_in_half_precision_holds_the_rows_of_the_whole(folder_of, ask):
    for name in ("ours", "llama", "t5"):
        lens = core.load(str(folder_of(name)), device="cpu", dtype="bfloat16")
        for step in lens.generate(ask(name, 6, 4), Sampling(seed=1), steps=4):
            whole = lens.run(step.request)
            for held in step.trace.attention:
                full = whole.at(held.site.stream, held.site.layer)
                rows = full.pattern[:, held.query_start :]
                assert np.abs(held.pattern - rows).max() <= 0.05
        assert step.request.target and Stream.DECODER in {held.site.stream for held in step.trace.attention}
