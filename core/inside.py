"""Our own models from the inside: what stands between the ends that a Trace shows, as NumPy arrays. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from core.brief import Brief
from core.request import Request
from core.trace import Tokens


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Inner(Brief):
    """An encoder from the inside: the values between the ends of its layers, by the names of `core.model.encoder_steps`, under
    the interventions of its request.

    begin and each of `layers` map a name to a float32 array; final float32 [position, d_model] is what leaves the encoder.
    """

    request: Request
    tokens: Tokens
    begin: Mapping[str, np.ndarray]
    layers: tuple[Mapping[str, np.ndarray], ...]
    final: np.ndarray

    def residual(self) -> np.ndarray:
        """The residual stream before each layer and after the last: float32 [depth, position, d_model]."""
        return np.stack([steps["leave"] for steps in (self.begin, *self.layers)])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Account(Brief):
    """A decoder from the inside: what enters the residual stream, sublayer by sublayer, at every position of its target, under
    the interventions of its request.

    parts: (layer, "own" | "cross" | "ff") of each sublayer in order; inside: its values by the names of
    `core.model.decoder_steps`; begin: those of the embedding. Depth 0 is the embedding, depth n the n-th sublayer, from 1:
    added and residual float32 [depth, position, d_model]: what it adds, and the residual stream after it.
    written int64 [position]: the token that stands next (at the last position the likeliest one).
    The logit lens at each depth: lens_top float32 and lens_top_id int64 [depth, position], the likeliest token's probability and
    id; lens_written float32 [depth, position], the written token's probability.
    direction float32 [position, d_model], deviation and offset float32 [position]: the last norm and the output layer, for the
    written token, as one direction (`core.analysis.decoder.direct_logit_attribution`).
    above_mean_logit float32 [position]: the written token's logit less the mean logit of all tokens. without float32 [depth - 1,
    position]: the same with one sublayer left out for every token, so that all later ones run on what is then there.
    top float32 and top_id int64 [position, k]: the likeliest next tokens; normed float32 [position, d_model].
    """

    request: Request
    source: Tokens | None
    target: Tokens
    parts: tuple[tuple[int, str], ...]
    begin: Mapping[str, np.ndarray]
    inside: tuple[Mapping[str, np.ndarray], ...]
    added: np.ndarray
    residual: np.ndarray
    written: np.ndarray
    lens_top: np.ndarray
    lens_top_id: np.ndarray
    lens_written: np.ndarray
    direction: np.ndarray
    deviation: np.ndarray
    offset: np.ndarray
    above_mean_logit: np.ndarray
    without: np.ndarray
    top: np.ndarray
    top_id: np.ndarray
    normed: np.ndarray


class Near(NamedTuple):
    """A token of the vocabulary near another one: its id, its text, the cosine of the angle between the two embeddings."""

    id: int
    text: str
    cosine: float
