"""What Streamlit's own frame lacks for people who cannot see it, or who type on a phone, mended in the browser."""

from __future__ import annotations

from core.ui.component import component


def mend() -> None:
    """Make the menu headings and links to a screen reader, and answers fields with number keys; draws nothing."""
    _frame(key="frame")


_frame = component("frame", ["frame/frame"], isolate=False)
