"""What a page shows: the model, the text and what was made of them, with waiting told in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from core.analysis import cost
from core.errors import InputError, LensError
from core.request import MaskRule, PositionRule, Request, Sampling, Stream
from core.trace import Trace
from core.ui.running import models
from core.ui.running.runs import Ticket, shared
from core.ui.running.waiting import Says, wait, wait_for, work
from core.ui.session.giving import CHAT, PAIR, READS, WRITES
from core.ui.session.state import SAID, Choice, fit, session

if TYPE_CHECKING:  # the engine brings torch along, which no page waits for before a model is loaded
    from core.engine.backend import LensInfo
    from core.engine.lens import Lens

T = TypeVar("T")
WORDS, LONGEST = 2, 16  # how far the decoder writes on its own
SILENT = (
    "This model came without its output layer, so it predicts nothing. Its attention is all there.",
    "This model is an encoder: it reads a text and writes none, so there is no next token. Its attention is all there.",
)  # by whether it is an encoder
CLASSIFIES = "This model classifies and does not write, so there is no next token. Its answer is on the page Attention."


def silent(info: LensInfo) -> str:
    """Why a model says no next token, in a sentence."""
    return CLASSIFIES if info.answers is not None else SILENT[info.kind == "encoder"]

UNTOLD = "This model hands over its attention weights alone, not the queries, keys and values behind them."


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
    """A text in front of a model, as a page was opened with it.

    choice: what the visitor had chosen, fit for the model. base: the source and the target that was typed, if any. request: the
    same with what the decoder has written by itself (`grown`). Both ask the model as it was trained, without any mask of ours.
    """

    model: str
    info: LensInfo
    choice: Choice
    base: Request
    request: Request
    grown: Grown | None = None

    @property
    def lens(self) -> Lens:
        """The model, loaded again where it had to make room meanwhile; no scene keeps one from being put away."""
        return lens_of(self.model)

    @property
    def written(self) -> str:
        """What the decoder has written so far, by itself or by the visitor's hand."""
        return self.choice.target or "" if self.grown is None else self.grown.text

    @property
    def writes(self) -> bool:
        """Whether the model says what comes next."""
        return self.info.can_predict and self.info.kind != "encoder"

    def renewed(self) -> Scene:
        """The same with what the visitor has chosen since: fit for this model, and kept so. What a model lacks is forgotten."""
        known = session()
        known.choice = fit(known.choice, self.info.sites, self.info.reason)[0]
        return replace(self, choice=known.choice)

    def ending(self, written: str | None = None) -> str:
        """The last words before the next token: what the decoder has written, or the text where it has written nothing."""
        parts = (self.written,) if written is None else (self.written if self.grown is None else "", written)
        if self.info.kind != "encoder-decoder":
            parts = (self.choice.text, *parts)
        text = " ".join(" ".join(parts).split()) or self.choice.text.strip()
        return text if len(text) <= 40 else "…" + text[-39:]

    def moments(self) -> list[Moment]:
        """What would come next, then the same one and two words later; none for an encoder."""
        if not self.writes:
            return []
        grown = self.grown or grow(self.model, self.lens, self.request)
        return [replace(moment, written=self.ending(moment.written)) for moment in grown.steps]

    def work(
        self, key: tuple[Hashable, ...], compute: Callable[[Lens], T], says: Says, weights: int = 0,
        soon: float | None = None, keep: bool = True,
    ) -> T:  # fmt: skip
        """What `compute` makes of the model, one computation for all who ask the same (`work`).

        key: all that the answer depends on beside the model. Raises what `compute` raises.
        """
        return work_on(self.model, key, compute, says, weights, soon, keep)

    def trace(self, request: Request) -> Trace:
        """The trace of any request to this model; equal questions are one computation. Raises LensError."""
        ticket = _ask(self.model, self.info, request)
        wait_for(ticket, _running(self.info, request))
        return ticket.result()

    def run(
        self,
        mask: tuple[MaskRule, ...] = (),
        keep: tuple[str, ...] = ("pattern",),
        moved: tuple[PositionRule, ...] = (),
    ) -> Trace:
        """The trace of this text under a mask, with its positions moved or not."""
        request = masked(self.request.keeping(*keep), mask)
        for place in moved:
            request = request.with_positions(place)
        return self.trace(request)

    def run_each(self, masks: tuple[tuple[MaskRule, ...], ...]) -> list[Trace | LensError]:
        """The traces of this text under several masks, asked for at once; in place of one that cannot be, its error."""
        asked: list[tuple[Request, Ticket] | LensError] = []
        for mask in masks:
            try:
                request = masked(self.request.keeping("pattern"), mask)
            except LensError as error:
                asked.append(error)
            else:
                asked.append((request, _ask(self.model, self.info, request)))
        return [one if isinstance(one, LensError) else self._answer(*one) for one in asked]

    def _answer(self, request: Request, ticket: Ticket) -> Trace | LensError:
        wait_for(ticket, _running(self.info, request))
        try:
            return ticket.result()
        except LensError as error:
            return error

    def chances(self, request: Request, position: int, ids: tuple[int, ...]) -> tuple[float, ...]:
        """The probability of each of `ids` at a position, from the whole distribution."""
        return self.work(
            ("chances", request, position, ids),
            lambda lens: tuple(math.exp(nats) for nats in lens.logprobs(request, position, ids).tolist()),
            _running(self.info, request), _weights(self.info, request),
        )  # fmt: skip


def lens_of(model: str) -> Lens:
    """A loaded lens, its loading shown. Raises the ModelErrors of core.errors."""
    place = models.ask(model)
    ticket = Ticket(place.future, place.started)
    title = model.partition(":")[2] or model
    wait(ticket.settled, lambda: f"Loading {title}. {place.says}… {place.seconds:.0f} s")
    return ticket.result()


