"""What a model expects next, in numbers: probabilities over the vocabulary and how far two of them lie apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from core.answer import Answer
from core.trace import Trace, log_softmax


class Change(NamedTuple):
    """One candidate for the next place: its id, its text, its probability now and, if there is one, before."""

    id: int
    text: str
    now: float
    before: float | None


def probabilities(logits: np.ndarray) -> np.ndarray:
    """softmax over the last axis: float64 of the same shape, each row with the sum 1."""
    return np.exp(log_softmax(np.asarray(logits)))


def kl(before: np.ndarray, after: np.ndarray) -> float:
    """KL(before ‖ after) = Σ p · ln(p / q) in nats, from the logits of both, float [vocabulary]. Never below 0."""
    p, q = log_softmax(np.asarray(before)), log_softmax(np.asarray(after))
    return max(0.0, float((np.exp(p) * (p - q)).sum()))


def moved(before: np.ndarray, after: np.ndarray) -> float:
    """How much probability changed hands: half the sum of |Δ|, from 0 to 1 (total variation), from the logits of both."""
    return float(np.abs(probabilities(before) - probabilities(after)).sum() / 2)


def logits_of(trace: Trace, position: int | None = None) -> np.ndarray | None:
    """Logits [vocabulary] of what a decoder writes next, or of what an encoder puts at its mask token at `position`."""
    return trace.next_logits if position is None else trace.masked_logits.get(position)


def changes(now: Trace, before: Trace | None = None, k: int = 6, position: int | None = None) -> list[Change]:
    """The k likeliest candidates now, each with its probability before; the old favourite takes the place of the last of them if
    it fell out, never that of the first: who asks for one candidate gets the likeliest.

    Empty where the model does not predict (or not at `position`).
    """
    logits = logits_of(now, position)
    if logits is None:
        return []
    chance = probabilities(logits)
    past = None if before is None else logits_of(before, position)
    past = None if past is None else probabilities(past)
    ids = [int(i) for i in np.argsort(-chance, kind="stable")[:k]]
    if past is not None and k > 1 and (favourite := int(np.argmax(past))) not in ids:
        ids[-1:] = [favourite]
    return [Change(i, now.token_text(i), float(chance[i]), None if past is None else float(past[i])) for i in ids]


def verdicts(now: Trace, before: Trace | None = None, k: int = 6, position: int | None = None) -> list[Change]:
    """A classifier's k likeliest answers now, each with its probability before: classes of the text or of the token at
    `position`, or spans of the text, by their joint probability of begin and end.

    Empty where the model gave no answer, or numbers that are no probabilities.
    """
    if now.answer is None or now.answer.probabilities is None:
        return []
    past = None if before is None or before.answer is None else before.answer.probabilities
    if now.answer.kind == "span":
        return _spans(now, now.answer, past, k)
    row = (position,) if now.answer.per_token else ()
    shares, labels = now.answer.probabilities[row], now.answer.labels
    order = np.argsort(-shares, kind="stable")[:k].tolist()
    return [Change(n, labels[n], float(shares[n]), None if past is None else float(past[row][n])) for n in order]


def _spans(now: Trace, answer: Answer, past: np.ndarray | None, k: int) -> list[Change]:
    """The likeliest spans as their texts."""
    tokens = now.source or now.target
    assert tokens is not None  # every trace has a text
    return [
        Change(
            span.start,
            "".join(tokens.text[span.start : span.end + 1]).strip(),
            span.probability,
            None if past is None else float(past[span.start, 0] * past[span.end, 1]),
        )
        for span in answer.spans(k)
    ]
