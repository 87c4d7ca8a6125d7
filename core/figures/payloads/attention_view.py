"""A trace's stream packed for the attention view: three messages, each one `bytes` of at most BUDGET, each deterministic.

Layout of a message: u32 length of the header (little endian) | header, JSON in UTF-8 | zeros up to a multiple of 4 | arrays,
each starting at a multiple of 4 counted from the end of those zeros. A message is named by `part`:

    overview   texts, masks, scores, and every head as 8-bit codes of the square root: whole, or pooled to 48 × 48 above BUDGET
    layer      one layer's heads as codes, whole (or those wanted, where not all fit): only where the overview is pooled
    heads      the float32 pattern of a few heads, or as many rows of them as fit

Where no head of the stream looks ahead, only cells on and under the diagonal are sent, row after row (`triangle`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from core.analysis import texts
from core.analysis.head_scores import HeadScore, offered, scored
from core.attention import encode_u8
from core.figures.labels import label
from core.request import Stream
from core.trace import Attention, Tokens, Trace

BUDGET = 2_000_000  # bytes a message
GLANCE = 48  # cells along a side of a pooled head
LONGEST = 120  # characters of a token; the view shortens further where it draws
HEADER = 160_000  # bytes left for a header of 1,024 tokens and 512 heads


def overview(trace: Trace, stream: Stream) -> bytes:
    """Every head of a stream, and everything that stays when another head is looked at."""
    sites = _sites(trace, stream)
    _, queries, keys = sites[0].shape
    start = sites[0].query_start
    triangle = staircase(queries, keys, start)
    masks, of_head = _masks(sites, triangle)
    causal = all(not (mask & ~triangle).any() for mask in masks)
    cells = int(triangle.sum()) if causal else queries * keys
    heads = sum(site.site.heads for site in sites)
    packed = [None if mask.all() or np.array_equal(mask, triangle) else np.packbits(mask, axis=None) for mask in masks]
    whole = heads * cells + sum(bits.nbytes for bits in packed if bits is not None) + HEADER <= BUDGET
    side = (queries, keys) if whole else (min(GLANCE, queries), min(GLANCE, keys))
    small = staircase(*side, 0) if causal and not whole and queries == keys and not start else None
    taken = (triangle if causal else None) if whole else small

    pool, out = _Arrays(), []
    scores, found = offered(stream, keys), []
    for site in sites:
        for head in range(site.site.heads):
            weights = site.head(head)
            found.append(scored(scores, weights, start))
            codes = site.codes(head) if site.approximate else encode_u8(weights)
            shown = codes if whole else _pooled(codes, side)
            out.append((shown if taken is None else shown[taken]).reshape(-1))
    rows, columns = texts(trace, stream)
    header = {
        "part": "overview",
        "id": identity(trace, stream),
        "stream": stream.value,
        "streams": [one.value for one in Stream if any(a.site.stream is one for a in trace.attention)],
        "layers": [site.site.layer for site in sites],
        "heads": [site.site.heads for site in sites],
        "size": [queries, keys],
        "start": start,
        "texts": _texts(trace, rows, columns),
        "masks": [_mask(mask, bits, triangle, pool) for mask, bits in zip(masks, packed, strict=True)],
        "mask_of": of_head,
        "approximate": any(site.approximate for site in sites),
        "scores": _scores(scores, found),
        "codes": {
            "side": list(side),
            "triangle": taken is not None,
            "whole": whole,
            "at": pool.add(np.concatenate(out)),
        },
    }
    return _pack(header, pool)


def layer(trace: Trace, stream: Stream, number: int, only: Sequence[int] = ()) -> bytes | None:
    """One layer's heads as whole codes, or those of `only` as far as they fit; None where they exceed the budget."""
    attention = trace.at(stream, number)
    heads, queries, keys = attention.shape
    triangle = staircase(queries, keys, attention.query_start)
    causal = not _stays(attention, triangle)
    cells = int(triangle.sum()) if causal else queries * keys
    fit = (BUDGET - 1000) // cells
    wanted = list(dict.fromkeys(only))[:fit] if only else list(range(heads))
    if not wanted or len(wanted) > fit:
        return None
    pool = _Arrays()
    codes = [attention.codes(head) for head in wanted]
    at = pool.add(np.concatenate([(one[triangle] if causal else one).reshape(-1) for one in codes]))
    header = {"part": "layer", "id": identity(trace, stream), "layer": number, "triangle": causal, "at": at}
    return _pack({**header, "only": wanted} if only else header, pool)


