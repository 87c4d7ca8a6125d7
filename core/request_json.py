"""A request as JSON and back."""

from __future__ import annotations

import json
from typing import Any

from core.errors import InputError, LensError, TooLongError
from core.masks import MOST_EDGES
from core.request import Ablation, Cut, HeadRef, Intervention, MaskRule, PositionRule, Request, Site, Stream

LONGEST = 2_000_000  # characters of a request's JSON
MOST_RULES = 4096  # of each kind of change in it
COUNTING = "streams, layers, heads, queries, keys and positions are counted from 0"  # in every file that a program reads


def request_to_json(request: Request) -> str:
    """Everything that decides a run, as JSON that `request_from_json` reads."""
    return json.dumps(described(request), indent=1, ensure_ascii=False)


def described(request: Request) -> dict[str, Any]:
    """Everything that decides a run, as values that JSON can write and `request_of` reads."""
    what = request.intervention
    return {
        "lookback": "request", "counting": COUNTING,
        "lens": request.lens, "source": request.source, "target": request.target, "keep": sorted(request.keep),
        "capture": request.capture, "layers": request.layers, "temperature": what.temperature, "depth": what.depth,
        "top_k": what.top_k, "residual": what.residual,
        "masks": [
            {"stream": rule.stream.value, "name": rule.name, "layers": rule.layers, "heads": rule.heads, "width": rule.width,
             "edges": rule.edges} for rule in what.masks
        ],
        "ablated": [[*_head(one.head), one.how] for one in what.ablated],
        "cuts": [[*_head(cut.head), cut.query, cut.key] for cut in what.cuts],
        "positions": [[rule.stream.value, rule.how, rule.amount] for rule in what.positions],
        **({} if request.types is None else {"types": request.types}),
    }  # fmt: skip


def request_from_json(text: str) -> Request:
    """The request that `request_to_json` wrote. Raises InputError for other text, TooLongError for more characters, changes or
    cells than we read, RequestError where a value is out of range."""
    _bounded(len(text), LONGEST, "characters of a request saved by Lookback as JSON")
    try:
        said: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise _other() from None
    return request_of(said)


def request_of(said: Any, sites: tuple[Site, ...] = ()) -> Request:
    """The request that `described` gave, with the sites of its model. Raises InputError for other values, TooLongError for more
    changes or cells than we read, RequestError where a value is out of range."""
    try:
        if said["lookback"] != "request":
            raise ValueError
        for name in ("masks", "ablated", "positions"):
            _bounded(len(said.get(name, ())), MOST_RULES, f"{name} in a request")
        cells = sum(len(rule["edges"]) for rule in said["masks"]) + len(said["cuts"])
        _bounded(cells, MOST_EDGES, "cells in a request")
        masks = tuple(
            MaskRule(
                Stream(rule["stream"]), rule["name"], _tuple(rule["layers"]), _tuple(rule["heads"]), rule["width"],
                tuple((edge[0], edge[1]) for edge in rule["edges"]),
            )
            for rule in said["masks"]
        )  # fmt: skip
        ablated = tuple(
            Ablation(HeadRef(Stream(stream), layer, head), how) for stream, layer, head, how in said["ablated"]
        )
        cuts = tuple(Cut(HeadRef(Stream(stream), layer, head), q, k) for stream, layer, head, q, k in said["cuts"])
        # older files have no positions, because they could not be moved then
        moved = tuple(PositionRule(Stream(stream), how, amount) for stream, how, amount in said.get("positions", ()))
        return Request(
            str(said["lens"]), _tuple(said["source"]), _tuple(said["target"]),
            Intervention(
                masks, ablated, cuts, said["temperature"], said.get("depth"), said.get("top_k"),
                said.get("residual", True), moved,
            ),
            frozenset(said["keep"]), said["capture"],
            _tuple(said["layers"]), sites, _tuple(said.get("types")),
        )  # fmt: skip
    except LensError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise _other() from None


def _other() -> InputError:
    return InputError("a request saved by Lookback as JSON", "something else", "Save one first")


def _bounded(count: int, most: int, what: str) -> None:
    if count > most:
        raise TooLongError(f"at most {most:,} {what}", f"{count:,}", "Ask for fewer")


def _head(head: HeadRef) -> list[Any]:
    return [head.stream.value, head.layer, head.head]


def _tuple(values: Any) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)
