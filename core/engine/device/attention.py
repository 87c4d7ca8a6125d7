"""An attention whose tensors stay on the device where they were computed, and become arrays when somebody looks at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.attention import Attention, Recipe, encode_u8, readonly
from core.engine.device.boxes import Part
from core.engine.device.transfer import put, to_host
from core.sites import Site

TOGETHER = 2**22  # bytes of one attention's weights up to which its whole box comes for a single head


class Sight:
    """Which keys the queries of one request may look at: bool [1 or head, query, key]. It is read or drawn when asked for."""

    __slots__ = ("_array", "_draw", "keys", "lock", "queries", "tensor")

    def __init__(
        self, queries: int, keys: int, draw: Callable[[], np.ndarray], tensor: Callable[[], Tensor | None] | None = None
    ) -> None:
        self.queries, self.keys, self._draw, self.tensor = queries, keys, draw, tensor
        self._array: np.ndarray | None = None
        self.lock = Lock()

    @property
    def array(self) -> np.ndarray:
        """The mask as a read-only array."""
        with self.lock:
            if self._array is None:
                drawn = np.broadcast_to(self._draw(), (len(self._draw()), self.queries, self.keys))
                self._array = readonly(drawn) if drawn.flags.owndata else drawn
            return self._array

    def on(self, device: torch.device) -> Tensor:
        """The mask on a device."""
        known = None if self.tensor is None else self.tensor()
        return put(torch.from_numpy(np.array(self.array)), device) if known is None else known.to(device)


class DeviceAttention(Attention):
    """What one site computed, on its device. Everything an Attention tells it tells too, and as fast as a transfer is.

    parts, all optional: weights and sink_weight as the pass computed them; query, key, bias and sink, from which weights are
    computed on the device; value. coded: weights are told as 8-bit codes.
    """

    __slots__ = ("coded", "lock", "parts", "read", "sight")

    def __init__(
        self, site: Site, sight: Sight, parts: Mapping[str, Part | Tensor], *, coded: bool, keeps: frozenset[str],
        scaling: float, kv_heads: int, softcap: float | None, ablated: tuple[int, ...], query_start: int, temperature: float,
    ) -> None:  # fmt: skip
        self.site, self.keeps, self.scaling, self.kv_heads, self.softcap = site, keeps, scaling, kv_heads, softcap
        self.ablated, self.query_start, self.temperature = ablated, query_start, temperature
        self.sight, self.parts, self.coded = sight, parts, coded
        self._computed = None
        self.read: dict[str, np.ndarray] = {}  # what was looked at
        self.lock = Lock()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(heads, queries, keys)."""
        return (self.site.heads, self.sight.queries, self.sight.keys)

    @property
    def approximate(self) -> bool:
        """True where patterns come from 8-bit codes of the square root (worst error 0.004): for display only."""
        return self.coded

    @property
    def reserved(self) -> int:
        """The bytes of the host's memory that it may come to: a share of a cache is counted before anybody looks."""
        sizes = {name: int(np.prod(part.shape)) * 4 for name, part in self.parts.items()}
        return sum(sizes.values()) + (int(np.prod(self.shape)) if self.coded else 0)

    def codes(self, head: int) -> np.ndarray:
        """One head as 8-bit codes of the square root, uint8 [query, key]: round(255·√weight). For drawing."""
        if self.coded or (found := self._there(slice(self._valid(head), head + 1))) is None:
            return super().codes(head)
        return to_host(encoded(found[0])[0])

    @property
    def sink(self) -> np.ndarray | None:
        """float32 [head, query]: mass that no key received, or None where the family has none."""
        if "sink_weight" in self.parts or "sink" not in self.parts:
            return self._array("sink_weight")
        if (found := self._there(slice(None))) is not None:
            assert found[1] is not None
            return to_host(found[1])
        recipe, allowed = self._made(), self.allowed
        assert recipe is not None
        taken = (recipe.pattern(head, allowed[head])[1] for head in range(self.site.heads))
        return readonly(np.stack([each for each in taken if each is not None]))

    def _there(self, heads: slice) -> tuple[Tensor, Tensor | None] | None:
        """The weights of some heads, float32 [head, query, key], and what their sinks took, on the device; None where what they
        are computed from has left it."""
        names = ("weights",) if "weights" in self.parts else ("query", "key", "bias")
        held = {name: self._tensor(name) for name in names if name in self.parts}
        if "pattern" not in self.keeps or any(tensor is None for tensor in held.values()):
            return None
        with torch.inference_mode():
            if "weights" in held:
                return held["weights"][heads].float(), None
            query = held["query"]
            return weigh(
                query, held["key"], heads, self.sight.on(query.device), scaling=self.scaling or 1.0, softcap=self.softcap,
                bias=held.get("bias"), sink=self._tensor("sink"), temperature=self.temperature,
            )  # fmt: skip

    def _tensor(self, name: str) -> Any:
        part = self.parts.get(name)
        return part.there if isinstance(part, Part) else part

    def _array(self, name: str) -> np.ndarray | None:
        """One of the parts as an array, float32; read once."""
        part = self.parts.get(name)
        if part is None:
            return None
        with self.lock:
            if name not in self.read:
                self.read[name] = part.array if isinstance(part, Part) else to_host(part.detach().float())
            return self.read[name]

    def _head(self, head: int) -> tuple[np.ndarray, np.ndarray | None]:
        few = "weights" in self.parts and int(np.prod(self.shape)) * 4 <= TOGETHER
        if self.coded or few or (found := self._there(slice(head, head + 1))) is None:
            return super()._head(head)
        taken = None if found[1] is None else to_host(found[1][0])
        return to_host(found[0][0]), taken

    def _whole(self) -> np.ndarray:
        found = None if self.coded else self._there(slice(None))
        return super()._whole() if found is None else to_host(found[0])

    # what an Attention holds, made when it is asked for

    @property
    def _allowed(self) -> np.ndarray:  # type: ignore[override]
        return self.sight.array

    @property
    def _pattern(self) -> np.ndarray | None:  # type: ignore[override]
        return None if self.coded else self._array("weights")

    @property
    def _codes(self) -> np.ndarray | None:  # type: ignore[override]
        if not self.coded:
            return None
        if "codes" not in self.read:
            found = self._there(slice(None))
            self.read["codes"] = self._coded_here() if found is None else to_host(encoded(found[0]))
        return self.read["codes"]

    def _coded_here(self) -> np.ndarray:
        """The codes of all heads, made in the host's memory, one head after another."""
        weights, recipe, allowed = self._array("weights"), self._made(), self.sight.array
        codes = np.empty(self.shape, dtype=np.uint8)
        for head in range(self.site.heads):
            if weights is None:
                assert recipe is not None
                codes[head] = encode_u8(recipe.pattern(head, allowed[head if len(allowed) > 1 else 0])[0])
            else:
                codes[head] = encode_u8(weights[head])
        return readonly(codes)

    @property
    def _recipe(self) -> Recipe | None:  # type: ignore[override]
        # codes need none, once they are made
        return self._made() if not self.coded or self.keeps & {"scores", "qkv"} else None

    def _made(self) -> Recipe | None:
        query, key = self._array("query"), self._array("key")
        if query is None or key is None:
            return None
        return Recipe(query, key, self.scaling or 1.0, self.softcap, self.bias, self._array("sink"), self.temperature)

    @property
    def bias(self) -> np.ndarray | None:  # type: ignore[override]
        """float32 [head or 1, query, key]: what the family adds to the scores, or None."""
        return self._array("bias")

    @property
    def _scores(self) -> None:  # type: ignore[override]
        return None

    @property
    def _sink(self) -> np.ndarray | None:  # type: ignore[override]
        return self._array("sink_weight")

    @property
    def _value(self) -> np.ndarray | None:  # type: ignore[override]
        return self._array("value")

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.held,)


