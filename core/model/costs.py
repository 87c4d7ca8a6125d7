"""What length costs: one pass of each memory machine over longer and longer inputs, counted and timed while it runs.

Table 1 of Vaswani et al. 2017 compares layers by multiplications, by steps that must wait for each other, and by the way a
signal has to go. Here whole machines read n symbols and write n symbols, and the figures are read off the pass itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
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

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the allocator is asked for its record; its own chatter helps nobody
LENGTHS = (128, 256, 512, 1024)
KINDS = (*SHAPES, "transformer, map kept")  # the transformer twice: by the fused kernel, and with every weight kept
REPEATS = 7
aten = torch.ops.aten
PRODUCTS: dict[Any, Callable[..., tuple[int, int]]] = {
    # what multiplies matrices → (multiplications, products that wait for each other)
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

    seconds: each repetition's. multiplications: of matrix products; those of single numbers are not counted. bytes: the most
    that the pass held at one time beyond what was there before. chain: the longest row of matrix products of which each had to
    wait for the one before.
    """

    kind: str
    length: int
    seconds: tuple[float, ...]
    multiplications: int
    bytes: int
    chain: int


class Meter(TorchDispatchMode):
    """Sees every operation of a pass: adds up multiplications, and follows how long each result had to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.multiplications = self.chain = 0
        self._depth: dict[int, int] = {}
        self._alive: list[Tensor] = []  # an id is a tensor's own only as long as it lives

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
    """A probe under which no map is ever made: the kernel goes through it block by block (Dao et al. 2022)."""

    def __init__(self, readers: int) -> None:
        self.calls = -readers  # layers that read come first; then a layer's own attention and its cross-attention in turn

    def attend(self, call: AttentionCall) -> tuple[Tensor, None]:
        assert call.fused is not None
        own = self.calls >= 0 and self.calls % 2 == 0
        self.calls += 1
        return call.fused(None, own), None


class Keep:
    """A probe under which the whole map is made and kept, as whoever wants to look at it must."""

    def __init__(self) -> None:
        self.maps: list[Tensor] = []

    def attend(self, call: AttentionCall) -> tuple[Tensor, Tensor]:
        output, weights = call.owner(call.mask)
        self.maps.append(weights)
        return output, weights


def passes(kind: str, length: int) -> Callable[[], Any]:
    """One pass of a machine with fresh weights, ready to run: what it costs does not hang on what it learnt."""
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
    """The most that one call holds at a time, by the allocator's own record."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        result = run()
    del result
    held = most = 0
    events = (event for event in recorded.profiler.kineto_results.events() if event.name() == "[memory]")
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


@torch.no_grad()
def cost(kind: str, length: int, repeats: int = REPEATS) -> Cost:
    """Measure one machine at one length. The clock and the counters run in passes of their own."""
    run = passes(kind, length)
    with Meter() as meter:
        run()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return Cost(kind, length, tuple(seconds), meter.multiplications, most_bytes(run), meter.chain)


def costs(lengths: Sequence[int] = LENGTHS, repeats: int = REPEATS) -> Iterator[Cost]:
    """All machines at all lengths, one after the other, so that whoever waits can be told how far it is."""
    for length in lengths:
        for kind in KINDS:
            yield cost(kind, length, repeats)
