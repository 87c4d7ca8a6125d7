"""The head in view with its numbers, read three ways: the raw weight, what the look brings, what passes over all layers so far."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.analysis import brought, pooled, rollout
from core.figures import heatmap, markup
from core.figures.labels import percent
from core.figures.plain_map import plain_map
from core.request import Stream
from core.ui.attention.parameters import MEASURE
from core.ui.attention.quarters import inside, quarter_says
from core.ui.kit import charts, controls
from core.ui.running.focus import BLOCKS, Focus
from core.ui.running.scene import UNTOLD, Scene
from core.ui.running.waiting import work
from core.ui.session import state

NAMES = {"weight": "Weight", "norm": "Weight × value norm", "rollout": "Rollout"}
SAYS = {
    "weight": (
        "<b>α = softmax(scaling · q·k …)</b>: the share of its attention that a row gives to a column, from its query q and the "
        "column’s key k. "
    ),
    "whole": "Each row adds up to 1.",
    "sunk": "Each row adds up to 1 with what the head’s sink takes, a learnt number that has no column.",
    "norm": (
        "<b>‖α · v · W<sub>O</sub>‖</b>: how long the vector is that this head’s look brings to the row: weight α times value v, "
        "through the output matrix W<sub>O</sub> (Kobayashi et al. 2020, §3). A large weight on a short value brings little. Long "
        "is not useful: what two looks bring can cancel."
    ),
    "bare": (
        "<b>‖α · v‖</b>: how long the vector is that the look brings (Kobayashi et al. 2020), before the output matrix "
        "W<sub>O</sub>: this family puts something else between."
    ),
    "rollout": (
        "<b>Ã<sub>{layer}</sub> · … · Ã<sub>1</sub></b> with <b>Ã = ½ A + ½ 1</b>, A the mean of a layer’s heads: how much would "
        "reach a row from a column over layers 1 to {layer}, by all paths, if weights alone decided it and half of each step "
        "passed the attention by (Abnar & Zuidema 2020). Values, W<sub>O</sub> and the feed-forward networks are left out of it."
    ),
}
READING = (
    "Each <b>row</b> is a token that looks, each <b>column</b> a token it looks at. Numbers are % of a row, printed from 10 %. "
    "<b>Hatched</b>: may not look. <b>Click</b> a cell to read it, or choose it in the lists <b>looks</b> and <b>at</b>."
)


def numbers(view: Scene, it: Focus) -> None:
    """The large map with numbers in the reading chosen, and beside it one row, strongest first."""
    left, right = st.columns([500, 460], gap="medium")
    with left:
        chosen = _picker(it)
        if chosen == "weight":
            charts.heading(it.name)
            pattern, allowed, rows, columns, stream, focus = it.drawn()
            cells = inside(it)
            figure = heatmap.heatmap(
                pattern, allowed, rows, columns, stream, focus, charts.theme(), not it.pooled and cells is None, _faded(it)
            )
            charts.plot(
                figure, "map", heatmap.describe(it.rows, it.columns, it.pattern, it.name), controls.clicked_cell
            )
            sink = it.now.at(it.stream, it.choice.layer).sink
            charts.words(SAYS["weight"] + SAYS["whole" if sink is None else "sunk"])
            charts.words(quarter_says(it))
            charts.words(it.map_says())
        else:
            _other(view, it, chosen)
    with right:
        charts.heading("One row", "strongest first")
        st.html(markup.sentence(it.sentence()))
        controls.row_picker(it.rows, it.columns, (it.query, it.key))
        charts.bars(it.row(cells=inside(it)), charts.theme().accent(it.stream), "This row", "row-bars", 340)
        if chosen == "weight":
            charts.words(READING)


def _faded(it: Focus) -> np.ndarray | None:
    """The cells, or the blocks of a long text, in which nothing belongs to the quarter in view."""
    cells = inside(it)
    return None if cells is None else pooled(cells.astype(float), BLOCKS if it.pooled else len(cells)) == 0


def _picker(it: Focus) -> str:
    offered = tuple(name for name in NAMES if name not in _missing(it))

    def picked(measure: str) -> None:
        state.choose(measure=measure)

    return st.segmented_control(
        "Read as", offered, key=state.held("measure", reading(it), offered), format_func=NAMES.__getitem__,
        on_change=state.heard("measure", picked, offered), required=True, label_visibility="collapsed",
        help=UNTOLD if it.scene.info.reason else None,
    )  # fmt: skip


def reading(it: Focus) -> str:
    """How the numbers of the head are read: as chosen, where that means something here."""
    return "weight" if it.choice[MEASURE] in _missing(it) else it.choice[MEASURE]


def _missing(it: Focus) -> set[str]:
    """Readings that mean nothing here: a rollout over two texts, the length of values that the model does not hand over."""
    missing = {"rollout": it.stream is Stream.CROSS, "norm": bool(it.scene.info.reason)}
    return {name for name, lacks in missing.items() if lacks}


def _other(view: Scene, it: Focus, chosen: str) -> None:
    values, says = norms(view, it) if chosen == "norm" else (rolled(view, it), SAYS["rollout"])
    here, row = float(values[it.query, it.key]), values[it.query]
    share = float(here / row.sum()) if row.sum() > 0 else 0.0
    title = it.name if chosen == "norm" else f"{state.SAID[it.stream].capitalize()}, layers 1 to {it.choice.layer + 1}"
    charts.heading(title, NAMES[chosen].lower())
    names = f"“{it.rows[it.query]}” → “{it.columns[it.key]}”"
    weight = percent(float(it.pattern[it.query, it.key]))
    said = f"{names}: weight {weight}, " + (
        f"brings a vector of length {here:.3g}, {percent(share)} of the summed lengths of its row."
        if chosen == "norm"
        else f"rollout {percent(here)}."
    )
    rows, columns, focus = it.rows, it.columns, (it.query, it.key)
    shown = np.where(it.allowed if chosen == "norm" else values > 0, values, np.nan)
    if it.pooled:
        _, _, rows, columns, _, focus = it.drawn()
        shown = pooled(shown, BLOCKS)
    unit = "length" if chosen == "norm" else "share"
    figure = plain_map(shown, rows, columns, charts.theme(), unit, False, focus)
    if (faded := _faded(it)) is not None:
        figure.update_layout(shapes=[*heatmap.veil(faded, charts.theme()), *figure.layout.shapes])
    charts.plot(figure, "measure-map", f"{title}, {NAMES[chosen].lower()}. {said}")
    st.text(said)
    charts.words(says.format(layer=it.choice.layer + 1))


def norms(view: Scene, it: Focus) -> tuple[np.ndarray, str]:
    """‖α · v · W_O‖ of the head in view, float64 [query, key], and its formula in words; without W_O where none is known."""
    attention = view.run(it.choice.mask, ("pattern", "qkv")).at(it.stream, it.choice.layer)
    matrix = view.lens.projection(it.stream, it.choice.layer)
    head, value = it.choice.head, attention.value[attention.kv_of(it.choice.head)]
    return brought(it.pattern, value, None if matrix is None else matrix[head]), SAYS[
        "bare" if matrix is None else "norm"
    ]


def rolled(view: Scene, it: Focus) -> np.ndarray:
    """The rollout of the stream in view up to its layer, float64 [query, key]; computed once for all who ask."""
    depth = it.choice.layer + 1
    sizes = sum(a.shape[0] * a.shape[1] * a.shape[2] for a in it.now.attention if a.site.stream is it.stream)

    def compute() -> np.ndarray:
        return rollout(it.now.at(it.stream, layer).pattern for layer in range(depth))

    key = (it.now.request.lens, "rollout", it.now.request, it.stream, depth)
    return work(key, compute, f"Rolling out {depth} layers.", sizes)
