"""A text that grows a few tokens at a time, so that it can be stopped, gone on with, and watched while it grows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from core.analysis.cache import through_layers
from core.figures.payloads.loop import one_step
from core.request import Request, Sampling
from core.trace import Step, Trace
from core.ui.running.branches import fitting
from core.ui.running.runs import shared
from core.ui.running.scene import Scene, masked
from core.ui.session import state

GREEDY = Sampling(temperature=0.0)
MOST = 400  # tokens of a text
TURN = 0.6  # seconds of writing between two looks at the visitor


@dataclass(slots=True)
class Writing:
    """A loop, shared by all who ask the same: its steps as they are drawn, the ids it wrote, their log-probabilities in nats.

    It only ever grows, under its lock, and what it grows into is settled by request and seed: so it may be shared.
    """

    source: Iterator[Step]
    draw: Callable[[Step], dict[str, Any]]
    steps: list[dict[str, Any]] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finished: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    reserved: int = 3_000_000  # bytes that it is counted with where it is kept

    @property
    def logprob(self) -> float:
        """ln p of all that was written, the end among it."""
        return sum(self.logprobs)

    def grow(self, count: int, seconds: float) -> None:
        """Write until there are `count` steps, the text ends, or the time is up; at least one."""
        began = time.monotonic()
        with self.lock:
            while len(self.steps) < count and not self.finished:
                step = next(self.source, None)
                if step is None:
                    self.finished = True
                    return
                self.steps.append(self.draw(step))
                self.logprobs.append(step.choice.logprob)
                if not step.finished:
                    self.ids.append(step.choice.id)
                self.finished = step.finished
                if time.monotonic() - began > seconds:
                    return


def asked(view: Scene, forced: tuple[int, ...]) -> Request:
    """What the loop begins with: the text, a typed target, the tokens forced by a branch, and the visitor's masks."""
    request = view.base
    request = request.append(*forced) if forced else request
    return masked(request, fitting(view.choice.mask, request))


def given(view: Scene, forced: tuple[int, ...]) -> Trace:
    """The trace of the prompt with a branch's tokens, under the visitor's mask."""
    prompt = view.base.append(*forced) if forced else view.base
    return view.trace(masked(prompt.keeping("predictions"), fitting(view.choice.mask, prompt)))


def writing(view: Scene, forced: tuple[int, ...], sampling: Sampling) -> Writing:
    """The text that grows from here, as far as anyone has let it grow."""
    key, info, lens = _key(view, forced, sampling), view.info, view.lens

    def begin() -> Writing:
        steps = lens.generate(key[2], sampling, MOST, first=len(forced))
        shape = lens.config
        each = through_layers(shape.d_model, shape.d_ff, shape.decoder_layers, shape.reads) if shape is not None else None
        return Writing(steps, lambda step: one_step(step, sampling, info.d_model, info.dtype.removeprefix("torch."), each))

    return shared.ask(key, begin).result()


def _key(view: Scene, forced: tuple[int, ...], sampling: Sampling) -> tuple[str, str, Request, Sampling, int]:
    keep = ("pattern",) if view.info.reason else ("pattern", "qkv")
    request = asked(view, forced).keeping(*keep, capture="float32")
    return view.info.id, "writing", request, sampling, len(forced)


def turn(view: Scene, text: Writing, forced: tuple[int, ...], sampling: Sampling, count: int) -> bool:
    """Let a text grow towards `count` steps for a moment; whether more is to be done."""
    if len(text.steps) >= count or text.finished:
        return False
    key = ("turn", asked(view, forced), sampling, count, len(text.steps))
    try:
        view.work(
            key, lambda lens: text.grow(count, TURN), lambda: f"Writing: {len(text.steps)} of at most {count} tokens.",
            soon=TURN * 2, keep=False,
        )  # fmt: skip
    except BaseException:  # a loop that broke off cannot be gone on with: the next who asks begins anew
        kept = _key(view, forced, sampling)
        shared.forget(lambda known: known == kept)
        raise
    return len(text.steps) < count and not text.finished


def version_of(*what: object) -> str:
    """Which drawing it is: what comes back from another one is refused."""
    return f"{abs(hash(what)):x}"


def again() -> None:
    """Run this part once more, so that what is under way is shown as it grows and a click can come between."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:  # the whole page is running
        state.tell_again()
        st.rerun()
