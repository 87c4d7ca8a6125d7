"""Mask rules as they stand in a link: "encoder.causal", "decoder.window.3", "encoder.custom.l2.h1.3k1_4x6-5k2".

Parts after the name: a width; l… and h…, the layers and heads it is confined to; k…, whole columns; 3k1_4x6, of row 3 the
cells 1 and 4 to 6. All counted from 1. Rules are separated by commas, later ones replace earlier ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from core.request import MaskRule, Stream

MOST = 64  # rules of a link
LONGEST = 6000  # characters of a link's mask
Edge = tuple[int | None, int]
_NUMBERS = r"\d{1,4}(-\d{1,4})*"
_SPANS = r"\d{1,4}(x\d{1,4})?(_\d{1,4}(x\d{1,4})?)*"


def read_rules(raw: str, longest: int = LONGEST) -> tuple[MaskRule, ...]:
    """The rules of a link. Raises ValueError or MaskError for what means nothing."""
    if len(raw) > longest or not raw.isascii():
        raise ValueError(raw)
    parts = raw.split(",")
    if len(parts) > MOST and longest == LONGEST:
        raise ValueError(raw)
    return tuple(_read(part) for part in parts)


def write_rules(rules: Sequence[MaskRule]) -> str:
    """What `read_rules` turns into the same rules."""
    return ",".join(_write(rule) for rule in rules)


def read_reads(raw: str) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Rows and the only keys they may read, from "3k1_4x6-5k2": row 3 reads 1 and 4 to 6. Raises ValueError."""
    if len(raw) > LONGEST or not re.fullmatch(rf"\d{{1,4}}k{_SPANS}(-\d{{1,4}}k{_SPANS})*", raw, re.ASCII):
        raise ValueError(raw)
    rows = {}
    for part in raw.split("-"):
        row, _, keys = part.partition("k")
        rows[_from_one(row)] = tuple(sorted(set(_spans(keys))))
    return tuple(sorted(rows.items()))


def write_reads(reads: Iterable[tuple[int, Iterable[int]]]) -> str:
    """What `read_reads` turns into the same rows."""
    return "-".join(f"{row + 1}k{_joined(sorted(keys))}" for row, keys in reads)


def flips(native: np.ndarray, wanted: np.ndarray) -> tuple[Edge, ...]:
    """The cells by which bool [query, key] `wanted` differs from the native mask: (None, key) for a column that differs from
    end to end, (query, key) for the others, in order."""
    differ = native != wanted
    whole = differ.all(axis=0) & (len(differ) > 1)
    columns: tuple[Edge, ...] = tuple((None, int(key)) for key in np.flatnonzero(whole))
    return columns + tuple((int(q), int(k)) for q, k in np.argwhere(differ & ~whole))


def _read(part: str) -> MaskRule:
    stream, name, *more = part.split(".")
    width: int | None = None
    layers = heads = None
    edges: list[Edge] = []
    for piece in more:
        if re.fullmatch(r"\d{1,4}", piece):
            width = int(piece)
        elif re.fullmatch("l" + _NUMBERS, piece):
            layers = _counted(piece)
        elif re.fullmatch("h" + _NUMBERS, piece):
            heads = _counted(piece)
        elif re.fullmatch("k" + _SPANS, piece):
            edges += [(None, key) for key in _spans(piece[1:])]
        elif re.fullmatch(rf"\d{{1,4}}k{_SPANS}(-\d{{1,4}}k{_SPANS})*", piece):
            for row in piece.split("-"):
                query, _, keys = row.partition("k")
                edges += [(_from_one(query), key) for key in _spans(keys)]
        else:
            raise ValueError(part)
    return MaskRule(Stream(stream), name, layers, heads, width, tuple(edges))


def _write(rule: MaskRule) -> str:
    parts = [rule.stream.value, rule.name]
    parts += [] if rule.width is None else [str(rule.width)]
    for letter, places in (("l", rule.layers), ("h", rule.heads)):
        parts += [] if places is None else [letter + "-".join(str(place + 1) for place in places)]
    columns = sorted(key for query, key in rule.edges if query is None)
    rows: dict[int, list[int]] = {}
    for query, key in rule.edges:
        if query is not None:
            rows.setdefault(query, []).append(key)
    parts += ["k" + _joined(columns)] if columns else []
    parts += ["-".join(f"{query + 1}k{_joined(sorted(keys))}" for query, keys in sorted(rows.items()))] if rows else []
    return ".".join(parts)


def _joined(keys: Iterable[int]) -> str:
    spans: list[list[int]] = []
    for key in keys:
        if spans and key == spans[-1][1] + 1:
            spans[-1][1] = key
        else:
            spans.append([key, key])
    return "_".join(f"{first + 1}" + (f"x{last + 1}" if last > first else "") for first, last in spans)


def _spans(text: str) -> list[int]:
    found: list[int] = []
    for span in text.split("_"):
        first, _, last = span.partition("x")
        begin = _from_one(first)
        end = _from_one(last) if last else begin
        if end < begin:
            raise ValueError(text)
        found += range(begin, end + 1)
    return found


def _counted(piece: str) -> tuple[int, ...]:
    return tuple(_from_one(number) for number in piece[1:].split("-"))


def _from_one(number: str) -> int:
    if int(number) < 1:
        raise ValueError(number)
    return int(number) - 1
