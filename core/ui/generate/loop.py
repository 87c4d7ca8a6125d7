"""Generate, step by step: the loop grows on the server a few tokens at a time, is sent, and played in the browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from core.errors import LensError
from core.figures import markup
from core.figures.labels import line
from core.figures.payloads import loop as loop_payload
from core.request import Sampling
from core.ui.generate.parameters import LENGTH, SAMPLING
from core.ui.generate.side_by_side import branch_to, compare
from core.ui.kit import charts, component, trouble
from core.ui.kit.turns import read_numbers, turns
from core.ui.running.scene import Scene
from core.ui.running.writing import MOST, Writing, again, asked, given, turn, version_of, writing
from core.ui.session import state
from core.ui.session.state import heard, held

MORE = 24  # tokens at a time


def sampler(sampling: Sampling) -> None:
    """How the next token is chosen; everything stands in the link."""

    def into(name: str, read: Callable[[Any], Any]) -> Callable[[Any], None]:
        return lambda value: state.choose(sampling=replace(state.chosen()[SAMPLING], **{name: read(value)}))

    with st.popover("How it chooses", key="sampler"):
        st.slider(
            "Temperature: 0 always takes the likeliest; above 1 the unlikely gain", 0.0, 2.0, step=0.05,
            key=held("s-temperature", float(sampling.temperature)),
            on_change=heard("s-temperature", into("temperature", lambda value: round(value, 2))),
        )  # fmt: skip
        st.number_input(
            "Top-k: only the k likeliest (0: all)", 0, 1000, key=held("s-top-k", sampling.top_k or 0),
            on_change=heard("s-top-k", into("top_k", lambda value: value or None)),
        )  # fmt: skip
        st.slider(
            "Top-p: the fewest that together reach p", 0.05, 1.0, step=0.05,
            key=held("s-top-p", float(sampling.top_p or 1.0)),
            on_change=heard("s-top-p", into("top_p", lambda value: None if value >= 1 else round(value, 2))),
        )  # fmt: skip
        st.slider(
            "Min-p: at least this share of the likeliest", 0.0, 1.0, step=0.01,
            key=held("s-min-p", float(sampling.min_p or 0.0)),
            on_change=heard("s-min-p", into("min_p", lambda value: round(value, 3) or None)),
        )  # fmt: skip
        st.number_input(
            "Seed: the same seed, the same text", 0, 2**31, key=held("s-seed", sampling.seed),
            on_change=heard("s-seed", into("seed", int)),
        )  # fmt: skip


def said(sampling: Sampling) -> str:
    """How the next token is chosen, in a few words."""
    if sampling.temperature == 0:
        return "Greedy: always the likeliest token."
    parts = [f"temperature {sampling.temperature:g}"]
    parts += [f"{name} {value:g}" for name, value in
              (("top-k", sampling.top_k), ("top-p", sampling.top_p), ("min-p", sampling.min_p)) if value is not None]  # fmt: skip
    return f"Drawn by lot: {', '.join(parts)}; seed {sampling.seed}, so the same again each time."


def lead(view: Scene, text: Writing, forced: tuple[int, ...]) -> list[str | tuple[str]]:
    """What was written so far and how likely it was, in a sentence."""
    lens, count = view.lens, len(text.logprobs)
    before = line(lens.decode((*(asked(view, forced).target or ()),)), 60)
    opening: list[str | tuple[str]] = ["After “", (before,), "” it writes “"]
    if view.info.kind == "encoder-decoder":
        opening = ["Reading “", (line(state.chosen().text, 60),), "”"]
        opening += [", after “", (before,), "”"] if before else []
        opening.append(" it writes “")
    return [
        *opening, (line(lens.decode(text.ids), 80),), f"” in {count} {'step' if count == 1 else 'steps'}: together ",
        (f"{markup.nats(text.logprob)} nats",), " of log-probability, ",
        (f"{loop_payload.bits(text.logprob / max(1, count)):.1f} bits",), " of surprisal a token.",
    ]  # fmt: skip


def loop(view: Scene, top: Any) -> None:
    """The loop, its controls, and the branches beside each other."""
    choice = state.chosen()
    sampling, forced = choice[SAMPLING], choice.forced
    wanted = min(choice[LENGTH] or MORE, MOST)
    try:
        with st.container():  # what is told while waiting must not shift what stands below
            text = writing(view, forced, sampling)
            going = turn(view, text, forced, sampling, wanted)
            prompt = given(view, forced)
    except LensError as error:
        trouble.show(error)
        if forced:
            st.button("Forget the branch", key="branch-off", on_click=_back)
        return
    top.html(markup.sentence(lead(view, text, forced)))
    with st.container(horizontal=True, key="loop-controls", gap="small", vertical_alignment="center"):
        sampler(sampling)
        if going:
            st.button(
                "Stop", key="loop-stop", icon=":material/stop:", on_click=state.choose, kwargs={"length": max(1, len(text.steps))}
            )
            st.html(f'<p class="busy" role="status">Writing: {len(text.steps)} of at most {wanted} tokens.</p>')
        else:
            more = min(MOST, len(text.steps) + MORE)
            st.button(
                "Write on", key="loop-more", on_click=state.choose, kwargs={"length": more},
                disabled=text.finished or len(text.steps) >= MOST, help=f"At most {MORE} tokens more",
            )  # fmt: skip
            charts.words(said(sampling))
    version = version_of(asked(view, forced), sampling)

    def branched(message: dict[str, Any]) -> None:
        made = read_branch(read_numbers(message, version, ("step", "id")), text, forced)
        if made is not None:
            branch_to(made)

    data = loop_payload.payload(prompt, tuple(text.steps), len(forced), version, sampling)
    data["theme"] = st.context.theme.type
    _loop(key="loop", data=data, on_branch_change=turns("loop").hears("branch", branched))
    busy = compare(view, text, prompt, sampling, wanted)
    if going or busy:
        again()


def _back() -> None:
    state.choose(forced=())


def read_branch(told: dict[str, int] | None, text: Writing, forced: tuple[int, ...]) -> tuple[int, ...] | None:
    """What a browser sent, as the ids forced after the prompt; None for anything that was not offered."""
    if told is None or told["step"] >= len(text.steps):
        return None
    step, id = told["step"], told["id"]
    if all(one["id"] != id for one in text.steps[step]["candidates"]):
        return None
    return (*forced, *text.ids[:step], id)


_loop = component.component("loop")
