"""What a person has chosen: one typed value a session, read from the URL at the door and written back to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

from core.analysis.plane import Plane, read_link, write_link
from core.errors import LensError
from core.request import MaskRule, Sampling, Site, Stream
from core.ui.rules import LONGEST, MOST, read_reads, read_rules, write_reads, write_rules

MODEL, TEXT = "classroom", "gen ai is"
BRANCHES = 4  # kept for comparison, beside the one in view
LINKED = 4000  # characters of a text that still fits a link
KEY = "lookback"
GREEDY = Sampling(temperature=0.0)
Reads = tuple[tuple[int, tuple[int, ...]], ...]  # rows of cross-attention, each with the only source pieces it may read


@dataclass(frozen=True, slots=True)
class Choice:
    """What to show. Counted from 0 here, from 1 on screen and in links.

    target: what the decoder has written so far; None lets the model write two words. stream None: the decoder if there is
    one. cell: the (query, key) in focus; key None is the one looked at most, cell None lets the page choose. mask: rules in
    order, empty for the model as trained. view: what else was chosen in the attention view, as it writes it.
    forced: ids of pieces that the decoder was made to write after its target, a branch; branches: others to compare it with.
    sampling: how the next is chosen. box: the step of the encoder that is looked into, by its name.
    reads: steps that may read only some source pieces. depth: how many encoder layers the decoder reads past; None: all.
    teacher: a target text given by the visitor, to be read beside the model's own.
    part: which part of Generate is in view, with its numbers. own: the visitor's own words.
    plane: the arrows of Self-attention by hand, None as the lesson opens.
    """

    model: str = MODEL
    text: str = TEXT
    target: str | None = None
    stream: Stream | None = None
    layer: int = 0
    head: int = 0
    cell: tuple[int, int | None] | None = None
    mask: tuple[MaskRule, ...] = ()
    view: str = ""
    forced: tuple[int, ...] = ()
    sampling: Sampling = GREEDY
    box: str = ""
    reads: Reads = ()
    depth: int | None = None
    teacher: str | None = None
    branches: tuple[tuple[int, ...], ...] = ()
    part: str = ""
    own: str = ""
    plane: Plane | None = None


@dataclass(slots=True)
class Session:
    """One visitor: the choice, sentences to tell once, the address as it was last written, the one over which something was
    chosen that is not written there yet, the page they are on, and the widgets that already show the choice there. Of the
    lessons: how deep they look, the pages they have opened, the questions (page, number) they have solved, how many a page
    asks, and what to watch of the presets they tried, by page."""

    choice: Choice = field(default_factory=Choice)
    notes: tuple[str, ...] = ()
    address: Mapping[str, str] = field(default_factory=dict)
    outdated: Mapping[str, str] | None = None
    page: str = ""
    shown: dict[str, Hashable] = field(default_factory=dict)
    depth: str = "Idea"
    opened: set[str] = field(default_factory=set)
    solved: set[tuple[str, int]] = field(default_factory=set)
    asked: dict[str, int] = field(default_factory=dict)
    tried: dict[str, str] = field(default_factory=dict)


def read(params: Mapping[str, str]) -> tuple[Choice, tuple[str, ...]]:
    """A choice from the parameters of a URL, whatever they hold: what cannot be read keeps its default and is told."""
    values: dict[str, Any] = {}
    notes: list[str] = []
    for name, parse in READERS.items():
        raw = params.get(name)
        if raw is None:
            continue
        try:
            values[name] = parse(raw)
        except (ValueError, LensError):
            shown = raw if len(raw) <= 40 else raw[:39] + "…"
            notes.append(f"The link’s {name} “{shown}” means nothing here; the usual one is shown.")
    return Choice(**values), tuple(notes)


def write(choice: Choice) -> dict[str, str]:
    """The parameters that `read` turns into the same choice; a text too long for a link is left out."""
    params = {"model": choice.model}
    for name, text in (("text", choice.text), ("target", choice.target)):
        if text is not None and len(text) <= LINKED:
            params[name] = text
    if choice.stream is not None:
        params["stream"] = choice.stream.value
    params["layer"], params["head"] = str(choice.layer + 1), str(choice.head + 1)
    if choice.cell is not None:
        params["cell"] = ".".join(str(place + 1) for place in choice.cell if place is not None)
    if choice.mask:
        params |= {"mask": write_rules(choice.mask)} if linkable(choice.mask) else {}
    if choice.view:
        params["view"] = choice.view
    if choice.plane is not None:
        params["plane"] = write_link(choice.plane)
    if choice.sampling != GREEDY:
        params["sampling"] = _write_sampling(choice.sampling)
    if choice.box:
        params["box"] = choice.box
    if choice.forced:
        params["forced"] = ".".join(map(str, choice.forced))
    if choice.reads:
        params["reads"] = write_reads(choice.reads)
    if choice.depth is not None:
        params["depth"] = str(choice.depth)
    if choice.teacher is not None and len(choice.teacher) <= LINKED:
        params["teacher"] = choice.teacher
    if choice.branches:
        params["branches"] = "_".join(".".join(map(str, branch)) for branch in choice.branches)
    if choice.part:
        params["part"] = choice.part
    if choice.own and len(choice.own) <= LINKED:
        params["own"] = choice.own
    return params


def linkable(mask: tuple[MaskRule, ...]) -> bool:
    """Whether a mask fits a link."""
    return len(mask) <= MOST and len(write_rules(mask)) <= LONGEST


def fit(choice: Choice, sites: tuple[Site, ...]) -> tuple[Choice, tuple[str, ...]]:
    """The choice made fit for a model that has these sites: another stream, layer or head where it lacks the one asked for."""
    notes = []
    streams = [stream for stream in Stream if any(site.stream is stream for site in sites)]
    stream = choice.stream
    if stream is None or stream not in streams:
        if stream is not None:
            notes.append(f"This model has no {SAID[stream]} attention.")
        stream = Stream.DECODER if Stream.DECODER in streams else streams[0]
    layers = [site for site in sites if site.stream is stream]
    layer = min(choice.layer, len(layers) - 1)
    if layer != choice.layer:
        notes.append(f"This {SAID[stream]} has {len(layers)} layers, so layer {choice.layer + 1} is not there.")
    head = min(choice.head, layers[layer].heads - 1)
    if head != choice.head:
        notes.append(f"This layer has {layers[layer].heads} heads, so head {choice.head + 1} is not there.")
    mask = tuple(rule for rule in choice.mask if rule.stream in streams)
    depth = choice.depth
    if depth is not None and depth > (most := sum(site.stream is Stream.ENCODER for site in sites)):
        notes.append(f"This encoder has {most} layers, so the decoder cannot read past {depth} of them.")
        depth = None
    return replace(choice, stream=stream, layer=layer, head=head, mask=mask, depth=depth), tuple(notes)


SAID = {Stream.ENCODER: "encoder", Stream.DECODER: "decoder", Stream.CROSS: "cross"}


def session() -> Session:
    """This visitor's session; on arrival it is read from the URL."""
    known = st.session_state.get(KEY)
    return _enter() if known is None else known


