"""What Streamlit's own frame lacks for people who cannot see it, or who type on a phone, mended in the browser."""

from __future__ import annotations

import time

from core.ui.kit.component import component

TURN = 0.08  # seconds: to send (every 10 ms), to gather (the browser draws what came within 10 ms in one go) and to draw


def first() -> None:
    """Let what stands above be sent and drawn before the rest of the page: a picture that someone waits for would else appear
    together with the slowest chart below it."""
    time.sleep(TURN)


def mend() -> None:
    """Make the menu headings and links to a screen reader, and answers fields with number keys; draws nothing."""
    _frame(key="frame")


_frame = component("frame", isolate=False)
