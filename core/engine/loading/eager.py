"""What a Hugging Face model gives without us: its own eager attention, and its own way of writing. At load only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from core.engine.loading.settling import untouched
from core.engine.probe import as_array
from core.request import Request, Stream

# what a configuration calls the lengths at which a model changes what it does
NAMED = (
    "window",
    "chunk",
    "topk",
    "top_k",
    "original_max",
    "capacity",
    "local_attention",
    "block_size",
    "max_distance",
)

NAMES = {Stream.ENCODER: "encoder_attentions", Stream.DECODER: "decoder_attentions", Stream.CROSS: "cross_attentions"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one text gave: logits [position, vocab] at its last positions, None without an output head; for each stream the
    patterns [head, query, key], layer by layer, {} where the family gives none."""

    logits: np.ndarray | None
    patterns: dict[Stream, list[np.ndarray]]


def limits(config: Any, most: int) -> tuple[int, ...]:
    """The lengths below `most` that a configuration names, in its parts too: of a window, a chunk, a sparse index, a rope."""
    return tuple(sorted({value for value in _named(config.to_dict()) if 1 < value < most}))


def _named(values: Mapping[str, Any]) -> Iterator[int]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _named(value)
        elif type(value) is int and name != "max_window_layers" and any(word in str(name) for word in NAMED):
            yield value


def one_pass(model: Any, request: Request) -> Answer:
    """One pass over one text. Raises whatever the model raises."""
    encoder, decoder = (None if ids is None else _tensor(model, ids) for ids in (request.source, request.target))
    inputs = {"input_ids": decoder if encoder is None else encoder}
    if encoder is not None and decoder is not None:
        inputs["decoder_input_ids"] = decoder
    with torch.inference_mode(), untouched(model):
        output = model(**inputs, output_attentions=True, return_dict=True)
    logits = getattr(output, "logits", None)
    if "start_logits" in output:  # a reader of answers: where they begin and where they end
        logits = torch.stack((output.start_logits, output.end_logits), dim=-1)
    own = Stream.DECODER if request.source is None else Stream.ENCODER
    streams = {own: "attentions"} if "decoder_input_ids" not in inputs else NAMES
    return Answer(
        as_array(logits[0]) if isinstance(logits, Tensor) else None,
        {stream: _whole(getattr(output, name, None), *_shape(request, stream)) for stream, name in streams.items()},
    )


def _whole(tensors: Any, rows: int, keys: int) -> list[np.ndarray]:
    return _maps(tensors, (rows,), keys)


def _shape(request: Request, stream: Stream) -> tuple[int, int]:
    """The rows and columns of a stream's patterns."""
    source, target = len(request.source or ()), len(request.target or ())
    return source if stream is Stream.ENCODER else target, target if stream is Stream.DECODER else source


def own_steps(model: Any, requests: Sequence[Request]) -> list[Answer]:
    """What the model's own `generate` gives at each of some steps, of which each reads one token more of one text. Raises whatever
    it raises."""
    first, whole = requests[0].target or (), requests[-1].target or ()
    source, target = requests[0].source, _tensor(model, first)
    inputs = (
        {"input_ids": target} if source is None else {"input_ids": _tensor(model, source), "decoder_input_ids": target}
    )
    plain = GenerationConfig(
        pad_token_id=0, decoder_start_token_id=whole[0], max_new_tokens=len(requests), do_sample=False, num_beams=1
    )
    with torch.inference_mode(), untouched(model), _writing_plainly(model, plain):
        output = model.generate(
            **inputs,
            attention_mask=torch.ones_like(inputs["input_ids"]),
            generation_config=plain,
            logits_processor=LogitsProcessorList([Dictated(whole)]),
            return_dict_in_generate=True,
            output_logits=True,
            output_attentions=True,
        )
    maps = [_maps_of_step(output, request, step) for step, request in enumerate(requests)]
    return [Answer(as_array(logits), found) for logits, found in zip(output.logits, maps, strict=True)]


class Dictated(LogitsProcessor):
    """Lets `generate` write the tokens of a text. The logits that it tells are those before this."""

    def __init__(self, text: Sequence[int]) -> None:
        self.text = text

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores of the next token, [batch, vocab], with 0 for the token that comes next in the text."""
        place = input_ids.shape[1]
        found = torch.full_like(scores, -torch.inf)
        found[:, self.text[place] if place < len(self.text) else 0] = 0
        return found


def _maps_of_step(output: Any, request: Request, step: int) -> dict[Stream, list[np.ndarray]]:
    """The patterns of one step of `generate`, without the encoder's: the new row alone, or all rows where a family computes them
    all."""
    names = (
        {Stream.DECODER: "attentions"}
        if request.source is None
        else {s: NAMES[s] for s in (Stream.DECODER, Stream.CROSS)}
    )
    maps = {}
    for stream, name in names.items():
        steps = getattr(output, name, None)
        rows, keys = _shape(request, stream)
        found = steps[step] if steps else None
        maps[stream] = _maps(found, (1,) if step else (1, rows), keys) or _maps(found, (rows,), keys)
    return maps


@contextmanager
def _writing_plainly(model: Any, plain: Any) -> Iterator[None]:
    """Without the wishes of a saved generation configuration (beams, forced tokens, penalties), which are no part of a pass."""
    saved = model.generation_config
    model.generation_config = plain
    try:
        yield
    finally:
        model.generation_config = saved


def _tensor(model: Any, ids: tuple[int, ...]) -> Tensor:
    return torch.tensor([ids], device=model.device)


def _maps(tensors: Any, rows: tuple[int, ...], keys: int) -> list[np.ndarray]:
    """The patterns of the layers that have one: a layer without attention may put its memory in this place, of another shape. A
    window's cache may have dropped some keys."""
    return [
        as_array(tensor[0])
        for tensor in tensors or ()
        if isinstance(tensor, Tensor) and tensor.dim() == 4 and tensor.shape[2] in rows and tensor.shape[3] <= keys
    ]
