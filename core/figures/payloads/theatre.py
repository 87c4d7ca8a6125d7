"""What the encoder–decoder theatre draws: both sentences, each step's candidates, and the three maps as codes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from core.figures.labels import label, others, percent
from core.figures.payloads.rows import names
from core.request import Site, Stream
from core.trace import Tokens, Trace

SHOWN = 8  # candidates of a step
BUDGET = 2_000_000  # characters of codes in one message


def block(trace: Trace, stream: Stream) -> dict[str, Any]:
    """All heads of a stream: sizes; base64 of uint8 codes of the square root [layer, head, query, key], and of uint8 [query,
    key], 1 where any head of any layer may look.

    Layers with fewer heads repeat their last one, so that a place stands for a head everywhere.
    """
    sites = [attention for attention in trace.attention if attention.site.stream is stream]
    heads = max(attention.site.heads for attention in sites)
    codes = np.stack([np.stack([a.codes(min(h, a.site.heads - 1)) for h in range(heads)]) for a in sites])
    layers, _, queries, keys = codes.shape
    may = np.any([np.broadcast_to(a.allowed, a.shape).any(axis=0) for a in sites], axis=0)
    sizes = {"layers": layers, "heads": heads, "queries": queries, "keys": keys}
    return {
        **sizes,
        "codes": b64encode(codes.tobytes()).decode(),
        "may": b64encode(may.astype(np.uint8).tobytes()).decode(),
    }


def room(sites: Sequence[Site]) -> int:
    """How many tokens a source or a target may have, so that the maps of all heads fit one message."""
    heads = sum(site.heads for site in sites)
    return int((BUDGET * 3 / 4 / max(1, heads)) ** 0.5)


def words(tokens: Tokens) -> list[dict[str, Any]]:
    """A text's tokens: label, word, whether it is special and whether it goes on the word before it."""
    return [{**token, "word": int(word)} for token, word in zip(names(tokens), tokens.word, strict=True)]


def payload(
    trace: Trace, given: int, version: str, at: int, *, ends: Collection[int] = (), note: str = "",
    only: Mapping[int, Sequence[int]] | None = None, fixed: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """A finished text, step by step. trace holds the whole target, its predictions among it.

    Row i of the target's maps is the step that writes token i + 1; the last row writes nothing yet: it shows what would come
    next. given: how many tokens after the start the model did not choose by itself. at: the step to open on. ends: the ids
    that end a text. only: row → the source tokens it was left to read. note: a line under the lead.
    fixed: what a row may read cannot be changed.
    """
    assert trace.source is not None and trace.target is not None
    assert trace.predictions is not None and trace.next_logits is not None
    target, expected = words(trace.target), trace.predictions
    steps = []
    for row in range(len(target)):
        ids, logprobs = expected.top_ids[row][:SHOWN], expected.top_logprob[row][:SHOWN]
        chances = np.exp(logprobs.astype(np.float64))
        candidates = [
            {"id": int(id), "text": label(trace.token_text(int(id)), 18), "p": float(p), "said": percent(float(p))}
            for id, p in zip(ids, chances, strict=True)
        ]
        last = row == len(target) - 1
        if last:
            ends_here = int(ids[0]) in ends
            written = {"text": candidates[0]["text"], "id": int(ids[0]), "word": -1, "special": ends_here, "joins": False}
            said = candidates[0]["said"]
        else:
            written = {**target[row + 1], "id": int(trace.target.ids[row + 1])}
            said = percent(float(np.exp(expected.actual_logprob[row])))
        written["forced"] = not last and row < given and written["id"] != int(ids[0])
        flag = f"Given, not chosen: by itself it would write “{candidates[0]['text']}” here." if written["forced"] else ""
        read = " ".join("".join(trace.target.text[1 : row + 1]).split())
        read = read if len(read) <= 40 else "…" + read[-39:]
        steps.append({
            "written": written, "best": said, "read": read, "reads": target[row]["text"], "candidates": candidates,
            "rest": others(len(trace.next_logits) - len(candidates), 1 - float(chances.sum())),
            "flag": flag, "only": list((only or {}).get(row, ())) or None,
        })  # fmt: skip
    blocks = {stream.value: block(trace, stream) for stream in Stream}
    return {
        **blocks, "source": words(trace.source), "steps": steps, "version": version, "at": at, "best": sharpest(trace),
        "note": note, "fixed": fixed,
    }  # fmt: skip


def sharpest(trace: Trace) -> list[int] | None:
    """The cross-attention head that is most decided on the source's own tokens: [layer, head]; None where there is none."""
    assert trace.source is not None
    real = ~np.array(trace.source.special)
    best: tuple[float, list[int]] | None = None
    for attention in trace.attention:
        if attention.site.stream is not Stream.CROSS:
            continue
        for head in range(attention.site.heads):
            pattern = attention.head(head)[:, real]
            reached = len(set(pattern.argmax(-1).tolist())) / max(1, min(pattern.shape)) if pattern.size else 0.0
            score = float(pattern.max(-1).mean()) * reached if pattern.size else 0.0
            if best is None or score > best[0]:
                best = score, [attention.site.layer, head]
    return None if best is None else best[1]
