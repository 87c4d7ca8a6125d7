"""Self-attention by hand: drag queries, keys and values, and see dot products, weights and output follow."""

import streamlit as st

from core.ui.hand import broken_recipe, plane, real_head, worksheet
from core.ui.kit import charts, lesson, trouble
from core.ui.running import scene
from core.ui.shell import bar, menu

menu.heading()


@trouble.block
def arrows() -> None:
    """The plane, how deep to look at it, things to try; runs again on its own when an arrow was let go."""
    it = plane.desk()
    done = plane.won(it)
    plane.drawing()
    left, right = st.columns([540, 420], gap="large")
    with left:
        plane.depth(it.now)
    with right:
        plane.presets()
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
    broken_recipe.recipe(view)


@trouble.block
def paper() -> None:
    """The worksheet."""
    worksheet.sheet()


@trouble.block
def questions(view: scene.Scene | None) -> None:
    """What is asked about the page."""
    lesson.questions(plane.asked(plane.desk(), broken_recipe.question(view)))


arrows()
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
    "Vaswani et al. 2017, “Attention Is All You Need”, §3.2.1, eq. 1; Clark et al. 2019 (heads that look at a neighbour); Xiao et "
    "al. 2024 and Gu et al. 2024 (sinks). The plane has d = 2 and is computed in your browser."
)
