"""Attention: any model, every head at a glance and one large, what comes next, and the causal mask on or off."""

import streamlit as st

from core.request import Stream
from core.ui.attention import heads
from core.ui.attention.cell import cell_panel
from core.ui.attention.downloads import downloads
from core.ui.attention.measures import numbers, reading
from core.ui.attention.positions import positions_panel, rule_of
from core.ui.attention.tokens import tokens_panel
from core.ui.kit import charts, controls, trouble, verdict
from core.ui.running import scene
from core.ui.running.focus import Focus, focus_of
from core.ui.session import state
from core.ui.shell import bar


def mask_switch(view: scene.Scene, it: Focus) -> None:
    """The causal mask on the same weights, and how far it moves the next token."""
    on = "" if it.choice.stream is Stream.CROSS else f"on the {state.SAID[it.choice.stream]}"
    charts.heading("Causal mask", on)
    controls.causal_switch(view, len(it.queries))
    if (distance := it.divergence()) is not None:
        charts.words(
            f"KL from native <b>{distance} nats</b> (Kullback–Leibler divergence: how far the next token’s probabilities lie from "
            "those as trained; 0: not at all)"
        )
    charts.words(it.mask_says())


def next_tokens_shown(view: scene.Scene, it: Focus) -> None:
    """What the model expects, or a classifier's answer, before and after the mask."""
    if view.info.answers is not None:
        verdict.shown(it)
        return
    if not it.says:
        charts.heading("Next token")
        charts.words(scene.silent(view.info))
        return
    title, where = it.next_title()
    charts.heading(title, where)
    charts.bars(it.next_bars(), charts.theme().encoder if it.fills else charts.theme().decoder, title, "next", 420)


@trouble.block
def page(view: scene.Scene) -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    it = focus_of(view)
    state.publish()
    heads.attention_of(it)
    charts.rule()
    left, right = st.columns([400, 560], gap="medium")
    with left:
        mask_switch(view, it)
    with right:
        next_tokens_shown(view, it)
    charts.rule()
    numbers(view, it)
    cell_panel(view, it)
    tokens_panel(view, it)
    positions_panel(view, it)
    downloads(view, it, reading(it), rule_of(view, it))


page(bar.open_page())
