"""The auto-regressive loop by hand: predict, choose, append, and again. What was chosen stands in the link."""

from __future__ import annotations

import random
from html import escape
from typing import Any

import streamlit as st

from core.analysis import logits_of, probabilities
from core.analysis.surprisal import draw
from core.errors import LensError
from core.figures.distribution import Bar
from core.figures.labels import label, percent, short
from core.ui.kit import charts, trouble
from core.ui.running.scene import Scene
from core.ui.session import state
from core.ui.shell import bar

OFFERED = 5  # candidates one can choose by hand
MOST = 60  # tokens one can append


def stepper(view: Scene) -> None:
    """One turn of the loop, and the buttons that make the next."""
    forced = state.chosen().forced
    lens = view.lens
    charts.heading("The loop", "predict, choose, append, and again")
    start = view.base
    try:
        request = start.append(*forced) if forced else start
        trace = view.trace(request.keeping("pattern"))
    except LensError as error:
        trouble.show(error)
        st.button("Start over", key="loop-over", on_click=lambda: state.choose(forced=()))
        return
    ended = bool(forced) and forced[-1] in lens.ends
    st.html(_so_far(view, lens, forced))
    logits = logits_of(trace)
    assert logits is not None
    chances = probabilities(logits)
    tokens = trace.next_tokens(OFFERED)
    full = ended or len(forced) >= MOST
    left, right = st.columns([460, 500], gap="large")
    with left:
        charts.words(
            "<b>1 · Predict.</b> The model reads the text so far and gives every token it knows a probability."
        )
        rows = [Bar(_name(lens, token.id, token.text), token.probability) for token in tokens]
        charts.bars(rows, charts.theme().decoder, "What could come next", "loop-bars", 380)
        rest = 1 - sum(token.probability for token in tokens)
        charts.words(f"All other {len(chances) - len(tokens):,} tokens together: <b>{percent(max(0.0, rest))}</b>.")
    with right, st.container(key="loop-choose"):
        charts.words(
            "<b>2 · Choose.</b> Take the likeliest, another, or let chance decide: it draws each token with its probability."
        )
        with st.container(key="loop-candidates", horizontal=True, gap="small"):
            for place, token in enumerate(tokens):
                said = bar.plain(f"{_name(lens, token.id, token.text)} · {percent(token.probability)}")
                st.button(
                    said if place else f"**{said}**",
                    key=f"loop-take-{place}",
                    on_click=_take,
                    args=(token.id,),
                    disabled=full,
                )
            st.button(
                "Let chance decide", key="loop-draw", on_click=_draw, args=(chances,), disabled=full,
                icon=":material/casino:",
            )  # fmt: skip
        drawn = st.session_state.get("loop-drawn")
        if drawn is not None and forced and drawn[0] == forced:
            name = escape(_name(lens, forced[-1], lens.tokens([forced[-1]]).text[0]))
            charts.words(f"Chance drew “<b>{name}</b>”, which had {percent(drawn[2])}.")
        charts.words(_appended(lens, forced, ended))
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Take back", key="loop-back", on_click=lambda: state.choose(forced=forced[:-1]), disabled=not forced
            )
            st.button("Start over", key="loop-over", on_click=lambda: state.choose(forced=()), disabled=not forced)


def _so_far(view: Scene, lens: Any, forced: tuple[int, ...]) -> str:
    """What the model reads now: what was given, then what was appended."""
    given = state.chosen().text
    if view.info.kind == "encoder-decoder":
        given += "".join(f" → {text}" for text in (state.chosen().target or "",) if text)
    tokens = lens.tokens(forced)
    grown = "".join(
        ("" if n and tokens.word[n] == tokens.word[n - 1] else " ")
        + f"<b><bdi>{escape(_name(lens, id, text))}</bdi></b>"
        for n, (id, text) in enumerate(zip(tokens.ids, tokens.text, strict=True))
    )
    return f'<p class="exercise grown">{escape(short(given, 300))}{grown} <span>?</span></p>'


def _appended(lens: Any, forced: tuple[int, ...], ended: bool) -> str:
    say = "<b>3 · Append.</b> "
    if ended:
        return f"{say}The token it chose is the end of the text: here the loop stops."
    if len(forced) >= MOST:
        return f"{say}{MOST} tokens are appended; Generate writes on from here."
    if not forced:
        return f"{say}The token you choose joins the text, and the model is asked again, now with one token more."
    last = escape(_name(lens, forced[-1], lens.tokens([forced[-1]]).text[0]))
    return f"{say}“<b>{last}</b>” has joined the text ({len(forced)} so far), and the model was asked again: see 1."


def _name(lens: Any, id: int, text: str) -> str:
    return "(end)" if id in lens.ends else label(text)


def _take(id: int) -> None:
    state.choose(forced=(*state.chosen().forced, id))


def _draw(chances: Any) -> None:
    id = draw(chances, random.random())
    _take(id)
    st.session_state["loop-drawn"] = state.chosen().forced, id, float(chances[id])
