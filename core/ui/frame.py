"""What Streamlit's own frame lacks for people who cannot see it, or who type on a phone, mended in the browser."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

SCRIPT = Path(__file__).resolve().parents[2] / "assets" / "components" / "frame" / "frame.js"


def mend() -> None:
    """Make the menu headings and links to a screen reader, and answers fields with number keys; draws nothing."""
    _frame(key="frame")


_frame = st.components.v2.component("lookback_frame", js=SCRIPT.read_text("utf-8"), isolate_styles=False)
