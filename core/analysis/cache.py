"""What a step of generation takes from the key–value cache and what it computes anew, counted from the shapes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.request import Stream
from core.trace import Step

WIDTHS = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}  # bytes a number


@dataclass(frozen=True, slots=True)
class AttentionShape:
    """The shapes of one attention of a step. stored: heads that keep keys and values (fewer than heads where they share);
    width: numbers in a key; queries: the new tokens that look; keys: what they may look at."""

    stream: Stream
    heads: int
    stored: int
    width: int
    queries: int
    keys: int


@dataclass(frozen=True, slots=True)
class Work:
    """One step in numbers. *_reused: kept from earlier steps; *_new: made in this one.

    bytes of keys and values: Σ 2 · stored heads · width · bytes a number · tokens. making: multiplications that turn a token's
    d_model numbers into its key and value alone, Σ 2 · stored heads · width · d_model · tokens. looking: multiplications of q·k
    and of weights·v, Σ 2 · heads · width · queries · keys; looking_without: the same where every token looks again.
    """

    bytes_reused: int
    bytes_new: int
    making_reused: int
    making_new: int
    looking: int
    looking_without: int


def layers_of(step: Step) -> list[AttentionShape]:
    """The decoder's attentions of a step, self and cross. Needs a trace that kept "qkv"."""
    found = []
    for attention in step.trace.attention:
        if attention.site.stream is Stream.ENCODER:
            continue
        heads, queries, keys = attention.shape
        stored, held, width = attention.key.shape
        found.append(AttentionShape(attention.site.stream, heads, stored, width, queries, max(keys, held)))
    return found


def work(layers: Iterable[AttentionShape], reused: int, d_model: int, bytes_a_number: int) -> Work:
    """Count a step whose first `reused` target tokens came from the cache (0: none did).

    Cross-attention's keys and values, one for each token of the source, are made in the first step and reused ever after.
    """
    bytes_of, making, looking, without = [0, 0], [0, 0], 0, 0
    for layer in layers:
        old = (layer.keys if reused else 0) if layer.stream is Stream.CROSS else reused
        token = 2 * layer.stored * layer.width
        for at, tokens in enumerate((old, layer.keys - old)):
            bytes_of[at] += tokens * token * bytes_a_number
            making[at] += tokens * token * d_model
        looking += 2 * layer.heads * layer.width * layer.queries * layer.keys
        without += 2 * layer.heads * layer.width * (reused + layer.queries) * layer.keys
    return Work(bytes_of[0], bytes_of[1], making[0], making[1], looking, without)


def through_layers(d_model: int, d_ff: int, layers: int, crosses: bool) -> int:
    """Multiplications that take one token through all layers of a decoder, its looks (`Work.looking`) apart: W_Q, W_K, W_V and W_O,
    W_Q and W_O of cross-attention (its keys and values are made once, from the source), and the two of the feed-forward network.
    This is what each earlier token would cost again in every step if nothing were kept."""
    return layers * (4 * d_model**2 + 2 * d_model**2 * crosses + 2 * d_model * d_ff)
