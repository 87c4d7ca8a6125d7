"""What the walk through the encoder draws, as one message: u32 length | JSON | float32 arrays, each at a multiple of 4.

The JSON names each array with its shape and where it begins, counted in numbers from the end of the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from core.analysis.encoder import cosines, firing, moments, paths, strongest_neurons
from core.figures.labels import label
from core.figures.payloads.rows import names
from core.inside import Inner, Near
from core.trace import Tokens, Trace

WHOLE = 40  # tokens: up to here the vectors of all travel together, above it only those of the token in focus
NEURONS = 10


def walk(inner: Inner, near: Sequence[Sequence[Near]], token: int, facts: Mapping[str, Any]) -> bytes:
    """Everything of a walk. near: for each position the vocabulary's nearest tokens; facts: what is said of the model."""
    n, layers = len(inner.tokens), inner.layers
    held = list(range(n)) if n <= WHOLE else [token]
    arrays = {name: inner.begin[name][held] for name in ("embedding", "place")}
    residual = inner.residual()
    arrays["stream"] = residual[:, held]
    for name in ("standard", "normed", "joined", "mixed", "summed", "standard2", "normed2", "fired", "fed"):
        arrays[name] = np.stack([steps[name][held] for steps in layers])
    for name in ("query", "key", "value"):  # [layer, held, head, d]
        arrays[name] = np.stack([steps[name][:, held].swapaxes(0, 1) for steps in layers])
    arrays["pattern"] = np.stack([steps["pattern"] for steps in layers])
    arrays["final"] = inner.final[held]
    # [layer, norm, before · standardised · after, position, mean · deviation]
    before = [(residual[i], s["standard"], s["normed"]) for i, s in enumerate(layers)]
    between = [(s["summed"], s["standard2"], s["normed2"]) for s in layers]
    pairs = zip(before, between, strict=True)
    arrays["moments"] = np.stack([np.stack([moments(np.stack(parts)) for parts in pair]) for pair in pairs])
    # [layer, residual stream · attention's part · their sum · feed-forward's part · their sum, position]: lengths of vectors
    parts = [(residual[i], s["mixed"], s["summed"], s["fed"], s["leave"]) for i, s in enumerate(layers)]
    arrays["lengths"] = np.stack([np.linalg.norm(np.stack(part).astype(np.float64), axis=-1) for part in parts])
    arrays["firing"] = np.stack([firing(s["fired"]) for s in layers])
    neurons = [
        [
            [
                [one.number, one.value, [[p, v] for p, v in one.most]]
                for one in strongest_neurons(s["fired"], p, NEURONS)
            ]
            for p in held
        ]
        for s in layers
    ]
    head = {"walk": True, "held": held, "neurons": neurons}
    return _message(inner.request, inner.tokens, residual, near, {**head, **facts}, arrays, held)


def trail(
    trace: Trace, tokens: Tokens, residual: np.ndarray, near: Sequence[Sequence[Near]], facts: Mapping[str, Any]
) -> bytes:
    """Only where the vectors move, for a model whose inside cannot be walked. residual [depth, position, d_model]."""
    head = {"walk": False, "held": [], "neurons": []}
    return _message(trace.request, tokens, residual, near, {**head, **facts}, {}, [])


def unpack(message: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A message read back: its JSON and its arrays by name."""
    size = int.from_bytes(message[:4], "little")
    head = json.loads(message[4 : 4 + size])
    body = np.frombuffer(message[4 + size :], dtype=np.float32)
    return head, {
        name: body[at : at + int(np.prod(shape))].reshape(shape) for name, (at, shape) in head["arrays"].items()
    }


def _message(
    request: Any, tokens: Tokens, residual: np.ndarray, near: Sequence[Sequence[Near]], head: dict[str, Any],
    arrays: dict[str, np.ndarray], held: list[int],
) -> bytes:  # fmt: skip
    arrays = {**arrays, "cosines": cosines(residual)}
    shown = {}
    for name, (positions, stream) in _views(tokens, residual).items():
        moved = paths(stream)
        arrays[f"points.{name}"] = moved.points
        shown[name] = {"positions": positions, "share": list(moved.share)}
    places, at = {}, 0
    for name, array in arrays.items():
        places[name] = [at, list(array.shape)]
        at += array.size
    asked = repr((request.lens, request.source, head["walk"] or request.target, held)).encode(
        "utf-8", "backslashreplace"
    )
    head |= {
        "version": blake2b(asked, digest_size=8).hexdigest(),
        "tokens": _tokens(tokens),
        "near": [[[label(one.text, 18), one.cosine] for one in some] for some in near],
        "views": shown,
        "arrays": places,
    }
    said = json.dumps(head, ensure_ascii=True).encode()
    said += b" " * (-len(said) % 4)
    body = b"".join(np.ascontiguousarray(array, dtype="<f4").tobytes() for array in arrays.values())
    return len(said).to_bytes(4, "little") + said + body


def _views(tokens: Tokens, residual: np.ndarray) -> dict[str, tuple[list[int], np.ndarray]]:
    """What paths are drawn of: view → which tokens, and their residual stream [depth, token, d_model].

    words: special tokens left out (where there are any, and two words beside them); all: every token; apart: the words, the
    mean over them taken off at each depth.
    """
    every = list(range(len(tokens)))
    words = [place for place in every if not tokens.special[place]]
    views = {"all": (every, residual)}
    if len(words) < 2:
        return views
    some = residual[:, words]
    if len(words) < len(every):
        views["words"] = words, some
    views["apart"] = words, some - some.mean(axis=1, keepdims=True)
    return views


def _tokens(tokens: Tokens) -> list[dict[str, Any]]:
    """A text's tokens: label, id, whether it is special and whether it goes on the word before it."""
    return [{**token, "id": int(id)} for token, id in zip(names(tokens), tokens.ids, strict=True)]
