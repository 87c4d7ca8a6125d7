"""From the result of a forward pass to the Trace of each request in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from core.answer import Answer, Answers
from core.attention import readonly
from core.engine.backend import LensInfo, Result
from core.engine.probe import Probe, Row, as_array
from core.engine.text import Text, as_tokens, text_of_token
from core.request import Request, Stream
from core.trace import Predictions, Trace

TOP = 50  # candidates kept at every position where predictions are asked for


def trace_of(
    info: LensInfo, text: Text | None, row: Row, n: int, probe: Probe, result: Result, everywhere: bool
) -> Trace:
    """The Trace of the n-th row. info, text: facts and tokenizer of the model. everywhere: the result predicts at all positions,
    not only at the last of each row."""
    request, encoder = row.request, info.kind == "encoder"
    read, written = len(request.source or ()), len(request.target or ()) - probe.query_start
    logits = found = None
    masked: dict[int, np.ndarray] = {}
    if result.logits is not None:
        own = result.logits[n, : (read if encoder else written) if everywhere else 1]
        if not encoder:
            logits = as_array(own[-1], copy=True)
        elif text is not None and text.mask is not None:
            holes = [p for p, token in enumerate(request.source or ()) if token == text.mask]
            masked = {p: as_array(own[p], copy=True) for p in holes}
        if "predictions" in request.keep:
            stands = request.source if encoder else (request.target or ())[probe.query_start + 1 :]
            found = predictions(own, stands or ())
    residual = None
    if "residual" in request.keep:
        residual = {
            stream: readonly(
                np.stack([as_array(depth[n, : read if stream is Stream.ENCODER else written]) for depth in depths])
            )
            for stream, depths in result.residual.items()
        }
    return Trace(
        request=request,
        source=None if request.source is None else as_tokens(text, request.source),
        target=None if request.target is None else as_tokens(text, request.target),
        attention=probe.collect(n),
        next_logits=logits,
        residual=residual,
        predictions=found,
        masked_logits=masked,
        token_text=text_of_token(text),
        answer=_answer(info, row.request, n, result),
    )


def _answer(info: LensInfo, request: Request, n: int, result: Result) -> Answer | None:
    """What a classifier says of the n-th text, where its request asks for predictions."""
    if info.answers is None or result.answer is None or "predictions" not in request.keep:
        return None
    return answer_of(
        info.answers, result.answer[n], len((request.target if info.kind == "decoder" else request.source) or ())
    )


def predictions(logits: torch.Tensor, stands: tuple[int, ...]) -> Predictions:
    """The predictions at each position, from logits [position, vocabulary]. stands: the id that really stands where each
    position predicts; it may be missing for the last."""
    logprobs = logits.float().log_softmax(dim=-1)  # [position, vocab]
    top = logprobs.topk(min(TOP, logprobs.shape[-1]), dim=-1)
    actual = np.full(len(logprobs), np.nan, dtype=np.float32)
    if stands:
        ids = torch.tensor(stands, device=logprobs.device)
        actual[: len(stands)] = as_array(logprobs[: len(stands)].gather(1, ids[:, None])[:, 0])
    entropy = -(logprobs.exp() * logprobs).nansum(dim=-1)
    indices = readonly(top.indices.cpu().numpy())
    return Predictions(indices, as_array(top.values), readonly(actual), as_array(entropy))


def predicts_somewhere(request: Request, mask: int | None) -> bool:
    """Whether an encoder's request asks for predictions, at all positions or at its mask tokens. mask: their id."""
    return "predictions" in request.keep or (mask is not None and mask in (request.source or ()))


def logits_of(output: Any, answers: Answers) -> torch.Tensor:
    """The logits [batch, class] or [batch, position, class] in a family's output; begin and end are the classes of a span."""
    if answers.kind == "span":
        return torch.stack((output.start_logits, output.end_logits), dim=-1)
    return output.logits


def answer_of(answers: Answers, logits: torch.Tensor, tokens: int) -> Answer:
    """The answer for one text of that many tokens, from its logits with padding, [class] or [position, class]."""
    own = logits[:tokens] if logits.dim() == 2 else logits
    return Answer(answers.kind, answers.labels, answers.scale, as_array(own, copy=True))


def echo(source: Sequence[int], start: int) -> tuple[int, ...]:
    """What the decoder of a classifier reads: the source itself, one place later, behind its start token."""
    return (start, *source[:-1])
