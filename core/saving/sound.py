"""Whether the description of a saved trace fits its arrays: every shape against the others, so that no question to the trace can
fail later. Nothing is read yet, and nothing allocated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from core.checks import LONGEST_TEXT, natural
from core.request import KEEPS, Stream
from core.saving.tensors import Spec

MOST = 65_536  # attentions of one trace
Side = int | None  # of a shape; None is any length
Said = dict[str, Any]
# what must be there, of an attention's arrays or "recipe", for it to tell what it says it keeps
TELLS = {
    "pattern": ({"pattern"}, {"codes"}, {"recipe"}),
    "scores": ({"scores"}, {"recipe"}),
    "qkv": ({"recipe", "value"},),
}


def check(said: Said, specs: Mapping[str, Spec]) -> None:
    """Raise ValueError (or what else Python raises for values of another kind) where a description contradicts itself or the
    arrays. said: as `core.saving.saved` wrote it; specs: what the file says of each array."""
    arrays = _Arrays(specs)
    ask(len(said["attention"]) <= MOST and len(said["sites"]) <= MOST, "so many attentions")
    for site in said["sites"]:
        _site(site)
    lengths = {side: _tokens(arrays, said[side], said["request"][side]) for side in ("source", "target")}
    for one in said["attention"]:
        _attention(arrays, one, lengths)
    if said["next_logits"] is not None:
        arrays.shape(said["next_logits"], "F32", (None,))
    for stream, name in (said["residual"] or {}).items():
        arrays.shape(name, "F32", (None, None, None))
        Stream(stream)
    if said["predictions"] is not None:
        _predictions(arrays, said["predictions"])
    for place, name in said["masked_logits"]:
        ask(natural(place) is not None and place < lengths["source"], f"a mask token at {place}")
        arrays.shape(name, "F32", (None,))
    if said["answer"] is not None:
        _answer(arrays, said["answer"], max(lengths.values()))
    if said["texts"] is not None:
        _texts(arrays, said["texts"], None)


def ask(holds: bool, what: str) -> None:
    """Raise ValueError, which names what was found, where something does not hold."""
    if not holds:
        raise ValueError(what)


class _Arrays:
    """What a file says of its arrays."""

    def __init__(self, specs: Mapping[str, Spec]) -> None:
        self.specs = specs

    def shape(self, name: str, dtype: str, *shapes: tuple[Side, ...]) -> tuple[int, ...]:
        """The shape of an array, which must be of this dtype and fit one of these shapes, with no side of length 0."""
        spec = self.specs[name]
        fits = any(
            len(shape) == len(spec.shape)
            and all(want in (None, side) for want, side in zip(shape, spec.shape, strict=True))
            for shape in shapes
        )
        ask(spec.dtype == dtype and fits and 0 not in spec.shape, f"{name} of {spec.dtype} {list(spec.shape)}")
        return spec.shape


def _site(said: Any) -> int:
    """The number of heads of a site."""
    stream, layer, heads = said
    ask(natural(layer) is not None and bool(natural(heads)), f"a site {stream} {layer} {heads}")
    Stream(stream)
    return int(heads)


def _tokens(arrays: _Arrays, said: Said | None, ids: list[int] | None) -> int:
    """How many tokens a text has; 0 where there is none."""
    ask((said is None) == (ids is None), "tokens without their request")
    if said is None or ids is None:
        return 0
    ask(len(ids) <= LONGEST_TEXT, f"{len(ids):,} tokens")
    for part, dtype in (("ids", "I64"), ("word", "I64"), ("special", "BOOL")):
        ask(arrays.specs[said[part]][:2] == (dtype, (len(ids),)), f"other {part} than {len(ids)}")
    _texts(arrays, said["text"], len(ids))
    return len(ids)


def _texts(arrays: _Arrays, said: Said, count: int | None) -> None:
    ends, letters = arrays.specs[said["ends"]], arrays.specs[said["letters"]]
    ask(
        ends.dtype == "I64" and letters.dtype == "U8" and len(ends.shape) == len(letters.shape) == 1,
        "texts of another form",
    )
    ask(count is None or ends.shape == (count,), f"other texts than {count}")


def _predictions(arrays: _Arrays, said: Said) -> None:
    ask(set(said) == {"top_ids", "top_logprob", "actual_logprob", "entropy"}, "other predictions")
    top = arrays.shape(said["top_ids"], "I64", (None, None))
    arrays.shape(said["top_logprob"], "F32", top)
    arrays.shape(said["actual_logprob"], "F32", top[:1])
    arrays.shape(said["entropy"], "F32", top[:1])


def _answer(arrays: _Arrays, said: Said, length: int) -> None:
    labels = said["labels"]
    ask(all(type(word) is str for word in (said["kind"], said["scale"], *labels)), "an answer without words")
    classes = len(labels)
    shape = arrays.shape(said["logits"], "F32", (classes,) if said["kind"] in ("text", "next") else (None, classes))
    ask(len(shape) == 1 or shape[0] <= length, f"an answer of {shape[0]} positions for {length} tokens")
    ask(said["kind"] != "span" or classes == 2, f"a span with {classes} ends")


def _attention(arrays: _Arrays, said: Said, lengths: Mapping[str, int]) -> None:
    heads, kv_heads, stream = _site(said["site"]), said["kv_heads"], said["site"][0]
    held = said["arrays"]
    _, queries, keys = arrays.shape(held["allowed"], "BOOL", (1, None, None), (heads, None, None))
    start = natural(said["query_start"])
    rows = lengths["source" if stream == Stream.ENCODER.value else "target"]
    columns = lengths["target" if stream == Stream.DECODER.value else "source"]
    ask(
        start is not None and start + queries <= rows and keys <= columns,
        f"{queries} × {keys} cells of {rows} × {columns} tokens",
    )
    ask(bool(natural(kv_heads)) and heads % kv_heads == 0, f"{kv_heads} key heads for {heads}")
    ask(
        all(natural(head) is not None and head < heads for head in said["ablated"]), "an ablated head that is not there"
    )
    whole = (heads, queries, keys)
    forms: dict[str, tuple[str, tuple[tuple[Side, ...], ...]]] = {
        "allowed": ("BOOL", (whole, (1, queries, keys))), "pattern": ("F32", (whole,)), "codes": ("U8", (whole,)),
        "scores": ("F32", (whole,)), "sink": ("F32", (whole[:2],)), "value": ("F32", ((kv_heads, keys, None),)),
        "bias": ("F32", (whole, (1, queries, keys))),
    }  # fmt: skip
    for part, name in held.items():
        arrays.shape(name, forms[part][0], *forms[part][1])
    _numbers(said)
    if said["recipe"] is not None:
        _recipe(arrays, said["recipe"], whole, kv_heads)
    there = {*held, *(["recipe"] if said["recipe"] is not None else [])}
    for kept in said["keeps"]:
        ask(kept in KEEPS and (kept not in TELLS or any(need <= there for need in TELLS[kept])), f"a lost {kept}")


def _numbers(said: Said) -> None:
    """Check scaling, softcap and temperature, which an attention and a recipe have alike."""
    for name, least in (("scaling", -math.inf), ("softcap", 0.0), ("temperature", 0.0)):
        value = said[name]
        if value is None and name != "temperature":
            continue
        ask(type(value) in (int, float) and math.isfinite(value) and value > least, f"{name} {value}")


def _recipe(arrays: _Arrays, said: Said, whole: tuple[int, int, int], kv_heads: int) -> None:
    heads, queries, keys = whole
    held = said["arrays"]
    ask(set(held) <= {"query", "key", "bias", "sink"} and said["scaling"] is not None, "another recipe")
    _numbers(said)
    *_, d = arrays.shape(held["query"], "F32", (heads, queries, None))
    arrays.shape(held["key"], "F32", (kv_heads, keys, d))
    if "bias" in held:
        arrays.shape(held["bias"], "F32", whole, (1, queries, keys))
    if "sink" in held:
        arrays.shape(held["sink"], "F32", (heads,))
