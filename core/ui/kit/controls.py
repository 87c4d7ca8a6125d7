"""Controls over a scene: which row and column, and the causal switch. Each works by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import streamlit as st

from core.request import Stream
from core.ui.running.scene import Scene, switch_rule
from core.ui.session import state
from core.ui.session.state import heard, held


def site_picker(scene: Scene, beside: Callable[[], object] | None = None) -> None:
    """Streams as tabs, layer and head in the same line, and what `beside` draws at its end."""
    choice = scene.choice
    assert choice.stream is not None  # settled before anything is drawn
    streams = tuple(stream for stream in Stream if scene.info.at(stream))
    sites = scene.info.at(choice.stream)

    def into(name: str) -> Callable[[Any], None]:
        return lambda value: state.choose(**{name: value})

    with st.container(horizontal=True, key="site", gap="medium", vertical_alignment="center"):
        st.html(f"<style>.st-key-site-stream{{--accent:var(--{choice.stream.value})}}</style>")
        st.segmented_control(
            "Stream", streams, key=held("site-stream", choice.stream, streams), required=True,
            on_change=heard("site-stream", into("stream"), streams), label_visibility="collapsed",
            format_func=lambda stream: state.SAID[stream].capitalize(),
        )  # fmt: skip
        for name, value, places in (
            ("layer", choice.layer, range(len(sites))), ("head", choice.head, range(sites[choice.layer].heads)),
        ):  # fmt: skip
            st.selectbox(
                name.capitalize(), places, key=held(f"site-{name}", value, tuple(places)), width=120,
                on_change=heard(f"site-{name}", into(name), places), format_func=lambda place: str(place + 1),
            )  # fmt: skip
        if beside is not None:
            with st.container(key="site-beside", gap=None):
                beside()


def row_picker(names: Sequence[str], columns: Sequence[str], cell: tuple[int, int]) -> None:
    """Which token looks, and at which token: the focused cell by keyboard."""
    query, key = cell

    takes = {
        "row": lambda row: state.choose(cell=(row, None)),
        "column": lambda column: state.choose(cell=((state.chosen().cell or cell)[0], column)),
    }

    with st.container(horizontal=True, key="cell", gap="small"):
        for label, name, options, value in (("looks", "row", names, query), ("at", "column", columns, key)):
            st.selectbox(
                label, range(len(options)), key=held(name, value, tuple(options)),
                on_change=heard(name, takes[name], range(len(options))), width=110,
                format_func=lambda place, options=options: f"{place + 1} · {options[place]}",
            )  # fmt: skip


def causal_switch(scene: Scene, queries: int, name: str = "") -> bool:
    """The switch for the stream in view, on the same weights. True where a mask of ours acts on that stream.

    Absent on cross-attention, disabled where fewer than two tokens look or nothing can be changed; each time a sentence says why.
    name: what the switch is called, where no heading over it says so.
    """
    choice = scene.choice
    assert choice.stream is not None  # settled before anything is drawn
    rule = switch_rule(scene.info, choice.stream)
    if rule is None and name:
        st.html('<p class="how">No causal mask on cross-attention: rows and columns are of two texts.</p>')
        return False
    if rule is None:
        st.html(
            '<p class="how">Cross-attention has none: its rows are tokens being written, its columns tokens of the source. '
            "They belong to two texts, so neither comes “before” the other. Look at Encoder or Decoder to use the switch.</p>"
        )
        return False
    st.html(f"<style>.st-key-causal{{--accent:var(--{choice.stream.value})}}</style>")
    mine = [other for other in choice.mask if other.stream is choice.stream]
    ours = any(other.name == rule.name for other in mine)
    hides = (rule.name == "causal") == ours

    def switched(hide: bool) -> None:
        others = tuple(other for other in choice.mask if other.stream is not choice.stream)
        state.choose(mask=(*others, rule) if hide == (rule.name == "causal") else others)

    few, reason = queries < 2, scene.info.reason
    said = "On" if hides else "Off"
    said = (f"{name}: {said.lower()}" if name else said) + ("" if mine else ", as this model was trained")
    st.toggle(
        said, key=held("causal", hides), on_change=heard("causal", switched), disabled=few or bool(reason), help=reason or None
    )
    if reason:
        st.html(f'<p class="how">{escape(reason)}</p>')
    elif few:
        st.html('<p class="how">One token alone has no future to hide. The switch needs a map of two rows or more.</p>')
    return ours


def clicked_cell(point: Any) -> None:
    """A cell of the map was clicked."""
    state.choose(cell=(int(point["y"]), int(point["x"])))
