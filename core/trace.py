"""The answer: what the model computed for one Request, as read-only NumPy arrays. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from core.answer import Answer, Answers, Label, Span
from core.attention import Attention, Recipe
from core.errors import NoSuchHeadError, NotAPredictor
from core.request import Request, Stream

__all__ = (
    "Answer", "Answers", "Attention", "Beam", "CacheUse", "Candidate", "Label", "Predictions", "Recipe", "Span", "Step", "Token",
    "Tokens", "Trace", "largest", "log_softmax",
)  # fmt: skip


class Token(NamedTuple):
    """One candidate: its id, its text (leading space kept), its natural log-probability and its probability."""

    id: int
    text: str
    logprob: float
    probability: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as the model reads it. Each of the four fields has one entry for each token.

    ids: numbers in the vocabulary. text: each token decoded, leading space kept. word: index of the word that the token belongs
    to. special: True for tokens that are no text, such as the start, the end and padding.
    """

    ids: tuple[int, ...]
    text: tuple[str, ...]
    word: tuple[int, ...]
    special: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What the model expects at every position. logprob and entropy are in nats.

    top_ids int64 [position, k] and top_logprob float32 [position, k]: the k likeliest tokens. actual_logprob float32 [position]:
    that of the token which really stands next (a decoder) or here (an encoder), NaN where there is none. entropy float32
    [position].
    """

    top_ids: np.ndarray
    top_logprob: np.ndarray
    actual_logprob: np.ndarray
    entropy: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Everything one run gave.

    attention: in the order of execution. residual: the residual stream of ENCODER and DECODER, each float32 [depth, position,
    d_model]; depth 0 is the embeddings, and the last depth is missing where the family's final norm hides it; None where it was
    not kept. next_logits: float32 [vocabulary] at the last position where the model predicts, or None. answer: what a classifier
    says in place of words; None for other models, and where "predictions" were not kept.
    """

    request: Request
    source: Tokens | None
    target: Tokens | None
    attention: tuple[Attention, ...]
    next_logits: np.ndarray | None = None
    residual: Mapping[Stream, np.ndarray] | None = None
    predictions: Predictions | None = None
    masked_logits: Mapping[int, np.ndarray] = field(default_factory=dict)  # logits of an encoder at its mask tokens
    token_text: Callable[[int], str] = field(default=str, repr=False)
    answer: Answer | None = None

    def at(self, stream: Stream, layer: int) -> Attention:
        """The attention of one layer of one stream. Raises NoSuchHeadError where the trace holds none."""
        for attention in self.attention:
            if attention.site.stream == stream and attention.site.layer == layer:
                return attention
        held = ", ".join(f"{a.site.stream.value} {a.site.layer}" for a in self.attention) or "none"
        raise NoSuchHeadError(f"one of the attentions held ({held})", f"{getattr(stream, 'value', stream)} {layer}")

    def next_tokens(self, k: int = 10, position: int | None = None) -> list[Token]:
        """The k likeliest tokens: the next one of a decoder, or the one at `position` of an encoder.

        A decoder's other positions, and an encoder's unmasked ones, need keep={"predictions"}.
        Raises NotAPredictor where the model has no output head or an encoder was given no position, NoSuchHeadError for a
        position that is not there.
        """
        if self.answer is not None:
            raise NotAPredictor(
                "a model that predicts tokens", "one that classifies", "Its classes are in trace.answer"
            )
        logits = self.next_logits if position is None else self.masked_logits.get(position)
        if logits is not None:
            return self._top(logits, k)
        if position is None:
            if self.masked_logits or self.predictions is not None:
                raise NotAPredictor("a position to fill in", "none", "Encoders predict at a place: pass position=…")
            raise NotAPredictor(
                "a model that predicts tokens", "one without an output head", "Its attention can still be seen"
            )
        if self.predictions is None:
            raise NotAPredictor(
                "a trace with predictions at every position",
                "one without",
                'Add "predictions" to keep, or mask that token',
            )
        rows = len(self.predictions.top_ids)
        if not 0 <= position < rows:
            raise NoSuchHeadError(f"a position from 0 to {rows - 1}", f"{position}")
        ids, logprobs = self.predictions.top_ids[position][:k], self.predictions.top_logprob[position][:k]
        return [self._token(int(i), float(logprob)) for i, logprob in zip(ids, logprobs, strict=True)]

    def _top(self, logits: np.ndarray, k: int) -> list[Token]:
        logprobs = log_softmax(logits)
        ids = largest(logprobs, k)
        return [self._token(int(i), float(logprobs[i])) for i in ids]

    def _token(self, token: int, logprob: float) -> Token:
        return Token(token, self.token_text(token), logprob, float(np.exp(logprob)))


@dataclass(frozen=True, slots=True)
class Candidate:
    """One token that a step could have chosen: its probability before the filters and after them (0 where a filter cut it),
    and the name of that filter (None where no filter cut it)."""

    token: Token
    before: float
    after: float
    cut_by: str | None


@dataclass(frozen=True, slots=True)
class CacheUse:
    """How a step used the key–value cache: its size in bytes, how many positions were reused and how many were computed."""

    bytes: int
    reused: int
    new: int


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One turn of the auto-regressive loop. `trace` holds the new query rows only; `lens.run(step.request)` gives the patterns
    with all rows. `recomputed` is True where a mask made the cache useless."""

    index: int
    request: Request
    choice: Token
    candidates: tuple[Candidate, ...]
    cache: CacheUse
    finished: bool
    trace: Trace
    recomputed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Beam:
    """A node of the beam tree: its parent's index in the list (None for a first token), its token, the sum of
    log-probabilities so far, whether it survived its step, whether it ended the text, and a trace.

    The trace is that of the text before this token, so siblings share it; its last query row shows where the model looked
    when it predicted the token. As in generation, the trace of a later step holds the new row alone, and only the trace of
    the first step holds the encoder's attention.
    """

    index: int
    parent: int | None
    step: int
    token: Token
    logprob: float
    alive: bool
    finished: bool
    trace: Trace


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Natural log-probabilities over the last axis: float64 of the same shape, so that the probabilities sum to 1 closely."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def largest(values: np.ndarray, k: int) -> np.ndarray:
    """The places of the k largest values of a row [n]: int64 [min(k, n)], largest first, equal values by place. The result is
    that of a stable sort, without sorting the whole row."""
    k = min(max(0, k), len(values))
    if k == 0:
        return np.empty(0, dtype=np.intp)
    bar = np.partition(values, len(values) - k)[len(values) - k]
    places = np.flatnonzero(values >= bar)
    return places[np.argsort(-values[places], kind="stable")][:k]
