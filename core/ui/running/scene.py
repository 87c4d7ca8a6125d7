"""What a page shows: the model, the text and what was made of them, with waiting told in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import streamlit as st

from core.analysis import cost
from core.errors import InputError, LensError
from core.request import MaskRule, PositionRule, Request, Sampling, Stream
from core.trace import Trace
from core.ui.running import models
from core.ui.running.runs import Ticket, shared
from core.ui.session.state import SAID, Choice, chosen, fit, session

SOON = 0.4  # seconds before waiting is worth a word
WORDS, PIECES = 2, 16  # how far the decoder writes on its own
SILENT = (
    "This model came without its output layer, so it predicts nothing. Its attention is all there.",
    "This model is an encoder: it reads a text and writes none, so there is no next piece. Its attention is all there.",
)  # by whether it is an encoder


@dataclass(frozen=True, slots=True)
class Moment:
    """A decoder about to write: the words before, the trace that holds what it expects, whether it ends the text here."""

    written: str
    trace: Trace
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Grown:
    """What a decoder wrote greedily: its ids and text, and its moments: at each word's beginning, and after the last."""

    ids: tuple[int, ...]
    text: str
    steps: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A text in front of a model. `request` asks the model as it was trained, without any mask of ours; `written` is what
    its decoder has written so far, by itself (`grown`) or by the visitor's hand."""

    model: str
    info: Any
    request: Request
    written: str = ""
    grown: Grown | None = None

    @property
    def writes(self) -> bool:
        """Whether the model says what comes next."""
        return self.info.can_predict and self.info.kind != "encoder"

    @property
    def choice(self) -> Choice:
        """The visitor's choice, fit for this model."""
        return fit(chosen(), self.info.sites)[0]

    def settle(self) -> Choice:
        """The same, kept as the visitor's choice: what this model lacks is forgotten."""
        session().choice = self.choice
        return session().choice

    def ending(self, written: str | None = None) -> str:
        """The last words before the next piece: what the decoder has written, or the text where it has written nothing."""
        parts = (self.written,) if written is None else (self.written if self.grown is None else "", written)
        if self.info.kind != "encoder-decoder":
            parts = (chosen().text, *parts)
        text = " ".join(" ".join(parts).split()) or chosen().text.strip()
        return text if len(text) <= 40 else "…" + text[-39:]

    def moments(self) -> list[Moment]:
        """What would come next, then the same one and two words later; none for an encoder."""
        if not self.writes:
            return []
        grown = self.grown or grow(self.model, lens_of(self.model), self.request)
        return [replace(moment, written=self.ending(moment.written)) for moment in grown.steps]

    def run(
        self,
        mask: tuple[MaskRule, ...] = (),
        keep: tuple[str, ...] = ("pattern",),
        moved: tuple[PositionRule, ...] = (),
    ) -> Trace:
        """The trace of this text under a mask, with its positions moved or not; equal questions are one computation."""
        request = self.request.keeping(*keep)
        for rule in mask:
            request = request.with_mask(rule)
        for place in moved:
            request = request.with_positions(place)
        return _run(self.model, self.info, request)

    def run_each(self, masks: tuple[tuple[MaskRule, ...], ...]) -> list[Trace | LensError]:
        """The traces of this text under several masks, asked for at once; in place of one that cannot be, its error."""
        asked: list[tuple[Request, Ticket] | LensError] = []
        for mask in masks:
            request = self.request.keeping("pattern")
            try:
                for rule in mask:
                    request = request.with_mask(rule)
            except LensError as error:
                asked.append(error)
            else:
                asked.append((request, _ask(self.model, self.info, request)))
        return [one if isinstance(one, LensError) else self._answer(*one) for one in asked]

    def _answer(self, request: Request, ticket: Ticket) -> Trace | LensError:
        wait(ticket.settled, lambda: _says(self.info, request, ticket), 0.0 if ticket.costly else SOON)
        try:
            return ticket.result()
        except LensError as error:
            return error

    def chances(self, request: Request, position: int, ids: tuple[int, ...]) -> tuple[float, ...]:
        """The probability of each of `ids` at a position, from the whole distribution."""
        lens = lens_of(self.model)

        def compute() -> tuple[float, ...]:
            with models.shelf.lease(self.model, lens):
                return tuple(math.exp(nats) for nats in lens.logprobs(request, position, ids).tolist())

        ticket = shared.ask((self.info.id, "chances", request, position, ids), compute, _weights(self.info, request))
        wait(ticket.settled, lambda: _says(self.info, request, ticket))
        return ticket.result()


def wait(settled: Callable[[float], bool], says: Callable[[], str], soon: float = SOON) -> None:
    """Wait for something under way, telling what and for how long once it takes longer than `soon` seconds."""
    if settled(soon):
        return
    slot = st.empty()
    while not settled(0.25):
        slot.html(f'<p class="busy" role="status">{escape(says())}</p>')
    slot.empty()


