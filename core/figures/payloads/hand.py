"""What the drawing planes are given: arrows to drag, in whole tenths, or a real head as it is. Plain Python types only."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.analysis.hand.plane import FEWEST, MOST, REACH, SPARE, WORDS, Plane
from core.analysis.projection import Flat
from core.request import Stream


def payload(opened: Plane, now: Plane, version: str) -> dict[str, Any]:
    """opened: the plane that Reset goes back to; now: how it stands. A new version opens a new plane."""
    return {
        "version": version, "words": list(WORDS), "opened": state(opened), "now": state(now),
        "spare": [[part for arrow in three for part in arrow] for three in SPARE],
        "fewest": FEWEST, "most": MOST, "reach": REACH,
    }  # fmt: skip


def state(plane: Plane) -> dict[str, Any]:
    """A plane in the form that `core.analysis.hand.plane.read_plane` reads."""
    arrows = [[part for arrow in three for part in arrow] for three in plane.arrows]
    return {"chosen": plane.chosen, "causal": plane.causal, "arrows": arrows}


def real(flat: Flat, queries: list[str], keys: list[str], stream: Stream, chosen: int, version: str) -> dict[str, Any]:
    """A head in the plane beside what it really does; queries and keys are labels. reach: how far the two planes go."""

    def far(*parts: np.ndarray) -> float:
        return max(1.1 * max(float(np.abs(part).max()) for part in parts), 1e-3)

    return {
        "version": version, "queries": queries, "keys": keys, "stream": stream.value, "chosen": chosen,
        "q": flat.query.tolist(), "k": flat.key.tolist(), "v": flat.value.tolist(), "output": flat.output.tolist(),
        "score": flat.score.tolist(), "centred": flat.centred.tolist(), "weight": flat.weight.tolist(),
        "own": flat.true.tolist(), "may": flat.allowed.tolist(),
        "reach": [far(flat.query, flat.key), far(flat.value, flat.output)],
    }  # fmt: skip
