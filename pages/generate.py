"""Generate: the auto-regressive loop made visible, one token at a time; an encoder fills in hidden words instead."""

import streamlit as st

from core.ui.generate import tabs
from core.ui.generate.beam_tree import beam_tree
from core.ui.generate.fill_mask import fill_mask
from core.ui.generate.loop import loop
from core.ui.generate.own_words import own_words
from core.ui.kit import charts, trouble
from core.ui.running import scene
from core.ui.session import state
from core.ui.shell import bar


@trouble.block
def page(view: scene.Scene) -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    state.publish()
    top = st.container()
    if view.info.kind == "encoder":
        fill_mask(view, top)
        return
    name, numbers = tabs.picker()
    with tabs.place(name):
        if name == "beam":
            beam_tree(view, top, numbers)
        elif name == "own":
            own_words(view, top)
        else:
            loop(view, top)


view = bar.open_page()
if view.writes or (view.info.kind == "encoder" and view.info.answers is None):
    page(view)
else:
    charts.words(scene.silent(view.info))
    charts.words("Choose a model that writes in the bar above.")
    st.page_link("../../pages/attention.py", label="Open Attention", icon=":material/arrow_forward:")
