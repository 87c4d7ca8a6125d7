"""Masks: the same weights under other masks; a gallery, and one to paint yourself, with what each does to the answer."""

import streamlit as st

from core.ui.attention.downloads import downloads
from core.ui.kit import charts, controls, frame, trouble
from core.ui.masks import sections
from core.ui.running import scene
from core.ui.session import state
from core.ui.shell import bar

WHAT = (
    "A <b>mask</b> says which tokens may look at which; the numbers that the model has learnt stay the same. Each card is one run: "
    "the likeliest next token under it, and <b>KL</b> (Kullback–Leibler divergence), how far the probabilities of the next token "
    "lie from those without a mask of yours: 0 if they are the same. Its unit is the nat, 1.44 bits. <b>Click</b> one to start "
    "from it."
)


@trouble.block
def page(view: scene.Scene) -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    it = sections.open_focus(view)
    state.publish()
    if it is None:
        return
    sections.lead(it)
    controls.site_picker(view, lambda: controls.causal_switch(view, len(it.queries), "Causal mask"))
    if view.info.reason:
        sections.fixed(view, it)
        downloads(view, it)
        return
    cards = st.container(key="gallery")  # filled last: six more runs must not keep the map waiting
    sections.painter(view, it)
    frame.first()
    with cards:
        charts.words(WHAT)
        sections.gallery(view, it)
    sections.writing(view, it)
    sections.keep(it)
    downloads(view, it)


page(bar.open_page())
