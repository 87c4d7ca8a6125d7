"""How values full of arrays print: the form of each array in place of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np


class Brief:
    """A dataclass whose arrays print as "float32 [4, 9, 8]" and whose collections of arrays print as how many there are.

    Such a dataclass is made with repr=False. Fields that hold nothing are left out.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        told = ((part.name, _form(getattr(self, part.name))) for part in fields(self) if part.repr)  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(f'{name}={form}' for name, form in told if form)})"


def _form(value: Any) -> str:
    """A value in few words; "" for one that holds nothing."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {list(value.shape)}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(map(str, value))}}}" if value else ""
    if isinstance(value, (tuple, list)) and any(isinstance(one, (np.ndarray, Mapping)) for one in value):
        return f"{len(value)} × {_form(value[0])}"
    if hasattr(type(value), "__len__") and not isinstance(value, (str, tuple)):
        return f"{len(value)} {type(value).__name__.lower()}"
    return "" if value is None or value == () else repr(value)