def weigh(
    query: Tensor,  # [head, query, d]
    key: Tensor,  # [kv head, key, d]
    heads: slice,
    allowed: Tensor,  # bool [1 or head, query, key]
    *,
    scaling: float,
    softcap: float | None,
    bias: Tensor | None,  # [1 or head, query, key]
    sink: Tensor | None,  # [head]
    temperature: float,
) -> tuple[Tensor, Tensor | None]:
    """The weights of some heads, float32 [head, query, key], and what their sinks took, [head, query] or None, computed where the
    tensors are: the steps of `Recipe`."""
    of = range(len(query))[heads]
    group = len(query) // len(key)
    own = key[of[0] // group : of[-1] // group + 1].float()
    own = own.repeat_interleave(group, dim=0)[of[0] % group :][: len(of)]
    scores = (query[heads].float() * scaling) @ own.transpose(-2, -1)
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if bias is not None:
        scores = scores + (bias if len(bias) == 1 else bias[heads]).float()
    if temperature != 1.0:
        scores = scores / temperature
    scores = scores.masked_fill_(~(allowed if len(allowed) == 1 else allowed[heads]), -torch.inf)
    if sink is None:
        return scores.softmax(dim=-1), None
    column = sink[heads].float()[:, None, None].expand(*scores.shape[:-1], 1)
    every = torch.cat([scores, column], dim=-1).softmax(dim=-1)
    return every[..., :-1], every[..., -1]


def encoded(weights: Tensor) -> Tensor:
    """Weights as 8-bit codes of the square root, round(255·√weight): uint8 of the same shape."""
    return weights.sqrt().mul_(255).add_(0.5).to(torch.uint8)


def _again(held: dict[str, Any]) -> Attention:
    """The attention that was pickled or copied, its arrays in the host's memory."""
    made = Attention.__new__(Attention)
    made.__setstate__(held)
    return made
