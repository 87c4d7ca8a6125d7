"""Checks before anything runs: a request that this model cannot answer is refused here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from core.checks import LONGEST_TEXT
from core.engine.backend import LensInfo
from core.engine.text import Text, check_text
from core.errors import InputError, RequestError, TooLongError, UnsupportedModelError
from core.request import Request, Stream

HEAD = 100_000  # of a longer text, these many characters are read first
UNTOLD = frozenset({"scores", "qkv"})  # what a model that is read only does not tell
CHANGES = {
    "masks": "another mask", "ablated": "an ablation", "cuts": "a cut edge", "temperature": "a temperature",
    "depth": "another encoder depth", "top_k": "a top-k", "residual": "no residual connections", "positions": "other positions",
}  # fmt: skip
INSTEAD = "Ask it as it was trained, or choose another family, such as GPT-2 or BERT"
TEXTS = {"encoder": ("source",), "decoder": ("target",), "encoder-decoder": ("source", "target")}


def admit(info: LensInfo, request: Request) -> Request:
    """The request, checked against this model, with the model's sites in it.

    Raises RequestError; InputError for ids that the model does not know, or without ids; TooLongError; NoSuchHeadError for
    heads, layers or cells that the model does not have; UnsupportedModelError for changes to a model that is read only, and for
    what such a model does not tell.
    """
    if not isinstance(request, Request):
        raise RequestError("a Request, as lens.request(…) makes it", type(request).__name__)
    if request.lens != info.id:
        raise RequestError(f"a request to {info.id}", f"one to {request.lens}", "Make it with this lens's request(…)")
    _check_unchanged(info, request)
    if request.intervention.depth is not None and info.depths is None:
        raise RequestError("a model whose decoder can read any encoder layer", f"{info.name}, which cannot")
    if not request.intervention.residual and not info.can_drop_residual:
        raise RequestError(
            "one of our own models, whose residual connections can be switched off", info.name, "Leave them on"
        )
    for name in ("source", "target"):
        _check_ids(info, name, getattr(request, name))
    _check_places(info, request)
    return request if request.sites == info.sites else replace(request, sites=info.sites)


def _check_unchanged(info: LensInfo, request: Request) -> None:
    """Refuse, for a model that is read only, any change and what it does not tell."""
    if not info.reason:
        return
    asked = [CHANGES[name] for name in sorted(request.intervention.kinds)] + sorted(request.keep & UNTOLD)
    if asked:
        raise UnsupportedModelError(
            "a model that can be changed and looked into", f"{info.name} and {', '.join(asked)}", f"{info.reason} {INSTEAD}"
        )


def _check_ids(info: LensInfo, name: str, ids: tuple[int, ...] | None) -> None:
    """Refuse a missing or unwanted text ("source" or "target"), ids outside the model's vocabulary, and too many ids."""
    wants = TEXTS[info.kind]
    if (ids is not None) != (name in wants):
        raise RequestError(f"{' and '.join(wants)} for a {info.kind}", f"{name}={'ids' if ids is not None else None}")
    if ids is None:
        return
    if not ids:
        raise InputError("a text of at least one token", "an empty text", "Type a word")
    if len(ids) > info.max_tokens:
        raise too_long(info.max_tokens, info, f"{len(ids):,}")
    if max(ids) >= info.vocab:
        raise InputError(f"ids below {info.vocab}", f"{max(ids)}", "Use the ids of this model's own tokenizer")


def _check_places(info: LensInfo, request: Request) -> None:
    """Refuse rules that put tokens at positions the model does not have."""
    for rule in request.intervention.positions:
        if not info.can_move_tokens:
            raise RequestError(
                "a model of Lookback’s own kind to move positions", info.name, "Choose one that came along"
            )
        count = len((request.source if rule.stream is Stream.ENCODER else request.target) or ())
        if max(rule.places(count)) >= info.max_tokens:
            raise RequestError(f"places below {info.max_tokens:,}", f"{max(rule.places(count)):,}", "Shift by less")


def room(info: LensInfo, text: Text) -> int:
    """How many characters a text may have. A longer text always has more tokens than the model takes."""
    return LONGEST_TEXT if text.longest is None else min(LONGEST_TEXT, text.longest * info.max_tokens)


def read(info: LensInfo, text: Text, typed: object, encode: Callable[[str], tuple[int, ...]]) -> tuple[int, ...]:
    """A text as ids. A text that cannot fit is refused before the tokenizer reads it. Of a very long text the tokenizer first
    reads the beginning alone. Raises InputError, TooLongError.
    """
    if isinstance(typed, str) and len(typed) > info.max_tokens and len(typed) > (most := room(info, text)):
        raise too_long(info.max_tokens, info, f"{len(typed):,}", f" and at most {most:,} characters")
    whole = check_text(typed)
    if len(whole) > HEAD:
        count = len(encode(whole[:HEAD]))
        if count > 2 * info.max_tokens:  # the cut may change the tokens of the last word, but never double the count
            raise too_long(info.max_tokens, info, f"{count:,} in its first {HEAD:,} characters")
    return encode(whole)


def too_long(most: int, info: LensInfo, got: str, more: str = "") -> TooLongError:
    """The error for more tokens than a model takes."""
    return TooLongError(f"at most {most:,} tokens for {info.name}{more}", got, "Shorten the text; nothing was cut")
