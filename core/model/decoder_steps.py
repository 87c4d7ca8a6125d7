"""The decoder computed step by step: the lines of `core.model.transformer` once more, with every value between them kept.

Same modules, same functions, same order; `tests/engine/test_inside.py` compares the results with the forward pass. There are
no hooks, and nothing stays on a module: the functions return the values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import torch
from torch import Tensor

from core.model.encoder_steps import Steps, attend, embedding_steps
from core.model.multihead import PLAIN, MultiHeadAttention, Pass, rotate
from core.model.transformer import AddNorm, FeedForward, Layer, Transformer

PARTS = ("own", "cross", "ff")  # the sublayers of a layer, in order; one without an encoder has no "cross"


def attention_steps(
    place: AddNorm, part: MultiHeadAttention, x: Tensor, mask: Tensor | None, memory: Tensor | None, run: Pass
) -> Steps:
    """One attention sublayer on the residual stream x [position, d_model]. Keys and values come from x, or from memory [source,
    d_model].

    normed [position, d_model]: what it reads; query [head, position, d], key and value [head, key, d]; pattern [head, position,
    key]; joined [position, d_model]: the heads side by side; added [position, d_model]: after W_O, what is added to the stream;
    leave [position, d_model]: the stream after the sublayer.
    """
    normed = place.enter(x)
    query = part.split(part.query(normed[None]))
    if part.rotary:
        query = rotate(query, 0, run.places)
    key, value = part.keys_values(normed[None], run) if memory is None else part.keys_values(memory[None])
    output, pattern = attend(query, key, value, mask, run)
    joined = output.transpose(0, 1).flatten(-2)
    added = part.output(joined)
    return {
        "normed": normed, "query": query[0], "key": key[0], "value": value[0], "pattern": pattern, "joined": joined,
        "added": added, "leave": place.leave(x, added),
    }  # fmt: skip


def feed_forward_steps(place: AddNorm, part: FeedForward, x: Tensor) -> Steps:
    """The feed-forward sublayer (eq. 2): normed [position, d_model], fired [position, d_ff] after max(0, ·), added, leave."""
    normed = place.enter(x)
    fired = part.inner(normed).relu()
    added = part.outer(fired)
    return {"normed": normed, "fired": fired, "added": added, "leave": place.leave(x, added)}


def decoder_layer_steps(
    layer: Layer, x: Tensor, mask: Tensor | None, memory: Tensor | None, run: Pass
) -> dict[str, Steps]:
    """The sublayers of one decoder layer, by the names of PARTS, in order."""
    parts = {"own": attention_steps(layer.own_place, layer.own, x, mask, None, run)}
    x = parts["own"]["leave"]
    if layer.cross is not None:
        parts["cross"] = attention_steps(layer.cross_place, layer.cross, x, None, memory, run)
        x = parts["cross"]["leave"]
    if layer.ff is not None:
        parts["ff"] = feed_forward_steps(layer.ff_place, layer.ff, x)
    return parts


def decoder_steps(
    model: Transformer, target: Tensor, memory: Tensor | None = None, run: Pass = PLAIN
) -> tuple[Steps, list[dict[str, Steps]], Steps]:
    """A whole decoder in evaluation mode on target [position] and, where it reads, the encoder's vectors memory [source,
    d_model]. run: what changes the pass; with its default the decoder runs as it was trained.

    Gives the embedding's steps; each layer's; then normed [position, d_model] and logits [position, vocab].
    """
    begin = embedding_steps(model, target, run)
    mask = model.target_mask(len(target), 0, None, target.device)
    x, layers = begin["leave"], []
    for layer in cast("list[Layer]", model.decoder):
        layers.append(decoder_layer_steps(layer, x, mask, memory, run))
        x = list(layers[-1].values())[-1]["leave"]
    normed = model.decoder_norm(x)
    return begin, layers, {"normed": normed, "logits": model.predict(normed[None], None)[0]}


def without_each_sublayer(
    model: Transformer, target: Tensor, memory: Tensor | None = None, run: Pass = PLAIN
) -> Tensor:
    """Logits with one sublayer left out, once for each: float [sublayer, position, vocab], in the order of `decoder_steps`.

    A sublayer that is left out adds nothing, at no position; all later ones run anew on what is then there. All runs are rows
    of one batch: each begins where its own sublayer stands, for until there it is the whole run. target [position], memory
    [source, d_model] and run as in `decoder_steps`; a probe meets more and more rows.
    """
    mask = model.target_mask(len(target), 0, None, target.device)
    rows = model.embed(target[None], run)  # the first one is the whole run
    for layer in cast("list[Layer]", model.decoder):
        for place, result in _sublayers(layer, mask, memory, run):
            rows = torch.cat([place.leave(rows, result(place.enter(rows))), rows[:1]])
    return model.predict(model.decoder_norm(rows[1:]), None)


def _sublayers(
    layer: Layer, mask: Tensor | None, memory: Tensor | None, run: Pass
) -> Iterator[tuple[AddNorm, Callable[[Tensor], Tensor]]]:
    """Each sublayer of a decoder layer: how it is joined to the residual stream, and its result for what it reads."""

    def crosses(cross: MultiHeadAttention, x: Tensor) -> Tensor:
        assert memory is not None
        key, value = (part.expand(len(x), -1, -1, -1) for part in cross.keys_values(memory[None]))
        return cross(x, key, value, None, run)

    yield layer.own_place, lambda x: layer.own(x, *layer.own.keys_values(x, run), mask, run)
    if (cross := layer.cross) is not None:
        yield layer.cross_place, lambda x: crosses(cross, x)
    if layer.ff is not None:
        yield layer.ff_place, layer.ff
