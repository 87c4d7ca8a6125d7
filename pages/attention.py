"""Attention: any model, every head at a glance and one large, what comes next, and the causal mask on or off."""

import streamlit as st

from core.figures.distribution import Bar
from core.request import Stream
from core.ui.attention import heads
from core.ui.attention.cell import cell_panel
from core.ui.attention.downloads import take
from core.ui.attention.measures import numbers, reading
from core.ui.attention.positions import places_panel, rule_of
from core.ui.attention.tokens import pieces_panel
from core.ui.kit import charts, controls, trouble
from core.ui.running import scene
from core.ui.running.focus import Look, look
from core.ui.session import state
from core.ui.shell import bar


def mask_switch(view: scene.Scene, it: Look) -> None:
    """The causal mask on the same weights, and how far it moves the next token."""
    on = "" if it.choice.stream is Stream.CROSS else f"on the {state.SAID[it.choice.stream]}"
    charts.heading("Causal mask", on)
    controls.causal_switch(view, len(it.queries))
    if (distance := it.divergence()) is not None:
        charts.words(f"KL from native <b>{distance} nats</b>")
    charts.words(it.mask_says())


def next_pieces(view: scene.Scene, it: Look) -> None:
    """What the model expects, before and after the mask."""
    if not (view.writes or it.fills):
        charts.heading("Next token")
        charts.words(scene.SILENT[view.info.kind == "encoder"])
        return
    title, where = it.next_title()
    charts.heading(title, where)
    rows = [Bar(change.text, change.now, change.before) for change in it.next()]
    charts.bars(rows, charts.theme().encoder if it.fills else charts.theme().decoder, title, "next", 420)


@trouble.block
def page(view: scene.Scene) -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    it = look(view)
    state.publish()
    heads.attention_of(it)
    charts.rule()
    left, right = st.columns([400, 560], gap="medium")
    with left:
        mask_switch(view, it)
    with right:
        next_pieces(view, it)
    charts.rule()
    numbers(view, it)
    cell_panel(view, it)
    pieces_panel(view, it)
    places_panel(view, it)
    take(view, it, reading(it), rule_of(view, it))


page(bar.open_page())
