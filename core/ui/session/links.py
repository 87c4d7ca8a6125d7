"""The table of what a link can hold. Each parameter is one row: how it is read and written, and which changes reset it.

Anyone can write a link, so every row reads strictly and raises a ValueError or a LensError for what it cannot read. The rows
that all pages share are in core/ui/session/state.py; the rows of one page are in parameters.py of its folder.
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
    """One row. A link leaves out a value that is the default, unless `always`.

    name: its name in a link and in `state.choose`. read: turns a link's text into a value; raises ValueError or LensError for a
    text without meaning. write: turns a value into a text that `read` turns into the same value; None where it does not fit a
    link. forgotten_with: the rows whose change sets this one back to its default, because it pointed at something that is gone.
    fit: changes a value so that it suits a model with these sites; gives the value, and a sentence where it changed.
    longest: the most characters of a typed value; a longer one is not kept, even if the model could take it.
    changes: the value asks for a change to the model, so that a model which is read only has none of it.
    """

    name: str
    default: T
    read: Callable[[str], T]
    write: Callable[[T], str | None] = str
    forgotten_with: tuple[str, ...] = ()
    always: bool = False
    fit: Callable[[T, tuple[Site, ...]], tuple[T, str]] | None = None
    longest: int | None = None
    changes: bool = False


ROWS: dict[str, Parameter[Any]] = {}  # filled while modules are imported, and only read after that


def declare(row: Parameter[V]) -> Parameter[V]:
    """Add a row to the table, and return it. Raises ValueError where another row has its name."""
    if ROWS.setdefault(row.name, row) is not row:
        raise ValueError(f"two parameters are called {row.name}")
    return row


# Readers that several rows share


def counted(raw: str) -> int:
    """A position of at most four digits, counted from 1 in the link and from 0 here."""
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
    """The text as it is written into a link; None where it is too long."""
    return text if text is not None and len(text) <= LINKED else None


def ids(raw: str) -> tuple[int, ...]:
    """Up to a hundred token ids with full stops between."""
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,7}){0,99}", raw):
        raise ValueError(raw)
    return tuple(int(number) for number in raw.split("."))


def joined(numbers: Sequence[int]) -> str:
    """Numbers as a text that `ids` reads."""
    return ".".join(map(str, numbers))


def optional(write: Callable[[V], str]) -> Callable[[V | None], str | None]:
    """A writer for values that may be None. None is the default, so no link holds it; other values are written by `write`."""
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
