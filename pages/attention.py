"""Attention: any model, all its heads at a glance, one head large, what comes next, and the causal mask on or off."""

import streamlit as st

from core.figures import heatmap, markup, thumbnails
from core.figures.distribution import Bar
from core.request import Stream
from core.ui import bar, charts, controls, scene, state, trouble
from core.ui.look import Look, look

READING = (
    "Numbers are % of a row, printed from 10 %. <b>Hatched</b>: may not look. <b>Point</b> at a cell for its exact weight. "
    "To read a cell in the sentence on top, <b>click</b> it or choose it in the lists <b>looks</b> and <b>at</b>."
)


def all_heads(view: scene.Scene, it: Look) -> None:
    """Every head of the stream in view, and the pickers that do by keyboard what a click does."""
    theme, choice = charts.theme(), it.choice
    controls.stream_tabs(view)
    small = scene.heads_at_a_glance(view, it.now, choice.stream)
    figure = thumbnails.thumbnails(small, choice.stream, (choice.layer, choice.head), theme)
    alt = f"{len(small)} layers of {len(small[0])} heads as small maps; {it.name} is chosen."
    charts.plot(figure, "heads", alt, controls.clicked_head, bare=True)
    controls.head_picker(view)
    charts.words("<b>Click</b> a small map to see that head, or pick it by number. Dark is a strong look.")


def one_head(it: Look) -> None:
    """The head in view with its numbers."""
    charts.heading(it.name)
    figure = heatmap.heatmap(*it.drawn(), charts.theme(), margins=not it.pooled)
    charts.plot(figure, "map", heatmap.describe(it.rows, it.columns, it.pattern, it.name), controls.clicked_cell)
    charts.words(it.map_says())


def one_row(it: Look) -> None:
    """The row in focus, strongest first."""
    charts.heading("One row", "strongest first")
    controls.row_picker(it.rows, it.columns, (it.query, it.key))
    charts.bars(it.row(), charts.theme().accent(it.choice.stream), "This row", "row-bars", 232)


def mask_switch(view: scene.Scene, it: Look) -> None:
    """The causal mask on the same weights, and how far it moves the next piece."""
    charts.heading(
        "Causal mask", f"on the {state.SAID[it.choice.stream]}" if it.choice.stream is not Stream.CROSS else ""
    )
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


@trouble.block
def page(view: scene.Scene) -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    it = look(view)
    state.publish()
    st.html(markup.sentence(it.sentence()))
    st.html(markup.texts(it.now.source, it.now.target, it.choice.stream, it.query))
    left, middle, right = st.columns([262, 436, 240], gap="medium")
    with left:
        all_heads(view, it)
    with middle:
        one_head(it)
    with right:
        one_row(it)
    charts.rule()
    left, middle, right = st.columns([262, 436, 240], gap="medium")
    with left:
        mask_switch(view, it)
    with middle:
        next_pieces(view, it)
    with right:
        charts.heading("How to read the map")
        charts.words(READING)
    charts.table(it)


page(bar.open_page("Attention"))
