"""Points to label by clicking: one canvas component, given bytes, giving back one small message for each changed label."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.figures.points_payload import read_signs
from core.figures.theme import DARK, LIGHT

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "components" / "labels"
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
    """Show what core.figures.points_payload packed. version names the points: a message about others is ignored."""

    def labelled() -> None:
        made = read_labelled((st.session_state.get(key) or {}).get("labelled"), version, points, classes)
        if made is not None:
            on_label(*made)

    _labels(key=key, data=data, on_labelled_change=labelled)


def _script() -> str:
    themes = json.dumps({theme.name: asdict(theme) for theme in (LIGHT, DARK)})
    return f"const THEMES = {themes};\n" + (FOLDER / "labels.js").read_text("utf-8")


_labels = st.components.v2.component(
    "lookback_labels", js=_script(), css=(FOLDER / "labels.css").read_text("utf-8"), isolate_styles=True
)
