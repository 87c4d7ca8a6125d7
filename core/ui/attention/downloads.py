"""Take it with you: every figure of the page, the trace as numbers, the request, the link, and the lines that compute it again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import streamlit as st

from core import export
from core.analysis import stages
from core.figures.labels import label
from core.figures.plain_map import limit
from core.request import PositionRule, Stream
from core.ui.attention.boxes import box
from core.ui.attention.cell import SAYS
from core.ui.attention.measures import NAMES, norms, rolled
from core.ui.attention.quarters import quarter
from core.ui.kit import charts
from core.ui.kit.component import component
from core.ui.running.focus import Focus
from core.ui.running.scene import Scene
from core.ui.session import state
from core.ui.shell import bar

CELLS = 96 * 96  # of a figure: larger maps go as numbers
HEADS = 200  # small maps on one sheet
WEIGHTS = 30_000_000  # in one NPZ: a longer text goes layer by layer


def figures(view: Scene, it: Focus, moved: PositionRule | None = None) -> dict[str, Callable[[], str]]:
    """What can be taken as a picture: its name, and how it is drawn (SVG, titled with model, layer, head and text)."""
    sites = [attention for attention in it.now.attention if attention.site.stream is it.stream]
    offered: dict[str, Callable[[], str]] = {}
    if it.pattern.size <= CELLS:
        offered["This head as a map"] = lambda: _map(view, it, it.pattern)
        offered["This head as lines"] = lambda: export.lines(
            it.pattern, it.rows, it.columns, *_titles(view, it, "as lines"), _colours(it), it.query
        )
    if sum(attention.site.heads for attention in sites) <= HEADS and it.pattern.size <= CELLS:
        where = f"{state.SAID[it.stream].capitalize()}, all heads"
        offered["All heads"] = lambda: export.heads(
            [a.pattern for a in sites], [a.allowed for a in sites], *_titles(view, it, "", where), _colours(it)
        )
    if it.says:
        rows = [(bar.label if bar.words else label(bar.name, 24), bar.share, bar.before) for bar in it.next_bars()]
        offered[it.next_title()[0]] = lambda: export.bars(
            rows, *_titles(view, it, "", " ".join(it.next_title())), _colours(it)
        )
    if it.pattern.size <= CELLS:
        if not view.info.reason:
            offered[NAMES["norm"]] = lambda: _map(view, it, norms(view, it)[0], NAMES["norm"].lower(), "length")
        if it.stream is not Stream.CROSS:
            depth = f"rollout up to layer {it.choice.layer + 1}"
            offered[NAMES["rollout"]] = lambda: _map(view, it, rolled(view, it), depth, "share")
        for name in _steps(it):
            offered[f"Stage: {SAYS[name][0]}"] = partial(_stage, view, it, name)
    if moved is not None and it.pattern.size <= CELLS:
        now = view.run(it.choice.mask, ("pattern",), (moved,)).at(it.stream, it.choice.layer).head(it.choice.head)
        how = f"positions {moved.how}"
        offered[how.capitalize()] = lambda: _map(view, it, now, how)
        offered[f"Changed by {how}"] = lambda: _map(view, it, now - it.pattern, f"changed by {how}", "less or more", True)
    return offered


def stem(view: Scene, it: Focus, first: int) -> str:
    """The files' name without its ending. first: where it counts from; as on screen from 1 for a figure, whose title does so,
    from 0 for what a program reads, as in the library."""
    model = "".join(char for char in view.info.name.lower() if char.isascii() and char.isalnum()) or "model"
    layer, head = it.choice.layer + first, it.choice.head + first
    return f"lookback-{model}-{it.stream.value}-layer-{layer}-head-{head}-from-{first}"


def downloads(view: Scene, it: Focus, reading: str = "weight", moved: PositionRule | None = None) -> None:
    """The downloads; built when the box is open. reading and moved: how the page shows the head's numbers, and where its
    position lab puts the tokens."""
    opened = box("Take it with you: figures, numbers, link, Python", "take")
    if not opened.open:
        return
    with opened:
        name = stem(view, it, 0)
        _pictures(view, it, stem(view, it, 1), moved)
        charts.heading(
            "Numbers", "as they were computed, in full; files for programs count layers, heads and tokens from 0"
        )
        with st.container(horizontal=True, key="downloads", gap="small"):
            layer = (it.now.at(it.stream, it.choice.layer),)
            cells, weights = int(np.prod(layer[0].shape)), sum(int(np.prod(a.shape)) for a in it.now.attention)
            if cells <= export.ROWS:
                st.download_button(
                    "CSV of this layer", lambda: export.csv_table(it.now, layer), f"{name}.csv", "text/csv",
                    on_click="ignore", key="take-csv",
                )  # fmt: skip
            whole = weights <= WEIGHTS
            st.download_button(
                "NPZ of all heads" if whole else "NPZ of this layer", lambda: export.npz(it.now, None if whole else layer),
                f"{name}.npz", "application/octet-stream", on_click="ignore", key="take-npz",
            )  # fmt: skip
            st.download_button(
                "Request as JSON", export.request_to_json(it.now.request), f"{name}.json", "application/json",
                on_click="ignore", key="take-json",
            )  # fmt: skip
            if moved is not None:
                st.download_button(
                    f"Request, positions {moved.how}", export.request_to_json(it.now.request.with_positions(moved)),
                    f"{name}-{moved.how}.json", "application/json", on_click="ignore", key="take-moved",
                )  # fmt: skip
        if cells > export.ROWS:
            charts.words(f"A CSV holds up to {export.ROWS:,} cells; this layer has {cells:,}. The NPZ holds them all.")
        charts.heading("Link", "opens this view again")
        st.code(bar.link(), language=None, wrap_lines=True)
        model = it.choice.model.partition(":")[2] if ":" in it.choice.model else it.choice.model
        lines = export.python_lines(it.now.request, model, it.stream, it.choice.layer, it.choice.head, reading, moved, quarter(it))
        charts.heading("Python", "the same numbers again, run beside Lookback’s folder core")
        st.code(lines, language="python", wrap_lines=True)
        with st.container(horizontal=True, key="take-last", gap="small"):
            st.download_button(
                "These lines as a file", lines, f"{name}.py", "text/x-python", on_click="ignore", key="take-py"
            )
            st.button(
                "Start again",
                key="reset-here",
                on_click=state.reset,
                help="Forget every choice: model, text, mask and head.",
            )


def _pictures(view: Scene, it: Focus, name: str, moved: PositionRule | None) -> None:
    offered = figures(view, it, moved)
    if not offered:
        charts.words("This map is too large for a figure: take its numbers.")
        return
    charts.heading("Figures", "SVG for print, PNG at twice the size for slides")
    with st.container(horizontal=True, key="take-figures", gap="small", vertical_alignment="bottom"):
        wanted = st.selectbox("Figure", list(offered), key="take-figure", width=260)
        drawn = offered[wanted if wanted in offered else next(iter(offered))]()
        file = f"{name}-{''.join(c if c.isascii() and c.isalnum() else '-' for c in wanted.lower())}".strip("-")
        st.download_button("SVG", drawn, f"{file}.svg", "image/svg+xml", on_click="ignore", key="take-svg")
        _png(key="png", data={"svg": drawn, "name": file}, width="content")


def _titles(view: Scene, it: Focus, what: str = "", where: str = "") -> tuple[str, str]:
    text = " → ".join(
        part for part in (label(it.choice.text, 70), label(view.written, 50) if view.written else "") if part
    )
    mask = ", with a mask" if it.changed else ""
    return f"{view.info.name}: {where or it.name}{', ' + what if what else ''}{mask}", text


def _colours(it: Focus) -> export.Colours:
    theme = charts.theme()
    return export.Colours(theme.weights, theme.ink, theme.bg, theme.ink2, theme.accent(it.stream), theme.fade)


def _map(view: Scene, it: Focus, values: np.ndarray, what: str = "", unit: str = "weight", signed: bool = False) -> str:
    theme = charts.theme()
    known = it.allowed & np.isfinite(values)
    end = limit(np.where(known, values, np.nan)) if signed else float(values[known].max(initial=1e-9))
    scale = (0.0, 1.0) if unit == "weight" else (-end if signed else 0.0, end)
    stops = theme.change if signed else theme.weights
    return export.svg(
        values,
        known,
        it.rows,
        it.columns,
        *_titles(view, it, what),
        stops,
        theme.ink,
        theme.bg,
        theme.ink2,
        unit,
        scale,
    )


def _steps(it: Focus) -> list[str]:
    if it.scene.info.reason:  # without queries and keys no stage is known
        return []
    attention = it.now.at(it.stream, it.choice.layer)
    lacks = {"scaled": attention.scaling == 1, "capped": attention.softcap is None, "biased": attention.bias is None,
             "warmed": attention.temperature == 1}  # fmt: skip
    return [name for name in SAYS if not lacks.get(name, False)]


def _stage(view: Scene, it: Focus, name: str) -> str:
    attention = view.run(it.choice.mask, ("pattern", "qkv")).at(it.stream, it.choice.layer)
    title, _, unit, signed = SAYS[name]
    return _map(view, it, stages(attention, it.choice.head)[name], f"stage {title}", unit, signed)


_png = component("png_button")