def work_on(
    model: str, key: tuple[Hashable, ...], compute: Callable[[Lens], T], says: Says, weights: int = 0,
    soon: float | None = None, keep: bool = True,
) -> T:  # fmt: skip
    """`Scene.work` for a model that is not that of the page."""
    lens = lens_of(model)

    def leased() -> T:
        with models.shelf.lease(model, lens):
            return compute(lens)

    return work((lens.info.id, *key), leased, says, weights, soon, keep)


def masked(request: Request, mask: tuple[MaskRule, ...]) -> Request:
    """The request under further rules, in order. Raises MaskError for one that does not fit it."""
    for rule in mask:
        request = request.with_mask(rule)
    return request


def open_scene(choice: Choice) -> Scene:
    """Load the model, read the text, and let a decoder that was given no target write two words.

    Raises LensError: a model that is not there, an empty or too long text.
    """
    lens = lens_of(choice.model)
    if not choice.text.strip():
        raise InputError("a text of at least one word", "an empty text", "Type one in the bar above")
    if lens.info.kind != "encoder-decoder" or lens.info.answers is not None:
        return _opened(choice, lens, asked(lens, choice, choice.text))
    if choice.target is not None:
        return _opened(choice, lens, asked(lens, choice, choice.text, choice.target))
    base = asked(lens, choice, choice.text, "")
    return _opened(choice, lens, base, grow(choice.model, lens, base) if lens.info.can_predict else None)


def asked(lens: Lens, choice: Choice, text: str, target: str | None = None) -> Request:
    """A text as the visitor wants it given to the model, where the model can take it so: with a second sentence, in a language, or
    as a message in its chat template. Raises InputError, TooLongError, RequestError."""
    info = lens.info
    if choice[CHAT] and info.chats:
        return lens.request([{"role": "user", "content": text}])
    if info.pairs and choice[PAIR].strip():
        return lens.request(text, pair=choice[PAIR])
    reads, writes = (choice[row] if choice[row] in info.languages else None for row in (READS, WRITES))
    return lens.request(text, target, source_language=reads, target_language=writes)


def _opened(choice: Choice, lens: Lens, base: Request, grown: Grown | None = None) -> Scene:
    fitted, notes = fit(choice, lens.info.sites, lens.info.reason)
    known = session()
    known.choice, known.notes = fitted, known.notes + notes
    request = base.append(*grown.ids) if grown is not None and grown.ids else base
    return Scene(choice.model, lens.info, fitted, base, request, grown)


def grow(model: str, lens: Lens, request: Request) -> Grown:
    """Let a lens write WORDS words greedily after `request`, as it was trained."""
    ticket = ask_growth(model, lens, request)
    wait_for(ticket, _running(lens.info, request))
    return ticket.result()


def ask_growth(model: str, lens: Lens, request: Request) -> Ticket:
    """The ticket of what `grow` waits for."""
    return shared.ask(
        (lens.info.id, "grow", request), lambda: _grow(model, lens, request), _weights(lens.info, request)
    )


def sentence_under(view: Scene, mask: tuple[MaskRule, ...], again: bool = True) -> str:
    """What a decoder writes on, greedily, under a mask: up to LONGEST tokens after the text it was given or has grown from.

    again: what it has grown by itself is written anew; else it goes on after that.
    """
    request = masked(view.base if again else view.request, mask).keeping()

    def compute(lens: Lens) -> str:
        ids: list[int] = []
        for step in lens.generate(request, Sampling(temperature=0.0), LONGEST):
            if step.finished:
                break
            ids.append(step.choice.id)
        return lens.decode(ids).strip()

    return view.work(("sentence", request), compute, _running(view.info, request), _weights(view.info, request))


def switch_rule(info: LensInfo, stream: Stream) -> MaskRule | None:
    """What the causal switch does to a stream: opens a causal decoder, closes an encoder; None on cross-attention."""
    if stream is Stream.CROSS:
        return None
    hides = stream is Stream.DECODER and info.causal
    return MaskRule(stream, "full" if hides else "causal")


def _grow(model: str, lens: Lens, request: Request) -> Grown:
    ids: list[int] = []
    moments: list[Moment] = []
    with models.shelf.lease(model, lens):
        for step in lens.generate(request.keeping(), Sampling(temperature=0.0), LONGEST):
            words = len(lens.decode([*ids, step.choice.id]).split())
            if not moments or words > len(moments) or step.finished:
                moments.append(Moment(lens.decode(ids).strip(), step.trace, step.choice.id in lens.ends))
            if step.finished or words > WORDS:
                break
            ids.append(step.choice.id)
    return Grown(tuple(ids), lens.decode(ids).strip(), tuple(moments))


def _ask(model: str, info: LensInfo, request: Request) -> Ticket:
    def compute() -> Trace:
        lens = models.ask(model).future.result()
        with models.shelf.lease(model, lens):
            return lens.run(request)

    return shared.ask((request.lens, request), compute, _weights(info, request))


def _weights(info: LensInfo, request: Request) -> int:
    return cost(info.sites, len(request.source or ()), len(request.target or ())).weights


def _running(info: LensInfo, request: Request) -> str:
    """What a run costs, told while it is waited for."""
    return f"Running {cost(info.sites, len(request.source or ()), len(request.target or ()))}."


def said(stream: Stream, layer: int, head: int) -> str:
    """A head's name as people count: "Decoder, layer 2, head 3"."""
    return f"{SAID[stream].capitalize()}, layer {layer + 1}, head {head + 1}"
