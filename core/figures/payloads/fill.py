"""What fill-mask draws: a text with its words to click, what fits at each mask, and where each mask looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.analysis import probabilities
from core.figures.labels import label, percent
from core.figures.payloads.rows import looks, names
from core.request import Stream
from core.trace import Tokens, Trace, largest

SHOWN = 10  # candidates of a mask


def words_of(tokens: Tokens) -> dict[int, list[int]]:
    """The places of each word's tokens; words are counted from 1, as people and links do; special tokens belong to none."""
    found: dict[int, list[int]] = {}
    for place, (word, special) in enumerate(zip(tokens.word, tokens.special, strict=True)):
        if not special:
            found.setdefault(int(word), []).append(place)
    return dict(enumerate(found.values(), 1))


def one_place(trace: Trace, place: int, truth: int) -> dict[str, Any]:
    """One mask: the likeliest tokens, the one that stood there with its rank, and the rows of the mask's query."""
    chances = probabilities(trace.masked_logits[place])
    best = largest(chances, SHOWN)
    return {
        "at": place, "was": label(trace.token_text(truth), 16), "said": percent(float(chances[truth])),
        "rank": int((chances > chances[truth]).sum()) + 1, "of": len(chances),
        "candidates": [
            {"id": int(id), "text": label(trace.token_text(int(id)), 16), "share": float(chances[id]),
             "said": percent(float(chances[id])), "was": int(id) == truth} for id in best
        ],
        "entropy": float(-(chances * np.log2(np.maximum(chances, 1e-300))).sum()), "looks": looks(trace, place, (Stream.ENCODER,)),
    }  # fmt: skip


def payload(tokens: Tokens, trace: Trace, masked: Sequence[int], latest: int, version: str) -> dict[str, Any]:
    """tokens: the text as it was; trace: of the text with masks; masked: their places; latest: the one to look at first."""
    shown = names(tokens)
    for word, places in words_of(tokens).items():
        for place in places:
            shown[place]["word"] = word
    for place in masked:
        shown[place]["masked"] = True
    return {
        "tokens": shown,
        "mask": label(trace.token_text(trace.request.source[masked[0]]), 12) if masked and trace.request.source else "",
        "places": [one_place(trace, place, tokens.ids[place]) for place in masked],
        "focus": masked.index(latest) if latest in masked else 0, "version": version,
    }  # fmt: skip
