"""The table of what a link can hold: one row a parameter, with how it is read and written and what makes it meaningless.

A link is written by anyone, so every row reads strictly: a ValueError or a LensError refuses. What all pages share stands in
core/ui/session/state.py; a page's own rows stand in its folder, in parameters.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from core.sites import Site

T = TypeVar("T", covariant=True)
V = TypeVar("V")
LINKED = 4000  # characters of a text that still fits a link


@dataclass(frozen=True)
class Parameter(Generic[T]):
    """One row. Its value is left out of a link where it is the default, unless `always`.

    name: in a link and in `state.choose`. read: a link's text to a value; raises ValueError or LensError for what means
    nothing. write: a value to the text that reads as the same; None where it does not fit a link. forgotten_with: the rows
    whose change takes this one back to its default, because it pointed into what is gone. fit: a value made fit for a model
    with these sites, and a sentence where something had to change. longest: characters of what may be typed; more is neither kept
    nor sent back and forth, whatever the model takes.
    """

    name: str
    default: T
    read: Callable[[str], T]
    write: Callable[[T], str | None] = str
    forgotten_with: tuple[str, ...] = ()
    always: bool = False
    fit: Callable[[T, tuple[Site, ...]], tuple[T, str]] | None = None
    longest: int | None = None


ROWS: dict[str, Parameter[Any]] = {}  # filled while modules are imported, and only read from then on


def declare(row: Parameter[V]) -> Parameter[V]:
    """Add a row to the table; gives it back. Raises ValueError where another row bears its name."""
    if ROWS.setdefault(row.name, row) is not row:
        raise ValueError(f"two parameters are called {row.name}")
    return row


# Readers that several rows share


def counted(raw: str) -> int:
    """A place counted from 1 in the link and from 0 here, of at most four digits."""
    number = int(raw) if re.fullmatch(r"[0-9]{1,4}", raw) else 0
    if number < 1:
        raise ValueError(raw)
    return number - 1


def below(raw: str, limit: int) -> int:
    """A whole number from 0 up, smaller than `limit`."""
    if not re.fullmatch(r"[0-9]{1,4}", raw) or int(raw) >= limit:
        raise ValueError(raw)
    return int(raw)


def text(raw: str) -> str:
    """Any text that fits a link."""
    if len(raw) > LINKED:
        raise ValueError(raw)
    return raw


def short_enough(text: str | None) -> str | None:
    """The text as it is written into a link; None for one too long."""
    return text if text is not None and len(text) <= LINKED else None


def ids(raw: str) -> tuple[int, ...]:
    """Up to a hundred token ids with full stops between."""
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,7}){0,99}", raw):
        raise ValueError(raw)
    return tuple(int(number) for number in raw.split("."))


def joined(numbers: Sequence[int]) -> str:
    """What `ids` reads as the same."""
    return ".".join(map(str, numbers))


def optional(write: Callable[[V], str]) -> Callable[[V | None], str | None]:
    """The same way to write for a value that may be None, the default, which no link holds."""
    return lambda value: None if value is None else write(value)


def matching(pattern: str) -> Callable[[str], str]:
    """A reader of texts that match a pattern from end to end."""

    def read(raw: str) -> str:
        if not re.fullmatch(pattern, raw):
            raise ValueError(raw)
        return raw

    return read


def among(*known: str) -> Callable[[str], str]:
    """A reader of one of these names."""

    def read(raw: str) -> str:
        if raw not in known:
            raise ValueError(raw)
        return raw

    return read
