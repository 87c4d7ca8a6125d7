"""Of a pair of sentences A and B, the quarter of a head that is in view: which sentence looks at which."""

from __future__ import annotations

from html import escape

import numpy as np

from core.analysis import in_quarter, quarter_shares
from core.figures.labels import percent
from core.request import Stream
from core.ui.attention.parameters import QUARTER
from core.ui.running.focus import Focus


def quarter(it: Focus) -> str:
    """The quarter in view; "all" where nothing is hidden or nothing in view belongs to a pair."""
    return it.choice[QUARTER] if it.now.request.types is not None and it.stream is Stream.ENCODER else "all"


def inside(it: Focus) -> np.ndarray | None:
    """The cells of the quarter in view, bool [query, key]; None where all are."""
    name = quarter(it)
    return None if name == "all" else in_quarter(it.now.request.types or (), name)


def quarter_says(it: Focus) -> str:
    """What is shown of the head, and which share of its rows' weight that is; "" where all is."""
    name, cells = quarter(it), inside(it)
    if cells is None:
        return ""
    shares = quarter_shares(it.pattern, it.now.request.types or (), name)
    rows = np.any(cells, axis=1)
    mine = f", “<bdi>{escape(it.rows[it.query])}</bdi>” <b>{percent(float(shares[it.query]))}</b>" if rows[it.query] else ""
    looks, at = name[0].upper(), name[1].upper()
    return (
        f"<b>{looks}→{at}</b>: the rest is faded, no weight is changed. A row of {looks} gives {at} "
        f"<b>{percent(float(shares[rows].mean()))}</b> of its weight on average{mine}."
    )
