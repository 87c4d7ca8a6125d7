"""One head large, with its numbers: rows look, columns are looked at."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.analysis import effective_tokens, received
from core.figures.labels import percent, plotly, width_px
from core.figures.raster import data_uri, forbidden
from core.figures.theme import LABEL, SANS, SMALL, Theme, number_ink, paint, plotly_scale
from core.request import Stream

CLICKABLE = 4096  # cells: above it, one point a cell would cost more than the click is worth
NUMBERED = 20  # px: a cell smaller than this holds no number
ROOMY = 16  # px: below it there are no gaps between cells and no numbers in the margins
SPREAD, RECEIVED, BAR = 78, 44, 48  # px: the margins' bars and, in BAR, the colour bar above
CLEAR = "rgba(0,0,0,0)"


@dataclass(frozen=True, slots=True)
class Grid:
    """Where everything of a map stands, in px."""

    queries: int
    keys: int
    cell: float
    left: float
    top: float
    tilted: bool
    margins: bool = True

    @property
    def width(self) -> int:
        return max(340, round(self.left + self.keys * self.cell + 8 + (SPREAD if self.margins else 0)))

    @property
    def height(self) -> int:
        return round(self.top + self.queries * self.cell + (RECEIVED if self.margins else 8))

    @property
    def right(self) -> float:
        """Where the map ends, as a share of the width that axes share."""
        return self.keys * self.cell / (self.width - self.left)

    @property
    def bottom(self) -> float:
        """Where the map ends, as a share of the height that axes share, from below."""
        return 1 - self.queries * self.cell / (self.height - self.top)


def grid(
    rows: Sequence[str], columns: Sequence[str], space: int = 306, largest: int = 64, margins: bool = True
) -> Grid:
    """Square cells: as large as `space` px allow, or 6 px where they could still be clicked; a longer text is zoomed into."""
    most = max(len(columns), len(rows))
    cell = min(largest, max(6.0 if most**2 <= CLICKABLE else 360 / most, float(space // most)))
    widest = width_px(columns, LABEL)
    tilted = widest > cell - 4
    top = BAR + (min(widest, 110) * 0.74 + 12 if tilted else 22)
    return Grid(len(rows), len(columns), cell, min(110, max(66, width_px(rows, LABEL) + 14)), top, tilted, margins)


def heatmap(
    pattern: np.ndarray,
    allowed: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    stream: Stream,
    focus: tuple[int, int],
    theme: Theme,
    margins: bool = True,
    faded: np.ndarray | None = None,
) -> go.Figure:
    """The pattern of one head as a map with exact weights on hover, effective tokens and received in its margins.

    pattern float32 [query, key], allowed bool [query, key], rows and columns the labels of queries and keys, focus the
    (query, key) framed in ink. Positions on the axes are whole numbers, so equal tokens stay apart. Forbidden cells are
    NaN in the map and hatched under it. A click on a cell selects a point whose x is the key and y the query. Without
    margins, effective tokens and received are left out: those of a pooled map would be wrong. faded: bool [query, key], cells
    that are covered and have no number; their weights stay, and are told on hover.
    """
    place = grid(rows, columns, margins=margins)
    shown = np.where(allowed, pattern, np.nan)
    traces = [_map(shown, place, rows, columns, theme)]
    if shown.size <= CLICKABLE:
        traces.append(_points(shown, place, rows, columns))
    if place.cell >= NUMBERED:
        traces += _numbers(shown if faded is None else np.where(faded, np.nan, shown), place, theme)
    if margins:
        traces += _margins(pattern, place, focus, theme.accent(stream), theme)
    layout = _layout(place, rows, columns, focus, theme, margins)
    if faded is not None:
        layout["shapes"] = [*veil(faded, theme), *layout["shapes"]]
    if not allowed.all():
        layout["images"] = [_hatch(allowed, place, theme)]
    # what is drawn is held valid by the tests; Plotly's own check would cost each click 60 ms
    return go.Figure({"data": traces, "layout": layout}, _validate=False)


def _map(shown: np.ndarray, place: Grid, rows: Sequence[str], columns: Sequence[str], theme: Theme) -> dict[str, Any]:
    gap = 1 if place.cell >= ROOMY else 0
    trace: dict[str, Any] = {
        "type": "heatmap",
        "z": shown,
        "x": list(range(place.keys)),
        "y": list(range(place.queries)),
        "zmin": 0,
        "zmax": 1,
        "colorscale": plotly_scale(theme.weights),
        "xgap": gap,
        "ygap": gap,
        "colorbar": _bar(place, theme),
    }
    if shown.size <= CLICKABLE:
        trace["hoverinfo"] = "skip"  # the points tell it
    else:
        said = "“%{y}” → “%{x}”<br><b>%{z:.6f}</b> of its attention<extra></extra>"
        trace |= {"hovertemplate": said, "hoverongaps": False}
    return trace


def _points(shown: np.ndarray, place: Grid, rows: Sequence[str], columns: Sequence[str]) -> dict[str, Any]:
    """One invisible point a cell: its tooltip, and something a click can hit."""
    cells = [(query, key, weight) for query, row in enumerate(shown.tolist()) for key, weight in enumerate(row)]
    looks, at = [plotly(row) for row in rows], [plotly(column) for column in columns]
    said = [
        f"“{looks[query]}” → “{at[key]}”<br>"
        + ("may not look" if np.isnan(weight) else f"<b>{weight:.6f}</b> of its attention")
        for query, key, weight in cells
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [key for _, key, _ in cells],
        "y": [query for query, _, _ in cells],
        "customdata": said,
        "hovertemplate": "%{customdata}<extra></extra>",
        "marker": {"symbol": "square", "size": max(4, place.cell - 1), "opacity": 0},
        "selected": {"marker": {"opacity": 0}},
        "unselected": {"marker": {"opacity": 0}},
        "showlegend": False,
    }


def _numbers(shown: np.ndarray, place: Grid, theme: Theme) -> list[dict[str, Any]]:
    """Percents in the cells, from 10 % on: one trace for each ink, since a selection would dim inks given cell by cell."""
    inks = number_ink(paint(shown, theme.weights))
    said = []
    for ink in np.unique(inks).tolist():
        cells = np.argwhere((inks == ink) & (np.nan_to_num(shown) >= 0.1)).tolist()
        said.append(
            {
                "type": "scatter",
                "mode": "text",
                "x": [key for _, key in cells],
                "y": [query for query, _ in cells],
                "text": [f"{100 * shown[query, key]:.0f}" for query, key in cells],
                "textfont": {"size": 12.5 if place.cell >= 26 else 11, "family": SANS, "color": ink},
                "unselected": {"textfont": {"color": ink}},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    return said


def _margins(
    pattern: np.ndarray, place: Grid, focus: tuple[int, int], accent: str, theme: Theme
) -> list[dict[str, Any]]:
    """Effective tokens beside the rows, received below the columns; the focused ones in the stream's colour."""
    bars = []
    for values, chosen, across in ((effective_tokens(pattern), focus[0], True), (received(pattern), focus[1], False)):
        at, numbers = list(range(len(values))), [round(float(value), 4) for value in values]
        bar: dict[str, Any] = {
            "type": "bar",
            "x": numbers if across else at,
            "y": at if across else numbers,
            "orientation": "h" if across else "v",
            "xaxis": "x2" if across else "x",
            "yaxis": "y" if across else "y2",
            "width": 0.28 if across else 0.42,
            "marker": {"color": [accent if i == chosen else theme.fade for i in at], "line": {"width": 0}},
            "selected": {"marker": {"opacity": 1}},
            "unselected": {"marker": {"opacity": 1}, "textfont": {"color": theme.ink2}},
            "hovertemplate": ("effective tokens e^entropy: %{x:.4f}" if across else "received Σ column: %{y:.4f}")
            + "<extra></extra>",
            "showlegend": False,
        }
        if place.cell >= ROOMY:
            gap = "\N{EN SPACE}" if across else ""
            bar |= {
                "text": [
                    f"{gap}<b>{value:.1f}</b>" if i == chosen else f"{gap}{value:.1f}"
                    for i, value in enumerate(numbers)
                ],
                "textposition": "outside",
                "textfont": {"size": SMALL, "color": theme.ink2},
                "constraintext": "none",
                "cliponaxis": False,
            }
        bars.append(bar)
    return bars


