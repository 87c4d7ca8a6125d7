"""Masks: the same weights under other masks; a gallery, and one to paint yourself, with what each does to the answer."""

import streamlit as st

from core.ui import bar, charts, controls, frame, masks, scene, state, trouble
from core.ui.take import take

WHAT = (
    "A <b>mask</b> says which pieces may look at which; the weights stay the same. Each card is one run: the first piece it "
    "leads to, and <b>KL</b>, how far what the model expects has moved from training (in nats; 0: not at all). <b>Click</b> one to "
    "start from it."
)


@trouble.block
def page(view: scene.Scene) -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    it = masks.open_look(view)
    state.publish()
    if it is None:
        return
    masks.lead(it)
    controls.site_picker(view, lambda: controls.causal_switch(view, len(it.queries), "Causal mask"))
    cards = st.container(key="gallery")  # filled last: six more runs must not keep the map waiting
    masks.painter(view, it)
    frame.first()
    with cards:
        charts.words(WHAT)
        masks.gallery(view, it)
    masks.writing(view, it)
    masks.keep(it)
    take(view, it)


page(bar.open_page("Masks"))
