"""Generate: the auto-regressive loop made visible, one piece at a time; an encoder fills in hidden words instead."""

import streamlit as st

from core.ui import bar, charts, parts, scene, state, trouble
from core.ui.beam_tree import beam_tree
from core.ui.fill_mask import fill_mask
from core.ui.loop import loop
from core.ui.own_words import own_words


@trouble.block
def page(view: scene.Scene) -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    state.publish()
    top = st.container()
    if view.info.kind == "encoder":
        fill_mask(view, top)
        return
    name, numbers = parts.picker()
    with parts.place(name):
        if name == "beam":
            beam_tree(view, top, numbers)
        elif name == "own":
            own_words(view, top)
        else:
            loop(view, top)


view = bar.open_page("Generate")
if view.writes or view.info.kind == "encoder":
    page(view)
else:
    charts.words(scene.SILENT[0])
    charts.words("Choose a model that writes in the bar above.")
    st.page_link("../../pages/attention.py", label="Open Attention", icon=":material/arrow_forward:")
