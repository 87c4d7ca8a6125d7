"""Pictures put on the page: sized so that a projector gets larger ones, described in words, clicked without a mouse's luck."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html import escape
from typing import Any

import streamlit as st

from core.figures import distribution
from core.figures.theme import Theme, theme_named
from core.paths import ASSETS

STYLE = ASSETS / "style.css"
BUTTONS = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "pan2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
}


def theme() -> Theme:
    """The appearance that this visitor's browser shows."""
    return theme_named(st.context.theme.type)


def plot(figure: Any, key: str, alt: str, clicked: Callable[[Any], None] | None = None, bare: bool = False) -> None:
    """A Plotly figure at its own size, times the page's scale. clicked gets the first point chosen: x, y, customdata."""
    size = f"--w:{figure.layout.width}px;--h:{figure.layout.height}px"

    def chosen() -> None:
        points = st.session_state[f"{key}-chart"].selection.points
        if points and clicked:
            clicked(points[0])

    with st.container(key=key):
        # the class of a keyed container is the one hook a style sheet has
        st.html(f"<style>.st-key-{key}{{{size}}}</style>")
        st.plotly_chart(
            figure, key=f"{key}-chart", theme=None, width="content", alt=alt, selection_mode="points",
            on_select=chosen if clicked else "ignore", config={**BUTTONS, "displayModeBar": False if bare else "hover"},
        )  # fmt: skip


def bars(rows: list[distribution.Bar], accent: str, title: str, key: str, width: int, equal: bool = False) -> None:
    """Probabilities as bars (Altair), `width` px wide where there is room, times the page's scale.

    equal: all in the accent, none bold; else the first one stands out.
    """
    said, look = distribution.describe(rows, title), theme()
    spec = distribution.bars(rows, accent, replace(look, fade=accent), -1) if equal else distribution.bars(rows, accent, look)
    with st.container(key=key):
        st.vega_lite_chart(spec, theme=None, alt=said, width=width)


def curve(spec: dict[str, Any], key: str, alt: str) -> None:
    """Curves (Vega-Lite) as wide as their column."""
    with st.container(key=f"wide-{key}"):  # a chart's own key gives a style sheet no hook
        st.vega_lite_chart(spec, theme=None, alt=alt, key=key)

SPACED, NO_BREAK = re.compile(r"(?<=[0-9]) (?=%)"), "\N{NO-BREAK SPACE}"  # "100 %" stays on one line


def heading(words: str, qualifier: str = "") -> None:
    """A small heading over a picture."""
    more = f" <span><bdi>{escape(qualifier)}</bdi></span>" if qualifier else ""
    st.html(f'<h2 class="over">{escape(words)}{more}</h2>')


def words(html: str) -> None:
    """How to use what stands above, in our own words."""
    if html:
        st.html(f'<p class="how">{SPACED.sub(NO_BREAK, html)}</p>')


def rule() -> None:
    """The one hairline of a screen."""
    st.html('<hr class="hair">')


def style() -> None:
    """The page's style sheet, from this machine."""
    st.html(STYLE)
