"""The check at load: the watched model beside its own untouched code, before anybody gets the lens.

What agrees is told in `LensInfo.verified`. Steps that do not agree are taken without a cache, texts that do not agree side by side
run one by one, and `LensInfo.narrowed` says so. A model whose whole passes do not agree is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from inspect import signature
from threading import Lock
from time import thread_time
from typing import Any

import numpy as np
import torch

from core.engine.backend import Verified
from core.engine.generation import cache_holds
from core.engine.lens import Lens
from core.engine.loading.eager import Answer, limits, one_pass, own_steps
from core.engine.loading.settling import changed, remembered, turns_of
from core.engine.probe import as_array
from core.errors import LensError, UnsupportedModelError
from core.request import Request, Stream
from core.trace import Trace

SHARE, LEAST = 0.15, 0.4  # the check may take this share of the load, or this many seconds, whichever is more
LENGTH, SHORTER = 9, 5  # tokens of the texts that every model is tried on
STEPS = 3
CELLS = 30_000_000  # the most weights of all maps of a text that is tried
CLOSE, ROUNDED = 1e-3, 0.1  # how far numbers may differ, in float32 and in half precision


@dataclass(frozen=True, slots=True)
class Gap:
    """The largest difference between two answers, in patterns and in logits, None where there is nothing to compare; the
    largest logit, for scale; and why they cannot be compared at all, where they cannot."""

    patterns: float | None = None
    logits: float | None = None
    scale: float = 0.0
    why: str = ""

    def __or__(self, other: Gap) -> Gap:
        return Gap(
            _larger(self.patterns, other.patterns),
            _larger(self.logits, other.logits),
            max(self.scale, other.scale),
            self.why or other.why,
        )

    def within(self, close: float) -> bool:
        """Whether the patterns differ by at most `close`, and the logits by as much of their scale."""
        return not self.why and (self.patterns or 0.0) <= close and (self.logits or 0.0) <= close * (1 + self.scale)

    def __str__(self) -> str:
        """The difference in words, to stand after a colon or a comma."""
        names = (("attention weights", self.patterns), ("logits", self.logits))
        return self.why or " and ".join(f"{name} differ by {gap:.2g}" for name, gap in names if gap is not None)


class Disagreement(UnsupportedModelError):
    """The watched run of a model is not what its own code computes. found: where they differ, to stand after a colon."""

    def __init__(self, name: str, found: str) -> None:
        super().__init__("a model whose watched run equals its own code", f"{name}: {found}", "Choose another model")
        self.reason = (
            f"Watched, {name} does not compute what its own code computes: {found}. Lookback shows the maps that its own code "
            "returns, and can change nothing in it."
        )


def check(lens: Lens, seconds: float) -> None:
    """Compare a lens with its model's own code, and put what was found into `lens.info`. At load only, before threads share the
    model. seconds: how long the load has taken so far.

    Raises Disagreement where whole passes differ.
    """
    backend: Any = lens.backend
    lens.info = replace(lens.info, turns=turns_of(backend.model.config))
    Check(lens, max(SHARE * seconds, LEAST)).run()


class Check:
    """One check of one lens, within a number of seconds of this thread: a busy machine checks as much as an idle one."""

    def __init__(self, lens: Lens, seconds: float) -> None:
        self.lens, self.seconds = lens, seconds
        backend: Any = lens.backend  # one that runs a transformers model
        self.backend = backend
        self.model = backend.model
        self.until, self.cost = math.inf, 0.0  # cost: the seconds that a token takes, both sides together
        self.close = CLOSE if lens.info.dtype == "float32" else ROUNDED
        self.worst, self.steps, self.batched = Gap(), 0, False
        self.lengths: set[int] = set()
        self.narrowed: list[str] = []
        self.kept: dict[tuple[str, str], Any] = {}  # what the modules hold beside their weights
        special = {lens.pad, lens.mask, lens.start, *lens.ends, *lens.specials}
        self.ids = [token for token in range(min(lens.info.vocab, 1000)) if token not in special] or [0]

    def run(self) -> None:
        """All that fits into the time, the most important first: a whole pass, steps of writing, two texts side by side, then
        the lengths beyond each limit."""
        length = min(LENGTH, self.lens.info.max_tokens)
        own = self._whole(length)
        self.until = thread_time() + self.seconds - self.cost * length
        self.kept = remembered(self.model)
        if length > STEPS and self._fits(2 * length):
            self._writing(length, own)
        if not self.steps and self.lens.info.caches:
            self._hold(caches=self.backend.caches)
        if self.lens.info.batches and self._fits(length + SHORTER):
            self._side_by_side(length, own)
        for limit in limits(self.model.config, self.lens.info.max_tokens):
            if limit >= length and self._fits(limit + 1):
                own = self._whole(limit + 1)
                if self._fits(2 * limit):
                    self._writing(limit + 1, own)
        if changed(self.kept, remembered(self.model)):
            # it keeps numbers of a pass in its modules: two passes at once would mix them
            self.backend.alone = Lock()
        found = Verified(self.worst.patterns, self.worst.logits, tuple(sorted(self.lengths)), self.steps, self.batched)
        self.lens.info = replace(self.lens.info, verified=found, narrowed=tuple(self.narrowed))

    def _fits(self, tokens: int) -> bool:
        cells = sum(site.heads for site in self.lens.info.sites) * tokens**2
        return cells <= CELLS and thread_time() + tokens * self.cost <= self.until

    def _whole(self, length: int) -> Answer:
        """Compare a pass over a text of some tokens, and take its time. Gives the model's own answer."""
        request = self._request(length)
        own = self._own(request)
        # the first pass of a process also imports and compiles; that was the model's own
        started = thread_time()
        gap = self._gap([request], [own])
        self.cost = 2 * (thread_time() - started) / length
        if not gap.within(self.close) and self.backend.picks_positions:
            # a family may compute the last layers at the asked positions alone, so that their patterns lack rows
            self.backend.picks_positions = False
            gap = self._gap([request], [own])
        if not gap.within(self.close):
            raise Disagreement(self.lens.info.name, f"in a text of {length} tokens {gap}")
        self._agreed(gap, length)
        return own

    def _side_by_side(self, length: int, own: Answer) -> None:
        """Compare a text, and one that is shorter, in one pass. own: the model's own answer to the longer one."""
        shorter = min(SHORTER, length)
        requests = [self._request(length), self._request(shorter)]
        gap = self._gap(requests, [own, self._own(requests[1])])
        self.batched = True
        if gap.within(self.close):
            self._agreed(gap, length, shorter)
        else:
            self._hold(batches=False)
            self.narrowed.append(f"Texts run one by one, because side by side they change each other: {gap}.")

    def _writing(self, length: int, own: Answer) -> None:
        """Compare steps that write the last tokens of a text. Where a step with the cache is not the row of a whole pass, no step
        uses the cache from now on. own: the model's own answer to the whole text."""
        if not self.lens.info.can_predict or self.lens.info.kind == "encoder":
            return
        whole = self._request(length)
        count = len(whole.target or ())
        requests = [replace(whole, target=(whole.target or ())[: count - n]) for n in reversed(range(STEPS))]
        own_steps = self._own_steps(requests)
        gap, held = self._gaps(requests, own_steps, own)
        if not held.within(self.close) and not self.backend.gives_positions:
            self.backend.gives_positions = "position_ids" in signature(self.model.forward).parameters
            gap, held = self._gaps(requests, own_steps, own)
        if not held.within(self.close) and self.lens.info.caches:
            self._hold(caches=False)
            self.narrowed.append(f"Each step of writing reads the whole text again, because with its cache {held}.")
            gap, _ = self._gaps(requests, own_steps, own)
        if gap.within(self.close):
            self._agreed(gap, length)
            self.steps += STEPS
        else:
            self.narrowed.append(f"Writing follows whole passes; with transformers’ own generate {gap}.")

    def _own_steps(self, requests: list[Request]) -> list[Answer]:
        """What the model's own `generate` gives at each step; where that fails, what a whole pass of its own gives there."""
        try:
            return own_steps(self.model, requests)
        except Exception:  # a family's own code may raise anything
            return [rows(self._own(request), len(request.target or ())) for request in requests]

    def _own(self, request: Request) -> Answer:
        try:
            return one_pass(self.model, request)
        except Exception as error:  # a family's own code may raise anything
            raise Disagreement(self.lens.info.name, f"its own code fails, {error}") from error

    def _gaps(self, requests: list[Request], own_steps: list[Answer], own: Answer) -> tuple[Gap, Gap]:
        """How far steps of writing are from the model's own, each taken as the loop of the engine takes it; and how far they are
        from the rows of its own answer to the whole text."""
        state, worst, apart = None, Gap(), Gap()
        try:
            for request, theirs in zip(requests, own_steps, strict=True):
                if request is requests[-1] and changed(self.kept, remembered(self.model)):
                    # it keeps something in its modules: the next step must not take another text's for its own
                    self.lens.run(self._request(SHORTER))
                reuse = state is not None and cache_holds(self.lens, request)
                held = len(request.target or ()) - 1 if reuse else 0
                row = [self.lens.row(request)]
                traces, result = self.lens.forward(row, held, state if reuse else None, keep_state=True)
                state, answer = result.state, _answer(traces[0], result.logits, 0)
                worst |= difference(answer, theirs, whole=False)
                if not self._turns(request, requests[-1]):
                    apart |= difference(answer, rows(own, len(request.target or ())), whole=False)
        except LensError as error:
            failed = Gap(why=f"it fails ({error.got})")
            return failed, failed
        return worst, apart

    def _turns(self, request: Request, longer: Request) -> bool:
        """Whether the rows of a text become others where it grows longer."""
        short, long = len(request.target or ()), len(longer.target or ())
        causal, turns = self.lens.info.causal, self.lens.info.turns
        return short < long and (not causal or any(short <= turn < long for turn in turns))

    def _gap(self, requests: list[Request], own: list[Answer]) -> Gap:
        """How far one pass over some texts is from the model's own answers to each."""
        try:
            traces, result = self.lens.forward([self.lens.row(request) for request in requests])
        except LensError as error:
            return Gap(why=f"it fails ({error.got})")
        worst = Gap()
        for n, trace in enumerate(traces):
            worst |= difference(_answer(trace, result.logits, n), own[n], whole=True)
        return worst

    def _hold(self, **changes: Any) -> None:
        self.lens.info = replace(self.lens.info, **changes)

    def _agreed(self, gap: Gap, *lengths: int) -> None:
        self.worst |= gap
        self.lengths |= set(lengths)

    def _request(self, length: int) -> Request:
        """A text of some ordinary tokens. The target of an encoder–decoder is about half as long, and as long beyond a limit."""
        ids = [self.ids[(17 * n * n + 7 * n + length) % len(self.ids)] for n in range(length)]
        info = self.lens.info
        target: dict[str, Any] = {"target_ids": ids[: length // 2 if length <= LENGTH else length - 1]}
        if info.answers is not None and info.kind == "encoder-decoder":  # such heads look for the end of the text
            ids, target = [*ids[:-1], *sorted(self.lens.ends)[:1]], {}
        says = info.answers is not None or (info.kind == "encoder" and info.can_predict)
        keep = ("pattern", "predictions") if says else ("pattern",)
        return self.lens.request(
            ids=ids, keep=keep, capture="float32", **(target if info.kind == "encoder-decoder" else {})
        )


def difference(ours: Answer, own: Answer, whole: bool) -> Gap:
    """How far one answer is from another. whole: both must have all rows. Otherwise they are compared from the end: a step may
    bring the last rows alone, and a window's cache the last keys."""
    worst = Gap()
    for stream, maps in own.patterns.items():
        held = ours.patterns.get(stream, [])
        if maps and len(maps) != len(held):
            return Gap(why=f"its {stream.value} has {len(maps)} attentions where {len(held)} were seen")
        for a, b in zip(held, maps, strict=False):
            if a.shape != b.shape and (whole or a.shape[-1] < b.shape[-1]):
                return Gap(why=f"its {stream.value} has a map of {b.shape[1:]} where one of {a.shape[1:]} was seen")
            worst |= Gap(_apart(a, b))
    if ours.logits is not None and own.logits is not None:
        rows = min(len(ours.logits), len(own.logits))
        a, b = ours.logits[-rows:], own.logits[-rows:]
        worst |= Gap(None, _largest(a - b), _largest(b)) if a.shape == b.shape else Gap(why="its answers are others")
    return worst


def rows(answer: Answer, count: int) -> Answer:
    """The first rows of an answer, as far as they are there, and without the encoder, which ran before."""
    maps = {
        Stream.DECODER: [pattern[:, :count, :count] for pattern in answer.patterns.get(Stream.DECODER, ())],
        Stream.CROSS: [pattern[:, :count] for pattern in answer.patterns.get(Stream.CROSS, ())],
    }
    return Answer(None if answer.logits is None else answer.logits[:count], maps)


def _apart(ours: np.ndarray, own: np.ndarray) -> float:
    """The largest difference in the rows and keys that both have, from the end; what only ours has must be 0."""
    rows, dropped = min(ours.shape[-2], own.shape[-2]), ours.shape[-1] - own.shape[-1]
    ours, own = ours[..., -rows:, :], own[..., -rows:, :]
    return max(_largest(ours[..., dropped:] - own), _largest(ours[..., :dropped]))


def _largest(numbers: np.ndarray) -> float:
    """The largest size of some numbers, 0 of none; infinity where one is NaN."""
    largest = float(np.abs(numbers).max(initial=0.0))
    return math.inf if math.isnan(largest) else largest


def _larger(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else max(a, b)


def _answer(trace: Trace, logits: torch.Tensor | None, row: int) -> Answer:
    """Our answer for one row of a pass. Logits of a padded row are cut to its own length."""
    maps: dict[Stream, list[np.ndarray]] = {}
    for attention in trace.attention:
        maps.setdefault(attention.site.stream, []).append(attention.pattern)
    if trace.answer is not None:
        return Answer(trace.answer.logits, maps)
    if logits is None:
        return Answer(None, maps)
    found = as_array(logits[row])
    ids = trace.request.target or trace.request.source or ()
    return Answer(found if len(found) == 1 else found[: len(ids)], maps)
