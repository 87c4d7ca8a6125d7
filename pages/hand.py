"""Self-attention by hand: drag queries, keys and values, and see dot products, weights and output follow."""

import streamlit as st

from core.ui import bar, charts, hand, lesson, real_head, recipe, scene, trouble, worksheet

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
def real(view: scene.Scene) -> None:
    """The same picture for a head of a real run."""
    real_head.real_head(view)


@trouble.block
def broken(view: scene.Scene) -> None:
    """The same run with parts of attention taken away."""
    recipe.recipe(view)


@trouble.block
def paper() -> None:
    """The worksheet."""
    worksheet.sheet()


@trouble.block
def questions(view: scene.Scene | None) -> None:
    """What is asked about the page."""
    lesson.questions("hand", hand.asked(hand.desk(), recipe.question(view)))


plane()
charts.rule()
charts.heading("The same in a real head", "choose a model and a text")
view = bar.open_part()
if view is not None:
    real(view)
    charts.rule()
    broken(view)
charts.rule()
paper()
charts.rule()
questions(view)
lesson.source(
    "Vaswani et al. 2017, “Attention Is All You Need”, §3.2.1, eq. 1. The plane has d = 2 and is computed in your browser."
)
