"""What a visitor has chosen: one typed value for each session, read from the URL on arrival and written back to it."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import streamlit as st

from core.checks import LONGEST_TEXT
from core.errors import LensError, TooLongError
from core.request import MaskRule, Site, Stream
from core.ui.session import links
from core.ui.session.links import LINKED as LINKED  # read here by the pages, too
from core.ui.session.links import ROWS, Parameter, declare
from core.ui.session.rules import LONGEST, read_rules, readable, write_rules

T = TypeVar("T")
MODEL, TEXT = "classroom", "gen ai is"
LONGEST_NAME = 200  # characters of a model's name
KEY = "lookback"
SAID = {Stream.ENCODER: "encoder", Stream.DECODER: "decoder", Stream.CROSS: "cross"}
Cell = tuple[int, int | None]
Rules = tuple[MaskRule, ...]


def linkable(mask: Rules) -> bool:
    """Whether a mask fits a link."""
    return readable(mask)


def _name(raw: str) -> str:
    if not raw or len(raw) > LONGEST_NAME or not raw.isprintable():
        raise ValueError(raw)
    return raw


def _cell(raw: str) -> Cell:
    query, *key = raw.split(".")
    if len(key) > 1:
        raise ValueError(raw)
    return links.counted(query), links.counted(key[0]) if key else None


def _from_one(place: int) -> str:
    return str(place + 1)


def _theirs(mask: Rules, sites: tuple[Site, ...]) -> tuple[Rules, str]:
    """The rules for streams that the model has, and no sentence."""
    return tuple(rule for rule in mask if any(site.stream is rule.stream for site in sites)), ""


# What every page shares. Places count from 0 here, from 1 on screen and in links.
_MODEL = declare(Parameter("model", MODEL, _name, always=True, longest=LONGEST_NAME))
_TEXT = declare(Parameter("text", TEXT, links.text, links.short_enough, always=True, longest=LONGEST_TEXT))
# what the decoder has written so far; None lets the model write two words
_TARGET = declare(Parameter[str | None]("target", None, links.text, links.short_enough, longest=LONGEST_TEXT))
# None: the decoder if there is one
_STREAM = declare(Parameter[Stream | None]("stream", None, Stream, links.optional(lambda stream: stream.value)))
_LAYER = declare(Parameter("layer", 0, links.counted, _from_one, always=True))
_HEAD = declare(Parameter("head", 0, links.counted, _from_one, always=True))
# the (query, key) in focus; key None means the key with the largest weight, None lets the page choose
_CELL = declare(Parameter[Cell | None](
    "cell", None, _cell, links.optional(lambda cell: ".".join(str(place + 1) for place in cell if place is not None)),
    forgotten_with=("model", "text", "target", "stream", "pair", "from", "into", "chat"),
))  # fmt: skip
# rules in order, none for the model as trained
_MASK = declare(Parameter[Rules](
    "mask", (), read_rules, lambda mask: write_rules(mask) if linkable(mask) else None, fit=_theirs, changes=True,
))  # fmt: skip
# ids of tokens that the decoder was made to write after its target: a branch
_FORCED = declare(Parameter[tuple[int, ...]](
    "forced", (), links.ids, links.joined, forgotten_with=("model", "text", "target"),
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """What to show: a value for each row of the table, `choice[ROW]`. Rows that every page shares are properties, too.

    given: the values that are not the default, by the names of their rows.
    """

    given: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, row: Parameter[T]) -> T:
        return self.given.get(row.name, row.default)

    def but(self, **changes: Any) -> Choice:
        """The same choice with other values, by the names of rows. Raises KeyError where no row has this name."""
        values = {**self.given, **changes}
        return Choice({name: value for name, value in values.items() if value != ROWS[name].default})

    @property
    def model(self) -> str:
        return self[_MODEL]

    @property
    def text(self) -> str:
        return self[_TEXT]

    @property
    def target(self) -> str | None:
        return self[_TARGET]

    @property
    def stream(self) -> Stream | None:
        return self[_STREAM]

    @property
    def layer(self) -> int:
        return self[_LAYER]

    @property
    def head(self) -> int:
        return self[_HEAD]

    @property
    def cell(self) -> Cell | None:
        return self[_CELL]

    @property
    def mask(self) -> Rules:
        return self[_MASK]

    @property
    def forced(self) -> tuple[int, ...]:
        return self[_FORCED]


@dataclass(slots=True)
class Session:
    """What we know of one visitor.

    choice: what to show. notes: sentences to show once. shown_notes: those shown in this run. address: the parameters of the URL
    as last written. outdated: those of the URL while a newer choice is not yet written there. page: the page they are on.
    shown: for each widget that shows the choice on that page its value and its options. drawn: the widgets drawn since the page
    last ran from its top.

    For the lessons: opened, the pages they have opened; solved, the questions (page, number) they have solved; asked, how many
    questions a page has; tried, for each page what to watch in the preset they tried.
    """

    choice: Choice = field(default_factory=Choice)
    notes: tuple[str, ...] = ()
    shown_notes: tuple[str, ...] = ()
    address: Mapping[str, str] = field(default_factory=dict)
    outdated: Mapping[str, str] | None = None
    page: str = ""
    shown: dict[str, tuple[Any, Hashable]] = field(default_factory=dict)
    drawn: set[str] = field(default_factory=set)
    opened: set[str] = field(default_factory=set)
    solved: set[tuple[str, int]] = field(default_factory=set)
    asked: dict[str, int] = field(default_factory=dict)
    tried: dict[str, str] = field(default_factory=dict)


def read(params: Mapping[str, str]) -> tuple[Choice, tuple[str, ...]]:
    """A choice from the parameters of a URL, and sentences about problems. What cannot be read keeps its default."""
    values: dict[str, Any] = {}
    notes: list[str] = []
    for name, row in ROWS.items():
        raw = params.get(name)
        if raw is None:
            continue
        try:
            if len(raw) > LONGEST:  # no parameter is longer, and the readers may rely on it
                raise TooLongError(f"at most {LONGEST:,} characters", f"{len(raw):,}", "The usual is shown")
            values[name] = row.read(raw)
        except TooLongError as error:
            notes.append(f"The link’s {name} is left out. {error}")
        except (ValueError, LensError):
            shown = raw if len(raw) <= 40 else raw[:39] + "…"
            notes.append(f"The link’s {name} “{shown}” means nothing here; the usual one is shown.")
    return Choice().but(**values), tuple(notes)


def write(choice: Choice) -> dict[str, str]:
    """The parameters that `read` turns into the same choice; a text too long for a link is left out."""
    said = {name: row.write(choice[row]) for name, row in ROWS.items() if row.always or name in choice.given}
    return {name: text for name, text in said.items() if text is not None}


def fit(choice: Choice, sites: tuple[Site, ...], reason: str = "") -> tuple[Choice, tuple[str, ...]]:
    """The choice changed so that it suits a model with these sites, and sentences about it: where the model lacks the stream,
    layer or head, another one is chosen. reason: why nothing in the model can be changed, or ""; what asks for a change is then
    left out."""
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
    fitted: dict[str, Any] = {}
    asked = [row for name, row in ROWS.items() if reason and row.changes and name in choice.given]
    if asked:
        notes.append(f"Left out: {', '.join(row.name for row in asked)}. {reason}")
        choice = choice.but(**{row.name: row.default for row in asked})
    for name, row in ROWS.items():
        if row.fit is not None and name in choice.given:
            fitted[name], note = row.fit(choice[row], sites)
            notes += [note] if note else []
    return choice.but(stream=stream, layer=layer, head=head, **fitted), tuple(notes)


def session() -> Session:
    """This visitor's session. On arrival it is made from the URL."""
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
    known.shown_notes = ()
    known.drawn = set()
    if known.page != page:
        known.page, known.shown = page, {}


