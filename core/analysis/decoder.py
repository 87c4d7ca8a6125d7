"""The account of a decoder: how much each sublayer adds to the residual stream, how much of the written token's logit it
adds, and what the future would give away."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from core.inside import Account
from core.request import Stream
from core.trace import Trace


def lengths(vectors: np.ndarray) -> np.ndarray:
    """|v| = √Σv² of each vector: [..., d] → float64 [...]."""
    return np.linalg.norm(np.asarray(vectors, dtype=np.float64), axis=-1)


def shares(account: Account) -> np.ndarray:
    """|added| / |residual stream after it|: float64 [depth, position]. 1 at the embedding, where nothing else is there yet; may
    exceed 1 where a sublayer takes away."""
    return lengths(account.added) / np.maximum(lengths(account.residual), 1e-30)


def direct_logit_attribution(account: Account) -> np.ndarray:
    """How much each addition alone adds to the written token's logit above the mean logit: float64 [depth, position].

    (a − mean of a) / σ · γ ⊙ (E_w − mean of E), the σ of the last norm account fixed: the norm is linear once σ is known, so all
    attributions and the offset β · (E_w − mean of E) add up to logit − mean logit (Elhage et al. 2021).
    """
    added = account.added.astype(np.float64)
    centred = added - added.mean(axis=-1, keepdims=True)
    return np.einsum("spd,pd->sp", centred, account.direction.astype(np.float64)) / account.deviation.astype(np.float64)


def removal_effect(account: Account) -> np.ndarray:
    """What is lost of the written token's logit above the mean logit when one sublayer is left out for every token and all later
    ones run anew: float64 [sublayer, position]. Above 0: the sublayer helps this token. Unlike a direct logit attribution it
    counts what the later sublayers made of the result, and what the last norm makes of a shorter residual stream."""
    return account.above_mean_logit.astype(np.float64) - account.without.astype(np.float64)


def kept_of_embedding(account: Account) -> np.ndarray:
    """How much of the embedding's own direction is left in the residual stream at its end: x_end · x_0 / |x_0|², float64
    [position]. 1: as much as at the beginning; 0: what the sublayers added took all of it away."""
    begin, end = (account.residual[depth].astype(np.float64) for depth in (0, -1))
    return (begin * end).sum(axis=-1) / np.maximum((begin * begin).sum(axis=-1), 1e-30)


class Future(NamedTuple):
    """A teacher-forced target with the mask on and off. on and off float64 [step]: probability of the token that stands next.
    ahead float64 [layer]: how much of a step's attention goes to what comes after it, mean of steps and heads, mask off."""

    on: np.ndarray
    off: np.ndarray
    ahead: np.ndarray


def future(on: Trace, off: Trace) -> Future:
    """Compare two runs of one target that kept patterns and predictions."""
    assert on.predictions is not None and off.predictions is not None and on.target is not None
    steps = len(on.target) - 1
    seen = [
        np.exp(t.predictions.actual_logprob[:steps].astype(np.float64)) for t in (on, off) if t.predictions is not None
    ]
    sites = [a for a in off.attention if a.site.stream is Stream.DECODER]
    ahead = [float(np.triu(a.pattern.astype(np.float64).mean(axis=0), 1).sum(axis=-1)[:steps].mean()) for a in sites]
    return Future(seen[0], seen[1], np.array(ahead))
