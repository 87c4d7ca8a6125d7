"""What the engine's numbers are held against: Hugging Face's eager pass, and the rules of masks written a second time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import torch

from core.request import MASKS, HeadRef, MaskRule, Request, Site, Stream


@dataclass(frozen=True)
class Untouched:
    """What a model gives without us: logits [position, vocab]; patterns [head, query, key], hidden states by stream."""

    logits: np.ndarray
    patterns: dict[Stream, list[np.ndarray]]
    hidden: dict[Stream, list[np.ndarray]]


def untouched(model: Any, request: Request, last_only: bool = False) -> Untouched:
    """One pass of transformers' own model, loaded with attn_implementation="eager"; last_only: logits there alone."""

    def one(ids: tuple[int, ...] | None) -> torch.Tensor | None:
        return None if ids is None else torch.tensor([ids], device=model.device)

    asked: dict[str, Any] = {"output_attentions": True, "output_hidden_states": True, "return_dict": True}
    if last_only:
        asked["logits_to_keep"] = 1
    with torch.inference_mode():
        if request.source is not None and request.target is not None:
            output = model(input_ids=one(request.source), decoder_input_ids=one(request.target), **asked)
            maps = {
                Stream.ENCODER: output.encoder_attentions,
                Stream.DECODER: output.decoder_attentions,
                Stream.CROSS: output.cross_attentions,
            }
            hidden = {Stream.ENCODER: output.encoder_hidden_states, Stream.DECODER: output.decoder_hidden_states}
        else:
            stream = Stream.ENCODER if request.target is None else Stream.DECODER
            output = model(input_ids=one(request.source or request.target), **asked)
            maps, hidden = {stream: output.attentions}, {stream: output.hidden_states}

    def arrays(tensors: Any) -> list[np.ndarray]:
        return [tensor[0].float().cpu().numpy() for tensor in tensors]

    return Untouched(
        arrays([output.logits])[0],
        {stream: arrays(tensors) for stream, tensors in maps.items()},
        {stream: arrays(tensors) for stream, tensors in hidden.items()},
    )


W_O = re.compile(
    r"(attn\.c_proj|self_attn\.(o_proj|out_proj|dense)|attention\.(dense|output\.dense|out_lin)|attn\.Wo"
    r"|SelfAttention\.o|EncDecAttention\.o|encoder_attn\.out_proj|\b(own|cross)\.output)$"
)


@contextmanager
def before_w_o(model: Any, change: Callable[[int, torch.Tensor], torch.Tensor] | None = None) -> Iterator[list]:
    """What enters each site's output projection, in order of execution: tensors [batch, position, heads · d].

    change(n, tensor) may replace what the n-th projection reads.
    """
    seen: list[torch.Tensor] = []

    def note(module: Any, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        given = args[0] if change is None else change(len(seen), args[0])
        seen.append(given)
        return (given, *args[1:])

    hooks = [module.register_forward_pre_hook(note) for name, module in model.named_modules() if W_O.search(name)]
    assert hooks
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def heads_of(tensor: torch.Tensor, heads: int) -> np.ndarray:
    """[1, position, heads · d] as [head, position, d]."""
    return tensor[0].unflatten(-1, (heads, -1)).transpose(0, 1).float().cpu().numpy()


def may_look(request: Request, site: Site, native: np.ndarray, padding: list[bool]) -> np.ndarray:
    """What every head of a site may look at, bool [head, query, key], cell by cell from the definitions.

    native: the model's own mask [query, key]. padding: which keys are padding.
    """
    causal = site.stream is Stream.DECODER and not any(
        native[q, k] for q in range(native.shape[0]) for k in range(q + 1, native.shape[1])
    )
    allowed = np.zeros((site.heads, *native.shape), dtype=bool)
    for head in range(site.heads):
        rule = None
        for later in request.intervention.masks:
            speaks = later.stream is site.stream
            speaks = speaks and (later.layers is None or site.layer in later.layers)
            if speaks and (later.heads is None or head in later.heads):
                rule = later
        for q in range(native.shape[0]):
            for k in range(native.shape[1]):
                own = bool(native[q, k])
                allowed[head, q, k] = own if rule is None else _cell(rule, q, k, own, causal, padding[k])
    for cut in request.intervention.cuts:
        if (cut.head.stream, cut.head.layer) == (site.stream, site.layer):
            allowed[cut.head.head, cut.query, cut.key] = False
    return allowed


def _cell(rule: MaskRule, q: int, k: int, native: bool, causal: bool, padding: bool) -> bool:
    """Whether query q may look at key k under one rule."""
    width, listed = rule.width or 0, (q, k) in rule.edges or (None, k) in rule.edges
    if rule.name == "causal":
        return k <= q
    if rule.name == "full":
        return True
    if rule.name == "window":
        return 0 <= q - k < width if causal else -width < q - k < width
    if rule.name == "prefix":
        return k < width or k <= q
    if rule.name == "block":
        return int(q / width) == int(k / width)
    if rule.name == "padding":
        return native and not padding and (None, k) not in rule.edges
    if rule.name == "custom":
        return native != listed
    raise AssertionError(rule.name)


def changes(random: Random, request: Request) -> Request:
    """The request with a random mix of interventions, all of them such as its model and its texts can take."""
    lengths = {
        Stream.ENCODER: (len(request.source or ()),) * 2,
        Stream.DECODER: (len(request.target or ()),) * 2,
        Stream.CROSS: (len(request.target or ()), len(request.source or ())),
    }

    def head() -> HeadRef:
        site = random.choice(request.sites)
        return HeadRef(site.stream, site.layer, random.randrange(site.heads))

    def cell(stream: Stream) -> tuple[int, int]:
        queries, keys = lengths[stream]
        return random.randrange(queries), random.randrange(keys)

    for _ in range(random.randint(0, 3)):
        site = random.choice(request.sites)
        kinds = [name for name, kind in MASKS.items() if kind.on_cross or site.stream is not Stream.CROSS]
        name = random.choice(kinds)
        edges: list[Any] = [cell(site.stream) for _ in range(random.randint(1, 4))]
        if name == "padding":
            edges = [(None, key) for _, key in edges]
        elif random.random() < 0.3:
            edges[0] = (None, edges[0][1])
        request = request.with_mask(
            MaskRule(
                site.stream,
                name,
                layers=random.choice([None, (site.layer,)]),
                heads=random.choice([None, (0,), (1, site.heads - 1)]),
                width=random.randint(1, 7) if MASKS[name].needs_width else None,
                edges=edges if name in ("custom", "padding") else (),
            )
        )
    for _ in range(random.randint(0, 3)):
        where = head()
        request = request.with_cut((where, *cell(where.stream)))
    for _ in range(random.randint(0, 2)):
        request = request.with_ablation(head(), how=random.choice(["zero", "mean"]))
    return request.with_temperature(random.choice([1.0, 1.0, 0.5, 3.0]))
