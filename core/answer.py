"""What a classifier says of a text in place of words: classes with probabilities, of a text or of each token, or a span."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from core.brief import Brief
from core.errors import NoSuchHeadError


class Label(NamedTuple):
    """One class: its name, its logit and its probability; None where the model gives numbers that are no probabilities."""

    name: str
    logit: float
    probability: float | None


class Span(NamedTuple):
    """Where an answer begins and ends, both tokens included, and P(begin) · P(end)."""

    start: int
    end: int
    probability: float


@dataclass(frozen=True, slots=True)
class Answers:
    """Which answers a model gives.

    kind: "text", classes of the whole text; "token", classes of each token; "span", where the answer to a question begins and
    ends; "next", whether the second of two sentences follows the first. labels: the names of the classes. scale: how logits
    become probabilities. "softmax": one class is true; "sigmoid": each class may be true by itself; "" for plain numbers
    (a regression).
    """

    kind: str
    labels: tuple[str, ...]
    scale: str = "softmax"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Answer(Brief):
    """What a model said of one text. kind, labels and scale as in Answers.

    logits float32 [class], or [position, class] for "token" and "span", where the two classes are begin and end. A softmax runs
    over the classes; over the positions for a "span".
    """

    kind: str
    labels: tuple[str, ...]
    scale: str
    logits: np.ndarray

    @property
    def per_token(self) -> bool:
        """Whether there is an answer for each token."""
        return self.logits.ndim == 2

    @property
    def probabilities(self) -> np.ndarray | None:
        """float64 of the shape of `logits`; None where the numbers are no probabilities."""
        logits = self.logits.astype(np.float64)
        if self.scale == "sigmoid":
            return np.exp(-np.logaddexp(0, -logits))
        if self.scale != "softmax":
            return None
        axis = 0 if self.kind == "span" else -1
        shares = np.exp(logits - logits.max(axis=axis, keepdims=True))
        return shares / shares.sum(axis=axis, keepdims=True)

    def ranked(self, k: int = 10, position: int | None = None) -> list[Label]:
        """The k classes with the largest logits, largest first: of the whole text, or of the token at `position`.

        Raises NoSuchHeadError for a position that is not there, or where one is needed and none given.
        """
        row = self._row(position)
        shares = self.probabilities
        order = np.argsort(-self.logits[row], kind="stable")[: max(0, k)]
        return [
            Label(self.labels[n], float(self.logits[row][n]), None if shares is None else float(shares[row][n]))
            for n in order.tolist()
        ]

    def spans(self, k: int = 1) -> list[Span]:
        """The likeliest span from each beginning, its end not before it: the k best, likeliest first; none where the answer is no
        span."""
        shares = self.probabilities
        if self.kind != "span" or shares is None:
            return []
        ends = np.maximum.accumulate(shares[::-1, 1])[::-1]  # the probability of the best end from each position on
        joint = shares[:, 0] * ends
        found = []
        for start in np.argsort(-joint, kind="stable")[: max(0, k)].tolist():
            end = start + int(np.argmax(shares[start:, 1]))
            found.append(Span(start, end, float(joint[start])))
        return found

    def _row(self, position: int | None) -> tuple[int, ...]:
        if not self.per_token:
            if position is not None:
                raise NoSuchHeadError("no position: the answer is about the whole text", f"{position}", "Leave it out")
            return ()
        if position is None or not 0 <= position < len(self.logits):
            raise NoSuchHeadError(f"a position from 0 to {len(self.logits) - 1}", f"{position}")
        return (position,)
