"""One head as a figure for a paper or a slide: SVG, with every exact weight in it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

import numpy as np

CELL, FONT = 30, 13
SANS = "Source Sans 3, Source Sans Pro, Helvetica, Arial, sans-serif"


def svg(
    pattern: np.ndarray, allowed: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str, subtitle: str,
    stops: Sequence[str], ink: str = "#1b1b22", ground: str = "#ffffff", quiet: str = "#5a5a66",
    unit: str = "weight", scale: tuple[float, float] = (0.0, 1.0),
) -> str:  # fmt: skip
    """A head's pattern as SVG. pattern float and allowed bool, both [query, key]; rows, columns: labels; stops: colours of
    `scale`, evenly spaced.

    Each cell's <title> holds its exact number, or "may not look" where it is masked. The colours are computed from the numbers.
    Attention weights (unit "weight") are printed in %, from 10 % on; other numbers are printed as they are.
    """
    low, high = scale
    queries, keys = pattern.shape
    left = 24 + 7.5 * max((len(row) for row in rows), default=1)
    top = 78 + 5.6 * max((len(column) for column in columns), default=1)
    right = 30 + 5 * max((len(column) for column in columns), default=1)
    width = max(left + CELL * keys + right, 24 + 7.2 * max(len(title), len(subtitle)))
    height = top + CELL * queries + 62
    text = f'font-family="{SANS}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">',
        f'<rect width="100%" height="100%" fill="{ground}"/>',
        f'<text x="16" y="28" {text} font-size="17" font-weight="600" fill="{ink}">{clean(title)}</text>',
        f'<text x="16" y="48" {text} font-size="13" fill="{quiet}">{clean(subtitle)}</text>',
        '<defs><pattern id="no" width="6" height="6" patternUnits="userSpaceOnUse"><path d="M0 6L6 0" stroke="#a9a7b0" '
        'stroke-width=".8"/></pattern></defs>',
    ]
    parts += _labels(rows, columns, left, top, ink)
    for q, k in np.ndindex(queries, keys):
        weight = float(pattern[q, k]) if allowed[q, k] else None
        parts += _cell(left + k * CELL, top + q * CELL, weight, stops, scale, unit == "weight")
    parts += colour_bar(left, top + CELL * queries + 18, stops, quiet, (f"{low:.3g}", unit, f"{high:.3g}"))
    return "\n".join([*parts, "</svg>"])


def _labels(rows: Sequence[str], columns: Sequence[str], left: float, top: float, ink: str) -> Iterator[str]:
    """The labels of rows and columns, around a map whose corner is at (left, top)."""
    text = f'font-family="{SANS}" font-size="{FONT}"'
    for q, name in enumerate(rows):
        y = top + (q + 0.5) * CELL + 4.5
        yield f'<text x="{left - 8:.1f}" y="{y:.1f}" {text} text-anchor="end" fill="{ink}">{clean(name)}</text>'
    for k, name in enumerate(columns):
        x, y = left + (k + 0.5) * CELL, top - 8
        yield f'<text transform="translate({x:.1f} {y:.1f}) rotate(-45)" {text} fill="{ink}">{clean(name)}</text>'


def _cell(
    x: float, y: float, weight: float | None, stops: Sequence[str], scale: tuple[float, float], shares: bool
) -> Iterator[str]:
    """One cell with its number. weight: None where the query may not look. shares: the number is printed in %."""
    box = f'x="{x:.1f}" y="{y:.1f}" width="{CELL - 1}" height="{CELL - 1}"'
    if weight is None:
        yield f'<rect {box} fill="url(#no)"><title>may not look</title></rect>'
        return
    colour, over = shade((weight - scale[0]) / (scale[1] - scale[0]), stops)
    yield f'<rect {box} fill="{colour}"><title>{weight:.9g}</title></rect>'
    if weight >= 0.1 or not shares:
        yield (
            f'<text x="{x + (CELL - 1) / 2:.1f}" y="{y + CELL / 2 + 4:.1f}" font-family="{SANS}" font-size="11" '
            f'text-anchor="middle" fill="{over}">{f"{100 * weight:.0f}" if shares else _short(weight)}</text>'
        )


def colour_bar(x: float, y: float, stops: Sequence[str], quiet: str, said: tuple[str, str, str]) -> list[str]:
    """The colour scale of a map, 120 px wide. said: the texts at its beginning, under its middle and at its end."""
    parts = [
        f'<rect x="{x + step:.1f}" y="{y:.1f}" width="1.2" height="8" fill="{shade(step / 119, stops)[0]}"/>'
        for step in range(120)
    ]
    for at, text in ((0, said[0]), (60, said[1]), (120, said[2])):
        parts.append(
            f'<text x="{x + at:.1f}" y="{y + 22:.1f}" font-family="{SANS}" font-size="11" text-anchor="middle" fill="{quiet}">'
            f"{clean(text)}</text>"
        )
    return parts


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def clean(text: str) -> str:
    """The text in a form that XML may hold: control characters are replaced, and markup is escaped."""
    return escape("".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cs") else c for c in text))


def shade(weight: float, stops: Sequence[str]) -> tuple[str, str]:
    """The colour of a share of the scale, and the ink that can be read on it (WCAG 2: relative luminance above 0.2 is light)."""
    at = min(max(weight, 0.0), 1.0) * (len(stops) - 1)
    low = min(int(at), len(stops) - 2)
    first, second = (bytes.fromhex(stops[n].lstrip("#")) for n in (low, low + 1))
    mixed = [round(a + (b - a) * (at - low)) for a, b in zip(first, second, strict=True)]
    linear = [v / 255 / 12.92 if v / 255 <= 0.04045 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in mixed]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.2
    return "#" + bytes(mixed).hex(), "#1b1b22" if light else "#ffffff"
