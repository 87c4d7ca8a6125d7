"""The other figures to download, as SVG: all heads of a stream, one head as lines, probabilities as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.export.figure import SANS, clean, colour_bar, shade

GLANCE, GAP, BLOCKS = 96, 14, 24  # px of a small map, px between two maps; the most cells along its side
ROW, ACROSS = 26, 190  # px of a row of lines, and between its two columns
FAINT = 0.04  # weight of the faintest line
Row = tuple[str, float, float | None]


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours of a figure, all sRGB hex. stops: colours of the scale from 0 to 1, evenly spaced."""

    stops: tuple[str, ...]
    ink: str
    ground: str
    quiet: str
    accent: str
    fade: str


def heads(patterns: Sequence[np.ndarray], allowed: Sequence[np.ndarray], title: str, subtitle: str, look: Colours) -> str:
    """All heads of a stream as small maps. patterns, allowed: for each layer one float and one bool array [head, query, key].

    Where a pattern is large, its cells are grouped into blocks, and each block shows its largest weight. The <title> holds this
    weight with layer and head.
    """
    most = max(len(pattern) for pattern in patterns)
    left, top = 44, 92
    width = max(left + most * (GLANCE + GAP) + 16, 24 + 7.2 * max(len(title), len(subtitle)))
    height = top + len(patterns) * (GLANCE + GAP) + 48
    parts = _begin(width, height, title, subtitle, look)
    for head in range(most):
        parts.append(
            _text(left + head * (GLANCE + GAP) + GLANCE / 2, top - 8, f"head {head + 1}", look.quiet, 11, "middle")
        )
    for layer, (pattern, may) in enumerate(zip(patterns, allowed, strict=True)):
        y = top + layer * (GLANCE + GAP)
        parts.append(_text(left - 8, y + GLANCE / 2 + 4, f"L{layer + 1}", look.quiet, 11, "end"))
        for head in range(len(pattern)):
            parts += _glance(pattern[head], may[head], left + head * (GLANCE + GAP), y, (layer, head), look)
    parts += colour_bar(left, height - 36, look.stops, look.quiet, ("0", "weight", "1"))
    return "\n".join([*parts, "</svg>"])


def lines(
    pattern: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str, subtitle: str, look: Colours, query: int
) -> str:
    """One head as lines from the queries (left) to the keys (right).

    Width and strength of a line show its weight, which is also in its <title>. The row `query` has the stream's accent colour.
    Weights below FAINT are left out, and the figure says so.
    """
    left = 24 + 7.2 * max(map(len, rows))
    right = 24 + 7.2 * max(map(len, columns))
    top, count = 92, max(len(rows), len(columns))
    width = max(left + ACROSS + right, 24 + 7.2 * max(len(title), len(subtitle)))
    height = top + ROW * count + 34
    parts = _begin(width, height, title, subtitle, look)
    parts.append(_text(left - 8, top - 12, "looks", look.quiet, 11, "end"))
    parts.append(_text(left + ACROSS + 8, top - 12, "is looked at", look.quiet, 11))
    order = sorted(
        np.argwhere(pattern >= FAINT).tolist(), key=lambda cell: (cell[0] == query, pattern[cell[0], cell[1]])
    )
    for q, k in order:
        weight = float(pattern[q, k])
        y0, y1 = top + (q + 0.5) * ROW, top + (k + 0.5) * ROW
        end, middle = left + ACROSS, left + ACROSS / 2
        curve = f"M{left:.1f} {y0:.1f}C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {end:.1f} {y1:.1f}"
        parts.append(
            f'<path d="{curve}" fill="none" stroke="{look.accent if q == query else look.fade}" '
            f'stroke-width="{0.5 + 5 * weight:.2f}" stroke-opacity="{0.35 + 0.65 * weight:.2f}"><title>{weight:.9g}</title></path>'
        )
    for names, x, anchor in ((rows, left - 8, "end"), (columns, left + ACROSS + 8, "start")):
        for place, name in enumerate(names):
            bold = anchor == "end" and place == query
            parts.append(_text(x, top + (place + 0.5) * ROW + 4.5, name, look.ink, 13, anchor, bold))
    parts.append(_text(16, height - 12, f"Weights below {FAINT} are not drawn.", look.quiet, 11))
    return "\n".join([*parts, "</svg>"])


def bars(rows: Sequence[Row], title: str, subtitle: str, look: Colours) -> str:
    """Probabilities as bars. rows: (name, now, before or None). Each <title> holds the exact number; a tick marks "before"."""
    left, top, long = 24 + 7.2 * max((len(name) for name, _, _ in rows), default=1), 76, 320
    width = max(left + long + 150, 24 + 7.2 * max(len(title), len(subtitle)))
    parts = _begin(width, top + ROW * len(rows) + 24, title, subtitle, look)
    for place, (name, now, before) in enumerate(rows):
        y = top + place * ROW
        parts.append(_text(left - 8, y + 15, name, look.ink, 13, "end", place == 0))
        fill = look.accent if place == 0 else look.fade
        parts.append(
            f'<rect x="{left:.1f}" y="{y + 3}" width="{max(long * now, 0.5):.1f}" height="15" fill="{fill}">'
            f"<title>{now:.9g}</title></rect>"
        )
        was = "" if before is None else f", was {100 * before:.3g} %"
        parts.append(_text(left + long * max(now, before or 0.0) + 8, y + 15, f"{100 * now:.3g} %{was}", look.ink, 12))
        if before is not None:
            parts.append(f'<rect x="{left + long * before - 1:.1f}" y="{y}" width="2" height="21" fill="{look.ink}"/>')
    return "\n".join([*parts, "</svg>"])


def _begin(width: float, height: float, title: str, subtitle: str, look: Colours) -> list[str]:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f'<rect width="100%" height="100%" fill="{look.ground}"/>',
        _text(16, 28, title, look.ink, 17, "start", True),
        _text(16, 48, subtitle, look.quiet, 13),
    ]


def _text(x: float, y: float, said: str, fill: str, size: int, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="{SANS}" font-size="{size}" text-anchor="{anchor}"{weight} fill="{fill}">'
        f"{clean(said)}</text>"
    )


def _glance(
    pattern: np.ndarray, allowed: np.ndarray, x: float, y: float, place: tuple[int, int], look: Colours
) -> list[str]:
    queries, keys = pattern.shape
    down, across = min(queries, BLOCKS), min(keys, BLOCKS)
    height, width = GLANCE / down, GLANCE / across
    parts = [f"<g><title>layer {place[0] + 1}, head {place[1] + 1}</title>"]
    for q in range(down):
        rows = slice(q * queries // down, (q + 1) * queries // down)
        for k in range(across):
            columns = slice(k * keys // across, (k + 1) * keys // across)
            may = allowed[rows, columns]
            weight = float(pattern[rows, columns].max()) if may.any() else 0.0
            fill = shade(weight, look.stops)[0] if may.any() else look.fade
            said = f"{weight:.9g}" if may.any() else "may not look"
            parts.append(
                f'<rect x="{x + k * width:.2f}" y="{y + q * height:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{fill}" '
                f'fill-opacity="{1 if may.any() else 0.25}"><title>{said}</title></rect>'
            )
    return [*parts, "</g>"]