def drawn() -> None:
    """The page has run to its end. Widgets that this run did not draw are no longer on the screen."""
    known = session()
    known.shown = {key: shows for key, shows in known.shown.items() if key in known.drawn}


def held(key: str, value: Any, among: Hashable = None) -> str:
    """Make a widget show a value of the choice, which may have changed elsewhere. Gives the widget's key.

    The value is set only where it differs, because a run in the background must not overwrite a text that someone is typing.
    among: the options of the widget, where they can change; without it the browser would still show the old name.
    """
    known = session()
    if st.session_state.get(key) != value or key not in known.shown or known.shown[key][1] != among:
        st.session_state[key] = value
    known.shown[key] = value, among
    known.drawn.add(key)
    return key


def heard(key: str, take: Callable[[Any], None], among: Container[Any] | None = None) -> Callable[[], None]:
    """The callback of a widget that `held` drew: it calls `take` with the value that the visitor chose.

    Streamlit calls it even when nobody chose anything: for a widget that an error message replaced, or with a value from before
    the options changed. So a value is taken only from a widget on the screen, only if it differs from what the widget shows, and
    only if it is one of `among`, the options of the widget. Where `among` is None, any value but None is taken.
    """

    def callback() -> None:
        known, value = session(), st.session_state.get(key)
        if key not in known.shown or value is None or (among is not None and value not in among):
            return
        shows, names = known.shown[key]
        if value != shows:
            known.shown[key] = value, names
            take(value)

    return callback


def chosen() -> Choice:
    """What this visitor has chosen."""
    return session().choice


def choose(**changes: Any) -> None:
    """Change the choice, by the names of rows. Values that pointed at something which has now changed are reset.

    A text longer than any model reads is not taken: the earlier one stays, and a note says so. Raises KeyError where no row has
    this name.
    """
    known, asked = session(), set(changes)
    for name, value in changes.items():
        most = ROWS[name].longest
        if most is not None and value is not None and len(value) > most:
            error = TooLongError(f"at most {most:,} characters", f"{len(value):,}", "What was there before is kept")
            known.notes += (str(error),)
            return
    for name, row in ROWS.items():
        if asked & set(row.forgotten_with):
            changes.setdefault(name, row.default)
    if {"model", "text"} & changes.keys() and "mask" not in changes:
        kept = tuple(rule for rule in known.choice.mask if fits_any(rule, "model" in changes))
        if kept != known.choice.mask:
            changes["mask"] = kept
            known.notes += ("What was painted pointed at tokens of the old text, so it is taken off.",)
    known.choice = known.choice.but(**changes)
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
    """The notes that were not shown yet. They count as shown from now on."""
    known = session()
    notes, known.notes = known.notes, ()
    known.shown_notes += notes
    return notes


def tell_again() -> None:
    """Show the notes of this run again in the next one, which follows at once and replaces the screen."""
    known = session()
    known.notes = known.shown_notes + known.notes
