"""A trace as a file of named arrays and a description in JSON, and back. Nothing in it can run code.

What a lazy attention is computed from is saved, not what it would compute: the file stays small, and the patterns that the
saved trace computes are the same bits. Streams, layers, heads and positions are counted from 0, as everywhere in the library.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from core.answer import Answer
from core.attention import Attention, Recipe
from core.errors import InputError, LensError
from core.request import Request, Site, Stream
from core.request_json import COUNTING, described, request_of
from core.saving.sound import check
from core.saving.tensors import read_arrays, read_header, write
from core.tokens import Predictions, Texts, Tokens, TokenTexts

FORMAT = 1
ARRAYS = ("allowed", "pattern", "codes", "scores", "sink", "value", "bias")  # of an attention
COMPUTES = ("query", "key", "bias", "sink")  # of a recipe
Fields = dict[str, Any]  # of a Trace, by name


def to_file(path: str | os.PathLike[str], trace: Fields) -> None:
    """Write a trace, all of it or nothing. Raises InputError where the file cannot be written, TooLongError for a longer
    description than is read."""
    try:
        target = Path(path)
        part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as stream:
                _write(stream, trace)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        if isinstance(error, LensError):
            raise
        raise InputError("a file that can be written", f"{path}: {error}", "Choose another place") from None


def from_file(path: str | os.PathLike[str]) -> Fields:
    """The trace that `to_file` wrote. Raises InputError for anything else, before an array is made of it."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError("a file", f"{path}, which is none", "Choose the file of a trace")
        with Path(path).open("rb") as stream:
            return _read(stream, os.fstat(stream.fileno()).st_size)
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, LensError):
            raise
        raise InputError("a file that can be read", f"{path}: {error}", "Choose the file of a trace") from None


def to_bytes(trace: Fields) -> bytes:
    """A trace as the bytes of its file."""
    stream = io.BytesIO()
    _write(stream, trace)
    return stream.getvalue()


def from_bytes(content: bytes) -> Fields:
    """The trace that `to_bytes` gave. Raises InputError."""
    return _read(io.BytesIO(content), len(content))


# writing


def _write(stream: BinaryIO, trace: Fields) -> None:
    arrays = _Names()
    said = _described(arrays, **trace)
    write(
        stream, arrays.found, {"lookback": json.dumps(said, ensure_ascii=False, separators=(",", ":"), allow_nan=False)}
    )


class _Names:
    """The arrays of a file by name. An array that comes twice, as a mask that all layers share, is one array of the file."""

    def __init__(self) -> None:
        self.found: dict[str, np.ndarray] = {}
        self.known: dict[tuple[Any, ...], str] = {}

    def __call__(self, name: str, array: np.ndarray | None) -> str | None:
        """The name under which the file holds this array; None for None."""
        if array is None:
            return None
        same: tuple[Any, ...] = (array.__array_interface__["data"][0], array.shape, array.strides, array.dtype)
        if array.dtype == bool:  # a mask that hides nothing is made anew in each layer
            same = array.shape, hashlib.sha256(np.packbits(array).data).digest()
        if same not in self.known:
            name = name if name not in self.found else f"{name}.{len(self.found)}"
            self.known[same], self.found[name] = name, array  # while we hold the array, no other one can take its place
        return self.known[same]


def _described(
    arrays: _Names, *, request: Request, source: Tokens | None, target: Tokens | None, attention: tuple[Attention, ...],
    next_logits: np.ndarray | None, residual: Mapping[Stream, np.ndarray] | None, predictions: Predictions | None,
    masked_logits: Mapping[int, np.ndarray], token_text: Callable[[int], str], answer: Answer | None,
) -> dict[str, Any]:  # fmt: skip
    """A trace as values that JSON can write, its arrays put into `arrays`. A field that we forgot to save is a TypeError."""
    texts = None if token_text is str else _vocabulary(token_text, next_logits, masked_logits)
    return {
        "lookback": "trace", "format": FORMAT, "counting": COUNTING, "request": described(request),
        "sites": [[site.stream.value, site.layer, site.heads] for site in request.sites],
        "source": _tokens(arrays, "source", source), "target": _tokens(arrays, "target", target),
        "attention": [_attention(arrays, one) for one in attention],
        "next_logits": arrays("next_logits", next_logits),
        "residual": None if residual is None else {
            Stream(stream).value: arrays(f"residual.{Stream(stream).value}", depths) for stream, depths in residual.items()
        },
        "predictions": None if predictions is None else {
            name: arrays(f"predictions.{name}", getattr(predictions, name)) for name in Predictions.__slots__
        },
        "masked_logits": [[place, arrays(f"masked_logits.{place}", logits)] for place, logits in masked_logits.items()],
        "answer": None if answer is None else {
            "kind": answer.kind, "labels": list(answer.labels), "scale": answer.scale, "logits": arrays("answer", answer.logits),
        },
        "texts": _texts(arrays, "vocabulary", texts),
    }  # fmt: skip


def _vocabulary(token_text: Callable[[int], str], logits: np.ndarray | None, masked: Mapping[int, np.ndarray]) -> Texts:
    """What each id says. A function made by hand is asked about the ids that have a logit."""
    if isinstance(token_text, TokenTexts):
        return token_text.texts
    count = max((len(row) for row in (*masked.values(), *([] if logits is None else [logits]))), default=0)
    return Texts.of(map(token_text, range(count)))


