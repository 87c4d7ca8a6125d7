"""Transductive learning: label a few points, and see who tells the others right."""

import streamlit as st

from core.ui.kit import trouble
from core.ui.transductive import lesson

st.title("Transductive learning", anchor=False)


@trouble.block
def page() -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    lesson.page()


page()
