"""The trial of a classifier's head at load: it must give an answer of the shape that its configuration names."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from core.answer import Answers
from core.engine.answers import echo, logits_of
from core.errors import ModelFileError, UnsupportedModelError


def check_answer(backend: Any, roles: dict[str, Any], vocab: int) -> None:
    """Run the head of a classifier once, on three tokens; nothing happens for other models. roles: the ids of start, pad and end.

    Raises ModelFileError for another number of classes than config.json names and for NaN or infinity, UnsupportedModelError
    where the head cannot run or its decoder reads something else than the source moved by one place.
    """
    if backend.answers is None:
        return
    family = backend.model.config.model_type
    try:
        with torch.inference_mode():
            found, again = _trial(backend, roles, vocab)
    except Exception as error:  # where a family's code fails in its very first run, we cannot use it
        raise UnsupportedModelError(
            "a classifier that can answer on a short text", f"{family}, which failed: {error}", "Choose another model"
        ) from error
    _check_shape(backend.answers, found)
    if not torch.allclose(found, again, rtol=1e-3, atol=1e-4):
        raise UnsupportedModelError(
            "a decoder that reads the source moved by one place",
            f"{family}, whose reads another text",
            "Choose another model",
        )


def _trial(backend: Any, roles: dict[str, Any], vocab: int) -> tuple[Tensor, Tensor]:
    """The logits of a text with an end, which some heads look for: as the family computes them, and as we ask for them."""
    end = next(iter(roles["end"]), None)
    ids = [token for token in range(min(vocab, 8)) if token not in (roles["pad"], end)][:3]
    source = [ids[0], end, *ids[1:]] if isinstance(end, int) and 0 <= end < vocab else ids
    inputs = {"input_ids": torch.tensor([source], device=backend.model.device)}
    found = logits_of(backend.model(**inputs, return_dict=True), backend.answers)
    if backend.kind == "encoder-decoder":
        moved = echo(source, int(roles["start"] or 0))
        inputs["decoder_input_ids"] = torch.tensor([moved], device=backend.model.device)
    return found, logits_of(backend.model(**inputs, return_dict=True), backend.answers)


def _check_shape(answers: Answers, logits: Tensor) -> None:
    if logits.shape[-1] != len(answers.labels):
        raise ModelFileError(
            f"{len(answers.labels)} classes, as in config.json",
            f"{logits.shape[-1]}",
            "Use the configuration saved with these weights",
        )
    if not bool(torch.isfinite(logits).all()):
        raise ModelFileError("weights that give numbers", "NaN or infinity in the answer", "The file is damaged")
