"""Generate: the auto-regressive loop made visible, one piece at a time."""

import streamlit as st

from core.ui import bar, charts, loop, scene, state, trouble


@trouble.block
def page(view: scene.Scene) -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    state.publish()
    loop.loop(view)


view = bar.open_page("Generate")
if view.writes:
    page(view)
else:
    charts.words(scene.SILENT[view.info.kind == "encoder"])
    charts.words("Choose a model that writes in the bar above.")
    st.page_link("../../pages/attention.py", label="Open Attention", icon=":material/arrow_forward:")
