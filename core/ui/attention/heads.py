"""The attention view wired to the visitor's choice: what is chosen in it is kept, and stands in the link."""

from __future__ import annotations

from dataclasses import replace

from core.masks import MASKS
from core.ui.attention.parameters import QUARTER, VIEW
from core.ui.attention.view import ViewChoice, attention_view, moved, read_link, write_link
from core.ui.kit import frame
from core.ui.running.focus import Focus
from core.ui.session import state


def attention_of(it: Focus) -> None:
    """Every head of the stream in view, drawn by the attention view."""
    choice = it.choice
    cell = None if choice.cell is None else (it.query, it.key)
    shown = moved(read_link(choice[VIEW], it.now, it.stream), it.stream, choice.layer, choice.head, cell)
    shown = replace(shown, quarter=choice[QUARTER])
    ours = [rule.name for rule in choice.mask if rule.stream is it.stream]
    before = MASKS[ours[-1]].opening if ours else ""
    if attention_view(it.now, shown, on_choice=_chosen, before=before, after=it.turned()):
        frame.first()


def _chosen(made: ViewChoice) -> None:
    state.choose(
        stream=made.stream, layer=made.layer, head=made.head, cell=made.cell, view=write_link(made), quarter=made.quarter
    )
