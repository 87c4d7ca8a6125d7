"""What a device keeps, tried with the CPU in its place: the same lens, whose passes capture as they do on a GPU."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from core.engine.device.boxes import Store
from core.engine.lens import Lens


@pytest.fixture(scope="session")
def there_of(lens_of: Callable[[str], Lens]) -> Callable[..., Lens]:
    """The lens on a tiny model that keeps what it captures in boxes: there_of("t5"), there_of("t5", budget=0)."""

    def kept(name: str, budget: int | None = None) -> Lens:
        lens = copy.copy(lens_of(name))
        lens.store = Store(budget)
        return lens

    return kept
