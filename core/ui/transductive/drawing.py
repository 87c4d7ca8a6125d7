"""Points to label by clicking: one canvas component, given bytes, giving back one small message for each changed label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from core.figures.payloads.board import read_signs
from core.ui.kit.component import component
from core.ui.kit.turns import turns

KEY = "labels"


def read_labelled(raw: Any, version: str, points: int, classes: int) -> np.ndarray | None:
    """What a browser sent, as labels int [n]; None for anything else, whatever it is."""
    if type(raw) is not dict or set(raw) != {"version", "labels"} or raw["version"] != version:
        return None
    labels = raw["labels"]
    if type(labels) is not str or len(labels) != points:
        return None
    try:
        return read_signs(labels, classes)
    except ValueError:
        return None


def labelling(
    data: bytes, version: str, points: int, classes: int, on_label: Callable[[np.ndarray], Any], key: str = KEY
) -> None:
    """Show what core.figures.payloads.board packed. version names the points: a message about others is ignored.

    on_label gives what the board holds from now on, as its turns (core.ui.kit.turns) were told; None where nothing was taken.
    """

    def labelled(message: dict[str, Any]) -> Any:
        made = read_labelled(message, version, points, classes)
        return None if made is None else on_label(made)

    _board(key=key, data=data, on_labelled_change=turns(key).hears("labelled", labelled))


_board = component("board")
