"""All heads of a stream at a glance: one picture, rows are layers, columns are heads, and a click chooses one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core.figures.heatmap import ground
from core.figures.raster import data_uri, thumbnail
from core.figures.theme import Theme, rgb
from core.request import Stream

LEFT, TOP, GAP = 30, 22, 5  # px
SIDES = ((4, 50), (6, 33), (8, 24), (12, 14), (16, 9))  # up to so many heads, px: the row fits its column


def side_of(heads: int) -> int:
    """The side of one thumbnail in px: smaller where there are more."""
    return next((side for most, side in SIDES if heads <= most), 8)


def size_of(layers: int, heads: int) -> tuple[int, int]:
    """(width, height) of the picture in px."""
    step = side_of(heads) + GAP
    return LEFT + heads * step, TOP + layers * step


def mosaic(patterns: Sequence[Sequence[np.ndarray]], theme: Theme) -> np.ndarray:
    """Every head at twice its size on screen, uint8 [height, width, 3]; patterns[layer][head] float [query, key] with NaN."""
    heads = max(len(row) for row in patterns)
    side, gap = 2 * side_of(heads), 2 * GAP
    step = side + gap
    picture = np.empty((len(patterns) * step, heads * step, 3), dtype=np.uint8)
    picture[:] = rgb(theme.bg)
    for layer, row in enumerate(patterns):
        for head, pattern in enumerate(row):
            y, x = layer * step + gap // 2, head * step + gap // 2
            picture[y - 1 : y + side + 1, x - 1 : x + side + 1] = rgb(theme.rule)
            picture[y : y + side, x : x + side] = thumbnail(pattern, side, theme)
    return picture


def thumbnails(
    patterns: Sequence[Sequence[np.ndarray]], stream: Stream, chosen: tuple[int, int], theme: Theme
) -> go.Figure:
    """The mosaic with its labels, a ring around the chosen (layer, head), and one point a head to click on.

    Points carry customdata (layer, head), from 0.
    """
    layers, heads = len(patterns), max(len(row) for row in patterns)
    width, height = size_of(layers, heads)
    places = [(layer, head) for layer in range(layers) for head in range(len(patterns[layer]))]
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": [head for _, head in places],
        "y": [layer for layer, _ in places],
        "customdata": [list(place) for place in places],
        "hovertemplate": [
            f"{stream.value}, layer {layer + 1}, head {head + 1}<extra></extra>" for layer, head in places
        ],
        "marker": {"symbol": "square", "size": side_of(heads), "opacity": 0},
        "selected": {"marker": {"opacity": 0}},
        "unselected": {"marker": {"opacity": 0}},
    }
    span = {"xref": "x", "yref": "y", "x": -0.5, "y": -0.5, "sizex": heads, "sizey": layers}
    picture = {"source": data_uri(mosaic(patterns, theme)), **span, "sizing": "stretch", "layer": "below"}
    layer, head = chosen
    half = 0.5 - GAP / 2 / (side_of(heads) + GAP) + 0.02
    ring = {"type": "rect", "x0": head - half, "x1": head + half, "y0": layer - half, "y1": layer + half}
    axis = {"showgrid": False, "zeroline": False, "fixedrange": True, "ticklen": 0}
    across = list(range(0, heads, 1 if heads <= 4 else 2 if heads <= 12 else 4))
    down = list(range(0, layers, 1 if heads <= 12 or layers <= 12 else 2))
    columns = [f"head {head + 1}" if heads <= 4 else str(head + 1) for head in across]
    layout = {
        **ground(theme),
        "xaxis": {**axis, "side": "top", "range": [-0.5, heads - 0.5], "tickvals": across, "ticktext": columns},
        "yaxis": {
            **axis,
            "range": [layers - 0.5, -0.5],
            "tickvals": down,
            "ticktext": [f"L{layer + 1}" for layer in down],
        },
        "images": [{**picture, "xanchor": "left", "yanchor": "top"}],
        "shapes": [{**ring, "line": {"color": theme.accent(stream), "width": 2.5}}],
        "width": width,
        "height": height,
        "margin": {"l": LEFT, "t": TOP, "r": 0, "b": 0},
        "dragmode": False,
        "hoverdistance": side_of(heads),
        "selectionrevision": f"{chosen}",
    }
    return go.Figure({"data": [points], "layout": layout}, _validate=False)
