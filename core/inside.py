"""Our own models from the inside: what stands between the ends that a Trace shows, as NumPy arrays. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from core.request import Request
from core.trace import Tokens


@dataclass(frozen=True, slots=True, eq=False)
class Inner:
    """An encoder from the inside: the values between the ends of its layers, by the names of `core.model.encoder_steps`.

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


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """A decoder from the inside: what enters the residual stream, sublayer by sublayer, at every position of its target.

    parts: (layer, "own" | "cross" | "ff") of each sublayer in order; inside: its values by the names of
    `core.model.decoder_steps`; begin: the embedding's. Depth 0 is the embedding, depth n + 1 the n-th sublayer:
    added and stream float32 [depth, position, d_model]: what it adds, and the stream after it.
    written int64 [position]: the token that stands next (the likeliest at the end). chance, glimpse float32 and glimpse_id int64
    [depth, position]: the written token's probability, and the likeliest token with its own, if the decoder ended there.
    aim float32 [position, d_model], deviation and offset [position]: the last norm and the output layer as one direction
    (`core.analysis.decoder.pushes`); height float32 [position]: the written token's logit above the mean of all.
    top float32 and top_id int64 [position, k]: the likeliest next tokens; normed float32 [position, d_model].
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


class Near(NamedTuple):
    """A token of the vocabulary near another one: its id, its text, the cosine of the angle between the two embeddings."""

    id: int
    text: str
    cosine: float
