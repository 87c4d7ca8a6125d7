"""The encoder computed step by step: the lines of `core.model.transformer` once more, with every value between them kept.

Same modules, same functions, same order; `tests/model/test_encoder_steps.py` compares the results with the forward pass. There
are no hooks, and nothing stays on a module: the functions return the values.
"""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from core.model.multihead import PLAIN, Pass, attention, our_call, rotate
from core.model.transformer import AddNorm, Layer, Transformer

Steps = dict[str, Tensor]


def standardise(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    """(x − mean) / √(variance + ε), what layer normalisation does before its learned scale and shift (Ba et al. 2016, eq. 4)."""
    return F.layer_norm(x, norm.normalized_shape, eps=norm.eps)


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, run: Pass = PLAIN) -> tuple[Tensor, Tensor]:
    """One attention of a batch of one text: its output [head, query, d] and its pattern [head, query, key]. A probe of the pass
    may change both."""
    if run.probe is None:
        output, pattern = attention(query, key, value, mask)
        return output[0], pattern[0]
    output, kept = run.probe.attend(our_call(query, key, value, mask))
    assert kept is not None  # the probe of a walk keeps weights
    return output[0].transpose(0, 1), kept[0]


def embedding_steps(model: Transformer, ids: Tensor, run: Pass = PLAIN) -> Steps:
    """How ids [position] become vectors, each value [position, d_model] (§3.4, §3.5).

    embedding: the token's row times √d_model; place: the position's vector (zeros where the model adds none, or where the pass
    puts a token at no position); leave: their sum.
    """
    embedding = model.embedding(ids) * model.config.d_model**0.5
    added = model.config.positions in ("learned", "sinusoidal")
    place = model.position[: len(ids)] if added else embedding.new_zeros(embedding.shape)
    if added and run.places is not None:
        place = model.position[run.places[0].clamp(min=0)] * (run.places[0] >= 0)[:, None]
    return {"embedding": embedding, "place": place, "leave": embedding + place}


def encoder_layer_steps(layer: Layer, x: Tensor, run: Pass = PLAIN) -> Steps:
    """One encoder layer on x [position, d_model], every value by name.

    standard and normed [position, d_model]: x standardised, then scaled and shifted as attention reads it (post-norm: x itself).
    query, key, value and heads [head, position, d]; pattern [head, query, key]; joined: the heads side by side; mixed: after
    W_O; summed: x + mixed. standard2, normed2: the same before the feed-forward network; fired [position, d_ff]: its neurons
    after max(0, ·); fed: back to d_model; leave: what the next layer gets. Raises ValueError for a layer without a
    feed-forward network.
    """
    if layer.ff is None:
        raise ValueError("a layer without a feed-forward network cannot be walked")
    own = layer.own
    standard, normed = _enter(layer.own_place, x)
    key, value = own.keys_values(normed[None], run)
    query = own.split(own.query(normed[None]))
    if own.rotary:
        query = rotate(query, 0, run.places)
    output, pattern = attend(query, key, value, None, run)
    joined = output.transpose(0, 1).flatten(-2)
    mixed = own.output(joined)
    summed = layer.own_place.leave(x, mixed)
    standard2, normed2 = _enter(layer.ff_place, summed)
    fired = F.relu(layer.ff.inner(normed2))
    fed = layer.ff.outer(fired)
    return {
        "standard": standard, "normed": normed, "query": query[0], "key": key[0], "value": value[0], "pattern": pattern,
        "heads": output, "joined": joined, "mixed": mixed, "summed": summed, "standard2": standard2, "normed2": normed2,
        "fired": fired, "fed": fed, "leave": layer.ff_place.leave(summed, fed),
    }  # fmt: skip


def encoder_steps(
    model: Transformer, ids: Tensor, run: Pass = PLAIN, depth: int | None = None
) -> tuple[Steps, list[Steps], Tensor]:
    """A whole encoder in evaluation mode on ids [position]: the embedding's steps, each layer's, and the final vectors
    [position, d_model], as the decoder or the output layer gets them: after `depth` layers, None for after the last."""
    begin = embedding_steps(model, ids, run)
    x, layers = begin["leave"], []
    for layer in cast("list[Layer]", model.encoder):
        layers.append(encoder_layer_steps(layer, x, run))
        x = layers[-1]["leave"]
    read = x if depth is None else [begin, *layers][depth]["leave"]
    return begin, layers, model.encoder_norm(read)


def _enter(place: AddNorm, x: Tensor) -> tuple[Tensor, Tensor]:
    """What a sublayer reads: first standardised, then with scale and shift. In a post-norm model both are x itself."""
    return (standardise(x, place.norm) if place.pre else x), place.enter(x)