def _enter() -> Session:
    """Read the URL on arrival, and again when someone went back or opened another link.

    A click sends the address as the browser has it, which may be that of the view before: between two fast clicks the new one
    was still on its way. What was chosen over an address goes before what that address says.
    """
    params = st.query_params.to_dict()
    known = st.session_state.get(KEY)
    # switching pages drops the parameters: an empty address means "as before"
    if known is None or (params and params != known.address and params != known.outdated):
        choice, notes = read(params)
        if known is None:
            known = st.session_state[KEY] = Session()
        known.choice, known.notes, known.address = choice, notes, params
    known.outdated = None
    return known


def arrive(page: str) -> None:
    """The visitor is on this page now: widgets of the page before have forgotten what they showed."""
    known = _enter()
    known.opened.add(page)
    if known.page != page:
        known.page, known.shown = page, {}


def held(key: str, value: Any, among: Hashable = None) -> str:
    """Make a widget show a value of the choice, which may have changed elsewhere; returns its key.

    Set only where it differs: a text that someone is still typing must not be overwritten by a run in the background.
    among: what it can be chosen from, where that changes; else the browser would go on showing the old name.
    """
    known = session()
    if st.session_state.get(key) != value or known.shown.get(key, ...) != among:
        st.session_state[key] = value
        known.shown[key] = among
    return key


def chosen() -> Choice:
    """What this visitor has chosen."""
    return session().choice


