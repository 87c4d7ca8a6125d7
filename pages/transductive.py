"""Transductive learning: label a few points, and see who tells the others right."""

import streamlit as st

from core.ui import labelled, trouble

st.title("Transductive learning", anchor=False)


@trouble.block
def page() -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    labelled.page()


page()
