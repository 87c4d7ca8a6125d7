"""A classifier's answer on a page: its classes as bars, with a tick where the visitor's mask moved them."""

from __future__ import annotations

from html import escape

from core.ui.kit import charts
from core.ui.running import verdict
from core.ui.running.focus import Focus


def shown(it: Focus) -> None:
    """The answer for the text, or for the token in focus, now and before the mask."""
    title, where = it.next_title()
    charts.heading(title, where)
    if it.says:
        charts.bars(it.next_bars(), charts.theme().encoder, title, "next", 420)
    elif it.now.answer is not None:
        for line in verdict.numbers(it.now.answer, it.native.answer if it.changed else None):
            charts.words(f"<b>{escape(line)}</b>")
    charts.words(verdict.explained(it.scene.info))
