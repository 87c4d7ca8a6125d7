"""Generate: the loop run once on the server, its progress told, then played in the browser."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import streamlit as st

from core.figures import loop_payload
from core.figures.labels import label
from core.figures.theme import DARK, LIGHT
from core.request import Request, Sampling
from core.trace import Trace
from core.ui import charts, models, state
from core.ui.runs import shared
from core.ui.scene import Scene, lens_of, wait
from core.ui.state import held
from core.ui.theatre import base_of

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "components" / "loop"
MORE = 24  # pieces at a time


@dataclass(slots=True)
class Growing:
    """A loop, shared by all who ask the same: its steps as they are drawn, the ids it wrote, the sum of their log-probabilities."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    logprob: float = 0.0
    finished: bool = False


def run_loop(
    view: Scene, request: Request, sampling: Sampling, pieces: int, told: Callable[[int], None] | None = None
) -> Growing:
    """Grow a text by at most `pieces`; told hears how many are there."""
    lens, grown = lens_of(view.model), Growing()
    with models.shelf.lease(view.model, lens):
        for step in lens.generate(request.keeping("pattern"), sampling, pieces):
            grown.steps.append(loop_payload.one_step(step))
            grown.logprob += step.choice.logprob
            if not step.finished:
                grown.ids.append(step.choice.id)
            grown.finished = step.finished
            if told is not None:
                told(len(grown.steps))
    return grown


def asked(view: Scene, forced: tuple[int, ...]) -> Request:
    """What the loop begins with: the text, a typed target, the pieces forced by a branch, and the visitor's masks."""
    request = base_of(view)
    request = request.append(*forced) if forced else request
    for rule in view.choice.mask:
        request = request.with_mask(rule)
    return request


def grow(view: Scene, forced: tuple[int, ...], sampling: Sampling, pieces: int) -> Growing:
    """The loop, from the shared answers or computed now; how far it is is told while it runs."""
    request = asked(view, forced)
    count = [0]
    key = (view.info.id, "loop", request, sampling, pieces)
    ticket = shared.ask(key, lambda: run_loop(view, request, sampling, pieces, lambda n: count.__setitem__(0, n)))
    began = time.monotonic()
    wait(ticket.settled, lambda: f"Writing: {count[0]} of at most {pieces} pieces. {time.monotonic() - began:.0f} s")
    return ticket.result()


def sampler(sampling: Sampling) -> None:
    """How the next piece is chosen; everything stands in the link."""

    def changed() -> None:
        read = st.session_state
        state.choose(
            sampling=Sampling(
                round(float(read["s-temperature"]), 2), int(read["s-top-k"]) or None,
                None if read["s-top-p"] >= 1 else round(float(read["s-top-p"]), 2),
                round(float(read["s-min-p"]), 3) or None, int(read["s-seed"]),
            )
        )  # fmt: skip

    with st.popover("How it chooses", key="sampler"):
        st.slider(
            "Temperature: 0 always takes the likeliest",
            0.0,
            2.0,
            step=0.05,
            key=held("s-temperature", float(sampling.temperature)),
            on_change=changed,
        )
        st.number_input(
            "Top-k: only the k likeliest (0: all)", 0, 1000, key=held("s-top-k", sampling.top_k or 0), on_change=changed
        )
        st.slider(
            "Top-p: the fewest that together reach p",
            0.05,
            1.0,
            step=0.05,
            key=held("s-top-p", float(sampling.top_p or 1.0)),
            on_change=changed,
        )
        st.slider(
            "Min-p: at least this share of the likeliest",
            0.0,
            1.0,
            step=0.01,
            key=held("s-min-p", float(sampling.min_p or 0.0)),
            on_change=changed,
        )
        st.number_input(
            "Seed: the same seed, the same text", 0, 2**31, key=held("s-seed", sampling.seed), on_change=changed
        )


def loop(view: Scene) -> None:
    """The loop, its controls, and the branch beside the text as it grows by itself."""
    choice = state.chosen()
    sampling, forced = choice.sampling, choice.forced
    pieces = MORE * (1 + st.session_state.get("more", 0))
    with st.container(horizontal=True, key="loop-controls", gap="small", vertical_alignment="center"):
        sampler(sampling)
        st.button("Write more", key="loop-more", on_click=_more, help=f"{MORE} pieces more at most")
        if forced:
            st.button("Forget the branch", key="branch-off", on_click=lambda: state.choose(forced=()))
    grown = grow(view, forced, sampling, pieces)
    prompt = replace(view, request=replace(asked(view, forced), intervention=base_of(view).intervention))
    given = prompt.run(choice.mask, ("predictions",))
    version = f"{abs(hash((asked(view, forced), sampling, pieces))):x}"

    def branched() -> None:
        made = read_branch((st.session_state.get("loop") or {}).get("branch"), version, grown, forced)
        if made is not None:
            state.choose(forced=made)

    data = loop_payload.payload(given, grown.steps, len(forced), version, sampling.temperature > 0)
    _loop(key="loop", data={**data, "theme": st.context.theme.type}, on_branch_change=branched)
    charts.words(
        "Under each piece: its <b>surprisal</b>, −log₂ of the probability the model gave it. Click a candidate to write it "
        "instead. Space plays, ← → step."
    )
    _compare(view, grown, given, forced, sampling, pieces)


def _compare(
    view: Scene, grown: Growing, given: Trace, forced: tuple[int, ...], sampling: Sampling, pieces: int
) -> None:
    """The branch beside what would have come without it, and what forcing cost."""
    lens = lens_of(view.model)
    if not forced:
        return
    free = grow(view, (), sampling, pieces)
    assert given.predictions is not None and given.target is not None
    price = float(given.predictions.actual_logprob[len(given.target) - 1 - len(forced) : len(given.target) - 1].sum())
    charts.heading("Two branches", "log-probability in nats, all pieces together")
    st.table({
        "": ["as it writes on its own", "with your piece"],
        "text": [label(lens.decode(free.ids).strip(), 160), label(lens.decode([*forced, *grown.ids]).strip(), 160)],
        "log p": [f"{free.logprob:.2f}", f"{price + grown.logprob:.2f}"],
    })  # fmt: skip


def _more() -> None:
    st.session_state["more"] = st.session_state.get("more", 0) + 1


def read_branch(raw: Any, version: str, grown: Growing, forced: tuple[int, ...]) -> tuple[int, ...] | None:
    """What a browser sent, as the ids forced after the prompt; None for anything else, whatever it is."""
    if type(raw) is not dict or set(raw) != {"version", "step", "id"} or raw["version"] != version:
        return None
    step, id = raw["step"], raw["id"]
    if type(step) is not int or type(id) is not int or not 0 <= step < len(grown.steps):
        return None
    if all(one["id"] != id for one in grown.steps[step]["candidates"]):
        return None
    return (*forced, *grown.ids[:step], id)


def _script() -> str:
    themes = json.dumps({theme.name: asdict(theme) for theme in (LIGHT, DARK)})
    return f"const THEMES = {themes};\n" + (FOLDER / "loop.js").read_text("utf-8")


_loop = st.components.v2.component(
    "lookback_loop", js=_script(), css=(FOLDER / "loop.css").read_text("utf-8"), isolate_styles=True
)
