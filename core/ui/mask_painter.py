"""The mask of one head, to paint on: a canvas that sends one message when a gesture ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.figures.theme import DARK, LIGHT
from core.request import Stream

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "components" / "mask_painter"
LONGEST = 64  # pieces of a text that can be painted on


def read_painted(raw: Any, shape: tuple[int, int], version: str) -> np.ndarray | None:
    """What a browser sent, as bool [query, key] of this shape with no row empty; None for anything else, whatever it is."""
    if type(raw) is not dict or set(raw) != {"rows", "version"} or raw["version"] != version:
        return None
    rows = raw["rows"]
    if type(rows) is not list or len(rows) != shape[0]:
        return None
    if any(type(row) is not str or len(row) != shape[1] or set(row) - {"0", "1"} or "1" not in row for row in rows):
        return None
    return np.array([[sign == "1" for sign in row] for row in rows])


def mask_painter(
    allowed: np.ndarray, native: np.ndarray, rows: Sequence[str], columns: Sequence[str], stream: Stream, version: str,
    says: str, on_paint: Callable[[np.ndarray], None], key: str = "mask-painter",
) -> None:  # fmt: skip
    """Show bool [query, key] to paint on; a dot marks what differs from `native`. version names the text, model and head: a
    message about another one is ignored, and undo forgets. on_paint gets what was painted, as a widget's callback."""

    def painted() -> None:
        made = read_painted((st.session_state.get(key) or {}).get("painted"), allowed.shape, version)
        if made is not None:
            on_paint(made)

    data = {
        "allowed": _signs(allowed), "native": _signs(native), "rows": list(rows), "columns": list(columns),
        "stream": stream.value, "version": version, "says": says, "theme": st.context.theme.type,
        "label": "The mask: rows look, columns are looked at. Arrow keys move, Space forbids or allows, C forbids a column.",
    }  # fmt: skip
    _painter(key=key, data=data, on_painted_change=painted)


def _signs(mask: np.ndarray) -> list[str]:
    return ["".join("1" if may else "0" for may in row) for row in mask]


def _script() -> str:
    themes = json.dumps({theme.name: asdict(theme) for theme in (LIGHT, DARK)})
    return f"const THEMES = {themes};\n" + (FOLDER / "painter.js").read_text("utf-8")


_painter = st.components.v2.component(
    "lookback_mask_painter", js=_script(), css=(FOLDER / "painter.css").read_text("utf-8"), isolate_styles=True
)