def _layout(
    place: Grid, rows: Sequence[str], columns: Sequence[str], focus: tuple[int, int], theme: Theme, margins: bool
) -> dict[str, Any]:
    queries, keys, cell, right, bottom = place.queries, place.keys, place.cell, place.right, place.bottom
    clickable = queries * keys <= CLICKABLE
    query, key = focus
    bare = {"showgrid": False, "zeroline": False, "ticklen": 0, "showticklabels": False, "fixedrange": True}
    named = {"showgrid": False, "zeroline": False, "ticklen": 0, "color": theme.ink2}
    named["tickfont"] = {"size": LABEL if cell >= 14 else 11}
    tall = {"range": [queries - 0.5, -0.5], "domain": [bottom, 1]}
    wide = {"range": [-0.5, keys - 0.5], "domain": [0, right], "side": "top", "tickangle": -50 if place.tilted else 0}
    across = place.width - place.left
    beside = [right + 8 / across, min(1.0, right + (8 + SPREAD) / across)]
    frames = ((-0.5, keys - 0.5, query - 0.5, query + 0.5), (key - 0.5, key + 0.5, -0.5, queries - 0.5))
    line = {"color": theme.ink, "width": 1.5 if cell >= 6 else 0.75}
    words = {"showarrow": False, "font": {"size": SMALL, "color": theme.ink2}, "xref": "paper", "yref": "paper"}
    corner = {"x": 0, "y": 1, "xanchor": "right", "yanchor": "bottom", "xshift": -8, "yshift": 4}
    said = [{"text": "looks ↓ at →", **corner, **words}]
    if margins and cell >= ROOMY:
        said.append({"text": "eff. tokens", **corner, "x": right, "xanchor": "left", "xshift": 8, **words})
        said.append({"text": "received", **corner, "y": bottom, "yanchor": "top", "yshift": -4, **words})
    return {
        "xaxis": {**named, **wide, **_ticks(columns, key, cell, clickable)},
        "yaxis": {**named, **tall, **_ticks(rows, query, cell, clickable)},
        "xaxis2": {**bare, "range": [0, max(keys * 1.6, 1.6)], "domain": beside, "anchor": "y"},
        "yaxis2": {**bare, "range": [max(queries, 1) * 1.6, -0.02], "domain": [0, bottom * 0.9], "anchor": "x"},
        "annotations": said,
        "shapes": [{"type": "rect", "x0": a, "x1": b, "y0": c, "y1": d, "line": line} for a, b, c, d in frames],
        "width": place.width,
        "height": place.height,
        "margin": {"l": place.left, "t": place.top, "r": 0, "b": 0, "autoexpand": False},
        "dragmode": "zoom" if cell < 14 else False,
        "selectionrevision": f"{focus}",
        "barmode": "overlay",
        **ground(theme),
    }


