"""Small pictures as PNG, built with NumPy: masks, and the hatch of what is forbidden."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode

import numpy as np

from core.figures.theme import Theme, rgb

STEP = 9  # px between two hatch lines, at twice the size on screen


def png(pixels: np.ndarray) -> bytes:
    """A PNG file from uint8 [height, width, 3 or 4]."""
    height, width, channels = pixels.shape
    rows = np.zeros((height, 1 + width * channels), dtype=np.uint8)  # the leading 0 of a row: no filter
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, {3: 2, 4: 6}[channels], 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def data_uri(pixels: np.ndarray) -> str:
    """The same as an address that loads nothing."""
    return "data:image/png;base64," + b64encode(png(pixels)).decode()


def stretch(cells: np.ndarray, height: int, width: int) -> np.ndarray:
    """Cells [query, key, …] as pixels [height, width, …], each pixel taking the cell it lies in."""
    rows = np.arange(height) * cells.shape[0] // height
    columns = np.arange(width) * cells.shape[1] // width
    return cells[rows][:, columns]


def hatched(height: int, width: int, theme: Theme) -> np.ndarray:
    """A ground with rising lines, uint8 [height, width, 3]."""
    y, x = np.mgrid[:height, :width]
    line = ((x + y) % STEP < 2)[..., None]
    return np.where(line, rgb(theme.hatch), rgb(theme.hatch_ground)).astype(np.uint8)


def forbidden(allowed: np.ndarray, side: int, theme: Theme) -> np.ndarray:
    """Hatch where looking is forbidden, nothing elsewhere: uint8 [queries · side, keys · side, 4]; allowed bool [query, key]."""
    height, width = allowed.shape[0] * side, allowed.shape[1] * side
    shown = stretch(~allowed, height, width)
    return np.dstack([hatched(height, width, theme), np.where(shown, 255, 0).astype(np.uint8)])
