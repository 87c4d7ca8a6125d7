"""Painting a mask: strokes of a brush become rules, head by head, and every change of the mask can be taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.errors import MaskError
from core.request import MaskRule, Stream
from core.trace import Trace
from core.ui.session.rules import Edge, flips

SCOPES = ("head", "layer", "all")
ACTS = ("forbid", "allow", "undo", "redo")
MOST = 60  # strokes of a message, and masks that can be taken back
Mask = tuple[MaskRule, ...]
Sheet = Mapping[int, np.ndarray]  # layer → bool [head, query, key]


@dataclass(frozen=True, slots=True)
class Stroke:
    """One gesture: its number (they count up within a session), what it does, for whom, and to which cells (query, key)."""

    number: int
    act: str
    scope: str = "all"
    cells: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class History:
    """The masks a visitor went through on one text: those before and after the one at work, and the last stroke's number."""

    text: Any = None
    now: Mask = ()
    past: list[Mask] = field(default_factory=list)
    future: list[Mask] = field(default_factory=list)
    seen: int = 0
    refused: str = ""

    def follow(self, text: Any, mask: Mask) -> None:
        """The mask at work is this one, whoever changed it; another text forgets the past."""
        if text != self.text:
            self.text, self.now, self.past, self.future = text, mask, [], []
        elif mask != self.now:
            self.past = [*self.past, self.now][-MOST:]
            self.now, self.future = mask, []

    def step(self, back: bool) -> Mask:
        """The mask before the one at work, or the one taken back last; the one at work where there is none."""
        source, to = (self.past, self.future) if back else (self.future, self.past)
        if source:
            to.append(self.now)
            self.now = source.pop()
        return self.now


def read_strokes(raw: Any, shape: tuple[int, int], version: str) -> tuple[Stroke, ...]:
    """What a browser sent about the map of this shape and version; empty for anything else, whatever it is."""
    if type(raw) is not dict or set(raw) != {"strokes", "version"} or raw["version"] != version:
        return ()
    sent = raw["strokes"]
    if type(sent) is not list or len(sent) > MOST:
        return ()
    found = tuple(_stroke(one, shape) for one in sent)
    return () if None in found else found  # type: ignore[return-value]


def sheet(trace: Trace, stream: Stream) -> Sheet:
    """What every head of a stream may look at in a run."""
    return {one.site.layer: one.allowed for one in trace.attention if one.site.stream is stream}


def painted(now: Sheet, native: Sheet, stroke: Stroke, layer: int, head: int) -> Sheet:
    """The heads in the stroke's scope with its cells forbidden or allowed; the others as they are.

    layer and head: those in view. Raises MaskError where a row would be left with nothing.
    """
    made = {}
    queries, keys = np.array(stroke.cells, dtype=int).reshape(-1, 2).T
    for place, allowed in now.items():
        if stroke.scope != "all" and place != layer:
            made[place] = allowed
            continue
        made[place] = changed = allowed.copy()
        heads = [head] if stroke.scope == "head" else range(len(changed))
        for one in heads:
            changed[one, queries, keys] = stroke.act == "allow"
            empty = ~changed[one].any(axis=-1) & native[place][one].any(axis=-1)
            if empty.any():
                raise MaskError(
                    "every row to keep at least one token to look at",
                    f"nothing left for row {int(empty.argmax()) + 1} in layer {place + 1}, head {one + 1}",
                    "Nothing was painted; paint fewer cells, or this head only",
                )
    return made


def rules_of(stream: Stream, made: Sheet, native: Sheet) -> Mask:
    """The rules that say how every head differs from the model as trained: as few as there are different heads."""
    groups: dict[tuple[Edge, ...], dict[int, list[int]]] = {}
    for layer, allowed in made.items():
        for head in range(len(allowed)):
            if edges := flips(native[layer][head], allowed[head]):
                groups.setdefault(edges, {}).setdefault(layer, []).append(head)
    rules = []
    for edges, layers in groups.items():
        whole = {layer for layer, heads in layers.items() if len(heads) == len(made[layer])}
        if whole == set(made):
            rules.append(MaskRule(stream, "custom", edges=edges))
            continue
        sets: dict[tuple[int, ...] | None, list[int]] = {}
        for layer, heads in layers.items():
            sets.setdefault(None if layer in whole else tuple(heads), []).append(layer)
        rules += [MaskRule(stream, "custom", tuple(places), some, edges=edges) for some, places in sets.items()]
    return tuple(rules)


def _stroke(raw: Any, shape: tuple[int, int]) -> Stroke | None:
    if type(raw) is not list or len(raw) != 4:
        return None
    number, act, scope, cells = raw
    if type(number) is not int or not 0 < number < 10**6 or act not in ACTS or scope not in SCOPES or type(cells) is not list:
        return None
    size = shape[0] * shape[1]
    if len(cells) > size or any(type(cell) is not int or not 0 <= cell < size for cell in cells):
        return None
    if bool(cells) != (act in ("forbid", "allow")):
        return None
    return Stroke(number, act, scope, tuple(divmod(cell, shape[1]) for cell in cells))
