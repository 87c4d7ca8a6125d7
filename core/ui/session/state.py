"""What a person has chosen: one typed value a session, read from the URL at the door and written back to it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

from core.analysis.hand.plane import Plane, write_link
from core.analysis.hand.recipe import AS_TRAINED, Recipe, write_recipe
from core.analysis.transductive.board import Board, write_board
from core.checks import LONGEST_TEXT
from core.errors import LensError, TooLongError
from core.request import MaskRule, Sampling, Site, Stream
from core.ui.session.links import BRANCHES as BRANCHES  # read here by the pages, too
from core.ui.session.links import DIAL as DIAL
from core.ui.session.links import (
    LINKED,
    LONGEST_NAME,
    READERS,
    SHORT,
    Widths,
    write_moved,
    write_sampling,
    write_widths,
)
from core.ui.session.rules import LONGEST, readable, write_reads, write_rules

MODEL, TEXT = "classroom", "gen ai is"
KEY = "lookback"
GREEDY = Sampling(temperature=0.0)
# characters of what a visitor may type: more is neither kept nor sent back and forth, whatever the model takes
TYPED = {"model": LONGEST_NAME, **dict.fromkeys(("text", "target", "teacher", "own"), LONGEST_TEXT), "exercise": SHORT}
GAME = ("recall", 16, 0, 0)
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
    length: how many pieces Generate was asked to write, None as it begins.
    plane: the arrows of Self-attention by hand, None as the lesson opens. recipe: what is taken away there; sheet: its worksheet.
    board: what lies on the board of Transductive learning, None as the lesson opens.
    measure: how the numbers of a head are read. moved: where the position lab puts the pieces, and by how much.
    widths: of masks in the gallery, where not as usual. boxes: those that are open, by their names in links.
    stage: the step of a head that is drawn. merges: a word of the text, and how many of its merges are done.
    game: of the memory machines, with delay, number of the exercise and of the answer in view. exercise: one's own.
    spot: step and box of the decoder that are looked into. dial: how deep lessons look.
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
    length: int | None = None
    plane: Plane | None = None
    recipe: Recipe = AS_TRAINED
    sheet: int = 0
    board: Board | None = None
    measure: str = "weight"
    moved: tuple[str, int] = ("off", 0)
    widths: Widths = ()
    boxes: tuple[str, ...] = ()
    stage: str = "weights"
    merges: tuple[int, int] | None = None
    game: tuple[str, int, int, int] = GAME
    exercise: str = ""
    spot: tuple[int, int] | None = None
    dial: str = "Idea"


@dataclass(slots=True)
class Session:
    """One visitor: the choice, sentences to tell once and those told in this run, the address as it was last written, the one
    over which something was chosen that is not written there yet, the page they are on, and the widgets that already show the
    choice there. Of the lessons: the pages they have opened, the questions (page, number) they have solved, how many a page
    asks, and what to watch of the presets they tried, by page."""

    choice: Choice = field(default_factory=Choice)
    notes: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    address: Mapping[str, str] = field(default_factory=dict)
    outdated: Mapping[str, str] | None = None
    page: str = ""
    shown: dict[str, Hashable] = field(default_factory=dict)
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
            if len(raw) > LONGEST:  # no parameter is longer; what reads them may rely on it
                raise TooLongError(f"at most {LONGEST:,} characters", f"{len(raw):,}", "The usual is shown")
            values[FIELDS.get(name, name)] = parse(raw)
        except TooLongError as error:
            notes.append(f"The link’s {name} is left out. {error}")
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
    if choice.recipe != AS_TRAINED:
        params["recipe"] = write_recipe(choice.recipe)
    if choice.sheet:
        params["sheet"] = str(choice.sheet + 1)
    if choice.board is not None:
        params["board"] = write_board(choice.board)
    if choice.sampling != GREEDY:
        params["sampling"] = write_sampling(choice.sampling)
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
    if choice.length is not None:
        params["length"] = str(choice.length)
    return params | _write_rest(choice)


def _write_rest(choice: Choice) -> dict[str, str]:
    """What is looked at, beside the model's own answer: left out where it is as a page opens."""
    usual, said = Choice(), {
        "measure": choice.measure, "positions": write_moved(choice.moved), "widths": write_widths(choice.widths),
        "open": ".".join(choice.boxes), "stage": choice.stage, "dial": choice.dial.lower(), "exercise": choice.exercise,
        "merges": "" if choice.merges is None else f"{choice.merges[0] + 1}.{choice.merges[1]}",
        "step": "" if choice.spot is None else f"{choice.spot[0] + 1}.{choice.spot[1] + 1}",
        "game": ".".join(map(str, (*choice.game[:3], choice.game[3] + 1))),
    }  # fmt: skip
    return {
        name: text for name, text in said.items()
        if getattr(choice, FIELDS.get(name, name)) != getattr(usual, FIELDS.get(name, name))
    }  # fmt: skip


FIELDS = {"positions": "moved", "open": "boxes", "step": "spot"}  # of a Choice, where a link calls them otherwise


def linkable(mask: tuple[MaskRule, ...]) -> bool:
    """Whether a mask fits a link."""
    return readable(mask)


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
    known.told = ()
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
    """Change the choice. A new text or model forgets what pointed into the old one. A text longer than any model reads is not
    taken: what was there before is kept, and a note says so."""
    known = session()
    for name in TYPED.keys() & changes.keys():
        if changes[name] is not None and (came := len(changes[name])) > TYPED[name]:
            error = TooLongError(f"at most {TYPED[name]:,} characters", f"{came:,}", "What was there before is kept")
            known.notes += (str(error),)
            return
    if {"model", "text", "target"} & changes.keys():
        changes.setdefault("cell", None)
        changes.setdefault("forced", ())
        changes.setdefault("reads", ())
        changes.setdefault("branches", ())
        changes.setdefault("merges", None)
        changes.setdefault("spot", None)
    if {"model", "text", "target", "forced", "sampling"} & changes.keys():
        changes.setdefault("length", None)
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
    known.told += notes
    return notes


def tell_again() -> None:
    """This run of the page is followed by another at once: what was told in it is told there, too."""
    known = session()
    known.notes = known.told + known.notes
