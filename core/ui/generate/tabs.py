"""The parts of Generate: which one is in view, with its numbers, kept in the link."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.ui.generate.parameters import PART
from core.ui.session import state
from core.ui.session.state import heard, held

NAMES = {"step": "Step by step", "beam": "Beam search", "own": "Your own words"}


def read(part: str) -> tuple[str, tuple[int, ...]]:
    """A part's name and numbers as the link holds them; the first part for what is none. "fill" is that of an encoder."""
    name, *numbers = part.split(".")
    return (name, tuple(map(int, numbers))) if name in (*NAMES, "fill") else ("step", ())


def go(name: str, *numbers: int) -> None:
    """Show another part."""
    state.choose(part="" if name == "step" else ".".join((name, *map(str, numbers))))


def place(name: str) -> Any:
    """Where a part is drawn; emptied when another one comes.

    A run that asks to be run again ends early, and a browser keeps what such a run did not draw anew: while a part is at work, the
    buttons of the part before would stand beside its own.
    """
    other = st.session_state.get("part-drawn") != name
    st.session_state["part-drawn"] = name
    return st.empty().container() if other else st.container()


def picker() -> tuple[str, tuple[int, ...]]:
    """The parts to choose from; which one is in view."""
    name, numbers = read(state.chosen()[PART])
    if name not in NAMES:
        name, numbers = "step", ()

    st.segmented_control(
        "What to look at", list(NAMES), key=held("part", name), on_change=heard("part", go, NAMES), required=True,
        label_visibility="collapsed", format_func=NAMES.__getitem__,
    )  # fmt: skip
    return name, numbers
