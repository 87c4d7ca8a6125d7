"""Measured curves with their names at the end of the line, as Vega-Lite specs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.figures.theme import SANS, Theme

Points = Sequence[tuple[float, float]]
MEASURED = 12  # so few x values are all named on the axis, for one reads them off
DASHES = ([1, 0], [1, 0], [6, 7], [2, 4])  # so that a line over another lets it be seen


def curves(
    lines: Mapping[str, Points], colours: Mapping[str, str], theme: Theme, across: str, up: str, height: int = 220,
    top: float | None = None, marks: Sequence[str] = (), at: float | None = None,
    bands: Mapping[str, Sequence[tuple[float, float, float]]] | None = None, low: float = 0.0, what: str = "machine",
) -> dict[str, Any]:  # fmt: skip
    """One line a name. across and up title the axes; top fixes the upper end; marks: names of the x values 0, 1, …; at draws a
    rule at one x. bands: a line's interval at each x, (x, from, to). low: the lower end, where top is given. what: the kind of
    thing that a name names."""
    values = [{"name": name, "x": x, "y": y} for name, points in lines.items() for x, y in points]
    names = list(lines)
    scale = {"domain": names, "range": [colours[name] for name in names]}
    axis = {
        "grid": False, "labelFont": SANS, "titleFont": SANS, "labelColor": theme.ink2, "titleColor": theme.ink2,
        "domainColor": theme.rule, "tickColor": theme.rule, "labelFontSize": 12, "titleFontSize": 12,
        "titleFontWeight": "normal",
    }  # fmt: skip
    columns = 0 if sum(map(len, names)) < 48 else 1  # long names stand below each other, for the phone
    dash = {"domain": names, "range": list(DASHES[: len(names)])}
    x_axis = {**axis, "title": across}
    if all(float(x).is_integer() for points in lines.values() for x, _ in points):
        x_axis["tickMinStep"] = 1
    measured = sorted({x for points in lines.values() for x, _ in points})
    if not marks and len(measured) <= MEASURED:
        x_axis |= {"values": measured, "labelOverlap": False}
    if marks:
        said = ",".join(f'"{mark}"' for mark in marks)
        x_axis |= {
            "values": list(range(len(marks))),
            "labelExpr": f"[{said}][datum.value]",
            "labelAngle": 0,
            "labelOverlap": False,
        }
    y_scale = {"domain": [low, top]} if top is not None else {"zero": True}
    encoding = {
        "x": {"field": "x", "type": "quantitative", "axis": x_axis, "scale": {"nice": False}},
        "y": {"field": "y", "type": "quantitative", "axis": {**axis, "title": up, "tickCount": 4}, "scale": y_scale},
        "color": {"field": "name", "type": "nominal", "scale": scale, "legend": {
            "orient": "top", "title": None, "columns": columns,
            "labelFont": SANS, "labelFontSize": 13, "labelColor": theme.ink, "symbolType": "stroke",
            "symbolStrokeWidth": 3,
        }},
        "strokeDash": {"field": "name", "type": "nominal", "legend": None, "scale": dash},
        "tooltip": [
            {"field": "name", "title": what}, {"field": "x", "title": across},
            {"field": "y", "title": up, "format": ".4f"},
        ],
    }  # fmt: skip
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "line", "strokeWidth": 2.5, "point": {"size": 36}}, "encoding": encoding}
    ]
    if bands:
        # a layer each: one that takes its colour from the data would pale the legend
        layers = [{
            "data": {"values": [{"x": x, "y": a, "to": b} for x, a, b in span]},
            "mark": {"type": "area", "opacity": 0.16, "color": colours[name]},
            "encoding": {"x": encoding["x"], "y": encoding["y"], "y2": {"field": "to"}},
        } for name, span in bands.items()] + layers  # fmt: skip
    if at is not None:
        rule = {"mark": {"type": "rule", "color": theme.ink2, "strokeDash": [4, 4]}, "data": {"values": [{"x": at}]},
                "encoding": {"x": {"field": "x", "type": "quantitative"}}}  # fmt: skip
        layers.append(rule)
    return {
        "height": height, "background": "transparent", "data": {"values": values}, "layer": layers,
        "config": {"view": {"stroke": None}}, "autosize": {"type": "fit-x", "contains": "padding"},
    }  # fmt: skip


def said(lines: Mapping[str, Points], up: str) -> str:
    """The curves in one sentence: where each begins and ends."""
    parts = [f"{name} from {points[0][1]:.3g} to {points[-1][1]:.3g}" for name, points in lines.items() if points]
    return f"{up}: {'; '.join(parts)}."


def growth(
    lines: Mapping[str, Points], spans: Mapping[str, Sequence[tuple[float, float, float]]], colours: Mapping[str, str],
    theme: Theme, up: str, height: int = 170,
) -> dict[str, Any]:  # fmt: skip
    """Costs over length, both on a scale where each step is a doubling, so that a power law is a straight line. spans: for a
    name (x, low, high), drawn as a thin upright line, where a measurement came with an interval."""
    names = list(lines)
    values = [{"name": name, "x": x, "y": y} for name, points in lines.items() for x, y in points]
    ticks = sorted({x for points in lines.values() for x, _ in points})
    axis = {
        "grid": False, "labelFont": SANS, "titleFont": SANS, "labelColor": theme.ink2, "titleColor": theme.ink2,
        "domainColor": theme.rule, "tickColor": theme.rule, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal",
    }  # fmt: skip
    x = {"field": "x", "type": "quantitative", "scale": {"type": "log", "base": 2, "nice": False},
         "axis": {**axis, "title": "symbols read, and as many predicted", "values": ticks, "format": ","}}  # fmt: skip
    y_axis = {**axis, "title": up, "tickCount": 4, "format": "~s"}
    colour = {"field": "name", "type": "nominal", "legend": None, "scale": {
        "domain": names, "range": [colours[name] for name in names],
    }}  # fmt: skip
    dash = {"field": "name", "type": "nominal", "legend": None, "scale": {
        "domain": names, "range": list(DASHES[: len(names)]),
    }}  # fmt: skip
    tooltip = [{"field": "name", "title": "machine"}, {"field": "x", "title": "symbols", "format": ","},
               {"field": "y", "title": up, "format": ".3~s"}]  # fmt: skip
    y = {"field": "y", "type": "quantitative", "scale": {"type": "log", "base": 10}, "axis": y_axis}
    layers: list[dict[str, Any]] = [{
        "mark": {"type": "line", "strokeWidth": 2.5, "point": {"size": 40}},
        "encoding": {"x": x, "y": y, "color": colour, "strokeDash": dash, "tooltip": tooltip},
    }]  # fmt: skip
    bands = [{"name": name, "x": at, "low": low, "high": high} for name, found in spans.items() for at, low, high in found]
    if bands:
        layers.append({
            "mark": {"type": "rule", "strokeWidth": 1.5}, "data": {"values": bands},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
        })  # fmt: skip
    return {
        "height": height, "background": "transparent", "data": {"values": values}, "layer": layers,
        "config": {"view": {"stroke": None}}, "autosize": {"type": "fit-x", "contains": "padding"},
    }  # fmt: skip
