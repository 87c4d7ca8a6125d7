"""What one attention computed, as read-only NumPy arrays: whole, as 8-bit codes, or as a recipe that computes a head when asked.

Shapes are written with whole words: [head, query, key]. A pattern holds the attention weights that were really used, after mask
and interventions.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from core.brief import Brief
from core.errors import NoSuchHeadError, NotKeptError
from core.sites import Site

RECENT = 128 * 2**20  # bytes of patterns, computed when somebody asked, that all attentions together hold on to: 32 heads of 1,024²


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Recipe(Brief):
    """What a pattern is computed from: softmax(cap(scaling · q·k) + bias) over the allowed keys and the sink (if any).

    query [head, query, d] and key [kv head, key, d], as they enter the product; bias [head or 1, query, key]; sink [head], a
    learnt logit that takes mass from every row, as in gpt-oss. temperature divides the scores, but neither mask nor sink.
    All arrays are float32, and the result equals the engine's own values within 1e-6.
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
        # scaling the queries takes d multiplications a row; scaling the scores would take one for each key
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
    """What one site computed. All arrays are read-only. In grouped-query models several heads share one key (`kv_of`).

    pattern float32 [head, query, key], allowed bool [head, query, key], scores float32 [head, query, key],
    query [head, position, d], key and value [kv head, position, d], sink float32 [head, query] or None.
    An Attention holds the arrays themselves, or 8-bit codes (`approximate` is then True), or a Recipe that computes a head
    when someone asks for it. A whole pattern that it computed it holds on to, until newer ones take the room (RECENT).
    scaling is None where it is unknown, because the model only returned its patterns.
    Raises NotKeptError for what the request did not keep.
    """

    __slots__ = (
        "__weakref__", "_allowed", "_codes", "_computed", "_pattern", "_recipe", "_scores", "_sink", "_value",
        "ablated", "bias", "keeps", "kv_heads", "query_start", "scaling", "site", "softcap", "temperature",
    )  # fmt: skip

    def __init__(
        self,
        site: Site,
        allowed: np.ndarray,
        *,
        keeps: frozenset[str],
        scaling: float | None,
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
        self._computed: np.ndarray | None = None

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
        computed = self._computed
        if computed is None:
            computed = readonly(self._whole())
            _RECENT.hold(self, computed)
        return computed

    @property
    def scores(self) -> np.ndarray:
        """float32 [head, query, key]: what enters the softmax before the mask, with scaling, soft-cap, bias and temperature."""
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
        """The number of the key/value head that this head reads."""
        return self._valid(head) * self.kv_heads // self.site.heads

    def head(self, head: int) -> np.ndarray:
        """The pattern of one head: float32 [query, key]. With a recipe only this head is computed."""
        computed = self._computed
        return readonly(self._head(self._valid(head))[0] if computed is None else computed[self._valid(head)])

    def codes(self, head: int) -> np.ndarray:
        """One head as 8-bit codes of the square root, uint8 [query, key]: round(255·√weight). For drawing."""
        if self._codes is not None:
            return self._codes[self._valid(head)]
        return readonly(encode_u8(self.head(head)))

    def _whole(self) -> np.ndarray:
        """The pattern of all heads, computed or decoded: float32 [head, query, key]."""
        return np.stack([self._head(head)[0] for head in range(self.site.heads)])

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

    @property
    def held(self) -> dict[str, Any]:
        """All that it holds, by the names that it is made with: `Attention(**held)` is the same."""
        public = ("site", "keeps", "scaling", "kv_heads", "softcap", "bias", "ablated", "query_start", "temperature")
        hidden = ("allowed", "pattern", "codes", "scores", "sink", "value", "recipe")
        return {name: getattr(self, name) for name in public} | {name: getattr(self, f"_{name}") for name in hidden}

    def __getstate__(self) -> dict[str, Any]:
        return self.held

    def __setstate__(self, state: dict[str, Any]) -> None:
        Attention.__init__(self, **{name: _still(value) for name, value in state.items()})

    def __repr__(self) -> str:
        heads, queries, keys = self.shape
        return f"Attention({self.site.stream.value} layer {self.site.layer}: {heads} heads, {queries} × {keys})"


class _Recent:
    """The patterns that attentions computed last, up to RECENT bytes; the oldest go first. Many threads may share it."""

    def __init__(self) -> None:
        self.lock, self.holders = Lock(), list[weakref.ref[Attention]]()

    def hold(self, attention: Attention, pattern: np.ndarray) -> None:
        """Let an attention hold on to its pattern, where the pattern is small enough."""
        if pattern.nbytes > RECENT:
            return
        with self.lock:
            alive = [one for ref in self.holders if (one := ref()) is not None and one is not attention]
            room = RECENT - pattern.nbytes - sum(one._computed.nbytes for one in alive if one._computed is not None)
            while room < 0:
                oldest = alive.pop(0)
                room += 0 if oldest._computed is None else oldest._computed.nbytes
                oldest._computed = None
            attention._computed = pattern
            self.holders = [weakref.ref(one) for one in (*alive, attention)]


_RECENT = _Recent()


def _still(value: Any) -> Any:
    """The value with its arrays read-only: NumPy forgets that when it is pickled."""
    if isinstance(value, Recipe):
        for name in ("query", "key", "bias", "sink"):
            _still(getattr(value, name))
    return readonly(value) if isinstance(value, np.ndarray) else value


def readonly(array: np.ndarray) -> np.ndarray:
    """The same array, marked read-only."""
    array.flags.writeable = False
    return array


def encode_u8(weights: np.ndarray) -> np.ndarray:
    """Weights in [0, 1] as codes of the square root, uint8 of the same shape: small weights survive (worst error 0.0039)."""
    codes = np.sqrt(weights)
    codes *= 255
    codes += 0.5
    return codes.astype(np.uint8)


def decode_u8(codes: np.ndarray) -> np.ndarray:
    """The weights that codes stand for: (code / 255)², float32 of the same shape."""
    return np.square(codes.astype(np.float32) / np.float32(255))
