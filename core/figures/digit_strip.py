"""Small pictures in a row, each with a word under it: handwritten digits and what was made of them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from core.figures.raster import data_uri, stretch
from core.figures.theme import Theme, rgb

SIDE = 40  # px


def strip(title: str, images: Sequence[np.ndarray], words: Sequence[str], theme: Theme) -> str:
    """images float [height, width] in 0 … 1, drawn in the ink of the theme; words stand below, escaped. HTML."""
    cells = []
    for image, said in zip(images, words, strict=True):
        ink, ground = rgb(theme.ink).astype(float), rgb(theme.field).astype(float)
        pixels = np.round(ground + (ink - ground) * np.asarray(image)[..., None]).astype(np.uint8)
        uri = data_uri(stretch(pixels, SIDE, SIDE))
        cells.append(
            f'<figure><img src="{uri}" alt="a handwritten digit" width="{SIDE}" height="{SIDE}">'
            f"<figcaption>{escape(said)}</figcaption></figure>"
        )
    return f'<div class="digits" role="group" aria-label="{escape(title)}">{"".join(cells)}</div>'
