"""Translate: an encoder–decoder at work, step by step: both sentences, what reads what, and where another token leads."""

import streamlit as st

from core.ui.kit import charts, trouble
from core.ui.running import scene
from core.ui.session import state
from core.ui.shell import bar
from core.ui.translate import depths, teacher_forcing, theatre

POINTER = {
    "decoder": "This model is a decoder alone: it writes on from one text and has no source to read, so there is no "
    "cross-attention to show. The page Generate shows how it writes.",
    "encoder": "This model is an encoder alone: it reads a text and writes none. The page Generate lets it fill in a word, "
    "and Attention shows how its tokens look at each other.",
}


@trouble.block
def page(view: scene.Scene) -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    with st.container():  # what is told must not shift the place of what stands below
        for note in state.take_notes():
            trouble.tell(note, "note")
    state.publish()
    theatre.theatre(view)
    charts.rule()
    teacher_forcing.teacher(view)
    charts.rule()
    depths.depths(view)


view = bar.open_page()
if view.info.kind == "encoder-decoder" and view.info.can_predict:
    page(view)
else:
    classifies = view.info.answers is not None
    charts.words(scene.silent(view.info) if classifies else POINTER.get(view.info.kind, scene.SILENT[0]))
    if view.info.kind != "encoder-decoder" and not classifies:
        st.page_link("../../pages/generate.py", label="Open Generate", icon=":material/arrow_forward:")
    charts.words("Choose Classroom or Translator in the bar above to see an encoder and a decoder together.")
    st.page_link("../../pages/attention.py", label="Open Attention", icon=":material/arrow_forward:")
