"""Any numbers over query and key as a map: scores and differences on the two-sided scale, amounts on the one-sided one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.figures.labels import plotly
from core.figures.theme import LABEL, SANS, SMALL, Theme, number_ink, paint, plotly_scale

LIMITS = (0.05, 0.1, 0.25, 0.5, 1.0)  # what the two-sided scale ends at, up to 1; above, the number itself
PRINTED = 26  # px of a cell from which its number is printed
CLEAR = "rgba(0,0,0,0)"
BELOW = 46  # px below the cells, for the colour bar and its numbers


def limit(values: np.ndarray) -> float:
    """Where the two-sided scale ends: the largest size, rounded up to .05, .1, .25, .5, 1, or as it is above 1."""
    sizes = np.abs(values[np.isfinite(values)])
    most = float(sizes.max()) if sizes.size else 0.0
    return next((step for step in LIMITS if most <= step), most)


def plain_map(
    values: np.ndarray, rows: Sequence[str], columns: Sequence[str], theme: Theme, unit: str,
    signed: bool = True, focus: tuple[int, int] | None = None, across: int = 430, most: int = 44, top: float | None = None,
    change: bool = False,
) -> go.Figure:  # fmt: skip
    """values float [query, key], NaN or −∞ where nothing may be looked at (left blank, told on hover).

    unit names what the colour bar shows. signed: two-sided around 0; else from 0 up to the largest (1 for shares).
    focus is framed in ink. across: width in px that the cells may take. most: px of a cell at most. top: where the scale ends
    instead, so that maps side by side can be compared. change: each number has its sign.
    """
    queries, keys = values.shape
    shown = np.where(np.isfinite(values), values, np.nan)
    end = limit(shown) if signed else max(1e-9, float(np.nanmax(shown)) if np.isfinite(shown).any() else 1.0)
    end = end if top is None else top
    low = -end if signed else 0.0
    stops = theme.change if signed else theme.weights
    cell = float(np.clip(min(across / keys, 560 / queries), 5, most))
    names, heads = [plotly(row) for row in rows], [plotly(column) for column in columns]
    hover = [
        [(f"“{looks}” → “{at}”<br>" if looks or at else "") + ("may not look" if np.isnan(v) else f"<b>{v:.6g}</b> {unit}")
         for at, v in zip(heads, line, strict=True)]
        for looks, line in zip(names, shown, strict=True)
    ]  # fmt: skip
    trace: dict[str, Any] = {
        "type": "heatmap", "z": shown, "x": list(range(keys)), "y": list(range(queries)), "zmin": low, "zmax": end,
        "colorscale": plotly_scale(stops), "xgap": cell >= 12, "ygap": cell >= 12, "hoverongaps": True,
        "text": hover, "hovertemplate": "%{text}<extra></extra>",
        "colorbar": {
            "orientation": "h", "x": 0, "xanchor": "left", "y": 0, "yanchor": "top", "ypad": 12, "len": 150,
            "lenmode": "pixels", "thickness": 8, "outlinewidth": 0, "tickvals": [low, 0, end] if signed else [0, end],
            "ticktext": [f"−{end:.3g}", f"0 {unit}", f"+{end:.3g}"] if signed else ["0", f"{end:.3g} {unit}"],
            "tickfont": {"size": SMALL, "color": theme.ink2},
        },
    }  # fmt: skip
    traces = [trace]
    if cell >= PRINTED:
        traces += _printed(shown, low, end, stops, "+" if change else "")
    shapes = []
    if focus is not None:
        query, key = focus
        box = {"x0": key - 0.5, "x1": key + 0.5, "y0": query - 0.5, "y1": query + 0.5}
        shapes.append({"type": "rect", **box, "line": {"color": theme.ink, "width": 2}})
    # one letter or digit a name: they stand upright, and a map of few rows gets higher ones, so that all can be read
    upright = max(map(len, columns), default=0) <= 2
    high = max(cell, 18) if upright and queries <= 4 else cell
    every = max(1, round(13 / cell))
    lines = every if high == cell and not upright else max(1, math.ceil(11 / high))
    axis = {"showgrid": False, "zeroline": False, "ticks": "", "tickfont": {"size": LABEL, "color": theme.ink}}
    named = {"size": LABEL if high * lines >= 16 else SMALL, "color": theme.ink}
    left = 14 + 7 * max((min(len(name), 16) for name in rows), default=1)
    above = 16 + (5 if cell >= 18 or upright else 7) * max((min(len(name), 16) for name in columns), default=1)
    right = 12 if upright else 70
    layout = {
        "width": round(max(left + cell * keys + right, left + 240)), "height": round(above + high * queries + BELOW),
        "margin": {"l": left, "r": right, "t": above, "b": BELOW}, "paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR,
        "font": {"family": SANS}, "shapes": shapes, "dragmode": "zoom", "showlegend": False,
        "hoverlabel": {"bgcolor": theme.field, "font": {"color": theme.ink, "family": SANS}},
        "xaxis": {**axis, "side": "top", "tickangle": 0 if upright else -45 if cell >= 18 else -90,
                  "tickvals": list(range(0, keys, every)), "ticktext": heads[::every], "range": [-0.5, keys - 0.5]},
        "yaxis": {**axis, "tickfont": named, "tickvals": list(range(0, queries, lines)), "ticktext": names[::lines],
                  "ticks": "outside", "ticklen": 4, "tickcolor": CLEAR,  # a tick nobody sees keeps a name off the cells
                  "range": [queries - 0.5, -0.5]},
    }  # fmt: skip
    return go.Figure({"data": traces, "layout": layout}, _validate=False)


def _printed(shown: np.ndarray, low: float, end: float, stops: tuple[str, ...], plus: str) -> list[dict[str, Any]]:
    inks = number_ink(paint((shown - low) / (end - low), stops))
    found = []
    for ink in np.unique(inks).tolist():
        cells = np.argwhere((inks == ink) & np.isfinite(shown)).tolist()
        found.append({
            "type": "scatter", "mode": "text", "x": [key for _, key in cells], "y": [query for query, _ in cells],
            "text": [short(float(shown[query, key]), plus) for query, key in cells], "hoverinfo": "skip",
            "textfont": {"size": SMALL, "color": ink, "family": SANS},
        })  # fmt: skip
    return found


def short(value: float, plus: str = "") -> str:
    """A number for a cell: three digits at most, a true minus; `plus` before what is above 0."""
    said = f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    said = "0" if float(said) == 0 else said if value < 0 else plus + said
    return said.replace("-", "−")
