"""The attention view on a page: one canvas component, given a trace as bytes, giving back a small typed choice."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import streamlit as st

from core.analysis import QUARTERS
from core.analysis.head_scores import HEAD_SCORES
from core.figures.payloads import attention_view as payload
from core.request import Stream
from core.trace import Trace
from core.ui.kit.component import component
from core.ui.kit.turns import turns
from core.ui.running.waiting import work

SORTS = frozenset({"grid", *HEAD_SCORES})
LINES = {"weight": (0.0, 0.5), "share": (0.1, 1.0)}
PINS, MIXED = 4, 64
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ViewChoice:
    """What a visitor has chosen in the view. Layers, heads, queries and keys count from 0; pairs are (layer, head).

    locked: whether the head stays when the pointer leaves. query and key: the locked cell, both None where there is none.
    pins: heads kept in sight. mixed: heads whose mean is shown (none or at least two). words: tokens joined. special and
    sinks: what is hidden. lines: ("weight", least) or ("share", of each row). quarter: of a pair of sentences, which one looks
    at which, a name of QUARTERS; "all" hides nothing.
    """

    stream: Stream
    layer: int = 0
    head: int = 0
    locked: bool = True
    query: int | None = None
    key: int | None = None
    pins: tuple[Pair, ...] = ()
    mixed: tuple[Pair, ...] = ()
    words: bool = False
    special: bool = False
    sinks: bool = False
    sort: str = "grid"
    lines: tuple[str, float] = ("weight", 0.06)
    quarter: str = "all"

    @property
    def cell(self) -> Pair | None:
        """The locked (query, key)."""
        return None if self.query is None or self.key is None else (self.query, self.key)


def read_choice(raw: Any, trace: Trace) -> ViewChoice | None:
    """What a browser sent, as a choice that fits this trace; None for anything else, whatever it is."""
    if type(raw) is not dict or set(raw) != {field for field in ViewChoice.__slots__}:
        return None
    stream = next((one for one in Stream if one.value == raw["stream"]), None)
    sizes = {a.site.layer: a.shape for a in trace.attention if a.site.stream is stream}
    if stream is None or not sizes:
        return None
    flags = [raw[name] for name in ("locked", "words", "special", "sinks")]
    pins, mixed = _pairs(raw["pins"], PINS), _pairs(raw["mixed"], MIXED)
    lines = raw["lines"]
    if any(type(flag) is not bool for flag in flags) or pins is None or mixed is None or type(raw["sort"]) is not str:
        return None
    if type(raw["quarter"]) is not str or raw["quarter"] not in ("all", *QUARTERS):
        return None
    if raw["sort"] not in SORTS or type(lines) is not list or len(lines) != 2 or lines[0] not in ("weight", "share"):
        return None
    low, high = LINES[lines[0]]
    if type(lines[1]) not in (int, float) or not low <= lines[1] <= high:
        return None
    heads = [_pair([raw["layer"], raw["head"]]), *pins, *mixed]
    if any(pair is None or pair[0] not in sizes or pair[1] >= sizes[pair[0]][0] for pair in heads):
        return None
    query, key = raw["query"], raw["key"]
    _, queries, keys = next(iter(sizes.values()))
    if (query is None) != (key is None) or (query is not None and not (_below(query, queries) and _below(key, keys))):
        return None
    return ViewChoice(
        stream, raw["layer"], raw["head"], raw["locked"], query, key, pins, mixed, raw["words"], raw["special"], raw["sinks"],
        raw["sort"], (lines[0], float(lines[1])), raw["quarter"],
    )  # fmt: skip


def attention_view(
    trace: Trace,
    choice: ViewChoice,
    *,
    key: str = "attention-view",
    on_choice: Callable[[ViewChoice], None] | None = None,
    before: str = "",
    after: str = "",
) -> bool:
    """Show the stream `choice.stream` of a trace. Whether it is another picture than before, not just another choice in it.

    on_choice is called, as a widget's callback, when the visitor has locked, pinned, combined or switched something; it is
    to store the choice, which the next run passes in again. Another stream keeps what fits, layer and head among it.
    before and after are put in front of and behind the sentence of the focused cell, as plain text.
    """
    stream, name = choice.stream, payload.identity(trace, choice.stream)
    memory = st.session_state.setdefault(f"{key}-memory", {})  # what was sent last, and what the browser said it holds
    taken = turns(key)

    def chosen(message: dict[str, Any]) -> dict[str, Any] | None:
        if set(message) != {"choice", "need"} or type(message["need"]) is not bool:
            return None
        made = read_choice(_fitted(message["choice"], stream, trace), trace)
        if made is None:
            return None
        memory["held"] = None if message["need"] else (payload.identity(trace, made.stream), _wanted(made))
        if on_choice is not None:
            on_choice(made)
        return plain(made)

    first = _shared(trace, stream, "overview", lambda: payload.overview(trace, stream))
    wanted, query = _wanted(choice), choice.query or 0
    if memory.get("held") == (name, wanted) and memory.get("sent", ("",))[0] == name:
        _, wanted, query = memory["sent"]  # the same bytes again are not sent again
    fresh = memory.get("sent", ("",))[0] != name
    memory["sent"] = name, wanted, query
    with st.container(key=f"{key}-box", gap=None):
        # what stands below keeps its place while the script is on its way
        st.html(f"<style>.st-key-{key}-box{{min-height:{height(trace, stream)}rem}}</style>")
        _view(key=key, data=first, on_choice_change=taken.hears("choice", chosen))
        if not payload.header_of(first)["codes"]["whole"]:
            number = wanted[0][0]
            layer = _shared(trace, stream, number, lambda: payload.layer(trace, stream, number))
            if layer is None:  # a long text: the heads in focus alone
                only = [head for where, head in wanted if where == number]
                layer = payload.layer(trace, stream, number, only)
            if layer is not None:
                _deliver(key=f"{key}-layer", data=layer)
        _deliver(key=f"{key}-heads", data=payload.heads(trace, stream, wanted, query))
        said = plain(choice)
        settings = payload.settings(trace, stream, choice=said, before=before, after=after, turns=taken.shows(said))
        _deliver(key=f"{key}-choice", data=settings)
    return fresh


FLAGS = {"words": "w", "special": "p", "sinks": "s"}


def write_link(choice: ViewChoice) -> str:
    """What the view adds to a link, beyond stream, head, cell and quarter; "" for a view as it opens: "w~pin1.2-1.3~share0.8"."""
    usual = ViewChoice(choice.stream)
    parts = ["".join(sign for name, sign in FLAGS.items() if getattr(choice, name)) + "u" * (not choice.locked)]
    for name, pairs in (("pin", choice.pins), ("mix", choice.mixed)):
        parts.append(name + "-".join(f"{layer + 1}.{head + 1}" for layer, head in pairs) if pairs else "")
    parts.append("" if choice.sort == usual.sort else f"by_{choice.sort}")
    parts.append("" if choice.lines == usual.lines else f"{choice.lines[0]}{choice.lines[1]:g}")
    return "~".join(part for part in parts if part)


def read_link(text: str, trace: Trace, stream: Stream) -> ViewChoice:
    """The choice that `write_link` wrote; parts that mean nothing for this trace are left out."""
    made = ViewChoice(stream)
    for part in text.split("~")[:8]:
        changed: dict[str, Any] = {}
        if part[:3] in ("pin", "mix"):
            pairs = [pair.split(".") for pair in part[3:].split("-")]
            if all(len(pair) == 2 and all(p.isascii() and p.isdigit() and len(p) < 5 for p in pair) for pair in pairs):
                name = {"pin": "pins", "mix": "mixed"}[part[:3]]
                changed[name] = tuple((int(layer) - 1, int(head) - 1) for layer, head in pairs)
        elif part.startswith("by_"):
            changed["sort"] = part[3:]
        elif part.startswith(("weight", "share")):
            kind = "weight" if part.startswith("weight") else "share"
            if re.fullmatch(r"[01](\.[0-9]{1,4})?", part.removeprefix(kind)):
                changed["lines"] = (kind, float(part.removeprefix(kind)))
        elif part and set(part) <= {*FLAGS.values(), "u"}:
            changed = {name: sign in part for name, sign in FLAGS.items()} | {"locked": "u" not in part}
        tried = replace(made, **changed)
        made = made if read_choice(plain(tried), trace) is None else tried
    return made


def height(trace: Trace, stream: Stream) -> float:
    """About how high the view will be on a laptop, in rem."""
    _, queries, keys = trace.at(stream, min(a.site.layer for a in trace.attention if a.site.stream is stream)).shape
    cell = min(2.25, 18.9 / keys, 32.5 / queries)
    lines = sum(1 + len("  ".join(tokens.text)) // 130 for tokens in (trace.source, trace.target) if tokens is not None)
    return round(min(lines * 3.25, 9.5) + max(26.0, cell * queries + 18.5), 1)


def _wanted(choice: ViewChoice) -> tuple[Pair, ...]:
    """The heads whose float32 numbers the view shows."""
    return choice.mixed or ((choice.layer, choice.head),)


def _shared(trace: Trace, stream: Stream, part: str | int, compute: Callable[[], bytes | None]) -> Any:
    """Built once for all visitors who look at the same; waiting is told."""
    weights = sum(a.shape[0] * a.shape[1] * a.shape[2] for a in trace.attention if a.site.stream is stream)
    name = (trace.request.lens, "attention-view", trace.request, stream, part)
    return work(name, compute, "Drawing all heads.", weights if part == "overview" else 0)


def plain(choice: ViewChoice) -> dict[str, Any]:
    """A choice as the browser writes it."""
    said = asdict(choice)
    said["stream"] = choice.stream.value
    for name in ("pins", "mixed"):
        said[name] = [list(pair) for pair in said[name]]
    value = choice.lines[1]
    said["lines"] = [choice.lines[0], int(value) if value == int(value) else value]
    return said


def moved(choice: ViewChoice, stream: Stream, layer: int, head: int, cell: Pair | None) -> ViewChoice:
    """The same choice pointing elsewhere; None or a cell of another stream releases it."""
    query, key = cell if cell is not None else (None, None)
    if stream is not choice.stream:
        choice = replace(choice, pins=(), mixed=())
    return replace(choice, stream=stream, layer=layer, head=head, query=query, key=key)


def _fitted(raw: Any, stream: Stream, trace: Trace) -> Any:
    """A change of stream arrives with what was chosen in the old one: what cannot mean anything there is let go."""
    if type(raw) is not dict or raw.get("stream") == stream.value:
        return raw
    sizes = {a.site.layer: a.site.heads for a in trace.attention if a.site.stream.value == raw.get("stream")}
    layer, head = raw.get("layer"), raw.get("head")
    if layer not in sizes or type(head) is not int:
        layer, head = min(sizes, default=0), 0
    head = min(head, sizes.get(layer, 1) - 1)
    return {**raw, "layer": layer, "head": head, "query": None, "key": None, "pins": [], "mixed": []}


def _below(value: Any, limit: int) -> bool:
    return type(value) is int and 0 <= value < limit


def _pair(value: Any) -> Pair | None:
    if type(value) is not list or len(value) != 2 or not all(_below(number, 10_000) for number in value):
        return None
    return value[0], value[1]


def _pairs(value: Any, most: int) -> tuple[Pair, ...] | None:
    if type(value) is not list or len(value) > most:
        return None
    pairs = tuple(_pair(one) for one in value)
    return None if None in pairs or len(set(pairs)) != len(pairs) else pairs  # type: ignore[return-value]


_view = component("attention_view")
_deliver = component("attention_view/delivery")
