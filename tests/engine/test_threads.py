"""Eight people looking through one lens at once see bit for bit what each would see alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import torch

from core.request import HeadRef, MaskRule, Request, Sampling, Stream
from core.trace import Trace
from tests.families import ids

THREADS, RUNS = 8, 12


@pytest.fixture(autouse=True)
def busy() -> Iterator[None]:
    """Threads are made to give way to each other as often as Python allows."""
    assert torch.get_num_threads() == 1
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def eight(lens, ask, name: str) -> list[Request]:
    """Eight requests on texts of one length, each changed in its own way."""
    stream = lens.info.sites[-1].stream
    own = Stream.DECODER
    head = HeadRef(stream, 1, 2)
    keep = {"pattern", "residual", "predictions"}
    plain = [ask(name, 9, 9, salt=salt % 2, keep=keep) for salt in range(THREADS)]
    return [
        plain[0],
        plain[1].with_mask(MaskRule(own, "full")),
        plain[2].with_mask(MaskRule(own, "window", width=2, heads=(0, 1))),
        plain[3].with_ablation(head),
        plain[4].with_ablation(head, HeadRef(own, 0, 0), how="mean"),
        plain[5].with_cut((head, 6, 2), (head, 7, 2), (HeadRef(own, 0, 3), 5, 5)),
        plain[6].with_temperature(3.0),
        plain[7].with_mask(MaskRule(own, "block", width=4)).with_temperature(0.5).with_cut((HeadRef(own, 1, 1), 3, 3)),
    ]


def numbers(trace: Trace) -> list[np.ndarray]:
    """All a trace holds."""
    held = [trace.next_logits, trace.predictions.top_logprob, trace.predictions.entropy, *trace.residual.values()]
    for attention in trace.attention:
        held += [attention.pattern, attention.allowed]
    return held


def at_once(jobs, runs: int = RUNS) -> list[list]:
    """Each job so many times, all threads starting together: the answers of each."""
    gate = Barrier(len(jobs))

    def work(job):
        gate.wait()
        return [job() for _ in range(runs)]

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(work, jobs))


@pytest.mark.parametrize("capture", ["float32", "lazy"])
@pytest.mark.parametrize("name", ["ours", "llama", "t5"])
def test_many_runs_at_once_differ_in_nothing_from_one_after_another(name, capture, lens_of, ask):
    lens = lens_of(name)
    requests = [request.keeping(*request.keep, capture=capture) for request in eight(lens, ask, name)]
    serial = [numbers(lens.run(request)) for request in requests]
    assert any(not np.array_equal(serial[0][0], other[0]) for other in serial[1:]), "the requests do differ"
    together = at_once([lambda request=request: numbers(lens.run(request)) for request in requests])
    pairs = [(alone, run) for alone, mine in zip(serial, together, strict=True) for run in mine]
    assert len(pairs) == THREADS * RUNS
    wrong = sum(not all(map(np.array_equal, alone, run)) for alone, run in pairs)
    assert wrong == 0


@pytest.mark.parametrize("name", ["ours", "llama", "t5"])
def test_batches_and_generations_in_threads_are_those_of_one_after_another(name, lens_of, ask):
    lens = lens_of(name)
    requests = eight(lens, ask, name)

    def batch(n):
        return [array for trace in lens.run_many([requests[n], requests[n - 1]]) for array in numbers(trace)]

    def story(n):
        steps = lens.generate(requests[n], Sampling(seed=n), steps=3)
        return [array for step in steps for array in [np.array(step.choice.id), *numbers(step.trace)]]

    jobs = [lambda n=n: batch(n) if n % 2 else story(n) for n in range(THREADS)]
    serial = [job() for job in jobs]
    for alone, mine in zip(serial, at_once(jobs, 6), strict=True):
        for run in mine:
            assert len(run) == len(alone) and all(map(np.array_equal, alone, run))


def test_a_mask_refused_in_one_thread_leaves_the_others_alone(lens_of, ask):
    from core.errors import MaskError

    lens = lens_of("llama")
    fine = ask("llama", keep={"pattern", "residual", "predictions"})
    bad = fine.with_mask(MaskRule(Stream.DECODER, "custom", edges=[(0, 0)]))
    alone = numbers(lens.run(fine))

    def refused():
        with pytest.raises(MaskError):
            lens.run(bad)

    jobs = [refused if n % 2 else lambda: numbers(lens.run(fine)) for n in range(THREADS)]
    for mine in at_once(jobs)[::2]:
        assert all(all(map(np.array_equal, alone, run)) for run in mine)


def test_tokenizers_are_shared_too(lens_of):
    for name in ("llama", "ours"):
        lens = lens_of(name)
        texts = ["w7 </s> w9 <pad>", "w10 w11 w12", "<s> <mask> w6", "w8 w8 w8 w8"] * 2
        alone = [(lens.encode(text), lens.decode(ids(6, n))) for n, text in enumerate(texts)]
        jobs = [lambda n=n, t=text, lens=lens: (lens.encode(t), lens.decode(ids(6, n))) for n, text in enumerate(texts)]
        for expected, mine in zip(alone, at_once(jobs), strict=True):
            assert mine == [expected] * RUNS
