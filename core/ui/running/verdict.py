"""What a classifier's answer is called on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.figures.labels import short
from core.trace import Answer

if TYPE_CHECKING:
    from core.engine.backend import LensInfo


def has_probabilities(info: LensInfo) -> bool:
    """Whether a model classifies, and its answer has probabilities."""
    return info.answers is not None and bool(info.answers.scale)


def title(info: LensInfo, token: str) -> tuple[str, str]:
    """What its classes are classes of: a heading and its qualifier. token: the one in focus."""
    assert info.answers is not None
    if info.answers.kind == "token":
        return "Class", f"of “{token}”"
    if info.answers.kind == "span":
        return "Answer", "a span of the text"
    if info.answers.kind == "next":
        return "Second sentence", "does it follow the first?"
    return ("Class" if info.answers.scale else "Score"), "of the whole text"


def explained(info: LensInfo) -> str:
    """How the numbers of an answer are meant, in a sentence."""
    assert info.answers is not None
    if not info.answers.scale:
        return "The model gives a number here, no probability."
    if info.answers.scale == "sigmoid":
        return "Each class may be true by itself, so these do not add up to 100 %."
    return {
        "text": "One class is true: they add up to 100 %.",
        "token": "Every token gets a class: choose another token to see its own.",
        "span": "A span’s share is the probability that it begins there times that it ends there; from each beginning the best.",
        "next": "Meant for two sentences given as a pair.",
    }[info.answers.kind]


def numbers(now: Answer, before: Answer | None) -> list[str]:
    """A regression's numbers, each in a line: the name, the number, and what it was before."""
    was = [None] * len(now.labels) if before is None else [float(one) for one in before.logits]
    return [
        f"{short(name, 40)}: {_said(float(one))}" + ("" if old is None else f" (was {_said(old)})")
        for name, one, old in zip(now.labels, now.logits, was, strict=True)
    ]


def _said(number: float) -> str:
    return f"{number:.3g}".replace("-", "−")