def _ticks(names: Sequence[str], chosen: int, cell: float, clickable: bool) -> dict[str, Any]:
    """Labels that do not touch; the focused one is always named, a neighbour that would touch it gives way.

    Where no points tell the names on hover, the axis itself knows every one by its place.
    """
    every = 1 if cell >= 10 else int(np.ceil(13 / cell))
    if not clickable:
        alias = {f"{i}": plotly(name) for i, name in enumerate(names)}
        return {"tickmode": "linear", "tick0": chosen % every, "dtick": every, "labelalias": alias, "hoverformat": "d"}
    at = [i for i in range(0, len(names), every) if i == chosen or abs(i - chosen) >= every]
    at += [chosen] * (chosen not in at)
    return {
        "tickvals": at,
        "ticktext": [f"<b>{plotly(names[i])}</b>" if i == chosen else plotly(names[i]) for i in at],
    }


def _bar(place: Grid, theme: Theme) -> dict[str, Any]:
    """The colour bar: above the map, flush with its right edge, level with the heading beside it."""
    across, down = place.width - place.left, place.height - place.top
    return {
        "orientation": "h",
        "x": max(place.right, (334 - place.left) / across),  # never so far left as to run into the heading
        "xanchor": "right",
        "y": 1 + (place.top - 24) / down,
        "yanchor": "bottom",
        "lenmode": "pixels",
        "len": 150,
        "thickness": 9,
        "tickvals": [0, 0.5, 1],
        "ticktext": ["0", "weight 0.5", "1"],
        "tickfont": {"size": SMALL, "color": theme.ink2},
        "ticklen": 0,
        "outlinewidth": 1,
        "outlinecolor": theme.rule,
        "xpad": 0,
        "ypad": 0,
    }