def lens_of(model: str) -> Any:
    """A loaded lens, its loading shown. Raises the ModelErrors of core.errors."""
    place = models.ask(model)
    ticket = Ticket(place.future, place.started)
    title = model.partition(":")[2] or model
    wait(ticket.settled, lambda: f"Loading {title}. {place.says}… {place.seconds:.0f} s")
    return ticket.result()


def open_scene(choice: Choice) -> Scene:
    """Load the model, read the text, and let a decoder that was given no target write two words.

    Raises LensError: a model that is not there, an empty or too long text.
    """
    lens = lens_of(choice.model)
    if not choice.text.strip():
        raise InputError("a text of at least one word", "an empty text", "Type one in the bar above")
    if lens.info.kind != "encoder-decoder":
        return _opened(choice, lens, lens.request(choice.text))
    if choice.target is not None:
        return _opened(choice, lens, lens.request(choice.text, choice.target))
    base = lens.request(choice.text, "")
    if not lens.info.can_predict:
        return _opened(choice, lens, base)
    grown = grow(choice.model, lens, base)
    return _opened(choice, lens, base.append(*grown.ids) if grown.ids else base, grown)


def grow(model: str, lens: Any, request: Request) -> Grown:
    """Let a lens write WORDS words greedily after `request`, as it was trained."""
    ticket = ask_growth(model, lens, request)
    wait(ticket.settled, lambda: _says(lens.info, request, ticket), 0.0 if ticket.costly else SOON)
    return ticket.result()


def ask_growth(model: str, lens: Any, request: Request) -> Ticket:
    """The ticket of what `grow` waits for."""
    return shared.ask(
        (lens.info.id, "grow", request), lambda: _grow(model, lens, request), _weights(lens.info, request)
    )


def sentence_under(view: Scene, mask: tuple[MaskRule, ...], again: bool = True) -> str:
    """What a decoder writes on, greedily, under a mask: up to PIECES pieces after the text it was given or has grown from.

    again: what it has grown by itself is written anew; else it goes on after that.
    """
    base = view.request if view.grown is None else view.request.keeping()
    if view.grown is not None and again:
        base = replace(base, target=(base.target or ())[: len(base.target or ()) - len(view.grown.ids)])
    for rule in mask:
        base = base.with_mask(rule)
    lens = lens_of(view.model)

    def compute() -> str:
        ids: list[int] = []
        with models.shelf.lease(view.model, lens):
            for step in lens.generate(base.keeping(), Sampling(temperature=0.0), PIECES):
                if step.finished:
                    break
                ids.append(step.choice.id)
        return lens.decode(ids).strip()

    ticket = shared.ask((view.info.id, "sentence", base), compute, _weights(view.info, base))
    wait(ticket.settled, lambda: _says(view.info, base, ticket))
    return ticket.result()


def switch_rule(info: Any, stream: Stream) -> MaskRule | None:
    """What the causal switch does to a stream: opens a causal decoder, closes an encoder; None on cross-attention."""
    if stream is Stream.CROSS:
        return None
    hides = stream is Stream.DECODER and info.causal
    return MaskRule(stream, "full" if hides else "causal")


def _grow(model: str, lens: Any, request: Request) -> Grown:
    ids: list[int] = []
    moments: list[Moment] = []
    with models.shelf.lease(model, lens):
        for step in lens.generate(request.keeping(), Sampling(temperature=0.0), PIECES):
            words = len(lens.decode([*ids, step.choice.id]).split())
            if not moments or words > len(moments) or step.finished:
                moments.append(Moment(lens.decode(ids).strip(), step.trace, step.choice.id in lens.ends))
            if step.finished or words > WORDS:
                break
            ids.append(step.choice.id)
    return Grown(tuple(ids), lens.decode(ids).strip(), tuple(moments))


def _ask(model: str, info: Any, request: Request) -> Ticket:
    def compute() -> Trace:
        lens = models.ask(model).future.result()
        with models.shelf.lease(model, lens):
            return lens.run(request)

    return shared.ask((request.lens, request), compute, _weights(info, request))


def _run(model: str, info: Any, request: Request) -> Trace:
    ticket = _ask(model, info, request)
    # what is costly tells its price at once
    wait(ticket.settled, lambda: _says(info, request, ticket), 0.0 if ticket.costly else SOON)
    return ticket.result()


def _opened(choice: Choice, lens: Any, request: Request, grown: Grown | None = None) -> Scene:
    fitted, notes = fit(choice, lens.info.sites)
    known = session()
    known.choice, known.notes = fitted, known.notes + notes
    return Scene(choice.model, lens.info, request, grown.text if grown else choice.target or "", grown)


def _weights(info: Any, request: Request) -> int:
    return cost(info.sites, len(request.source or ()), len(request.target or ())).weights


def _says(info: Any, request: Request, ticket: Ticket) -> str:
    price = cost(info.sites, len(request.source or ()), len(request.target or ()))
    queue = f" {ticket.before} before this one." if ticket.before else ""
    return f"Running {price}.{queue} {ticket.seconds:.0f} s"


def said(stream: Stream, layer: int, head: int) -> str:
    """A head's name as people count: "Decoder, layer 2, head 3"."""
    return f"{SAID[stream].capitalize()}, layer {layer + 1}, head {head + 1}"
