"""From the result of a forward pass to the Trace of each request in it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.answer import Answer, Answers
from core.attention import Attention, readonly
from core.engine.backend import LensInfo, Result
from core.engine.device.transfer import fetch, put
from core.engine.probe import Probe, Row
from core.engine.text import Text, as_tokens, text_of_token
from core.request import Request, Stream
from core.trace import Predictions, Trace

TOP = 50  # candidates kept at every position where predictions are asked for


def traces_of(
    info: LensInfo, text: Text | None, rows: Sequence[Row], probe: Probe, result: Result, everywhere: bool
) -> list[Trace]:
    """The Trace of each row of a pass. info, text: facts and tokenizer of the model. everywhere: the result predicts at all
    positions, not only at the last of each row. All numbers come to the host's memory together."""
    told = fetch([_told(info, text, row, n, probe, result, everywhere) for n, row in enumerate(rows)])
    return [_trace(info, text, row, probe.collect(n), told[n]) for n, row in enumerate(rows)]


def _told(
    info: LensInfo, text: Text | None, row: Row, n: int, probe: Probe, result: Result, everywhere: bool
) -> dict[Hashable, Tensor]:
    """What the result says of the n-th row, by name, where it was computed."""
    request, encoder = row.request, info.kind == "encoder"
    read, written = len(request.source or ()), len(request.target or ()) - probe.query_start
    told: dict[Hashable, Tensor] = {}
    if result.logits is not None:
        own = result.logits[n, : (read if encoder else written) if everywhere else 1]
        if not encoder:
            told["logits"] = own[-1]
        elif text is not None and text.mask is not None:
            holes = [p for p, token in enumerate(request.source or ()) if token == text.mask]
            told |= {("masked", p): own[p] for p in holes}
        if "predictions" in request.keep:
            stands = request.source if encoder else (request.target or ())[probe.query_start + 1 :]
            told |= predictions(own, stands or ())
    if "residual" in request.keep:
        for stream, depths in result.residual.items():
            length = read if stream is Stream.ENCODER else written
            told |= {("residual", stream, depth): states[n, :length] for depth, states in enumerate(depths)}
    if info.answers is not None and result.answer is not None and "predictions" in request.keep:
        told["answer"] = own_answer(result.answer[n], written if info.kind == "decoder" else read)
    return told


def _trace(
    info: LensInfo, text: Text | None, row: Row, attention: tuple[Attention, ...], told: Mapping[Any, np.ndarray]
) -> Trace:
    """The Trace of one row. told: what `_told` named, as arrays."""
    request = row.request
    residual = None
    if "residual" in request.keep:
        streams = dict.fromkeys(name[1] for name in told if name[0] == "residual")
        residual = {
            stream: readonly(np.stack([told[name] for name in told if name[:2] == ("residual", stream)]))
            for stream in streams
        }
    found = None
    if "entropy" in told:
        found = Predictions(
            told["top"], told["logprob"], _with_gaps(told["actual"], len(told["entropy"])), told["entropy"]
        )
    return Trace(
        request=request,
        source=None if request.source is None else as_tokens(text, request.source),
        target=None if request.target is None else as_tokens(text, request.target),
        attention=attention,
        next_logits=told.get("logits"),
        residual=residual,
        predictions=found,
        masked_logits={name[1]: logits for name, logits in told.items() if name[0] == "masked"},
        token_text=text_of_token(text),
        answer=None if "answer" not in told or info.answers is None else answer_of(info.answers, told["answer"]),
    )


def predictions(logits: Tensor, stands: tuple[int, ...]) -> dict[Hashable, Tensor]:
    """The predictions at each position, from logits [position, vocabulary], by name. stands: the id that really stands where each
    position predicts; it may be missing for the last."""
    logprobs = logits.float().log_softmax(dim=-1)  # [position, vocab]
    top = logprobs.topk(min(TOP, logprobs.shape[-1]), dim=-1)
    ids = put(torch.tensor(stands, dtype=torch.int64, device="cpu"), logprobs.device)
    actual = logprobs[: len(stands)].gather(1, ids[:, None])[:, 0]
    entropy = -(logprobs.exp() * logprobs).nansum(dim=-1)
    return {"top": top.indices, "logprob": top.values, "actual": actual, "entropy": entropy}


def _with_gaps(actual: np.ndarray, positions: int) -> np.ndarray:
    """The log-probabilities of the tokens that stand there, NaN where none does."""
    every = np.full(positions, np.nan, dtype=np.float32)
    every[: len(actual)] = actual
    return readonly(every)


def predicts_somewhere(request: Request, mask: int | None) -> bool:
    """Whether an encoder's request asks for predictions, at all positions or at its mask tokens. mask: their id."""
    return "predictions" in request.keep or (mask is not None and mask in (request.source or ()))


def logits_of(output: Any, answers: Answers) -> Tensor:
    """The logits [batch, class] or [batch, position, class] in a family's output; begin and end are the classes of a span."""
    if answers.kind == "span":
        return torch.stack((output.start_logits, output.end_logits), dim=-1)
    return output.logits


def own_answer(logits: Tensor, tokens: int) -> Tensor:
    """A classifier's logits for one text of that many tokens, [class] or [position, class], without those at padding."""
    return logits[:tokens] if logits.dim() == 2 else logits


def answer_of(answers: Answers, logits: np.ndarray) -> Answer:
    """The answer for one text, from its own logits, float32 [class] or [position, class]."""
    return Answer(answers.kind, answers.labels, answers.scale, logits)


def echo(source: Sequence[int], start: int) -> tuple[int, ...]:
    """What the decoder of a classifier reads: the source itself, one place later, behind its start token."""
    return (start, *source[:-1])
