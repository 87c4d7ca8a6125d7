"""The parts of Generate: which one is in view, with its numbers, kept in the link."""

from __future__ import annotations

import streamlit as st

from core.ui import state
from core.ui.state import held

NAMES = {"step": "Step by step", "beam": "Beam search", "own": "Your own words"}


def read(part: str) -> tuple[str, tuple[int, ...]]:
    """A part's name and numbers as the link holds them; the first part for what is none. "fill" is that of an encoder."""
    name, *numbers = part.split(".")
    return (name, tuple(map(int, numbers))) if name in (*NAMES, "fill") else ("step", ())


def go(name: str, *numbers: int) -> None:
    """Show another part."""
    state.choose(part="" if name == "step" else ".".join((name, *map(str, numbers))))


def picker() -> tuple[str, tuple[int, ...]]:
    """The parts to choose from; which one is in view."""
    name, numbers = read(state.chosen().part)
    if name not in NAMES:
        name, numbers = "step", ()

    def picked() -> None:
        go(st.session_state["part"])

    st.segmented_control(
        "What to look at", list(NAMES), key=held("part", name), on_change=picked, required=True, label_visibility="collapsed",
        format_func=NAMES.__getitem__,
    )  # fmt: skip
    return name, numbers
