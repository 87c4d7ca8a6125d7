"""A trace as numbers: NumPy's NPZ (never a pickle), and CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from core.errors import InputError
from core.frame import sides
from core.request_json import COUNTING, request_to_json
from core.trace import Attention, Predictions, Trace

ROWS = 1_000_000  # lines of a CSV that spreadsheets can open
COLUMNS = (
    "stream", "layer (from 0)", "head (from 0)", "query (from 0)", "query token", "key (from 0)", "key token", "may look", "weight",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that begins like this


def npz(trace: Trace, attentions: tuple[Attention, ...] | None = None) -> bytes:
    """Everything that was kept, as arrays; of `attentions`, all or these alone. Lazy patterns are computed.

    "STREAM.LAYER.pattern", "….scores" [head, query, key], "….query" [head, query, d], "….key" and "….value" [kv head, key, d],
    "….sink" [head, query], all float32, and "….allowed" bool [head, query, key]; "residual.STREAM", "predictions.NAME",
    "masked_logits.POSITION", "next_logits" and "answer" as in Trace; the tokens and the request as JSON text in "tokens" and
    "request", how all of them count in "counting". `Trace.save` writes a file that `Trace.load` makes a trace of again.
    """
    arrays: dict[str, np.ndarray] = {}
    for attention in trace.attention if attentions is None else attentions:
        arrays |= {
            f"{attention.site.stream.value}.{attention.site.layer}.{name}": array for name, array in _arrays(attention)
        }
    if trace.next_logits is not None:
        arrays["next_logits"] = trace.next_logits
    if trace.answer is not None:
        arrays["answer"] = trace.answer.logits
    if trace.predictions is not None:
        arrays |= {f"predictions.{name}": getattr(trace.predictions, name) for name in Predictions.__slots__}
    arrays |= {f"masked_logits.{place}": logits for place, logits in trace.masked_logits.items()}
    arrays |= {f"residual.{stream.value}": depths for stream, depths in (trace.residual or {}).items()}
    tokens = {
        side: None if found is None else {"ids": found.ids, "text": found.text, "special": found.special}
        for side, found in (("source", trace.source), ("target", trace.target))
    }
    arrays["tokens"] = np.array(json.dumps(tokens, ensure_ascii=True))
    arrays["request"], arrays["counting"] = np.array(request_to_json(trace.request)), np.array(COUNTING)
    raw = io.BytesIO()
    np.savez_compressed(raw, **arrays)  # type: ignore[arg-type]
    return raw.getvalue()


def _arrays(attention: Attention) -> Iterator[tuple[str, np.ndarray]]:
    """What an attention keeps, by name."""
    yield "allowed", np.ascontiguousarray(attention.allowed)
    names = {"pattern": ("pattern",), "scores": ("scores",), "qkv": ("query", "key", "value")}
    for kept in sorted(attention.keeps & names.keys()):
        for name in names[kept]:
            yield name, getattr(attention, name)
    if "pattern" in attention.keeps and (sink := attention.sink) is not None:
        yield "sink", sink


def read_npz(content: bytes) -> dict[str, Any]:
    """The content that `npz` wrote: arrays by name, "tokens" as a dict, "request" and "counting" as text."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        found: dict[str, Any] = {name: file[name] for name in file.files}
    # older files do not say how they count
    texts: dict[str, Any] = {name: str(found[name]) for name in ("request", "counting") if name in found}
    return {**found, **texts, "tokens": json.loads(str(found["tokens"]))}


def csv_table(trace: Trace, attentions: tuple[Attention, ...]) -> str:
    """One line for each cell: stream, layer, head, query and key (counted from 0) with their tokens, may look, weight.

    Tokens that a spreadsheet would take for a formula get an apostrophe in front. Raises InputError above ROWS lines.
    """
    rows = sum(int(np.prod(attention.shape)) for attention in attentions)
    if rows > ROWS:
        raise InputError(f"at most {ROWS:,} cells in a CSV", f"{rows:,}", "Take one layer, or the NPZ")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for attention in attentions:
        site, start = attention.site, attention.query_start
        queries, keys = sides(site.stream, trace.source, trace.target)
        for head in range(site.heads):
            pattern, allowed = attention.head(head), attention.allowed[head]
            for q in range(pattern.shape[0]):
                for k in range(pattern.shape[1]):
                    writer.writerow([
                        site.stream.value, site.layer, head, start + q, _safe(queries.text[start + q]), k, _safe(keys.text[k]),
                        int(allowed[q, k]), f"{pattern[q, k]:.9g}",
                    ])  # fmt: skip
    return text.getvalue()


def _safe(token: str) -> str:
    return f"'{token}" if token.startswith(FORMULA) else token
