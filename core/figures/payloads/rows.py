"""The rows of one query, a line for each head: what the drawing of "where it looks" is given."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from core.attention import encode_u8
from core.figures.labels import joins, label
from core.request import Stream
from core.trace import Attention, Tokens, Trace

SAID = {
    Stream.ENCODER: "Self-attention of the encoder",
    Stream.DECODER: "Self-attention: what it has read and written",
    Stream.CROSS: "Cross-attention: the source",
}


def rows(held: Sequence[Attention], query: int = -1) -> dict[str, Any]:
    """One query's weights in all heads of a stream: the heads of each layer, and base64 of uint8 codes of the square root, a
    line a head [Σ heads, key], after a first line with the mean over all of them.
    """
    lines = [attention.head(head)[query] for attention in held for head in range(attention.site.heads)]
    mean = np.mean(np.stack(lines), axis=0, dtype=np.float64)
    codes = np.stack([encode_u8(np.asarray(line, dtype=np.float64)) for line in (mean, *lines)])
    return {
        "stream": held[0].site.stream.value, "title": SAID[held[0].site.stream], "heads": [a.site.heads for a in held],
        "keys": codes.shape[1], "codes": b64encode(codes.tobytes()).decode(),
    }  # fmt: skip


def looks(trace: Trace, query: int = -1, streams: Iterable[Stream] = (Stream.DECODER, Stream.CROSS)) -> list[dict[str, Any]]:
    """The rows of one query in each of `streams` that the trace holds."""
    found = []
    for stream in streams:
        held = [attention for attention in trace.attention if attention.site.stream is stream]
        if held:
            found.append(rows(held, query))
    return found


def names(tokens: Tokens | None, longest: int = 18) -> list[dict[str, Any]]:
    """A text's tokens as chips: label, whether special, and whether it goes on the word before it."""
    if tokens is None:
        return []
    placed = enumerate(zip(tokens.text, tokens.special, strict=True))
    return [{"text": label(text, longest), "special": bool(special), "joins": joins(tokens, n)} for n, (text, special) in placed]
