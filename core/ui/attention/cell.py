"""Check my cell: the sum behind the weight in focus, and the same steps as maps that one can walk through."""

from __future__ import annotations

import streamlit as st

from core.analysis import cell, scaling_name, stages
from core.figures import sums
from core.figures.plain_map import plain_map
from core.trace import Attention
from core.ui.attention.boxes import box
from core.ui.attention.parameters import STAGE
from core.ui.kit import charts
from core.ui.running.focus import Focus
from core.ui.running.scene import UNTOLD, Scene
from core.ui.session import state

LONGEST = 96  # tokens up to which the stages are drawn cell by cell
SAYS = {  # stage: its name, its formula, what its colours show, whether they have two sides
    "product": ("q·k", "the dot product of each query with each key: number by number, all added up", "q·k", True),
    "scaled": ("× scaling", "so that vectors of many numbers do not make the softmax too sharp", "score", True),
    "capped": ("soft-cap", "c · tanh(score / c): no score leaves ±c", "score", True),
    "biased": ("+ position bias", "a learnt number for each distance", "score", True),
    "warmed": ("÷ temperature", "the visitor’s own: above 1 flatter, below 1 sharper", "score", True),
    "masked": ("+ mask", "what may not be looked at becomes −∞ and is left blank", "score", True),
    "weights": ("softmax", "e^score over the sum of its row: each row adds up to 1", "weight", False),
    "values": ("weight × ‖value‖", "how long a vector each look brings, before W_O", "α·‖v‖", False),
}


def cell_panel(view: Scene, it: Focus) -> None:
    """The sum of the focused cell, and the stages of its head; worked out when opened."""
    opened = box("Check this cell: the sum behind the number", "check-cell")
    if opened.open:
        with opened:
            charts.words(UNTOLD) if view.info.reason else _sum(it, _attention(view, it))
    opened = box("Stages: from q·k to the weighted values, as maps", "check-stages")
    if opened.open:
        with opened:
            charts.words(UNTOLD) if view.info.reason else _stages(it, _attention(view, it))


def _attention(view: Scene, it: Focus) -> Attention:
    """The layer in view, with queries, keys and values kept."""
    return view.run(it.choice.mask, ("pattern", "qkv")).at(it.stream, it.choice.layer)


def _sum(it: Focus, attention: Attention) -> None:
    found = cell(attention, it.choice.head, it.query, it.key)
    title = f"{it.name}: “{it.rows[it.query]}” looks at “{it.columns[it.key]}”"
    charts.words("Click another cell in a map above, and its sum stands here.")
    left, right = st.columns([560, 400], gap="medium")
    with left:
        st.html(sums.table(found, title))
        with st.popover("Copy as text"):
            st.code(sums.text(found, title), language=None)
    with right:
        st.html(sums.products(found))


def _stages(it: Focus, attention: Attention) -> None:
    queries, keys = attention.shape[1:]
    if max(queries, keys) > LONGEST:
        charts.words(f"The stages are drawn for texts of up to {LONGEST} tokens; this one has {max(queries, keys)}.")
        return
    maps = stages(attention, it.choice.head)
    names = list(maps)
    wanted = it.choice[STAGE] if it.choice[STAGE] in names else "weights"

    def walked(stage: str) -> None:
        state.choose(stage=stage)

    at = st.select_slider(
        "Stage", names, key=state.held("stage", wanted, tuple(names)), format_func=lambda name: SAYS[name][0],
        on_change=state.heard("stage", walked, names), help="Drag, or use the arrow keys.",
    )  # fmt: skip
    title, how, unit, signed = SAYS[at]
    charts.heading(f"{names.index(at) + 1} of {len(names)}: {title}", it.name)
    if at == "scaled" and attention.scaling is not None:
        how = f"{scaling_name(attention.scaling, attention.query.shape[-1], attention.bias is not None)}: {how}"
    charts.words(how + ".")
    top = 1.0 if at == "weights" else None
    figure = plain_map(maps[at], it.rows, it.columns, charts.theme(), unit, signed, (it.query, it.key), top=top)
    here = float(maps[at][it.query, it.key])
    charts.plot(figure, "stage-map", f"{title} for every query and key of {it.name}. In the focused cell: {here:.5g}.")
