"""What the drawing plane is given: tokens as arrows to drag, in whole tenths. Plain Python types only."""

from __future__ import annotations

from typing import Any

from core.analysis.plane import FEWEST, MOST, REACH, SPARE, WORDS, Plane


def payload(opened: Plane, now: Plane, version: str) -> dict[str, Any]:
    """opened: the plane that Reset goes back to; now: how it stands. A new version opens a new plane."""
    return {
        "version": version, "words": list(WORDS), "opened": state(opened), "now": state(now),
        "spare": [[part for arrow in three for part in arrow] for three in SPARE],
        "fewest": FEWEST, "most": MOST, "reach": REACH,
    }  # fmt: skip


def state(plane: Plane) -> dict[str, Any]:
    """A plane in the form that `core.analysis.plane.read_plane` reads."""
    arrows = [[part for arrow in three for part in arrow] for three in plane.arrows]
    return {"chosen": plane.chosen, "causal": plane.causal, "arrows": arrows}
