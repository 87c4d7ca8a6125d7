"""A trace as numbers: NumPy's NPZ (never a pickle), and CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np

from core.errors import InputError
from core.request_json import request_to_json
from core.trace import Attention, Trace

ROWS = 1_000_000  # lines of a CSV that spreadsheets can open
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that begins like this


def npz(trace: Trace, attentions: tuple[Attention, ...] | None = None) -> bytes:
    """Every pattern (or those of `attentions` alone) as "STREAM.LAYER.pattern" float32 [head, query, key] and "….allowed" bool,
    the tokens and the request as JSON text in "tokens" and "request", next_logits where there are some."""
    arrays: dict[str, np.ndarray] = {}
    for attention in trace.attention if attentions is None else attentions:
        name = f"{attention.site.stream.value}.{attention.site.layer}"
        arrays[f"{name}.pattern"] = attention.pattern
        arrays[f"{name}.allowed"] = np.ascontiguousarray(attention.allowed)
    if trace.next_logits is not None:
        arrays["next_logits"] = trace.next_logits
    tokens = {
        side: None if found is None else {"ids": found.ids, "text": found.text, "special": found.special}
        for side, found in (("source", trace.source), ("target", trace.target))
    }
    arrays["tokens"] = np.array(json.dumps(tokens, ensure_ascii=True))
    arrays["request"] = np.array(request_to_json(trace.request))
    raw = io.BytesIO()
    np.savez_compressed(raw, **arrays)  # type: ignore[arg-type]
    return raw.getvalue()


def read_npz(content: bytes) -> dict[str, Any]:
    """The content that `npz` wrote: arrays by name, "tokens" as a dict, "request" as text."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        found: dict[str, Any] = {name: file[name] for name in file.files}
    return {**found, "tokens": json.loads(str(found["tokens"])), "request": str(found["request"])}


def csv_table(trace: Trace, attentions: tuple[Attention, ...]) -> str:
    """One line for each cell: stream, layer, head, query and key (counted from 1) with their tokens, may look, weight.

    Tokens that a spreadsheet would take for a formula get an apostrophe in front. Raises InputError above ROWS lines.
    """
    rows = sum(int(np.prod(attention.shape)) for attention in attentions)
    if rows > ROWS:
        raise InputError(f"at most {ROWS:,} cells in a CSV", f"{rows:,}", "Take one layer, or the NPZ")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["stream", "layer", "head", "query", "query token", "key", "key token", "may look", "weight"])
    for attention in attentions:
        site = attention.site
        queries = trace.source if site.stream.value == "encoder" else trace.target
        keys = trace.target if site.stream.value == "decoder" else trace.source
        assert queries is not None and keys is not None
        for head in range(site.heads):
            pattern, allowed = attention.head(head), attention.allowed[head]
            for q in range(pattern.shape[0]):
                for k in range(pattern.shape[1]):
                    writer.writerow([
                        site.stream.value, site.layer + 1, head + 1, q + 1, _safe(queries.text[q]), k + 1, _safe(keys.text[k]),
                        int(allowed[q, k]), f"{pattern[q, k]:.9g}",
                    ])  # fmt: skip
    return text.getvalue()


def _safe(token: str) -> str:
    return f"'{token}" if token.startswith(FORMULA) else token
