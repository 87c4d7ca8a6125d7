"""A request as JSON and back, and as the lines of Python that make it again."""

from __future__ import annotations

import json
from typing import Any

from core.errors import InputError, LensError, TooLongError
from core.masks import MOST_EDGES
from core.request import Ablation, Cut, HeadRef, Intervention, MaskRule, PositionRule, Request, Stream

LONGEST = 2_000_000  # characters of a request's JSON
MOST_RULES = 4096  # of each kind of change in it


def request_to_json(request: Request) -> str:
    """Everything that decides a run, as JSON that `request_from_json` reads."""
    what = request.intervention
    said: dict[str, Any] = {
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
    }  # fmt: skip
    return json.dumps({"lookback": "request", **said}, indent=1, ensure_ascii=False)


def request_from_json(text: str) -> Request:
    """The request that `request_to_json` wrote. Raises InputError for other text, TooLongError for more characters, changes or
    cells than we read, RequestError where a value is out of range."""
    try:
        _bounded(len(text), LONGEST, "characters of a request saved by Lookback as JSON")
        said: Any = json.loads(text)
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
            _tuple(said["layers"]),
        )  # fmt: skip
    except LensError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, AttributeError):
        raise InputError("a request saved by Lookback as JSON", "something else", "Save one first") from None


def _bounded(count: int, most: int, what: str) -> None:
    if count > most:
        raise TooLongError(f"at most {most:,} {what}", f"{count:,}", "Ask for fewer")


def python_lines(
    request: Request, model: str, stream: Stream, layer: int, head: int, reading: str = "weight", moved: PositionRule | None = None
) -> str:
    """Lines of Python that compute this view again: load, ask, change, run, look. model: as `core.load` takes it.

    reading: how the head's numbers are shown, "weight", "norm" or "rollout". moved: the positions that the position lab gives to
    the tokens of a text; None where the lab shows nothing.
    """
    what = request.intervention
    names = ["HeadRef", "MaskRule", *(["PositionRule"] if what.positions or moved else []), "Stream", "load"]
    lines = [f"from core import {', '.join(names)}"]
    lines += {"norm": ["from core.analysis import brought"], "rollout": ["from core.analysis import rollout"]}.get(reading, [])
    lines += ["", f"lens = load({model!r})"]
    both = request.source is not None and request.target is not None
    first = request.source if request.source is not None else request.target
    given = f", target_ids={list(request.target or ())!r}" if both else ""
    lines.append(f"request = lens.request(ids={list(first or ())!r}{given})")
    lines += _changes(what)
    lines += _looking(stream, layer, head, reading)
    if moved is not None:
        lines += [
            "", f"moved = lens.run(request.with_positions({_positions(moved)}))",
            f"change = moved.at({_stream(stream)}, {layer}).head({head}) - pattern",
        ]  # fmt: skip
    return "\n".join(lines)


def _changes(what: Intervention) -> list[str]:
    """A line for each change to the run, in the order in which they are made."""
    lines = []
    for rule in what.masks:
        extra = [
            f"{name}={value!r}" for name in ("layers", "heads", "width") if (value := getattr(rule, name)) is not None
        ]
        extra += [f"edges={rule.edges!r}"] if rule.edges else []
        rest = "".join(f", {part}" for part in extra)
        lines.append(f"request = request.with_mask(MaskRule({_stream(rule.stream)}, {rule.name!r}{rest}))")
    for one in what.ablated:
        lines.append(f"request = request.with_ablation({_ref(one.head)}, how={one.how!r})")
    for cut in what.cuts:
        lines.append(f"request = request.with_cut(({_ref(cut.head)}, {cut.query}, {cut.key}))")
    lines += [f"request = request.with_positions({_positions(rule)})" for rule in what.positions]
    if what.temperature != 1:
        lines.append(f"request = request.with_temperature({what.temperature!r})")
    if what.depth is not None:
        lines.append(f"request = request.with_depth({what.depth})")
    if what.top_k is not None:
        lines.append(f"request = request.with_top_k({what.top_k})")
    if not what.residual:
        lines.append("request = request.without_residual()")
    return lines


def _looking(stream: Stream, layer: int, head: int, reading: str) -> list[str]:
    """Lines that run the request and give the head's numbers as they are shown."""
    where = f"{_stream(stream)}, {layer}"
    keep = '.keeping("pattern", "qkv")' if reading == "norm" else ""
    lines = [f"trace = lens.run(request{keep})", f"pattern = trace.at({where}).head({head})  # [query, key]"]
    if reading == "norm":
        lines += [
            f"attention, projection = trace.at({where}), lens.projection({where})",
            f"projection = None if projection is None else projection[{head}]",
            f"lengths = brought(pattern, attention.value[attention.kv_of({head})], projection)",
        ]
    if reading == "rollout":
        lines.append(f"shares = rollout(trace.at({_stream(stream)}, layer).pattern for layer in range({layer + 1}))")
    return lines


def _head(head: HeadRef) -> list[Any]:
    return [head.stream.value, head.layer, head.head]


def _stream(stream: Stream) -> str:
    return f"Stream.{stream.name}"


def _positions(rule: PositionRule) -> str:
    return f"PositionRule({_stream(rule.stream)}, {rule.how!r}, {rule.amount})"


def _ref(head: HeadRef) -> str:
    return f"HeadRef({_stream(head.stream)}, {head.layer}, {head.head})"


def _tuple(values: Any) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)
