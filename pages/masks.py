"""Masks: the same weights under other masks; a gallery, and one to paint yourself, with what each does to the answer."""

import streamlit as st

from core.request import Stream
from core.ui import bar, charts, controls, masks, scene, state, trouble
from core.ui.look import look
from core.ui.take import take


@trouble.block
def page(view: scene.Scene) -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    controls.site_picker(view)
    it = look(view)
    state.publish()
    charts.words(
        "A mask says which pieces may look at which. The weights of the model stay the same: only what it may see changes, "
        "and each row shares its attention out anew among what is left."
    )
    masks.gallery(view, it)
    charts.rule()
    left, right = st.columns([520, 440], gap="large")
    with left:
        if it.stream is not Stream.CROSS:
            controls.causal_switch(view, len(it.queries))
        masks.painter(view, it)
        masks.keep(it)
    with right:
        masks.effect(view, it)
        masks.difference(it)
    take(view, it)


page(bar.open_page("Masks"))
