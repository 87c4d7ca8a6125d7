"""Attention: any model, every head at a glance and one large, what comes next, and the causal mask on or off."""

import streamlit as st

from core.figures import heatmap, markup
from core.figures.distribution import Bar
from core.request import Stream
from core.ui import bar, charts, controls, scene, state, trouble, viewer
from core.ui.cell import cell_panel
from core.ui.look import Look, look
from core.ui.take import take

READING = (
    "Each <b>row</b> is a piece that looks, each <b>column</b> a piece it looks at. Numbers are % of a row, printed from 10 %. "
    "<b>Hatched</b>: may not look. <b>Click</b> a cell to read it, or choose it in the lists <b>looks</b> and <b>at</b>."
)


def mask_switch(view: scene.Scene, it: Look) -> None:
    """The causal mask on the same weights, and how far it moves the next piece."""
    on = "" if it.choice.stream is Stream.CROSS else f"on the {state.SAID[it.choice.stream]}"
    charts.heading("Causal mask", on)
    controls.causal_switch(view, len(it.queries))
    if (distance := it.divergence()) is not None:
        charts.words(f"KL from native <b>{distance} nats</b>")
    charts.words(it.mask_says())


def next_pieces(view: scene.Scene, it: Look) -> None:
    """What the model expects, before and after the mask."""
    if not (view.writes or it.fills):
        charts.heading("Next piece")
        charts.words(scene.SILENT[view.info.kind == "encoder"])
        return
    title, where = it.next_title()
    charts.heading(title, where)
    rows = [Bar(change.text, change.now, change.before) for change in it.next()]
    charts.bars(rows, charts.theme().encoder if it.fills else charts.theme().decoder, title, "next", 420)


def numbers(it: Look) -> None:
    """The head in view with its numbers, to zoom into and to read row by row."""
    left, right = st.columns([500, 460], gap="medium")
    with left:
        charts.heading(it.name, "with numbers")
        figure = heatmap.heatmap(*it.drawn(), charts.theme(), margins=not it.pooled)
        alt = heatmap.describe(it.rows, it.columns, it.pattern, it.name)
        charts.plot(figure, "map", alt, controls.clicked_cell)
        charts.words(it.map_says())
    with right:
        charts.heading("One row", "strongest first")
        st.html(markup.sentence(it.sentence()))
        controls.row_picker(it.rows, it.columns, (it.query, it.key))
        charts.bars(it.row(), charts.theme().accent(it.choice.stream), "This row", "row-bars", 340)
        charts.words(READING)


@trouble.block
def page(view: scene.Scene) -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    it = look(view)
    state.publish()
    viewer.attention_of(it)
    charts.rule()
    left, right = st.columns([400, 560], gap="medium")
    with left:
        mask_switch(view, it)
    with right:
        next_pieces(view, it)
    charts.rule()
    numbers(it)
    cell_panel(view, it)
    take(view, it)


page(bar.open_page("Attention"))
