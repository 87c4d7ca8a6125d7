"""What is known of a mask without reading it. A tensor on a GPU can be read only after all work before it: so whoever makes a mask
marks it with what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Mark:
    """What a mask says where there is no padding. triangle: it is the plain causal one, as many queries as keys. draw: makes it
    again in the memory of the host, bool [query, key], True = may look."""

    triangle: bool
    draw: Callable[[], Tensor]


def mark(mask: Tensor, what: Mark) -> Tensor:
    """The same mask, marked. The mark lives on the tensor and goes with it."""
    cast("Any", mask).lookback_mark = what
    return mask


def mark_of(mask: Tensor) -> Mark | None:
    """The mark of a mask; None where nobody marked it, as where a family cuts its mask to size."""
    return getattr(mask, "lookback_mark", None)


def causal_mark(queries: int, start: int) -> Mark:
    """The mark of a mask that hides the future, whose first query stands at position `start`."""
    return Mark(start == 0, lambda: torch.ones(queries, start + queries, dtype=torch.bool, device="cpu").tril(start))


def open_mark(keys: int) -> Mark:
    """The mark of a mask that hides nothing but padding."""
    return Mark(False, lambda: torch.ones(1, keys, dtype=torch.bool, device="cpu"))
