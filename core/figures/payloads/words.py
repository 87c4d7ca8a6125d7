"""What the bars of surprisal draw: a text token by token, how unexpected each was, and what was expected in its place."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.figures.labels import label, percent
from core.figures.payloads.loop import surprisals
from core.figures.payloads.rows import names
from core.trace import Trace

SHOWN = 6  # candidates of a place


def one_row(name: str, trace: Trace, given: int, kind: str) -> dict[str, Any]:
    """A text. given: its first tokens that were there before; kind: of those after, "yours" or "its". Needs predictions."""
    assert trace.target is not None and trace.predictions is not None
    expected, tokens = trace.predictions, []
    for place, (one, bits) in enumerate(zip(names(trace.target), surprisals(trace), strict=True)):
        token: dict[str, Any] = {**one, "bits": bits, "kind": "given" if place < given else kind, "top": [], "rank": 0, "said": ""}
        if place:
            ids, nats = expected.top_ids[place - 1], expected.top_logprob[place - 1]
            here = np.flatnonzero(ids == trace.target.ids[place])
            token["rank"] = int(here[0]) + 1 if len(here) else 0
            token["listed"] = len(ids)
            token["said"] = percent(float(np.exp(expected.actual_logprob[place - 1])))
            token["top"] = [
                {"text": label(trace.token_text(int(id)), 16), "share": float(np.exp(one)), "said": percent(float(np.exp(one)))}
                for id, one in zip(ids[:SHOWN], nats[:SHOWN], strict=True)
            ]
        tokens.append(token)
    return {"name": name, "tokens": tokens}


def payload(rows: list[dict[str, Any]], version: str) -> dict[str, Any]:
    """One text, or two to compare, on one scale of bits. The token that surprised most is looked at first."""
    most, at = 0.0, [0, 0]
    for r, row in enumerate(rows[:1]):
        for n, token in enumerate(row["tokens"]):
            news = any(one["kind"] != "given" for one in row["tokens"])
            if token["bits"] is not None and token["bits"] >= most and (token["kind"] != "given" or not news):
                most, at = token["bits"], [r, n]
    top = max([token["bits"] or 0.0 for row in rows for token in row["tokens"]], default=0.0)
    return {"rows": rows, "top": max(1.0, top), "at": at, "version": version}
