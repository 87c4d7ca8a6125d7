"""Vectors as strips of colour: one row a token, one thin column a dimension, the two-sided scale around 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.figures.labels import plotly
from core.figures.theme import LABEL, SANS, SMALL, Theme, plotly_scale

ROW, MOST = 20, 360  # px of a row; of all rows together


def strip(
    vectors: np.ndarray, rows: Sequence[str], theme: Theme, end: float, width: int = 300, named: bool = True,
    most: int = MOST,
) -> go.Figure:  # fmt: skip
    """vectors float [token, dimension]; the scale runs from −end to +end. named: whether the rows carry their tokens. most: px
    of all rows together."""
    count, d = vectors.shape
    row = max(3.0, min(ROW, most / count))
    size = LABEL if row >= 16 else SMALL
    every = max(1, math.ceil((size + 1) / row))
    names = [plotly(name) for name in rows]
    trace: dict[str, Any] = {
        "type": "heatmap", "z": np.round(vectors, 4), "zmin": -end, "zmax": end, "colorscale": plotly_scale(theme.change),
        "customdata": [[name] * d for name in names], "ygap": row >= 12,
        "hovertemplate": "“%{customdata}”, dimension %{x}<br><b>%{z:.3f}</b><extra></extra>",
        "colorbar": {
            "orientation": "h", "x": 0, "xanchor": "left", "y": 0, "yanchor": "top", "ypad": 10, "len": 130, "lenmode": "pixels",
            "thickness": 8, "outlinewidth": 0, "tickvals": [-end, 0, end], "ticktext": [f"−{end:.2g}", "0", f"{end:.2g}"],
            "tickfont": {"size": SMALL, "color": theme.ink2},
        },
    }  # fmt: skip
    left = 14 + 7 * max((min(len(name), 16) for name in rows), default=1) if named else 4
    axis = {"showgrid": False, "zeroline": False, "ticks": "", "tickfont": {"size": LABEL, "color": theme.ink}}
    layout = {
        "width": round(left + width + 8), "height": round(row * count + 56), "font": {"family": SANS}, "showlegend": False,
        "margin": {"l": left, "r": 8, "t": 6, "b": 50, "autoexpand": False}, "dragmode": False,
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"bgcolor": theme.field, "font": {"color": theme.ink, "family": SANS}},
        "xaxis": {**axis, "tickvals": [], "fixedrange": True},
        "yaxis": {**axis, "tickfont": {"size": size, "color": theme.ink}, "ticks": "outside", "ticklen": 4,
                  "tickcolor": "rgba(0,0,0,0)",  # a tick nobody sees keeps a name off the cells
                  "tickvals": list(range(0, count, every)), "ticktext": names[::every] if named else [""] * count,
                  "range": [count - 0.5, -0.5], "fixedrange": True},
    }  # fmt: skip
    return go.Figure({"data": [trace], "layout": layout}, _validate=False)
