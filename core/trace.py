"""The answer: what the model computed for one Request, as read-only NumPy arrays. Nothing here needs torch.

Shapes are written with whole words: [head, query, key]. A pattern is what was used, after mask and interventions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from core.errors import NoSuchHeadError, NotAPredictor, NotKeptError
from core.request import Request, Site, Stream


class Token(NamedTuple):
    """One candidate: its id, its text (leading space kept), its natural log-probability and its probability."""

    id: int
    text: str
    logprob: float
    probability: float


class Near(NamedTuple):
    """A piece of the vocabulary near another one: its id, its text, the cosine of the angle between the two embeddings."""

    id: int
    text: str
    cosine: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as the model reads it. All four have one entry a piece.

    text: each piece decoded, leading space kept. word: index of the word each piece belongs to. special: start, end, padding…
    """

    ids: tuple[int, ...]
    text: tuple[str, ...]
    word: tuple[int, ...]
    special: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.ids)


def readonly(array: np.ndarray) -> np.ndarray:
    """The same array, closed for writing."""
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """What a pattern is made of: softmax(cap(scaling · q·k) + bias) over the allowed keys and the sink (if any).

    query [head, query, d], key [kv head, key, d] as they enter the product; bias [head or 1, query, key]; sink [head]
    (a learnt logit that takes mass from every row, as in gpt-oss); temperature divides the scores, not mask nor sink.
    Float32 throughout: the engine's own values are met within 1e-6.
    """

    query: np.ndarray
    key: np.ndarray
    scaling: float
    softcap: float | None = None
    bias: np.ndarray | None = None
    sink: np.ndarray | None = None
    temperature: float = 1.0

    def scores(self, head: int) -> np.ndarray:
        """What enters the softmax before the mask: float32 [query, key]."""
        group = len(self.query) // len(self.key)
        # scaling the queries touches d numbers a row instead of one for each key
        query = self.query[head].astype(np.float32, copy=False) * np.float32(self.scaling)
        scores = query @ self.key[head // group].astype(np.float32, copy=False).T
        if self.softcap is not None:
            scores = np.float32(self.softcap) * np.tanh(scores / np.float32(self.softcap))
        if self.bias is not None:
            scores += self.bias[head if len(self.bias) > 1 else 0]
        if self.temperature != 1.0:
            scores /= np.float32(self.temperature)
        return scores

    def pattern(self, head: int, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """One head's pattern [query, key] and, where the family has a sink, the mass it took [query]."""
        weights = self.scores(head)
        np.copyto(weights, -np.inf, where=~allowed)
        top = weights.max(axis=-1, keepdims=True)
        if self.sink is not None:
            top = np.maximum(top, self.sink[head])
        weights -= top
        np.exp(weights, out=weights)
        total = weights.sum(axis=-1, keepdims=True)
        taken = None
        if self.sink is not None:
            taken = np.exp(self.sink[head] - top)
            total = total + taken
            taken = readonly((taken / total)[:, 0].astype(np.float32))
        weights /= total
        return weights, taken


class Attention:
    """What one site did. All arrays read-only; heads of grouped-query models share keys (`kv_of`).

    pattern float32 [head, query, key], allowed bool [head, query, key], scores float32 [head, query, key],
    query [head, position, d], key and value [kv head, position, d], sink float32 [head, query] or None.
    It holds the arrays themselves, or 8-bit codes (`approximate` is then True), or a Recipe that gives any head when
    asked. Raises NotKeptError for what the request did not keep.
    """

    __slots__ = (
        "_allowed", "_codes", "_pattern", "_recipe", "_scores", "_sink", "_value",
        "ablated", "bias", "keeps", "kv_heads", "query_start", "scaling", "site", "softcap", "temperature",
    )  # fmt: skip

    def __init__(
        self,
        site: Site,
        allowed: np.ndarray,
        *,
        keeps: frozenset[str],
        scaling: float,
        kv_heads: int,
        softcap: float | None = None,
        bias: np.ndarray | None = None,
        pattern: np.ndarray | None = None,
        codes: np.ndarray | None = None,
        scores: np.ndarray | None = None,
        sink: np.ndarray | None = None,
        value: np.ndarray | None = None,
        recipe: Recipe | None = None,
        ablated: tuple[int, ...] = (),
        query_start: int = 0,
        temperature: float = 1.0,
    ) -> None:
        self.site, self.keeps, self.scaling, self.kv_heads = site, keeps, scaling, kv_heads
        self.softcap, self.bias, self.ablated, self.query_start = softcap, bias, ablated, query_start
        self.temperature = temperature
        self._allowed, self._pattern, self._codes, self._scores = allowed, pattern, codes, scores
        self._sink, self._value, self._recipe = sink, value, recipe

    @property
    def approximate(self) -> bool:
        """True where patterns come from 8-bit codes of the square root (worst error 0.004): for display only."""
        return self._codes is not None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(heads, queries, keys)."""
        return (self.site.heads, *self._allowed.shape[-2:])

    @property
    def allowed(self) -> np.ndarray:
        """bool [head, query, key], True = may look; a broadcast view unless heads differ."""
        return np.broadcast_to(self._allowed, self.shape)

    @property
    def pattern(self) -> np.ndarray:
        """float32 [head, query, key]: the weights that were used, after mask and interventions, before ablation."""
        if self._pattern is not None:
            return self._pattern
        return readonly(np.stack([self._head(head)[0] for head in range(self.site.heads)]))

    @property
    def scores(self) -> np.ndarray:
        """float32 [head, query, key]: what enters the softmax before the mask; scaling, soft-cap, bias, temperature in."""
        self._need("scores")
        if self._scores is not None:
            return self._scores
        assert self._recipe is not None
        return readonly(np.stack([self._recipe.scores(head) for head in range(self.site.heads)]))

    @property
    def query(self) -> np.ndarray:
        """[head, query, d], as it enters the product (after rotary, normalisation and pre-scaling)."""
        self._need("qkv")
        assert self._recipe is not None
        return self._recipe.query

    @property
    def key(self) -> np.ndarray:
        """[kv head, key, d], as it enters the product."""
        self._need("qkv")
        assert self._recipe is not None
        return self._recipe.key

    @property
    def value(self) -> np.ndarray:
        """[kv head, key, d]."""
        self._need("qkv")
        assert self._value is not None
        return self._value

    @property
    def sink(self) -> np.ndarray | None:
        """float32 [head, query]: mass that no key received, or None where the family has none."""
        if self._sink is not None or self._recipe is None or self._recipe.sink is None:
            return self._sink
        return readonly(
            np.stack([taken for head in range(self.site.heads) if (taken := self._head(head)[1]) is not None])
        )

    def sink_logit(self, head: int) -> float | None:
        """The learnt logit of the sink that takes mass from every row of a head, or None where the family has none."""
        self._need("qkv")
        assert self._recipe is not None
        return None if self._recipe.sink is None else float(self._recipe.sink[self._valid(head)])

    def kv_of(self, head: int) -> int:
        """Which key/value head serves this head."""
        return self._valid(head) * self.kv_heads // self.site.heads

    def head(self, head: int) -> np.ndarray:
        """One head's pattern alone: float32 [query, key]. With a recipe only this head is computed."""
        return readonly(self._head(self._valid(head))[0])

    def codes(self, head: int) -> np.ndarray:
        """One head as 8-bit codes of the square root, uint8 [query, key]: round(255·√weight). For drawing."""
        if self._codes is not None:
            return self._codes[self._valid(head)]
        return readonly(encode_u8(self.head(head)))

    def _head(self, head: int) -> tuple[np.ndarray, np.ndarray | None]:
        sink = None if self._sink is None else self._sink[head]
        if self._pattern is not None:
            return self._pattern[head], sink
        if self._codes is not None:
            return decode_u8(self._codes[head]), sink
        if self._recipe is None or "pattern" not in self.keeps:
            self._need("pattern")
        assert self._recipe is not None
        return self._recipe.pattern(head, self._allowed[head if len(self._allowed) > 1 else 0])

    def _need(self, what: str) -> None:
        if what not in self.keeps:
            have = ", ".join(sorted(self.keeps)) or "nothing"
            raise NotKeptError(
                f"a trace that kept “{what}”", f"one that kept {have}", f'Add "{what}" to keep in the request'
            )

    def _valid(self, head: int) -> int:
        if not 0 <= head < self.site.heads:
            raise NoSuchHeadError(f"heads 0 to {self.site.heads - 1}", f"head {head}")
        return head

    def __repr__(self) -> str:
        heads, queries, keys = self.shape
        return f"Attention({self.site.stream.value} layer {self.site.layer}: {heads} heads, {queries} × {keys})"


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What the model expects at every position. logprob and entropy are in nats.

    top_ids int64 [position, k], top_logprob float32 [position, k]; actual_logprob float32 [position]: of the token that
    stands next (a decoder) or here (an encoder), NaN where there is none; entropy float32 [position].
    """

    top_ids: np.ndarray
    top_logprob: np.ndarray
    actual_logprob: np.ndarray
    entropy: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Everything one run gave. `attention` is in the order of execution; `residual` maps ENCODER and DECODER to
    float32 [depth, position, d_model], depth 0 being the embeddings (the last depth is missing where the family's final
    norm hides it). `next_logits` float32 [vocabulary] at the last position where the model predicts, or None.
    """

    request: Request
    source: Tokens | None
    target: Tokens | None
    attention: tuple[Attention, ...]
    next_logits: np.ndarray | None = None
    residual: Mapping[Stream, np.ndarray] | None = None
    predictions: Predictions | None = None
    masked_logits: Mapping[int, np.ndarray] = field(default_factory=dict)  # an encoder's, at its mask tokens
    piece: Callable[[int], str] = field(default=str, repr=False)

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
        Raises NotAPredictor where the model has no output head or an encoder was given no position.
        """
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
        return Token(token, self.piece(token), logprob, float(np.exp(logprob)))


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """A decoder from the inside: what enters the residual stream, sublayer by sublayer, at every position of its target.

    parts: (layer, "own" | "cross" | "ff") of each sublayer in order; inside: its values by the names of
    `core.model.decoder_steps`; begin: the embedding's. Depth 0 is the embedding, depth n + 1 the n-th sublayer:
    added and stream float32 [depth, position, d_model]: what it adds, and the stream after it.
    written int64 [position]: the piece that stands next (the likeliest at the end). chance, glimpse float32 and glimpse_id int64
    [depth, position]: the written piece's probability, and the likeliest piece with its own, if the decoder ended there.
    aim float32 [position, d_model], deviation and offset [position]: the last norm and the output layer as one direction
    (`core.analysis.decoder.pushes`); height float32 [position]: the written piece's logit above the mean of all.
    top float32 and top_id int64 [position, k]: the likeliest next pieces; normed float32 [position, d_model].
    """

    request: Request
    source: Tokens | None
    target: Tokens
    parts: tuple[tuple[int, str], ...]
    begin: Mapping[str, np.ndarray]
    inside: tuple[Mapping[str, np.ndarray], ...]
    added: np.ndarray
    stream: np.ndarray
    written: np.ndarray
    glimpse: np.ndarray
    glimpse_id: np.ndarray
    chance: np.ndarray
    aim: np.ndarray
    deviation: np.ndarray
    offset: np.ndarray
    height: np.ndarray
    top: np.ndarray
    top_id: np.ndarray
    normed: np.ndarray


@dataclass(frozen=True, slots=True)
class Candidate:
    """One token a step could have chosen: before the filters, after them, and which filter cut it (None: none did)."""

    token: Token
    before: float
    after: float
    cut_by: str | None


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What a step took from the key–value cache: its size in bytes, positions reused, positions computed anew."""

    bytes: int
    reused: int
    new: int


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One turn of the auto-regressive loop. `trace` holds the new query rows; `request` is what was asked, so that
    `lens.run(step.request)` gives the whole square. `recomputed` is True where a mask made the cache useless."""

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
    log-probabilities so far, whether it survived its step, whether it ended the text, and the trace of what stood before it
    (shared with its siblings): the last query is where it looked when it was considered."""

    index: int
    parent: int | None
    step: int
    token: Token
    logprob: float
    alive: bool
    finished: bool
    trace: Trace


@dataclass(frozen=True, slots=True, eq=False)
class Inner:
    """An encoder from the inside: the values between the ends of its layers, by the names of `core.model.steps`.

    begin and each of `layers` map a name to a float32 array; final float32 [position, d_model] is what leaves the encoder.
    """

    request: Request
    tokens: Tokens
    begin: Mapping[str, np.ndarray]
    layers: tuple[Mapping[str, np.ndarray], ...]
    final: np.ndarray

    def residual(self) -> np.ndarray:
        """The stream before each layer and after the last: float32 [depth, position, d_model]."""
        return np.stack([steps["leave"] for steps in (self.begin, *self.layers)])


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Natural log-probabilities over the last axis, in float64 for a sum of exactly 1."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def largest(values: np.ndarray, k: int) -> np.ndarray:
    """Where the k largest of a long row stand, largest first, ties by place: what a stable sort gives, without sorting all."""
    k = min(max(0, k), len(values))
    if k == 0:
        return np.empty(0, dtype=np.intp)
    bar = np.partition(values, len(values) - k)[len(values) - k]
    places = np.flatnonzero(values >= bar)
    return places[np.argsort(-values[places], kind="stable")][:k]


def encode_u8(weights: np.ndarray) -> np.ndarray:
    """Weights in [0, 1] as uint8 codes of the square root: small weights survive (worst error 0.0039)."""
    codes = np.sqrt(weights)
    codes *= 255
    codes += 0.5
    return codes.astype(np.uint8)


def decode_u8(codes: np.ndarray) -> np.ndarray:
    """The weights that codes stand for: (code / 255)²."""
    return np.square(codes.astype(np.float32) / np.float32(255))
