"""Where attention happens in a model: streams, layers, heads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from core.checks import natural
from core.errors import NoSuchHeadError, RequestError


class Stream(str, Enum):
    """Where attention happens: inside the encoder, inside the decoder, or from the decoder to the encoder."""

    ENCODER = "encoder"
    DECODER = "decoder"
    CROSS = "cross"


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """One place where attention happens in a model: its stream, its layer within that stream (from 0), its number of heads."""

    stream: Stream
    layer: int
    heads: int


@dataclass(frozen=True, slots=True, order=True)
class HeadRef:
    """What a person can point at: one head of one layer of one stream, all counted from 0.

    stream: a Stream or its value. Raises RequestError for another stream, NoSuchHeadError where layer or head is not a whole
    number from 0.
    """

    stream: Stream
    layer: int
    head: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "stream", as_stream(self.stream))
        for name in ("layer", "head"):
            number = natural(getattr(self, name))
            if number is None:
                raise NoSuchHeadError(f"a {name} counted from 0", f"{getattr(self, name)!r}")
            object.__setattr__(self, name, number)


def as_stream(value: object) -> Stream:
    """A Stream from itself or its value ("cross"). Raises RequestError."""
    try:
        return Stream(value)
    except ValueError:
        raise RequestError(f"a stream ({', '.join(s.value for s in Stream)})", f"{value!r}") from None


def as_head(value: object) -> HeadRef:
    """The value itself where it is a HeadRef. Raises RequestError for anything else."""
    if isinstance(value, HeadRef):
        return value
    raise RequestError("a HeadRef(stream, layer, head)", f"{value!r}")


def as_edge(value: Any) -> tuple[HeadRef, int, int]:
    """One cell of one head's pattern: (head, query, key). Raises RequestError where it is no such triple, NoSuchHeadError where
    query or key is not a whole number from 0."""
    try:
        head, query, key = value
    except (TypeError, ValueError):
        raise RequestError("an edge (HeadRef, query, key)", f"{value!r}") from None
    places = natural(query), natural(key)
    if None in places:
        raise NoSuchHeadError("an edge whose query and key are positions from 0", f"{value!r}")
    return (as_head(head), *places)  # type: ignore[return-value]
