"""The answer of a classifier's head, out of what its family returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from core.answer import Answer, Answers
from core.engine.probe import as_array


def logits_of(output: Any, answers: Answers) -> Tensor:
    """The logits [batch, class] or [batch, position, class] in a family's output; begin and end are the classes of a span."""
    if answers.kind == "span":
        return torch.stack((output.start_logits, output.end_logits), dim=-1)
    return output.logits


def answer_of(answers: Answers, logits: Tensor, tokens: int) -> Answer:
    """The answer for one text of that many tokens, from its logits with padding, [class] or [position, class]."""
    own = logits[:tokens] if logits.dim() == 2 else logits
    return Answer(answers.kind, answers.labels, answers.scale, as_array(own, copy=True))


def echo(source: Sequence[int], start: int) -> tuple[int, ...]:
    """What the decoder of a classifier reads: the source itself, one place later, behind its start token."""
    return (start, *source[:-1])
