"""What a pass captures stays on the device, waits for nothing, leaves in time, and tells the same as on a CPU once looked at."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

import core
from core.engine.device import boxes, spreading
from core.engine.device.boxes import Store
from core.request import Sampling, Stream
from core.trace import Trace
from tests.bench import gpu
from tests.engine.device.passes import CAPTURES, KINDS, QUIET, asked_for, one_pass, same
from tests.families import ENCODERS, ask
from tests.gpu.conftest import DEVICE

pytestmark = pytest.mark.gpu
OFF = 1e-4


@pytest.fixture
def there_of(lens_of):
    """The lens on a tiny model on the device, with a store of its own: there_of("t5"), there_of("t5", budget=0)."""

    def kept(name: str, budget: int | None = None, **how: str):
        lens = copy.copy(lens_of(name, **how))
        lens.store = Store(budget)
        return lens

    return kept


@contextmanager
def nothing_may_wait() -> Iterator[None]:
    """Whatever makes the host wait for the GPU raises."""
    if DEVICE != "cuda":
        yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def boxes_of(trace: Trace) -> set[boxes.Box]:
    return {part.box for one in trace.attention for part in one.parts.values() if isinstance(part, boxes.Part)}


@pytest.mark.parametrize("name", QUIET)
def test_nothing_in_a_pass_waits(name, there_of):
    lens = there_of(name, budget=0)
    for requests in asked_for(lens):
        one_pass(lens, requests)  # what a first pass sets up may wait
        with nothing_may_wait():
            one_pass(lens, requests)


@pytest.mark.parametrize("name", [name for name in QUIET if name not in ENCODERS and name != "ours_encoder"])
def test_nothing_in_a_step_of_writing_waits(name, there_of):
    lens = there_of(name)
    request = ask(lens, 9, 8)
    longer, new = request.append(7), 8 if request.source is not None else 9
    for _ in range(2):
        _, state = one_pass(lens, [request], keep_state=True)
        with nothing_may_wait():
            one_pass(lens, [longer], new=new, state=state)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("budget", [None, 0])
def test_every_number_is_that_of_a_cpu_wherever_the_boxes_are(name, budget, lens_of, there_of, monkeypatch):
    monkeypatch.setattr(boxes, "BOX", 4096)
    here, there = lens_of(name, device="cpu"), there_of(name, budget=budget)
    for capture, keep in (("float32", {"pattern"}), ("lazy", {"pattern", "scores", "qkv"}), ("u8", {"pattern"})):
        request = ask(here, 19, 17, capture=capture, keep=keep)
        trace = there.run(request)
        assert all(box.away == (budget == 0) and box.device.type == DEVICE for box in boxes_of(trace))
        same(trace, here.run(request), capture, OFF)


def test_boxes_that_leave_beside_later_passes_hold_what_they_held(there_of):
    """The copies run on a stream of their own while later passes use the same memory."""
    lens, free = there_of("llama", budget=1), there_of("llama")
    requests = [ask(lens, 40, salt=salt, capture="lazy") for salt in range(30)]
    traces = [lens.run(request) for request in requests]
    for trace, request in zip(traces, requests, strict=True):
        expected = free.run(request)
        for one, other in zip(trace.attention, expected.attention, strict=True):
            assert np.abs(one.pattern - other.pattern).max() <= OFF


@pytest.mark.parametrize("capture", CAPTURES)
def test_a_trace_can_be_saved_copied_and_pickled(capture, tmp_path, there_of):
    lens = there_of("llama")
    trace = lens.run(ask(lens, 19, capture=capture))
    trace.save(tmp_path / "trace.safetensors")
    for again in (Trace.load(tmp_path / "trace.safetensors"), copy.deepcopy(trace), pickle.loads(pickle.dumps(trace))):
        for one, other in zip(again.attention, trace.attention, strict=True):
            assert np.array_equal(one.pattern, other.pattern) or np.abs(one.pattern - other.pattern).max() <= 1e-5


@pytest.mark.parametrize("capture", CAPTURES)
def test_half_precision_tells_what_is_near(capture, lens_of, there_of):
    lens = there_of("llama", dtype="bfloat16")
    request = ask(lens, 19, capture=capture)
    for one, other in zip(lens.run(request).attention, lens_of("llama", device="cpu").run(request).attention, strict=True):
        assert one.pattern.dtype == np.float32 and np.abs(one.pattern - other.pattern).max() <= 4e-2


def test_a_store_takes_a_quarter_of_what_is_free(there_of):
    lens = there_of("llama")
    lens.run(ask(lens, 9))
    (limit,) = lens.store.limits.values()
    assert 0 < limit <= (torch.cuda.get_device_properties(0).total_memory / 4 if DEVICE == "cuda" else boxes.ELSEWHERE)


@pytest.mark.parametrize("name", ["gpt2", "llama", "t5"])
def test_a_model_half_on_the_device_answers_as_a_whole_one(name, folder_of, lens_of, monkeypatch):
    """With a single GPU the other half stands in the host's memory and comes over in each pass."""

    def half(model, device):
        size = spreading.size_of(model)
        return spreading.divided(model, {0 if DEVICE == "cuda" else "cpu": size // 2, "cpu": 4 * size})

    monkeypatch.setattr(spreading, "parts_of", half)
    lens, whole = core.load(str(folder_of(name)), device="auto", dtype="float32"), lens_of(name, device="cpu")
    assert set(lens.info.devices) == ({"cuda:0", "cpu"} if DEVICE == "cuda" else {"cpu"})
    request = ask(whole, 9, 8, capture="lazy")
    for one, other in zip(lens.run(request).attention, whole.run(request).attention, strict=True):
        assert np.abs(one.pattern - other.pattern).max() <= OFF
    for one, other in zip(*(each.generate(request, Sampling(seed=1), 3) for each in (lens, whole)), strict=True):
        assert one.choice.id == other.choice.id
    site = whole.info.at(Stream.DECODER)[-1]
    assert np.allclose(lens.projection(site.stream, site.layer), whole.projection(site.stream, site.layer))


def test_the_bench_prints_its_table():
    tiny = gpu.llama("tiny", 64, 128, 2, 4, 2, 100)
    assert len(list(gpu.table([(tiny, (24,))], DEVICE, count=1, steps=2))) == 8
