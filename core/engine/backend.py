"""The interface that the engine needs of a model: our own models and those of Hugging Face implement it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from core.answer import Answers
from core.interventions import KINDS
from core.model.multihead import ProbeLike
from core.model.transformer import Config
from core.request import Site, Stream


@dataclass(frozen=True, slots=True)
class Verified:
    """What the check at load found: how far the lens is from the model's own untouched code, and what was tried.

    patterns, logits: the largest differences; None where the model gives none to compare. lengths: the texts that were tried,
    in tokens. steps: the steps of writing that were compared with the model's own. batched: whether texts of different length
    were tried in one pass.
    """

    patterns: float | None
    logits: float | None
    lengths: tuple[int, ...]
    steps: int
    batched: bool


@dataclass(frozen=True, slots=True)
class LensInfo:
    """The facts about a loaded model.

    kind: "encoder", "decoder" or "encoder-decoder". layers: those of its deepest stream. heads, kv_heads: the number in one
    layer. max_tokens: the longest text it takes. can_predict: it has an output head. causal: its decoder hides the future.
    depths: the number of encoder layers where the decoder can read any of them (Intervention.depth), else None.
    can_drop_residual: it can run with its residual connections off (Intervention.residual). can_move_tokens: its tokens can
    have other positions (Intervention.positions). reason: one sentence why nothing in the model can be changed; "" where it can.
    caches: a step of writing may reuse what the step before it computed. batches: several texts may share one pass. turns: the
    lengths after which the model computes every position anew, with other numbers (long-context rope). verified: what the check
    at load found, None for our own models and for those that run their own code. narrowed: what the check took away, in sentences.
    answers: what a classifier says of a text in place of words; None for other models. pairs: it can be given two sentences.
    chats: it has a template for the messages of a conversation.
    devices: those that a model too large for one stands on; `device` is where a pass begins. () where it stands on one.
    languages: those that a translator of many languages is told to read and to write; none for other models.
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
    can_drop_residual: bool = False
    can_move_tokens: bool = False
    reason: str = ""
    caches: bool = True
    batches: bool = True
    turns: tuple[int, ...] = ()
    verified: Verified | None = None
    narrowed: tuple[str, ...] = ()
    answers: Answers | None = None
    pairs: bool = False
    chats: bool = False
    languages: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()

    @property
    def changes(self) -> frozenset[str]:
        """The kinds of change that the model can run with, by their names in Intervention; none where it is read only."""
        possible = {"depth": self.depths is not None, "residual": self.can_drop_residual, "positions": self.can_move_tokens}
        return frozenset() if self.reason else KINDS - {name for name, can in possible.items() if not can}

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
    residual_on bool [batch]: whether each request's residual connections are on. None where they all are.
    source_places, target_places int [batch, position]: the position each token is put at, below 0 for none at all. None where
    every token keeps its own position.
    source_types int [batch, source]: to which of two sentences each token belongs. None where every text is a single one.
    """

    source: Tensor | None
    target: Tensor | None
    source_allowed: Tensor | None = None
    target_allowed: Tensor | None = None
    depths: tuple[int | None, ...] | None = None
    residual_on: tuple[bool, ...] | None = None
    source_places: Tensor | None = None
    target_places: Tensor | None = None
    source_types: Tensor | None = None


def at_depths(stream: Sequence[Tensor], depths: Sequence[int | None]) -> Tensor:
    """The residual stream that each request of a batch reads, at its own depth: [batch, position, d_model]. stream: one tensor
    of that shape for each depth."""
    places = [len(stream) - 1 if depth is None else depth for depth in depths]
    if len(set(places)) == 1:
        return stream[places[0]]
    return torch.stack([stream[place][n].to(stream[-1].device) for n, place in enumerate(places)])


@dataclass(frozen=True, slots=True)
class Result:
    """What one forward pass gave.

    logits [batch, position, vocab], at one position where `at` was given; None without an output head. residual: for each
    stream one tensor [batch, position, d_model] for each depth. state: the keys and values for a next step; it belongs to the
    caller. answer: a classifier's logits, [batch, class] or [batch, position, class].
    """

    logits: Tensor | None
    residual: dict[Stream, list[Tensor]]
    state: Any = None
    answer: Tensor | None = None


class Backend(Protocol):
    """A model that can run. Implementations hold no state of any run. config: the sizes of one of our own models, else None."""

    @property
    def config(self) -> Config | None: ...

    def forward(
        self,
        batch: Batch,
        probe: ProbeLike,
        *,
        at: Tensor | None = None,  # [batch], on the CPU: the one position of each row to predict at; None predicts at all
        state: Any = None,  # of an earlier step: then batch.target holds only the new tokens, and the source is not read
        keep_state: bool = False,
        residual: bool = False,
        predict: bool = True,
    ) -> Result:
        """One forward pass. Every attention goes through `probe`, in order of execution.

        keep_state: give the state for a next step. residual: keep the residual stream at every depth. predict: False allows the
        model to leave out its output layer.
        """
        ...

    def pick(self, state: Any, rows: Sequence[int]) -> Any:
        """The state of these rows of a batch, in this order; a row may come more than once. Do not use the old state again."""
        ...

    def state_bytes(self, state: Any) -> int:
        """How many bytes of keys and values a state holds."""
        ...

    def projection(self, index: int) -> Tensor | None:
        """W_O of the index-th site, [head, d, d_model], without its bias; None where the model has no such matrix."""
        ...

    def positions(self, count: int) -> Tensor | None:
        """The vectors that the first `count` positions add to the tokens, [position, d_model]; None where none are added."""
        ...

    def embeddings(self) -> Tensor | None:
        """The embedding of each token, [vocab, d_model], as the model's table holds it; None where there is no such table."""
        ...
