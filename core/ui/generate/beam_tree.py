"""Generate, by beam search: the tree grows on the server a step at a time and is looked at in the browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from core.errors import LensError
from core.figures import markup
from core.figures.labels import line, ratio_said
from core.figures.payloads import beams
from core.request import Request, Sampling
from core.trace import Beam
from core.ui.generate import tabs
from core.ui.generate.parameters import PART
from core.ui.generate.side_by_side import branch_to
from core.ui.kit import charts, component, trouble
from core.ui.kit.turns import read_numbers, turns
from core.ui.running.runs import shared
from core.ui.running.scene import Scene
from core.ui.running.writing import GREEDY, TURN, Writing, again, asked, given, turn, version_of, writing
from core.ui.session import state
from core.ui.session.state import heard, held

WIDEST, LONGEST = 8, 24
WIDTH, STEPS = 4, 6
DRAWN = 6_000_000  # bytes of a search's steps as they are drawn, about


@dataclass(slots=True)
class Searching:
    """A beam search, shared by all who ask the same: its steps as they are drawn. It only ever grows, under its lock."""

    source: Iterator[tuple[Beam, ...]]
    steps: list[dict[str, Any]] = field(default_factory=list)
    finished: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    reserved: int = DRAWN  # bytes that it is counted with where it is kept

    def grow(self, count: int, seconds: float) -> None:
        """Search until there are `count` steps, nothing lives on, or the time is up; at least one."""
        began = time.monotonic()
        with self.lock:
            while len(self.steps) < count and not self.finished:
                nodes = next(self.source, None)
                if nodes is None:
                    self.finished = True
                    return
                self.steps.append(beams.one_step(nodes))
                if time.monotonic() - began > seconds:
                    return


def _key(view: Scene, forced: tuple[int, ...], width: int) -> tuple[str, str, Request, int]:
    return view.info.id, "beams", asked(view, forced).keeping("pattern"), width


def searching(view: Scene, forced: tuple[int, ...], width: int) -> Searching:
    """The search from here, as far as anyone has let it go on."""
    key, lens = _key(view, forced, width), view.lens

    def begin() -> Searching:
        steps = lens.beam_steps(key[2], Sampling(), width, LONGEST)
        return Searching(steps, reserved=DRAWN + held_bytes(view.info, key[2], width))

    return shared.ask(key, begin).result()


def held_bytes(info: Any, request: Request, width: int) -> int:
    """How many bytes of keys and values (float32) the living beams may come to hold."""
    tokens = len(request.source or ()) + len(request.target or ()) + LONGEST
    return 2 * 4 * width * tokens * info.layers * info.kv_heads * (info.d_model // info.heads)


def further(view: Scene, forced: tuple[int, ...], width: int, steps: int, search: Searching) -> bool:
    """Let a search go on towards `steps` steps for a moment; whether more is to be done."""
    if len(search.steps) >= steps or search.finished:
        return False
    key = _key(view, forced, width)
    try:
        view.work(
            (*key[1:], "turn", steps, len(search.steps)), lambda lens: search.grow(steps, TURN),
            lambda: f"Searching: step {len(search.steps) + 1} of {steps}.", soon=TURN * 2, keep=False,
        )  # fmt: skip
    except BaseException:  # a search that broke off cannot be gone on with
        shared.forget(lambda known: known == key)
        raise
    return len(search.steps) < steps and not search.finished


def controls(width: int, steps: int) -> None:
    """How many live on, and how many steps."""

    def wished() -> tuple[int, int]:
        return wide_and_far(tabs.read(state.chosen()[PART])[1])

    for label, most, key, value, take in (
        ("Beams kept", WIDEST, "beam-width", width, lambda kept: tabs.go("beam", kept, wished()[1])),
        ("Steps", LONGEST, "beam-steps", steps, lambda far: tabs.go("beam", wished()[0], far)),
    ):
        st.number_input(label, 1, most, key=held(key, value), on_change=heard(key, take), width=168)


def wide_and_far(numbers: tuple[int, ...]) -> tuple[int, int]:
    """How many live on and how many steps, from what a link says of them."""
    width, steps, *_ = (*numbers, *(WIDTH, STEPS)[len(numbers) :])
    return min(max(1, width), WIDEST), min(max(1, steps), LONGEST)


def beam_tree(view: Scene, top: Any, numbers: tuple[int, ...]) -> None:
    """The tree, its controls, and what it found beside the greedy text."""
    width, steps = wide_and_far(numbers)
    forced = state.chosen().forced
    try:
        with st.container():  # what is told while waiting must not shift the place of what stands below
            search = searching(view, forced, width)
            going = further(view, forced, width, steps, search)
            greedy = writing(view, forced, GREEDY)
            going = turn(view, greedy, forced, GREEDY, steps) or going
            prompt = given(view, forced)
    except LensError as error:
        trouble.show(error)
        return
    done = tuple(search.steps[:steps])
    nodes = [node for step in done for node in step["nodes"]]
    held_in_the_end = beams.leaves(nodes, len(done))
    top.html(markup.sentence(lead(view, nodes, held_in_the_end, greedy, len(done), width)))
    with st.container(horizontal=True, key="beam-controls", gap="small", vertical_alignment="bottom"):
        controls(width, steps)
        if going:
            st.button("Stop", key="beam-stop", icon=":material/stop:", on_click=tabs.go, args=("beam", width, max(1, len(done))))
            st.html(f'<p class="busy" role="status">Searching: {len(done)} of {steps} steps.</p>')
        else:
            charts.words("At each step every living text is continued; of all continuations the likeliest few live on.")
    version = version_of(asked(view, forced), width)

    def branched(message: dict[str, Any]) -> None:
        told = read_numbers(message, version, ("node",))
        if told is not None and told["node"] < len(nodes):
            ids = [nodes[n]["id"] for n in beams.path(nodes, told["node"])]
            ids = ids[:-1] if nodes[told["node"]]["ends"] else ids
            if ids:
                branch_to((*forced, *ids))
                tabs.go("step")

    data = beams.payload(prompt, done, width, version)
    data["theme"] = st.context.theme.type
    _beams(key="beams", data=data, on_branch_change=turns("beams").hears("branch", branched))
    ranking(view, nodes, held_in_the_end[:width])
    if going:
        again()


def text_of(view: Scene, nodes: list[dict[str, Any]], leaf: int) -> str:
    """A leaf's text from the first token on."""
    return line(view.lens.decode([nodes[n]["id"] for n in beams.path(nodes, leaf)]), 80)


