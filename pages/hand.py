"""Self-attention by hand: drag queries, keys and values, and see dot products, weights and output follow."""

import streamlit as st

from core.ui import charts, hand, lesson, trouble

st.title("Self-attention by hand", anchor=False)


@trouble.block
def plane() -> None:
    """The plane, how deep to look at it, things to try; runs again on its own when an arrow was let go."""
    it = hand.desk()
    done = hand.won(it)
    hand.drawing()
    left, right = st.columns([540, 420], gap="large")
    with left:
        hand.depth(it.now)
    with right:
        hand.presets()
    if done != st.session_state.get("hand-won", False):  # the questions stand further down, and hear of it
        st.session_state["hand-won"] = done
        st.rerun()


@trouble.block
def questions() -> None:
    """What is asked about the page."""
    lesson.questions("hand", hand.asked(hand.desk()))


plane()
charts.rule()
questions()
lesson.source(
    "Vaswani et al. 2017, “Attention Is All You Need”, §3.2.1, eq. 1. The plane has d = 2 and is computed in your browser."
)
