"""Mask rules as a link writes them: "encoder.causal", "decoder.window.3", "encoder.custom.l2.h1.3k1_4x6-5k2".

After the name come a width; l… and h… for the only layers and heads of the rule; k… for whole columns; and cells: 3k1_4x6 means
the cells 1 and 4 to 6 of row 3. All numbers count from 1. Commas separate rules, and a later rule replaces an earlier one.

A few characters can name millions of cells. So cells are counted from the text first, and only then made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from core.errors import TooLongError
from core.masks import MOST_EDGES
from core.request import MaskRule, Stream

LONGEST = 6000  # characters of a link's mask
MOST_ROWS = 128  # the most rows of a link with a list of what they may read
Edge = tuple[int | None, int]
Reads = tuple[tuple[int, tuple[int, ...]], ...]  # rows of cross-attention, each with the only source tokens it may read


class Bounds(NamedTuple):
    """The most that is read of a mask: characters, rules, and cells over all rules."""

    characters: int
    rules: int
    cells: int


PAINTED = 128 * 128  # cells of the largest map one can paint on: a row is at least 9 characters, so a link holds five such maps
LINK = Bounds(LONGEST, 64, 5 * PAINTED)
FILE = Bounds(400_000, 4096, MOST_EDGES)
# "++" and "*+" never backtrack, so a long text costs neither time nor memory
_NUMBERS = re.compile(r"\d{1,4}+(?:-\d{1,4}+)*+", re.ASCII)
_SPANS = r"\d{1,4}+(?:x\d{1,4}+)?+(?:_\d{1,4}+(?:x\d{1,4}+)?+)*+"
_COLUMNS = re.compile("k" + _SPANS, re.ASCII)
_ROWS = re.compile(rf"\d{{1,4}}+k{_SPANS}(?:-\d{{1,4}}+k{_SPANS})*+", re.ASCII)
_RANGE = re.compile(r"(\d+)x(\d+)", re.ASCII)
_ZERO = re.compile(r"(?<!\d)0+(?!\d)", re.ASCII)


def read_rules(raw: str, bounds: Bounds = LINK) -> tuple[MaskRule, ...]:
    """The rules of a link, or, with other bounds, of a saved mask.

    Raises TooLongError for more characters, rules or cells than we read, ValueError or MaskError for a text without meaning.
    """
    _bounded(len(raw), bounds.characters, "characters of a mask")
    _bounded(raw.count(",") + 1, bounds.rules, "rules of a mask")
    sketches = [_sketch(part) for part in raw.split(",")]
    _bounded(sum(_cells(field) for _, fields in sketches for field in fields), bounds.cells, "cells of a mask")
    return tuple(_whole(rule, fields) for rule, fields in sketches)


def write_rules(rules: Sequence[MaskRule]) -> str:
    """The rules as a text that `read_rules` turns into the same rules."""
    return ",".join(_write(rule) for rule in rules)


def read_reads(raw: str) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Rows and the only keys they may read, from "3k1_4x6-5k2": row 3 reads 1 and 4 to 6.

    Raises TooLongError for more rows or keys than we read, ValueError for a text without meaning.
    """
    _bounded(len(raw), LONGEST, "characters")
    if not _ROWS.fullmatch(raw):
        raise ValueError(raw)
    _bounded(raw.count("k"), MOST_ROWS, "rows that are told what to read")
    _bounded(_cells(raw), LINK.cells, "cells")
    return tuple(sorted((row, tuple(sorted(set(keys)))) for row, keys in dict(_rows(raw)).items()))


def write_reads(reads: Iterable[tuple[int, Iterable[int]]]) -> str:
    """The rows as a text that `read_reads` turns into the same rows."""
    return "-".join(f"{row + 1}k{_joined(sorted(keys))}" for row, keys in reads)


def flips(native: np.ndarray, wanted: np.ndarray) -> tuple[Edge, ...]:
    """The cells where `wanted` differs from the model's own mask, both bool [query, key]: (None, key) for a column that differs
    in every row, (query, key) for the others, in order."""
    differ = native != wanted
    whole = differ.all(axis=0) & (len(differ) > 1)
    columns: tuple[Edge, ...] = tuple((None, int(key)) for key in np.flatnonzero(whole))
    return columns + tuple((int(q), int(k)) for q, k in np.argwhere(differ & ~whole))


def readable(rules: Sequence[MaskRule], bounds: Bounds = LINK) -> bool:
    """Whether `read_rules` can read what `write_rules` writes for these rules."""
    few = len(rules) <= bounds.rules and sum(len(rule.edges) for rule in rules) <= bounds.cells
    return few and len(write_rules(rules)) <= bounds.characters


def _bounded(count: int, most: int, what: str) -> None:
    if count > most:
        raise TooLongError(f"at most {most:,} {what}", f"{count:,}", "Name fewer")


def _sketch(part: str) -> tuple[MaskRule, list[str]]:
    """A rule with at most one of its columns and one of its cells, which is enough to check it; and the texts that name all
    cells."""
    stream, name, *more = part.split(".", 7)  # a rule is written in five parts at most
    width: int | None = None
    layers = heads = None
    fields: list[str] = []
    edges: list[Edge] = []
    for field in more:
        if re.fullmatch(r"\d{1,4}", field, re.ASCII):
            width = int(field)
        elif _NUMBERS.fullmatch(field, 1) and field[0] == "l":
            layers = _places(field)
        elif _NUMBERS.fullmatch(field, 1) and field[0] == "h":
            heads = _places(field)
        elif _COLUMNS.fullmatch(field):
            fields.append(field)
            edges.append((None, 0))
        elif _ROWS.fullmatch(field):
            fields.append(field)
            edges.append((0, 0))
        else:
            raise ValueError(part)
    return MaskRule(Stream(stream), name, layers, heads, width, tuple(edges)), fields


def _whole(rule: MaskRule, fields: Iterable[str]) -> MaskRule:
    """The rule of a sketch with all its cells. fields: the texts that name them."""
    edges: list[Edge] = []
    for field in fields:
        if field[0] == "k":
            edges += [(None, key) for key in _keys(field[1:])]
        else:
            edges += [(query, key) for query, keys in _rows(field) for key in keys]
    return replace(rule, edges=tuple(edges)) if edges else rule


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


def _cells(spans: str) -> int:
    """How many cells these spans name. A cell that is named twice counts twice. Raises ValueError for a span that begins at 0 or
    goes backwards."""
    if _ZERO.search(spans):
        raise ValueError(spans)
    count = spans.count("_") + spans.count("k")  # spans; each row or list of columns has one more than it has "_"
    for found in _RANGE.finditer(spans):
        further = int(found[2]) - int(found[1])
        if further < 0:
            raise ValueError(spans)
        count += further
    return count


def _rows(field: str) -> Iterator[tuple[int, Iterator[int]]]:
    for row in field.split("-"):
        query, _, keys = row.partition("k")
        yield int(query) - 1, _keys(keys)


def _keys(spans: str) -> Iterator[int]:
    for span in spans.split("_"):
        first, _, last = span.partition("x")
        yield from range(int(first) - 1, int(last or first))


def _places(field: str) -> tuple[int, ...]:
    """Layers or heads, each named once. Raises ValueError."""
    places = tuple(int(number) - 1 for number in field[1:].split("-"))
    if min(places) < 0 or len(set(places)) < len(places):
        raise ValueError(field)
    return places