def lead(
    view: Scene, nodes: list[dict[str, Any]], found: list[int], greedy: Writing, steps: int, width: int
) -> list[str | tuple[str]]:
    """What the search found, beside always taking the likeliest token."""
    if not found:
        return ["Nothing has lived on yet."]
    best = nodes[found[0]]["total"]
    alone = sum(greedy.logprobs[:steps])
    greedy_text = line(view.lens.decode(greedy.ids[:steps]), 80)
    parted: list[str | tuple[str]] = [
        f"With {width} {'beam' if width == 1 else 'beams'} it finds “", (text_of(view, nodes, found[0]),), "” (",
        (f"{markup.nats(best)} nats",), ")",
    ]  # fmt: skip
    if len(greedy.logprobs) < steps and not greedy.finished:
        return [*parted, "."]
    if abs(best - alone) < 5e-3:
        return [*parted, ", just what always taking the likeliest token gives."]
    more = "as likely" if best > alone else "less likely"
    return [*parted, "; always taking the likeliest token gives “", (greedy_text,), "” (", (f"{markup.nats(alone)} nats",),
            "): the search’s text is ", (ratio_said(best - alone),), f" {more}."]  # fmt: skip


def ranking(view: Scene, nodes: list[dict[str, Any]], found: list[int]) -> None:
    """The texts held in the end."""
    charts.heading("What is left in the end", "likeliest first")
    st.table({
        "text": [text_of(view, nodes, leaf) for leaf in found],
        "log p": [markup.nats(nodes[leaf]["total"]) for leaf in found],
        "tokens": [str(nodes[leaf]["step"] + 1) for leaf in found],
        "log p each": [markup.nats(nodes[leaf]["total"] / (nodes[leaf]["step"] + 1)) for leaf in found],
        "": ["ended" if nodes[leaf]["ends"] else "could go on" for leaf in found],
    })  # fmt: skip


_beams = component.component("beams")
