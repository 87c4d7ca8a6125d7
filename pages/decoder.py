"""The decoder: one step through its boxes, what the mask hides, and who reads what."""

import streamlit as st

from core.ui.decoder import lesson
from core.ui.kit import charts
from core.ui.running import scene
from core.ui.shell import bar

view = bar.open_page()
if view.writes:
    lesson.opened(view)
else:
    charts.words(scene.silent(view.info))
    charts.words("Choose a model with a decoder in the bar above.")
    st.page_link("../../pages/attention.py", label="Open Attention", icon=":material/arrow_forward:")
