"""The cost of length: one pass of each memory machine over longer and longer inputs, counted and timed while it runs.

Table 1 of Vaswani et al. 2017 compares layers by multiplications, by operations that must wait for each other, and by the
length of the path between two positions. Here whole machines read n symbols and are given n right answers to predict, as in
training (teacher forcing), and we measure the pass. Writing by itself, each machine needs n steps in a row.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from core.model.exercises import SYMBOLS
from core.model.memory import SHAPES, build
from core.model.multihead import AttentionCall
from core.model.transformer import Transformer

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # we read the profiler's memory record and do not want its messages
LENGTHS = (128, 256, 512, 1024)
KINDS = (*SHAPES, "transformer, map kept")  # the transformer with the fused kernel, and with every weight kept
REPEATS = 7
aten = torch.ops.aten
PRODUCTS: dict[Any, Callable[..., tuple[int, int]]] = {
    # operation that multiplies matrices → (multiplications, products that wait for each other)
    aten.mm.default: lambda a, b: (a.shape[0] * a.shape[1] * b.shape[1], 1),
    aten.addmm.default: lambda c, a, b: (a.shape[0] * a.shape[1] * b.shape[1], 1),
    aten.bmm.default: lambda a, b: (a.shape[0] * a.shape[1] * a.shape[2] * b.shape[2], 1),
    aten._scaled_dot_product_flash_attention_for_cpu.default: lambda q, k, v: (
        2 * q.shape[0] * q.shape[1] * q.shape[2] * k.shape[2] * q.shape[3], 2
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """One pass of a machine that reads `length` symbols and writes as many.

    seconds: processor time, one number for each round. multiplications: those inside matrix products; others are not counted.
    bytes: the most memory that the pass took at one time, beyond what was there before. chain: the length of the longest
    sequence of matrix products in which each had to wait for the one before.
    """

    kind: str
    length: int
    seconds: tuple[float, ...]
    multiplications: int
    bytes: int
    chain: int


class Meter(TorchDispatchMode):
    """Sees every operation of a pass. It counts multiplications, and for each result the products that had to come before."""

    def __init__(self) -> None:
        super().__init__()
        self.multiplications = self.chain = 0
        self._depth: dict[int, int] = {}
        self._alive: list[Tensor] = []  # two tensors never share an id while both live, so we keep all

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        depth = max((self._depth.get(id(t), 0) for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)), default=0)
        if func in PRODUCTS:
            many, steps = PRODUCTS[func](*args[:3])
            self.multiplications += many
            depth += steps
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._depth[id(tensor)] = max(depth, self._depth.get(id(tensor), 0))
                self._alive.append(tensor)
        self.chain = max(self.chain, depth)
        return result


class Fused:
    """A probe that uses the fused kernel, which works block by block and never makes a whole pattern (Dao et al. 2022)."""

    def __init__(self, readers: int) -> None:
        self.calls = -readers  # the encoder's calls come first; then each decoder layer calls self-attention, cross-attention

    def attend(self, call: AttentionCall) -> tuple[Tensor, None]:
        assert call.fused is not None
        own = self.calls >= 0 and self.calls % 2 == 0
        self.calls += 1
        return call.fused(None, own), None


class Keep:
    """A probe that makes and keeps every whole pattern, as one must to look at it."""

    def __init__(self) -> None:
        self.maps: list[Tensor] = []

    def attend(self, call: AttentionCall) -> tuple[Tensor, Tensor]:
        output, weights = call.owner(call.mask)
        self.maps.append(weights)
        return output, weights


def passes(kind: str, length: int) -> Callable[[], Any]:
    """A function that runs one pass of a machine. The weights are random, because the cost does not depend on what was learnt."""
    torch.manual_seed(0)
    plain = kind.partition(",")[0]
    longer = {"max_tokens": length + 1} if plain == "transformer" else {}
    model = build(plain, {**SHAPES[plain], **longer}).eval().requires_grad_(False)
    ids = torch.from_numpy(np.random.default_rng(0).integers(len(SYMBOLS), size=(1, length)))
    if not isinstance(model, Transformer):
        return lambda: model(ids, ids)
    if kind == plain:
        model.config = replace(model.config, causal=False)  # the kernel hides the future by itself and needs no mask for it
        return lambda: model(ids, ids, probe=Fused(model.config.encoder_layers))

    def kept() -> Any:
        probe = Keep()
        return model(ids, ids, probe=probe), probe.maps

    return kept


def most_bytes(run: Callable[[], Any]) -> int:
    """The most bytes that one call holds at a time, by the record of PyTorch's allocator."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        result = run()
    del result
    held = most = 0
    events = (event for event in recorded.profiler.kineto_results.events() if event.name() == "[memory]")
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


class Race:
    """Passes of all machines at all lengths, timed in rounds: each round runs every one of them once.

    So whatever else the computer does meanwhile meets all of them alike, and no machine gets the quiet minute.
    """

    def __init__(self, lengths: Sequence[int] = LENGTHS, kinds: Sequence[str] = KINDS) -> None:
        self.runs = {(kind, length): passes(kind, length) for length in lengths for kind in kinds}

    @torch.no_grad()
    def count(self, kind: str, length: int) -> Cost:
        """The counts of one pass, without its time. It also warms the machine up."""
        run = self.runs[kind, length]
        with Meter() as meter:
            run()
        return Cost(kind, length, (), meter.multiplications, most_bytes(run), meter.chain)

    @torch.no_grad()
    def round(self) -> dict[tuple[str, int], float]:
        """One pass of each: (machine, length) → seconds of processor time of the thread that ran it. A thread that has to wait for
        others uses none, so a busy computer does not pass for a slow machine."""
        seconds = {}
        for pair, run in self.runs.items():
            began = time.thread_time()
            run()
            seconds[pair] = time.thread_time() - began
        return seconds


def timed(counted: Iterable[Cost], rounds: Sequence[Mapping[tuple[str, int], float]]) -> list[Cost]:
    """The counts with the times of all rounds."""
    return [replace(one, seconds=tuple(found[one.kind, one.length] for found in rounds)) for one in counted]