def _texts(arrays: _Names, name: str, texts: Texts | None) -> dict[str, str | None] | None:
    return None if texts is None else {part: arrays(f"{name}.{part}", getattr(texts, part)) for part in Texts.__slots__}


def _tokens(arrays: _Names, side: str, tokens: Tokens | None) -> dict[str, Any] | None:
    if tokens is None:
        return None
    return {
        "ids": arrays(f"{side}.ids", np.array(tokens.ids, np.int64)),
        "text": _texts(arrays, f"{side}.text", Texts.of(tokens.text)),
        "word": arrays(f"{side}.word", np.array(tokens.word, np.int64)),
        "special": arrays(f"{side}.special", np.array(tokens.special, bool)),
    }


def _attention(arrays: _Names, attention: Attention) -> dict[str, Any]:
    held = attention.held
    site, recipe = held.pop("site"), held.pop("recipe")
    name = f"{site.stream.value}.{site.layer}"
    said = {part: held.pop(part) for part in ARRAYS}
    return {
        "site": [site.stream.value, site.layer, site.heads],
        **{**held, "keeps": sorted(held["keeps"]), "ablated": list(held["ablated"])},
        "arrays": {part: arrays(f"{name}.{part}", array) for part, array in said.items() if array is not None},
        "recipe": None if recipe is None else {
            "scaling": recipe.scaling, "softcap": recipe.softcap, "temperature": recipe.temperature,
            "arrays": {
                part: arrays(f"{name}.{part if part != 'sink' else 'sink_logit'}", getattr(recipe, part))
                for part in COMPUTES if getattr(recipe, part) is not None
            },
        },
    }  # fmt: skip


# reading


def _read(stream: BinaryIO, size: int) -> Fields:
    specs, about = read_header(stream, size)
    try:
        said = json.loads(about["lookback"], parse_constant=_no_number)
        if said["lookback"] != "trace" or said["format"] != FORMAT:
            raise ValueError(f"a file of another kind, or of another version than {FORMAT}")
        check(said, specs)
        return _fields(said, read_arrays(stream, specs))
    except LensError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise _broken(str(error)) from None


def _no_number(name: str) -> float:
    raise ValueError(f"{name}, which is no number")


def _broken(why: str) -> InputError:
    return InputError("a trace saved by Lookback", why or "something else", "Save it again")


def _fields(said: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fields:
    """The fields of the trace that was described, all checked by `check`."""
    texts = _texts_of(said["texts"], arrays)
    found, answer = said["predictions"], said["answer"]
    return {
        "request": request_of(said["request"], tuple(map(_site, said["sites"]))),
        "source": _tokens_of(said["source"], arrays), "target": _tokens_of(said["target"], arrays),
        "attention": tuple(_attention_of(one, arrays) for one in said["attention"]),
        "next_logits": None if said["next_logits"] is None else arrays[said["next_logits"]],
        "residual": None if said["residual"] is None else {
            Stream(stream): arrays[name] for stream, name in said["residual"].items()
        },
        "predictions": None if found is None else Predictions(**{part: arrays[name] for part, name in found.items()}),
        "masked_logits": {place: arrays[name] for place, name in said["masked_logits"]},
        "answer": None if answer is None else Answer(
            answer["kind"], tuple(answer["labels"]), answer["scale"], arrays[answer["logits"]]
        ),
        "token_text": str if texts is None else TokenTexts.saved(texts),
    }  # fmt: skip


def _site(said: list[Any]) -> Site:
    stream, layer, heads = said
    return Site(Stream(stream), layer, heads)


def _texts_of(said: dict[str, str] | None, arrays: dict[str, np.ndarray]) -> Texts | None:
    if said is None:
        return None
    texts = Texts(arrays[said["ends"]], arrays[said["letters"]])
    if not texts.sound:
        raise ValueError("texts that overlap")
    return texts


def _tokens_of(said: dict[str, Any] | None, arrays: dict[str, np.ndarray]) -> Tokens | None:
    if said is None:
        return None
    texts = _texts_of(said["text"], arrays)
    assert texts is not None
    ids, word, special = (tuple(arrays[said[part]].tolist()) for part in ("ids", "word", "special"))
    return Tokens(ids, tuple(texts[n] for n in range(len(texts))), word, special)


def _attention_of(said: dict[str, Any], arrays: dict[str, np.ndarray]) -> Attention:
    recipe = said["recipe"]
    made = None
    if recipe is not None:
        parts: dict[str, Any] = {part: arrays[name] for part, name in recipe["arrays"].items()}
        made = Recipe(**parts, **{name: recipe[name] for name in ("scaling", "softcap", "temperature")})
    return Attention(
        _site(said["site"]), keeps=frozenset(said["keeps"]), scaling=said["scaling"], kv_heads=said["kv_heads"],
        softcap=said["softcap"], ablated=tuple(said["ablated"]), query_start=said["query_start"],
        temperature=said["temperature"], recipe=made, **{part: arrays[name] for part, name in said["arrays"].items()},
    )  # fmt: skip
