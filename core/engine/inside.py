"""What `inner` and `account` share: which lenses can be looked into, and how their values are kept."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from core.engine.lens import Lens
from core.engine.ours import OurBackend
from core.engine.probe import as_array
from core.errors import UnsupportedModelError
from core.model.transformer import Transformer

FOREIGN = "whose inside belongs to another library"


def ours(lens: Lens) -> Transformer | None:
    """The transformer of a lens where it is one of our own."""
    return lens.backend.model if isinstance(lens.backend, OurBackend) else None


def admitted(lens: Lens, reason: str, wanted: str, instead: str) -> Transformer:
    """The transformer of a lens that may be looked into. Raises UnsupportedModelError where there is a reason why not."""
    model = ours(lens)
    if reason or model is None:
        raise UnsupportedModelError(wanted, f"{lens.info.name}, {reason or FOREIGN}", f"Choose {instead}")
    return model


def kept(values: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Values by name as read-only float32 arrays of the same shapes, each holding its own memory."""
    return {name: as_array(value, copy=True) for name, value in values.items()}
