"""The mask of one head to paint on, what it did to the next piece, and how the pattern moved: one canvas component."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.figures import mask_payload
from core.figures.theme import DARK, LIGHT

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "components"
SCRIPTS = ("attention_view/paint", "mask_painter/maps", "mask_painter/dumbbells", "mask_painter/brush", "mask_painter/painter")
LONGEST = 128  # pieces of a text that can be painted on


def mask_painter(
    header: Mapping[str, Any], now: np.ndarray, before: np.ndarray, allowed: np.ndarray, native: np.ndarray,
    on_paint: Callable[[Any], None], key: str = "mask-painter",
) -> None:  # fmt: skip
    """Show a pattern [query, key] and its mask to paint on; before and native: as trained.

    on_paint gets, as a widget's callback, what the browser sent, unchecked.
    """

    def painted() -> None:
        on_paint((st.session_state.get(key) or {}).get("painted"))

    data = mask_payload.pack({**header, "theme": st.context.theme.type}, now, before, allowed, native)
    _painter(key=key, data=data, on_painted_change=painted)


def script(names: tuple[str, ...]) -> str:
    """Files of components as one module, since text sources cannot import each other, with the colours of core.figures.theme."""
    themes = json.dumps({theme.name: asdict(theme) for theme in (LIGHT, DARK)})
    return "\n".join([f"const THEMES = {themes};", *((FOLDER / f"{name}.js").read_text("utf-8") for name in names)])


_painter = st.components.v2.component(
    "lookback_mask_painter", js=script(SCRIPTS), css=(FOLDER / "mask_painter" / "painter.css").read_text("utf-8"),
    isolate_styles=True,
)  # fmt: skip
