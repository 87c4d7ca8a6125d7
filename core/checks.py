"""Numbers as they come from people and files, checked before they become part of a question."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from operator import index
from typing import Any

from core.errors import RequestError

LONGEST_TEXT = 1_000_000  # characters of a text, and ids of a list: more is refused before anything reads it


def between(name: str, value: Any, low: float, high: float, open_start: bool = False, open_end: bool = False) -> None:
    """Raise RequestError where a value is no real number from low to high. open_start and open_end exclude that limit itself;
    NaN is refused."""
    fine = isinstance(value, Real) and not isinstance(value, bool)
    fine = fine and (value > low if open_start else value >= low) and (value < high if open_end else value <= high)
    if not fine:
        raise RequestError(f"{name} between {low} and {high}", f"{value}")


def natural(value: Any) -> int | None:
    """The value as a plain int where it is a whole number from 0 (Python's or NumPy's), else None."""
    if type(value) is not int:
        try:
            value = None if isinstance(value, bool) else index(value)
        except TypeError:
            value = None
    return value if value is not None and value >= 0 else None


def naturals(values: Iterable[Any], name: str) -> tuple[int, ...]:
    """Whole numbers from 0 as a tuple of plain ints. Raises RequestError, which names `name`, where one value is something
    else or where `values` is no collection."""
    try:
        numbers = tuple(natural(value) for value in values)
    except TypeError:
        numbers = (None,)
    if None in numbers:
        raise RequestError(f"{name} as whole numbers from 0 up", f"{values!r}")
    return numbers  # type: ignore[return-value]
