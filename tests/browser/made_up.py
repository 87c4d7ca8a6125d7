"""Traces made of seeded random numbers: any size, any mask, texts in many scripts. No model, no torch."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from core.attention import readonly
from core.request import Request, Site, Stream
from core.trace import Attention, Tokens, Trace

PLAIN = ("she", "read", "s", "a", "new", "book", "every", "night")
WORLD = (
    "مرحبا", "العالم", "नमस्ते", "दुनिया", "👩‍👩‍👧‍👦", "🎉", "<img src=x onerror=alert(1)>",
    "Donaudampfschifffahrtsgesellschaftskapitän",
    "日本語", "naïve", "**bold**", "שלום", "$x^2$", "\u202eevil", "</script>", "ok",
)  # fmt: skip


@cache
def trace_of(tokens: int = 9, layers: int = 3, heads: int = 4, mask: str = "full", text: str = "plain", first: int = 0) -> Trace:
    """A trace with an encoder, a decoder (causal) and cross-attention; `tokens` in the source, two thirds of it in the target.

    mask: "full", "causal" or "holes" for the encoder. text: "plain" or "world". The last token of the source is special, the
    first one of the target too; tokens 1 and 2 of the source are one word. first: tokens of the first of two
    sentences in the source; 0 for a single text.
    """
    written = max(2, tokens * 2 // 3)
    source, target = _texts(tokens, text, special=tokens - 1), _texts(written, text, special=0)
    rng = np.random.default_rng(tokens * 1000 + layers * 10 + heads)
    sizes = {Stream.ENCODER: (tokens, tokens), Stream.DECODER: (written, written), Stream.CROSS: (written, tokens)}
    masks = {"full": np.ones((tokens, tokens), bool), "causal": np.tri(tokens, dtype=bool)}
    masks["holes"] = masks["full"].copy()
    masks["holes"][1::2, 2::3] = False
    attention = []
    for layer in range(layers):
        for stream, (queries, keys) in sizes.items():
            allowed = np.ones((queries, keys), bool) if stream is Stream.CROSS else np.tri(queries, dtype=bool)
            allowed = masks[mask] if stream is Stream.ENCODER else allowed
            pattern = np.stack([_head(rng, head, queries, keys, allowed) for head in range(heads)])
            attention.append(
                Attention(
                    Site(stream, layer, heads), readonly(allowed[None]), keeps=frozenset({"pattern"}), scaling=1.0,
                    kv_heads=heads, pattern=readonly(pattern),
                )
            )  # fmt: skip
    request = Request(f"made-up {mask} {text} {layers} {heads}", source.ids, target.ids, capture="float32")
    if first:
        request = replace(request, types=(0,) * first + (1,) * (tokens - first))
    return Trace(request, source, target, tuple(attention))


def _head(rng: np.random.Generator, head: int, queries: int, keys: int, allowed: np.ndarray) -> np.ndarray:
    """A head of some character: local, one token back, the first token as a sink, or broad."""
    q, k = np.mgrid[:queries, :keys]
    slope = keys / queries
    scores = rng.normal(0, 1.0, (queries, keys))
    character = head % 4
    if character == 0:
        scores -= abs(q * slope - k) * 0.6
    elif character == 1:
        scores += 5.0 * (np.floor(q * slope) - 1 == k)
    elif character == 2:
        scores += 3.2 * (k == 0)
    scores[~allowed] = -np.inf
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _texts(count: int, text: str, special: int) -> Tokens:
    pool = WORLD if text == "world" else PLAIN
    names = [f" {pool[place % len(pool)]}" for place in range(count)]
    names[special] = "<s>" if special == 0 else "</s>"
    word = [place - (place > 1) for place in range(count)] if count > 3 else list(range(count))
    flags = tuple(place == special for place in range(count))
    return Tokens(tuple(100 + place for place in range(count)), tuple(names), tuple(word), flags)