def choose(**changes: Any) -> None:
    """Change the choice. A new text or model forgets what pointed into the old one."""
    known = session()
    if {"model", "text", "target"} & changes.keys():
        changes.setdefault("cell", None)
        changes.setdefault("forced", ())
        changes.setdefault("reads", ())
        changes.setdefault("branches", ())
    if {"model", "text"} & changes.keys():
        changes.setdefault("teacher", None)
    if {"stream", "layer", "head"} & changes.keys():
        changes.setdefault("cell", known.choice.cell if "stream" not in changes else None)
    if {"model", "text"} & changes.keys() and "mask" not in changes:
        kept = tuple(rule for rule in known.choice.mask if fits_any(rule, "model" in changes))
        if kept != known.choice.mask:
            changes["mask"] = kept
            known.notes += ("What was painted pointed at pieces of the old text, so it is taken off.",)
    known.choice = replace(known.choice, **changes)
    known.outdated = st.query_params.to_dict()


def reset() -> None:
    """Forget every choice."""
    known = session()
    known.choice, known.outdated = Choice(), st.query_params.to_dict()


def fits_any(rule: MaskRule, model: bool) -> bool:
    """Whether a rule means the same on another text, or, with `model`, on another model: it names no cells, layers or heads."""
    return not rule.edges and not (model and (rule.layers or rule.heads))


def publish() -> None:
    """Write the choice to the URL, so that the link reopens this view."""
    known = session()
    known.address, known.outdated = write(known.choice), None
    if st.query_params.to_dict() != known.address:
        st.query_params.from_dict(known.address)


def take_notes() -> tuple[str, ...]:
    """The sentences not yet told."""
    known = session()
    notes, known.notes = known.notes, ()
    return notes


def _count(raw: str) -> int:
    number = int(raw) if re.fullmatch(r"[0-9]{1,4}", raw) else 0
    if number < 1:
        raise ValueError(raw)
    return number - 1


def _cell(raw: str) -> tuple[int, int | None]:
    query, *key = raw.split(".")
    if len(key) > 1:
        raise ValueError(raw)
    return _count(query), _count(key[0]) if key else None


def _text(raw: str) -> str:
    if len(raw) > LINKED:
        raise ValueError(raw)
    return raw


def _name(raw: str) -> str:
    if not raw or len(raw) > 200 or not raw.isprintable():
        raise ValueError(raw)
    return raw


def _write_sampling(sampling: Sampling) -> str:
    parts = {"t": sampling.temperature, "k": sampling.top_k, "p": sampling.top_p, "m": sampling.min_p, "s": sampling.seed}
    return "_".join(f"{name}{value:g}" if name != "s" else f"s{value}" for name, value in parts.items() if value is not None)


def _sampling(raw: str) -> Sampling:
    found = re.fullmatch(r"t([0-9.]{1,8})(?:_k([0-9]{1,6}))?(?:_p([0-9.]{1,8}))?(?:_m([0-9.]{1,8}))?_s([0-9]{1,18})", raw)
    if found is None:
        raise ValueError(raw)
    t, k, p, m, s = found.groups()
    top_p, min_p = (None if value is None else float(value) for value in (p, m))
    return Sampling(float(t), None if k is None else int(k), top_p, min_p, int(s))


def _ids(raw: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,7}){0,99}", raw):
        raise ValueError(raw)
    return tuple(int(number) for number in raw.split("."))


def _branches(raw: str) -> tuple[tuple[int, ...], ...]:
    branches = tuple(_ids(one) for one in raw.split("_"))
    if len(branches) > BRANCHES or len(set(branches)) < len(branches):
        raise ValueError(raw)
    return branches


def _part(raw: str) -> str:
    if not re.fullmatch(r"[a-z]{1,12}(\.[0-9]{1,4}){0,40}", raw):
        raise ValueError(raw)
    return raw


def _box(raw: str) -> str:
    if not re.fullmatch(r"[a-z0-9]{1,16}", raw):
        raise ValueError(raw)
    return raw


def _depth(raw: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", raw):
        raise ValueError(raw)
    return int(raw)


def _view(raw: str) -> str:
    if not re.fullmatch(r"[a-z0-9_.~-]{0,600}", raw):
        raise ValueError(raw)
    return raw


READERS: dict[str, Callable[[str], Any]] = {
    "model": _name, "text": _text, "target": _text, "stream": Stream, "layer": _count, "head": _count, "cell": _cell,
    "mask": read_rules, "view": _view, "plane": read_link, "forced": _ids, "sampling": _sampling, "box": _box, "reads": read_reads,
    "depth": _depth, "teacher": _text,
    "branches": _branches, "part": _part, "own": _text,
}  # fmt: skip
