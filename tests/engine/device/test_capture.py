"""What stays on a device is, once looked at, what the same pass gives on a CPU; beyond a budget it moves, and is the same still."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch

from core.attention import Attention
from core.engine.device import boxes
from core.engine.device.boxes import Store
from core.engine.device.transfer import carry, fetch
from core.errors import DeviceError, MaskError, ModelError, NoSuchHeadError, NotKeptError
from core.request import Sampling, Stream
from core.trace import Trace
from core.ui.running.runs import size_of
from tests.engine.device.passes import CAPTURES, KINDS, same
from tests.families import ask
from tests.oracles import changes

ALL = frozenset({"pattern", "scores", "qkv", "residual", "predictions"})
SOME = ("ours", "llama", "gpt_oss", "t5")


@pytest.mark.parametrize("name", KINDS)
def test_every_number_is_the_one_that_a_cpu_gives(name, lens_of, there_of):
    here, there = lens_of(name), there_of(name)
    for capture, keep in (("float32", ALL), ("lazy", ALL), ("lazy", {"pattern"}), ("u8", {"pattern"})):
        request = ask(here, 19, 17, keep=keep, capture=capture)
        same(there.run(request), here.run(request), capture)


@pytest.mark.parametrize("name", KINDS)
def test_changes_do_there_what_they_do_here(name, lens_of, there_of):
    here, there, random, ran = lens_of(name), there_of(name), Random(name), 0
    for salt in range(40):
        capture = CAPTURES[salt % 3]
        request = changes(random, ask(here, 8, 6, salt, capture=capture, keep={"pattern", "predictions"}))
        try:
            expected = here.run(request)
        except MaskError:
            with pytest.raises(MaskError):
                there.run(request)
            continue
        same(there.run(request), expected, capture)
        ran += 1
        if ran == 3:
            return
    raise AssertionError("too few of the mixes could be run to say anything")


@pytest.mark.parametrize("name", SOME)
def test_the_strongest_scores_are_those_of_a_cpu(name, lens_of, there_of):
    request = ask(lens_of(name), 9, 8).with_top_k(3)
    same(there_of(name).run(request), lens_of(name).run(request), "float32")


@pytest.mark.parametrize("name", SOME)
def test_a_batch_is_kept_text_by_text(name, lens_of, there_of):
    requests = [ask(lens_of(name), 9 + n, 6 + n, n, capture=how) for n, how in enumerate((*CAPTURES, "lazy"))]
    for n, trace in enumerate(there_of(name).run_many(requests)):
        same(trace, lens_of(name).run(requests[n]), requests[n].capture)


@pytest.mark.parametrize("name", ["ours", "llama", "t5", "gpt_oss"])
@pytest.mark.parametrize("capture", CAPTURES)
def test_steps_of_writing_keep_their_rows(name, capture, lens_of, there_of):
    request = ask(lens_of(name), 18, 17, capture=capture)
    pairs = zip(*(lens.generate(request, Sampling(seed=2), 4) for lens in (there_of(name), lens_of(name))), strict=True)
    for a, b in pairs:
        assert a.choice.id == b.choice.id and a.cache == b.cache
        same(a.trace, b.trace, "u8" if capture == "u8" else "float32")


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("capture", CAPTURES)
def test_a_trace_can_be_saved_copied_and_pickled(name, capture, tmp_path, lens_of, there_of):
    request = ask(lens_of(name), 19, 17, keep={"pattern", "qkv"}, capture=capture)
    here, there = lens_of(name).run(request), there_of(name).run(request)
    there.save(tmp_path / "trace.safetensors")
    for again in (Trace.load(tmp_path / "trace.safetensors"), copy.deepcopy(there), pickle.loads(pickle.dumps(there))):
        for a, b in zip(again.attention, here.attention, strict=True):
            assert type(a) is Attention
            assert np.abs(a.pattern - b.pattern).max() <= (0.012 if capture == "u8" else 2e-6)
            assert np.allclose(a.query, b.query, atol=1e-6)


@pytest.mark.parametrize("name", SOME)
def test_beyond_the_budget_boxes_leave_and_tell_the_same(name, lens_of, there_of, monkeypatch):
    monkeypatch.setattr(boxes, "BOX", 4096)
    there = there_of(name, budget=0)
    for capture in CAPTURES:
        request = ask(lens_of(name), 19, 17, capture=capture)
        trace = there.run(request)
        held = {part.box for one in trace.attention for part in one.parts.values() if hasattr(part, "box")}
        assert len(held) > 1 and all(box.away for box in held)
        same(trace, lens_of(name).run(request), capture)


def test_the_oldest_leave_first_and_the_gone_take_no_room(there_of, lens_of):
    lens = there_of("llama")
    request = ask(lens_of("llama"), 30, capture="lazy")
    first = lens.run(request)
    size = sum({part.box: part.box.bytes for one in first.attention for part in one.parts.values()}.values())
    lens.store.budget, lens.store.limits = int(2.5 * size), {}
    traces = [first, lens.run(request), lens.run(request)]

    def away() -> list[bool]:
        return [trace.attention[0].parts["query"].box.away for trace in traces]

    assert away() == [True, False, False]
    del traces[1]
    traces.append(lens.run(request))
    assert away() == [True, False, False]


def test_where_memory_runs_out_earlier_passes_make_room_once(there_of, lens_of, monkeypatch):
    lens = there_of("llama")
    request, forward, calls = ask(lens, 19), lens.backend.forward, []
    expected = lens_of("llama").run(request)

    def short(*texts, **how):
        calls.append(how)
        if len(calls) % 3 == 2:
            raise torch.OutOfMemoryError("out of memory")
        return forward(*texts, **how)

    monkeypatch.setattr(lens.backend, "forward", short)
    first = lens.run(request)
    again = lens.run(request)
    assert len(calls) == 3 and first.attention[0].parts["weights"].box.away
    same(first, expected, "float32")
    same(again, expected, "float32")
    lens.store.empty()
    calls.append(None)
    with pytest.raises(ModelError, match="out of memory"):  # nothing of ours is left to make room
        lens.run(request)


def test_looking_at_one_head_moves_one_head(there_of, lens_of):
    trace = there_of("llama").run(ask(lens_of("llama"), 30, capture="lazy"))
    one = trace.attention[0]
    assert one.head(1).shape == (30, 30) and not one.parts["query"].box.away
    with pytest.raises(NoSuchHeadError):
        one.head(99)
    with pytest.raises(NotKeptError):
        _ = one.query


def test_what_was_not_kept_is_refused_as_ever(there_of, lens_of):
    one = there_of("llama").run(ask(lens_of("llama"), keep={"qkv"})).attention[0]
    for look in (lambda: one.pattern, lambda: one.head(0), lambda: one.codes(0), lambda: one.scores):
        with pytest.raises(NotKeptError):
            look()


def test_a_cache_of_answers_counts_it_before_anybody_looks(there_of, lens_of):
    request = ask(lens_of("llama"), 30, capture="lazy")
    there, here = there_of("llama").run(request), lens_of("llama").run(request)
    before = size_of(there)
    assert before >= sum(one.held["recipe"].query.nbytes for one in here.attention)
    assert all(not one.read for one in there.attention) and size_of(there) == before


@pytest.mark.parametrize("said", ["much", "-1", "nan"])
def test_a_budget_that_is_no_number_is_refused(said, monkeypatch):
    monkeypatch.setenv(boxes.SETTING, said)
    with pytest.raises(DeviceError, match=boxes.SETTING):
        Store()._limit(torch.device("cpu"))


def test_a_budget_is_read_from_the_setting(monkeypatch):
    monkeypatch.setenv(boxes.SETTING, "3e6")
    assert Store()._limit(torch.device("cpu")) == 3e6
    assert Store(5)._limit(torch.device("cpu")) == 5


def test_tensors_travel_together_and_stay_what_they_are():
    tensors = [
        torch.arange(3, dtype=torch.uint8), torch.randn(2, 3).to(torch.bfloat16), torch.tensor([True, False, True]),
        torch.randn(4, 5).T, torch.arange(7), torch.zeros(0), torch.randn(()).double(),
    ]  # fmt: skip
    moved, wait = carry(tensors)
    wait()
    for a, b in zip(tensors, moved, strict=True):
        assert a.dtype == b.dtype and torch.equal(a, b)
    (row,) = fetch([{"half": tensors[1], "turned": tensors[3], "ids": tensors[4]}])
    assert row["half"].dtype == np.float32 and row["ids"].dtype == np.int64
    assert np.array_equal(row["turned"], tensors[3].numpy()) and not row["turned"].flags.writeable


@pytest.mark.parametrize("name", ["ours", "llama", "gemma2"])
def test_half_precision_is_told_in_float32(name, folder_of, there_of, ask):
    import core

    lens = core.load(str(folder_of(name)), device="cpu", dtype="bfloat16")
    there = copy.copy(lens)
    there.store = Store()
    for capture in CAPTURES:
        request = ask(name, 19, 17, capture=capture, keep={"pattern", "predictions"})
        for a, b in zip(there.run(request).attention, lens.run(request).attention, strict=True):
            assert a.pattern.dtype == np.float32 and np.abs(a.pattern - b.pattern).max() <= 0.03
            assert np.abs(a.head(0) - a.pattern[0]).max() <= 1e-6


def test_a_lens_on_the_cpu_keeps_arrays(lens_of):
    lens = lens_of("llama")
    assert lens.store is None
    assert all(type(one) is Attention for one in lens.run(ask(lens)).attention)
    assert replace(lens.info, device="cuda:0").at(Stream.DECODER)
