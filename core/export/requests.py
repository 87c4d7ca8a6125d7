"""A request as the lines of Python that make it again."""

from __future__ import annotations

from core.request import HeadRef, Intervention, PositionRule, Request, Stream

QUARTER = ["in_quarter", "quarter_shares"]  # what the lines of a filtered pair import
SHOWN = {"weight": "pattern", "norm": "lengths", "rollout": "shares"}  # what the lines of each reading end with


def python_lines(
    request: Request,
    model: str,
    stream: Stream,
    layer: int,
    head: int,
    reading: str = "weight",
    moved: PositionRule | None = None,
    quarter: str = "all",
) -> str:
    """Lines of Python that compute this view again: load, ask, change, run, look. model: as `core.load` takes it.

    reading: how the head's numbers are shown, "weight", "norm" or "rollout". moved: the positions that the position lab gives to
    the tokens of a text; None where the lab shows nothing. quarter: of a pair, which sentence looks at which, as in_quarter
    takes it; "all" leaves nothing out.
    """
    what = request.intervention
    names = ["HeadRef", "MaskRule", *(["PositionRule"] if what.positions or moved else []), "Stream", "load"]
    lines = [f"from core import {', '.join(names)}"]
    lines += [] if request.types is None else ["from dataclasses import replace"]
    needs = [*({"norm": ["brought"], "rollout": ["rollout"]}.get(reading, [])), *(QUARTER if quarter != "all" else [])]
    lines += [f"from core.analysis import {', '.join(sorted(needs))}"] if needs else []
    lines += ["", "# layers, heads and positions are counted from 0", f"lens = load({model!r})"]
    both = request.source is not None and request.target is not None
    first = request.source if request.source is not None else request.target
    given = f", target_ids={list(request.target or ())!r}" if both else ""
    lines.append(f"request = lens.request(ids={list(first or ())!r}{given})")
    if request.types is not None:  # a pair of sentences
        lines.append(f"request = replace(request, types={request.types!r})")
    lines += _changes(what)
    lines += _looking(stream, layer, head, reading)
    if quarter != "all":
        lines += [
            "", f"inside = in_quarter(request.types, {quarter!r})  # bool [query, key]",
            f"shown = {SHOWN[reading]} * inside  # nothing is renormalised",
            f"given = quarter_shares(pattern, request.types, {quarter!r})  # of each row's weight, float [query]",
        ]  # fmt: skip
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


def _stream(stream: Stream) -> str:
    return f"Stream.{stream.name}"


def _positions(rule: PositionRule) -> str:
    return f"PositionRule({_stream(rule.stream)}, {rule.how!r}, {rule.amount})"


def _ref(head: HeadRef) -> str:
    return f"HeadRef({_stream(head.stream)}, {head.layer}, {head.head})"