def heads(trace: Trace, stream: Stream, wanted: Sequence[tuple[int, int]], query: int = 0) -> bytes:
    """The float32 pattern of the (layer, head) pairs wanted, the first one first; those that do not fit are left out.

    Where the first alone does not fit, the rows around `query` are sent. Nothing where the trace holds only codes.
    """
    pool, left = _Arrays(), BUDGET - 2000
    sent: list[dict[str, Any]] = []
    for number, head in dict.fromkeys(wanted):
        attention = trace.at(stream, number)
        if attention.approximate:
            continue
        _, queries, keys = attention.shape
        triangle = staircase(queries, keys, attention.query_start)
        causal = not _stays(attention, triangle, head)
        widths = triangle.sum(axis=1) if causal else np.full(queries, keys)
        first, last = _band(widths, min(max(query, 0), queries - 1), left // 4)
        if last - first < queries and sent:
            break
        pattern = attention.head(head)[first:last]
        exact = (pattern[triangle[first:last]] if causal else pattern).astype("<f4").reshape(-1)
        rows = {"first": first, "rows": last - first, "triangle": causal, "at": pool.add(exact)}
        sent.append({"layer": number, "head": head, **rows})
        left -= exact.nbytes
    return _pack({"part": "heads", "id": identity(trace, stream), "heads": sent}, pool)


def settings(trace: Trace, stream: Stream, **chosen: Any) -> bytes:
    """What is chosen, and no array: a message of a few hundred bytes."""
    return _pack({"part": "choice", "id": identity(trace, stream), **chosen}, _Arrays())


def header_of(message: bytes) -> dict[str, Any]:
    """The header of a message."""
    return json.loads(message[4 : 4 + int.from_bytes(message[:4], "little")])


def identity(trace: Trace, stream: Stream) -> str:
    """The same for the same question asked of the same model, in every process."""
    request = trace.request
    named: tuple[Any, ...] = (
        request.lens,
        request.source,
        request.target,
        request.intervention,
        request.capture,
        request.layers,
        stream.value,
    )
    if request.types is not None:
        named = (*named, request.types)
    return blake2b(repr(named).encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


def staircase(queries: int, keys: int, start: int = 0) -> np.ndarray:
    """bool [query, key]: the keys that stand no later than the query, whose first one has position `start`."""
    return np.tri(queries, keys, start, dtype=bool)


class _Arrays:
    """Arrays one behind the other, each at a multiple of 4."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, array: np.ndarray) -> int:
        at, raw = self.size, array.tobytes()
        raw += bytes(-len(raw) % 4)
        self.parts.append(raw)
        self.size += len(raw)
        return at


def _scores(scores: Mapping[str, HeadScore], found: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """What heads can be sorted by, each with one number a head."""
    return [
        {"name": name, "label": score.says, "ascending": score.ascending, "values": [one[name] for one in found]}
        for name, score in scores.items()
    ]


def _sites(trace: Trace, stream: Stream) -> list[Attention]:
    sites = sorted((a for a in trace.attention if a.site.stream is stream), key=lambda a: a.site.layer)
    return sites or [trace.at(stream, 0)]  # which says what the trace holds


def _unique(attention: Attention) -> np.ndarray:
    """The masks of an attention, one where all heads share it: bool [1 or head, query, key]."""
    allowed = attention.allowed
    return allowed[:1] if allowed.strides[0] == 0 else allowed


def _stays(attention: Attention, triangle: np.ndarray, head: int | None = None) -> bool:
    """Whether some head may look beyond the triangle."""
    allowed = _unique(attention)
    if head is not None and len(allowed) > 1:
        allowed = allowed[head : head + 1]
    return bool((allowed & ~triangle).any())


def _masks(sites: Sequence[Attention], triangle: np.ndarray) -> tuple[list[np.ndarray], list[int]]:
    """The different masks of a stream, and which one each head has."""
    known: dict[bytes, int] = {}
    masks: list[np.ndarray] = []
    of_head: list[int] = []
    for site in sites:
        allowed = _unique(site)
        places = []
        for mask in allowed:
            name = np.packbits(mask, axis=None).tobytes()
            if name not in known:
                known[name] = len(masks)
                masks.append(mask)
            places.append(known[name])
        of_head += places if len(places) > 1 else places * site.site.heads
    return masks, of_head


def _mask(mask: np.ndarray, bits: np.ndarray | None, triangle: np.ndarray, pool: _Arrays) -> dict[str, Any]:
    if bits is not None:
        return {"kind": "bits", "at": pool.add(bits)}
    return {"kind": "full" if mask.all() else "causal"}


def _pooled(codes: np.ndarray, side: tuple[int, int]) -> np.ndarray:
    """Codes shrunk by taking the largest of each block: a thin diagonal must not vanish."""
    for axis in (0, 1):
        if codes.shape[axis] > side[axis]:
            starts = np.linspace(0, codes.shape[axis], side[axis], endpoint=False).astype(int)
            codes = np.maximum.reduceat(codes, starts, axis=axis)
    return codes


def _band(widths: np.ndarray, query: int, room: int) -> tuple[int, int]:
    """The rows around a query whose cells fit into `room`: (first, one past the last)."""
    ends = np.concatenate([[0], np.cumsum(widths)])
    if ends[-1] <= room:
        return 0, len(widths)
    first = last = query
    while last - first < len(widths):
        grow_up = first > 0 and (query - first <= last - query or last == len(widths))
        low, high = (first - 1, last) if grow_up else (first, min(last + 1, len(widths)))
        if ends[high] - ends[low] > room:
            break
        first, last = low, high
    return first, last


def _texts(trace: Trace, rows: Tokens, columns: Tokens) -> list[dict[str, Any]]:
    """The texts of a run and the part each plays here: its tokens look (rows), are looked at (columns), both or neither.

    sentence: of a pair, to which one each token belongs, 0 or 1; a single text has no such list.
    """
    both = trace.source is not None and trace.target is not None
    told = []
    for tokens, stream, name in ((trace.source, "encoder", "Source"), (trace.target, "decoder", "Target")):
        if tokens is None:
            continue
        told.append(
            {
                "name": name if both else "Text",
                "stream": stream,
                "rows": tokens is rows,
                "columns": tokens is columns,
                "ids": [int(number) for number in tokens.ids],
                "text": [label(token, LONGEST) for token in tokens.text],
                "word": [int(number) for number in tokens.word],
                "special": [bool(odd) for odd in tokens.special],
            }
        )
        if tokens is trace.source and trace.request.types is not None:
            told[-1]["sentence"] = [int(kind > 0) for kind in trace.request.types]
    return told


def _plain(value: Any, where: str = "header") -> None:
    """Only what JSON has, and nothing that merely looks like it: a NumPy number would turn a whole message into a string."""
    if type(value) is dict:
        for name, inner in value.items():
            _plain(name, where)
            _plain(inner, f"{where}.{name}")
    elif type(value) in (list, tuple):
        for inner in value:
            _plain(inner, where)
    elif value is not None and type(value) not in (str, int, float, bool):
        raise TypeError(f"{where} holds a {type(value).__name__}, which JSON has not")


def _pack(header: dict[str, Any], pool: _Arrays) -> bytes:
    _plain(header)
    said = json.dumps(header, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode(
        "utf-8", "replace"
    )
    said += b" " * (-len(said) % 4)
    return b"".join([len(said).to_bytes(4, "little"), said, *pool.parts])
