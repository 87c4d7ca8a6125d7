"""The answer: what the model computed for one Request, as read-only NumPy arrays. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from core.answer import Answer, Answers, Label, Span
from core.attention import Attention, Recipe
from core.errors import NoSuchHeadError, NotAPredictor
from core.frame import data_frame
from core.request import Request, Stream
from core.saving import saved
from core.sites import as_stream
from core.tokens import Predictions, Token, Tokens, TokenTexts

if TYPE_CHECKING:
    import os

__all__ = (
    "Answer", "Answers", "Attention", "Beam", "CacheUse", "Candidate", "Label", "Predictions", "Recipe", "Span", "Step", "Token",
    "TokenTexts", "Tokens", "Trace", "largest", "log_softmax",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Everything one run gave. It can be pickled, copied, and saved to a file whole.

    attention: in the order of execution. residual: the residual stream of ENCODER and DECODER, each float32 [depth, position,
    d_model]; None where it was not kept. Depth 0 is the embeddings, depth n what the n-th layer leaves. So the last depth stands
    before the family's final norm, while Hugging Face's last hidden state stands after it (SmolLM2, GPT-2, T5); where a family
    gives the normed one alone, that depth is missing. next_logits: float32 [vocabulary] at the last position where the model
    predicts, or None. answer: what a classifier says in place of words; None for other models, and where "predictions" were not
    kept.
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
        raise NoSuchHeadError(
            f"one of the attentions held ({self._held()})", f"{getattr(stream, 'value', stream)} {layer}"
        )

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

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything that was kept, and the request with its interventions, to one file (safetensors, with a description in
        JSON). `Trace.load` reads it. Lazy patterns are saved as the queries and keys they are computed from.

        Raises InputError where the file cannot be written.
        """
        saved.to_file(path, self._fields())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trace:
        """The trace that `save` wrote: it answers every question that the saved one did, without the model. Nothing in the file
        can run code, and what it says of its arrays is checked before they are made. Raises InputError for any other file."""
        return cls(**saved.from_file(path))

    def to_frame(self, stream: Stream | str | None = None, layer: int | None = None, head: int | None = None) -> Any:
        """The weights as a pandas.DataFrame, a row for each cell: stream, layer, head, query, query_token, key, key_token,
        allowed, weight and, where scores were kept, score. All counted from 0. None takes every stream, layer or head.

        Raises InputError for more rows than CELLS or without pandas, RequestError for another stream, NoSuchHeadError for a layer
        or head that the trace does not hold, NotKeptError where neither patterns nor scores were kept.
        """
        wanted = None if stream is None else as_stream(stream)
        chosen = [
            one for one in self.attention
            if (wanted is None or one.site.stream is wanted) and (layer is None or one.site.layer == layer)
        ]  # fmt: skip
        if not chosen:
            raise NoSuchHeadError(
                f"one of the attentions held ({self._held()})", f"{wanted.value if wanted else 'layer'} {layer}"
            )
        return data_frame(chosen, self.source, self.target, head)

    def __reduce__(self) -> tuple[Any, ...]:
        # the texts of a vocabulary stand beside the rest, so that many traces of one model share them in one pickle
        return _again, (saved.to_bytes({**self._fields(), "token_text": str}), self.token_text)

    def __repr__(self) -> str:
        """What it holds, and of which texts: arrays of a long text would fill the screen."""
        sizes = " → ".join(f"{len(side)} tokens" for side in (self.source, self.target) if side is not None)
        arrays = ("next_logits", "residual", "predictions", "masked_logits")
        more = [
            name for name in arrays if (value := getattr(self, name)) is not None and (name != "masked_logits" or value)
        ]
        kept = [f"{len(self.attention)} attentions" if self.attention else "no attention", *more]
        return f"Trace({self.request.lens!r}, {sizes}: {', '.join(kept)})"

    def _fields(self) -> dict[str, Any]:
        return {part.name: getattr(self, part.name) for part in fields(self)}

    def _held(self) -> str:
        return ", ".join(f"{a.site.stream.value} {a.site.layer}" for a in self.attention) or "none"

    def _top(self, logits: np.ndarray, k: int) -> list[Token]:
        logprobs = log_softmax(logits)
        ids = largest(logprobs, k)
        return [self._token(int(i), float(logprobs[i])) for i in ids]

    def _token(self, token: int, logprob: float) -> Token:
        return Token(token, self.token_text(token), logprob, float(np.exp(logprob)))


def _again(content: bytes, token_text: Callable[[int], str]) -> Trace:
    """The trace that was pickled."""
    return Trace(**{**saved.from_bytes(content), "token_text": token_text})


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
    with all rows. `recomputed` is True where a step could reuse nothing of the one before it: a mask lets old tokens see new
    ones, or the model keeps nothing (`LensInfo.caches`), or the text has passed a length of `LensInfo.turns`."""

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
