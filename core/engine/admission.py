"""What is refused before anything runs: requests that one model cannot answer."""

from __future__ import annotations

from dataclasses import replace

from core.engine.backend import LensInfo
from core.errors import InputError, RequestError, TooLongError
from core.request import Request, Stream

TEXTS = {"encoder": ("source",), "decoder": ("target",), "encoder-decoder": ("source", "target")}


def admit(info: LensInfo, request: Request, moves: bool) -> Request:
    """The request, checked against this model and given its sites. moves: whether its tokens may be told where to stand.

    Raises RequestError, InputError for ids the model does not know or no ids at all, TooLongError, and NoSuchHeadError for heads,
    layers or cells that it does not have.
    """
    if not isinstance(request, Request):
        raise RequestError("a Request, as lens.request(…) makes it", type(request).__name__)
    if request.lens != info.id:
        raise RequestError(f"a request to {info.id}", f"one to {request.lens}", "Make it with this lens's request(…)")
    if request.intervention.depth is not None and info.depths is None:
        raise RequestError("a model whose decoder can read any encoder layer", f"{info.name}, which cannot")
    if not request.intervention.residual and not info.unlinks:
        raise RequestError(
            "one of our own models, whose residual connections can be switched off", info.name, "Leave them on"
        )
    wants = TEXTS[info.kind]
    for name in ("source", "target"):
        ids = getattr(request, name)
        if (ids is not None) != (name in wants):
            raise RequestError(
                f"{' and '.join(wants)} for a {info.kind}", f"{name}={'ids' if ids is not None else None}"
            )
        if ids is None:
            continue
        if not ids:
            raise InputError("a text of at least one token", "an empty text", "Type a word")
        if len(ids) > info.max_tokens:
            raise TooLongError(
                f"at most {info.max_tokens:,} tokens for {info.name}",
                f"{len(ids):,}",
                "Shorten the text; nothing was cut",
            )
        if max(ids) >= info.vocab:
            raise InputError(f"ids below {info.vocab}", f"{max(ids)}", "Use the ids of this model's own tokenizer")
    for rule in request.intervention.positions:
        if not moves:
            raise RequestError(
                "a model of Lookback’s own kind to move positions", info.name, "Choose one that came along"
            )
        count = len((request.source if rule.stream is Stream.ENCODER else request.target) or ())
        if max(rule.places(count)) >= info.max_tokens:
            raise RequestError(f"places below {info.max_tokens:,}", f"{max(rule.places(count)):,}", "Shift by less")
    return request if request.sites == info.sites else replace(request, sites=info.sites)
