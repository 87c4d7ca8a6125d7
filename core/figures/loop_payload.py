"""What the generation loop draws: the prompt, and for each step the candidates, the choice, its attention and the cache."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.figures.labels import label, percent
from core.request import Stream
from core.trace import Step, Trace

SHOWN = 10  # candidates of a step


def products(trace_rows: Sequence[tuple[int, int, int]]) -> int:
    """How many products q·k a pass took: Σ heads · queries · keys over its attentions."""
    return sum(heads * queries * keys for heads, queries, keys in trace_rows)


def bytes_said(count: int) -> str:
    """Bytes in words."""
    return f"{count} B" if count < 1000 else f"{count / 1000:.0f} kB" if count < 1_000_000 else f"{count / 1e6:.1f} MB"


def surprisals(trace: Trace) -> list[float | None]:
    """−log₂ p of each piece of the decoder's text, in bits; None for the first, which nothing announced. Needs predictions."""
    assert trace.target is not None and trace.predictions is not None
    found = [-float(nats) / math.log(2) for nats in trace.predictions.actual_logprob[: len(trace.target) - 1]]
    return [None, *found]


def one_step(step: Step) -> dict[str, Any]:
    """One turn of the loop."""
    decoder = [a for a in step.trace.attention if a.site.stream is Stream.DECODER]
    heads = max(a.site.heads for a in decoder)
    rows = np.stack([np.stack([a.codes(min(h, a.site.heads - 1))[-1] for h in range(heads)]) for a in decoder])
    shapes = [a.shape for a in decoder]
    length = step.cache.reused + step.cache.new
    candidates = [
        {"id": one.token.id, "text": label(one.token.text, 16), "before": one.before, "after": one.after, "cut": one.cut_by or "",
         "said": percent(one.before) if one.before == one.after or one.cut_by == "greedy" or one.after == one.before
         else f"{percent(one.before)} → {percent(one.after)}"}
        for one in step.candidates[:SHOWN]
    ]  # fmt: skip
    chosen = next((one for one in step.candidates if one.token.id == step.choice.id), None)
    if chosen is not None and all(one["id"] != step.choice.id for one in candidates):
        candidates[-1] = {
            "id": chosen.token.id, "text": label(chosen.token.text, 16), "before": chosen.before, "after": chosen.after,
            "cut": "", "said": f"{percent(chosen.before)} → {percent(chosen.after)}",
        }  # fmt: skip
    chance = step.choice.probability if chosen is None else chosen.before
    written = {
        "text": label(step.choice.text, 18), "id": step.choice.id, "special": step.finished and not step.choice.text.strip(),
        "bits": -math.log2(chance) if chance > 0 else None, "said": percent(chance), "forced": False,
    }  # fmt: skip
    cache = {
        "bytes": bytes_said(step.cache.bytes), "reused": step.cache.reused, "fresh": step.cache.new,
        "products": f"{products(shapes):,}", "without": f"{products([(h, length, length) for h, _, _ in shapes]):,}",
    }  # fmt: skip
    return {
        "written": written, "candidates": candidates, "keys": rows.shape[-1], "cache": cache, "finished": step.finished,
        "rows": b64encode(rows.tobytes()).decode(), "layers": rows.shape[0], "heads": heads,
    }  # fmt: skip


def payload(prompt: Trace, steps: Sequence[dict[str, Any]], forced: int, version: str, sampled: bool) -> dict[str, Any]:
    """The whole loop. prompt: the trace of what was given, its predictions kept; its last `forced` pieces are a branch's."""
    assert prompt.target is not None
    bits = surprisals(prompt)
    given = [
        {"text": label(text, 18), "special": special, "bits": bit, "forced": place >= len(bits) - forced}
        for place, (text, special, bit) in enumerate(zip(prompt.target.text, prompt.target.special, bits, strict=True))
    ]
    return {
        "prompt": given, "steps": list(steps), "version": version, "sampled": sampled, "layers": steps[0]["layers"],
        "heads": steps[0]["heads"],
    }  # fmt: skip
