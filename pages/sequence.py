"""Sequence modelling: how likely is each token of a text, for a network and for plain counting; and the loop that writes."""

import streamlit as st

from core.ui.kit import charts
from core.ui.running import scene
from core.ui.sequence import lesson
from core.ui.shell import bar

view = bar.open_page()
if view.writes:
    lesson.opened(view)
else:
    charts.words(scene.silent(view.info))
    charts.words("Choose a model that writes in the bar above.")
    st.page_link("../../pages/attention.py", label="Open Attention", icon=":material/arrow_forward:")
