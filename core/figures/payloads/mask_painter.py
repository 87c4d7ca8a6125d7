"""What the mask painter draws, as one message of bytes.

Layout: u32 length of the header (little endian) | header, JSON in UTF-8 | zeros up to a multiple of 4 | float32 [query, key] of
the pattern now | float32 [query, key] of the pattern as trained | uint8 [query, key], 1 = may look, now | the same as trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np


def pack(header: Mapping[str, Any], now: np.ndarray, before: np.ndarray, allowed: np.ndarray, native: np.ndarray) -> bytes:
    """header: plain Python values. now, before float [query, key]; allowed, native bool [query, key]."""
    said = json.dumps(dict(header), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    parts = [len(said).to_bytes(4, "little"), said, b"\0" * (-(4 + len(said)) % 4)]
    parts += [np.ascontiguousarray(one, dtype="<f4").tobytes() for one in (now, before)]
    parts += [np.ascontiguousarray(one, dtype=np.uint8).tobytes() for one in (allowed, native)]
    return b"".join(parts)


def unpack(message: bytes) -> tuple[dict[str, Any], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What `pack` was given."""
    size = int.from_bytes(message[:4], "little")
    header = json.loads(message[4 : 4 + size])
    start, shape = 4 + size + (-(4 + size) % 4), (len(header["rows"]), len(header["columns"]))
    cells = shape[0] * shape[1]
    floats = np.frombuffer(message, dtype="<f4", count=2 * cells, offset=start).reshape(2, *shape)
    flags = np.frombuffer(message, dtype=np.uint8, count=2 * cells, offset=start + 8 * cells).reshape(2, *shape) == 1
    return header, floats[0], floats[1], flags[0], flags[1]