def veil(faded: np.ndarray, theme: Theme) -> list[dict[str, Any]]:
    """What covers the faded cells: one rectangle for each run of them, over all rows in a row that are alike."""
    look = {"type": "rect", "line": {"width": 0}, "fillcolor": theme.bg, "opacity": 0.86}
    starts = [0, *(np.flatnonzero((faded[1:] != faded[:-1]).any(axis=1)) + 1).tolist(), len(faded)]
    found = []
    for first, end in itertools.pairwise(starts):
        turns = np.flatnonzero(np.diff(np.concatenate([[0], faded[first], [0]]))).tolist()
        sides = zip(turns[::2], turns[1::2], strict=True)
        found += [{**look, "x0": a - 0.5, "x1": b - 0.5, "y0": first - 0.5, "y1": end - 0.5} for a, b in sides]
    return found


def _hatch(allowed: np.ndarray, place: Grid, theme: Theme) -> dict[str, Any]:
    """The hatch as a picture under the map."""
    side = 2 * max(3, round(min(place.cell, 600 / max(allowed.shape))))
    source = _hatch_uri(np.packbits(allowed).tobytes(), allowed.shape, side, theme)
    span = {"xref": "x", "yref": "y", "x": -0.5, "y": -0.5, "sizex": place.keys, "sizey": place.queries}
    return {"source": source, **span, "xanchor": "left", "yanchor": "top", "sizing": "stretch", "layer": "below"}


@lru_cache(maxsize=64)
def _hatch_uri(bits: bytes, shape: tuple[int, int], side: int, theme: Theme) -> str:
    # the same few masks come again and again: one for each length of text
    cells = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=shape[0] * shape[1]).reshape(shape)
    return data_uri(forbidden(cells.astype(bool), side, theme))


def ground(theme: Theme) -> dict[str, Any]:
    """What every Plotly picture has in common."""
    return {
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"family": SANS, "size": SMALL, "color": theme.ink2},
        "hoverlabel": {
            "bgcolor": theme.bg,
            "bordercolor": theme.rule,
            "font": {"family": SANS, "size": 13, "color": theme.ink},
        },
        "hovermode": "closest",
        "clickmode": "event+select",
        "modebar": {"orientation": "v", "bgcolor": CLEAR, "color": theme.ink3, "activecolor": theme.ink},
        "showlegend": False,
        "uirevision": "keep",
    }


def describe(rows: Sequence[str], columns: Sequence[str], pattern: np.ndarray, name: str) -> str:
    """The map in one sentence, for those who do not see it."""
    best = ", ".join(
        f"{row} looks most at {columns[int(np.argmax(weights))]} ({percent(float(weights.max()))})"
        for row, weights in list(zip(rows, pattern, strict=True))[:12]
    )
    return f"{name}: {len(rows)} queries by {len(columns)} keys. {best}."
