"""A mask as a small picture, and the gallery's card around it."""

from __future__ import annotations

from html import escape

import numpy as np

from core.analysis import blocks
from core.figures.raster import data_uri, hatched, stretch
from core.figures.theme import Theme, rgb
from core.request import Stream

SIDE = 96  # px on screen
FINE = 48  # cells along a side; above, blocks


def picture(allowed: np.ndarray, stream: Stream, title: str, theme: Theme) -> str:
    """bool [query, key] as an <img>: open cells in the stream's accent, closed ones hatched."""
    if max(allowed.shape) > FINE:
        rows, columns = (blocks(n, FINE) for n in allowed.shape)
        allowed = np.maximum.reduceat(np.maximum.reduceat(allowed.astype(np.uint8), rows, 0), columns, 1) > 0
    side = 2 * SIDE // max(allowed.shape)
    height, width = allowed.shape[0] * side, allowed.shape[1] * side
    colour = np.round(0.55 * rgb(theme.accent(stream)) + 0.45 * rgb(theme.bg)).astype(np.uint8)
    pixels = np.where(stretch(allowed, height, width)[..., None], colour, hatched(height, width, theme)).astype(np.uint8)
    if side >= 8:
        pixels[::side], pixels[:, ::side] = rgb(theme.bg), rgb(theme.bg)
    return (
        f'<img class="mask" alt="{escape(title)}" src="{data_uri(pixels)}" '
        f'style="width:{width / 2:.0f}px;height:{height / 2:.0f}px">'
    )


def card(picture: str, title: str, said: str, distance: float | None, most: float, native: bool) -> str:
    """A card: picture, name, first piece (already escaped) and its KL divergence from the native mask as a bar and number."""
    note = ' <span class="native">as trained</span>' if native else ""
    bar = ""
    if distance is not None:
        share = 100 * distance / most if most > 0 else 0.0
        number = "0" if distance < 5e-7 else f"{distance:.3f}" if distance >= 0.0995 else f"{distance:.2g}"
        bar = f'<span class="kl"><i style="width:{share:.1f}%"></i></span><span class="nats">KL {number} nats</span>'
    return f'<div class="mask-card">{picture}<b>{escape(title)}</b>{note}<span class="said">{said}</span>{bar}</div>'
