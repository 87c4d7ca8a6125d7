"""One head as a figure for a paper or a slide: SVG, with every exact weight in it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np

CELL, FONT = 30, 13
SANS = "Source Sans 3, Source Sans Pro, Helvetica, Arial, sans-serif"


def svg(
    pattern: np.ndarray, allowed: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str, subtitle: str,
    stops: Sequence[str], ink: str = "#1b1b22", ground: str = "#ffffff", quiet: str = "#5a5a66",
) -> str:  # fmt: skip
    """pattern float [query, key], allowed bool; rows and columns as labels; stops: colours of 0…1, evenly spaced.

    Each cell's <title> holds its weight in full, "may not look" where it is forbidden; colours are drawn from the weights.
    """
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
        f'<text x="16" y="28" {text} font-size="17" font-weight="600" fill="{ink}">{_clean(title)}</text>',
        f'<text x="16" y="48" {text} font-size="13" fill="{quiet}">{_clean(subtitle)}</text>',
        '<defs><pattern id="no" width="6" height="6" patternUnits="userSpaceOnUse"><path d="M0 6L6 0" stroke="#a9a7b0" '
        'stroke-width=".8"/></pattern></defs>',
    ]
    for q, name in enumerate(rows):
        y = top + (q + 0.5) * CELL + 4.5
        parts.append(
            f'<text x="{left - 8:.1f}" y="{y:.1f}" {text} font-size="{FONT}" text-anchor="end" fill="{ink}">{_clean(name)}</text>'
        )
    for k, name in enumerate(columns):
        x, y = left + (k + 0.5) * CELL, top - 8
        parts.append(
            f'<text transform="translate({x:.1f} {y:.1f}) rotate(-45)" {text} font-size="{FONT}" fill="{ink}">{_clean(name)}</text>'
        )
    for q in range(queries):
        for k in range(keys):
            x, y = left + k * CELL, top + q * CELL
            box = f'x="{x:.1f}" y="{y:.1f}" width="{CELL - 1}" height="{CELL - 1}"'
            if not allowed[q, k]:
                parts.append(f'<rect {box} fill="url(#no)"><title>may not look</title></rect>')
                continue
            weight = float(pattern[q, k])
            colour, over = _colour(weight, stops)
            parts.append(f'<rect {box} fill="{colour}"><title>{weight:.9g}</title></rect>')
            if weight >= 0.1:
                parts.append(
                    f'<text x="{x + (CELL - 1) / 2:.1f}" y="{y + CELL / 2 + 4:.1f}" {text} font-size="11" text-anchor="middle" '
                    f'fill="{over}">{100 * weight:.0f}</text>'
                )
    bar = top + CELL * queries + 18
    for step in range(120):
        parts.append(
            f'<rect x="{left + step:.1f}" y="{bar:.1f}" width="1.2" height="8" fill="{_colour(step / 119, stops)[0]}"/>'
        )
    for at, said in ((0, "0"), (60, "weight"), (120, "1")):
        parts.append(
            f'<text x="{left + at:.1f}" y="{bar + 22:.1f}" {text} font-size="11" text-anchor="middle" fill="{quiet}">{said}</text>'
        )
    return "\n".join([*parts, "</svg>"])


def _clean(text: str) -> str:
    """Text that XML may hold: control characters become a sign, markup is escaped."""
    return escape("".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cs") else c for c in text))


def _colour(weight: float, stops: Sequence[str]) -> tuple[str, str]:
    at = min(max(weight, 0.0), 1.0) * (len(stops) - 1)
    low = min(int(at), len(stops) - 2)
    first, second = (bytes.fromhex(stops[n].lstrip("#")) for n in (low, low + 1))
    mixed = [round(a + (b - a) * (at - low)) for a, b in zip(first, second, strict=True)]
    linear = [v / 255 / 12.92 if v / 255 <= 0.04045 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in mixed]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.2
    return "#" + bytes(mixed).hex(), "#1b1b22" if light else "#ffffff"
