"""What the engine asks of a model, whoever wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from core.model.multihead import ProbeLike
from core.model.transformer import Config
from core.request import Site, Stream


@dataclass(frozen=True, slots=True)
class LensInfo:
    """What a lens is. kind: "encoder", "decoder" or "encoder-decoder"; layers of its deepest stream; heads, kv_heads of a
    layer; max_tokens: what it takes in each text; can_predict: it has an output head; causal: its decoder hides the future;
    depths: the encoder's layers, where its decoder can be made to read any of them (Intervention.depth), else None;
    unlinks: whether it can run with its residual connections off (Intervention.residual); moves: whether its tokens can be put
    at other positions (Intervention.positions).
    """

    id: str
    name: str
    kind: str
    layers: int
    heads: int
    kv_heads: int
    d_model: int
    vocab: int
    max_tokens: int
    sites: tuple[Site, ...]
    device: str
    dtype: str
    can_predict: bool
    parameters: int
    causal: bool
    depths: int | None = None
    unlinks: bool = False
    moves: bool = False

    def at(self, stream: Stream) -> tuple[Site, ...]:
        """The sites of one stream, by layer."""
        return tuple(site for site in self.sites if site.stream is stream)


@dataclass(frozen=True, slots=True)
class Batch:
    """Ids of several requests side by side, padded on the right.

    source int [batch, source]; target int [batch, new positions], without those that a state already holds.
    source_allowed bool [batch, source], target_allowed bool [batch, past + new]: False at padding. None where there is none.
    depths [batch]: after how many encoder layers each request's decoder reads the encoder, None for after the last one; None
    in place of all where every request reads after the last.
    linked bool [batch]: whether each request's residual connections are on. None where they all are.
    source_places, target_places int [batch, position]: the position each token is put at, below 0 for none at all. None where
    every token keeps its own position.
    """

    source: Tensor | None
    target: Tensor | None
    source_allowed: Tensor | None = None
    target_allowed: Tensor | None = None
    depths: tuple[int | None, ...] | None = None
    linked: tuple[bool, ...] | None = None
    source_places: Tensor | None = None
    target_places: Tensor | None = None


def at_depths(stream: Sequence[Tensor], depths: Sequence[int | None]) -> Tensor:
    """Of a stack's stream, depth by depth [batch, position, d_model], what each request of a batch reads: the same shape."""
    places = [len(stream) - 1 if depth is None else depth for depth in depths]
    if len(set(places)) == 1:
        return stream[places[0]]
    return torch.stack([stream[place][n] for n, place in enumerate(places)])


@dataclass(frozen=True, slots=True)
class Result:
    """logits [batch, position, vocab] (one position where `at` was given, None without an output head); residual: stream →
    tensors [batch, position, d_model], depth by depth; state: what makes the next step cheap, owned by who asked for it."""

    logits: Tensor | None
    residual: dict[Stream, list[Tensor]]
    state: Any = None


class Backend(Protocol):
    """A model that runs. Implementations hold no state of any run. config: how it is built, where it is one of our own."""

    @property
    def config(self) -> Config | None: ...

    def forward(
        self,
        batch: Batch,
        probe: ProbeLike,
        *,
        at: Tensor | None = None,  # [batch]: predict at this one position of each row; None: at all
        state: Any = None,  # what an earlier step gave: then batch.target holds only what is new, and the source is known
        keep_state: bool = False,
        residual: bool = False,
        predict: bool = True,
    ) -> Result:
        """One pass, every attention of which goes through `probe` in order of execution. keep_state: for a next step; residual:
        keep the stream at every depth; predict False: the output layer may be left out."""
        ...

    def pick(self, state: Any, rows: Sequence[int]) -> Any:
        """The state of these rows of a batch, in this order; one may come more than once. The old one is spent."""
        ...

    def state_bytes(self, state: Any) -> int:
        """How many bytes of keys and values a state holds."""
        ...

    def projection(self, index: int) -> Tensor | None:
        """W_O of the index-th site, [head, d, d_model], without its bias; None where there is none to be found."""
        ...

    def positions(self, count: int) -> Tensor | None:
        """The vectors that the first `count` positions add to a text, [position, d_model]; None where none is added."""
        ...

    def embeddings(self) -> Tensor | None:
        """The vector of each token, [vocab, d_model], as the model's table holds it; None where there is no such table."""
        ...
