"""Points to label by clicking: one canvas component, given bytes, giving back one small message for each changed label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from core.figures.payloads.board import read_signs
from core.ui.kit.component import component

MOST = 1_000_000_000  # messages of one visitor


def read_labelled(raw: Any, version: str, points: int, classes: int) -> tuple[np.ndarray, int] | None:
    """What a browser sent, as (labels int [n], number of the message); None for anything else, whatever it is."""
    if type(raw) is not dict or set(raw) != {"version", "serial", "labels"} or raw["version"] != version:
        return None
    labels, serial = raw["labels"], raw["serial"]
    if type(labels) is not str or len(labels) != points or type(serial) is not int or not 0 < serial <= MOST:
        return None
    try:
        return read_signs(labels, classes), serial
    except ValueError:
        return None


def labelling(
    data: bytes, version: str, points: int, classes: int, on_label: Callable[[np.ndarray, int], None], key: str = "labels"
) -> None:
    """Show what core.figures.payloads.board packed. version names the points: a message about others is ignored."""

    def labelled() -> None:
        made = read_labelled((st.session_state.get(key) or {}).get("labelled"), version, points, classes)
        if made is not None:
            on_label(*made)

    _board(key=key, data=data, on_labelled_change=labelled)


_board = component("board")
