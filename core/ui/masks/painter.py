"""The mask of one head to paint on, what it did to the next token, and how the pattern moved: one canvas component."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import streamlit as st

from core.figures.payloads import mask_painter as painter_payload
from core.ui.kit.component import component
from core.ui.kit.turns import turns

LONGEST = 128  # tokens of a text that can be painted on


def mask_painter(
    header: Mapping[str, Any], now: np.ndarray, before: np.ndarray, allowed: np.ndarray, native: np.ndarray,
    on_paint: Callable[[Any], None], key: str = "mask-painter",
) -> None:  # fmt: skip
    """Show a pattern [query, key] and its mask to paint on; before and native: as trained.

    on_paint gets, as a widget's callback, what the browser sent, unchecked.
    """
    data = painter_payload.pack({**header, "theme": st.context.theme.type}, now, before, allowed, native)
    _painter(key=key, data=data, on_painted_change=turns(key).hears("painted", on_paint))


_painter = component("mask_painter")
