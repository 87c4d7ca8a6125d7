"""Probabilities as bars with their numbers beside them; where something was changed, a tick shows what it was before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import altair as alt

from core.figures.labels import label, line, percent
from core.figures.theme import SANS, Theme

STEP = 21  # px a row
NAME = 26  # characters of a name of several words


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: what it is called, its share of 1, and its share before the change (None: nothing changed). words: its name is of
    several words, and no token."""

    name: str
    share: float
    before: float | None = None
    words: bool = False

    @property
    def label(self) -> str:
        """The name as one short line."""
        return line(self.name, NAME) if self.words else label(self.name)


def bars(rows: Sequence[Bar], accent: str, theme: Theme, chosen: int = 0) -> dict[str, Any]:
    """Horizontal bars in the order given, as a Vega-Lite spec; the chosen one bold and in the accent, the others grey.

    Each row of its data holds place, name, share, said, before and was.
    """
    changed = any(row.before is not None for row in rows)
    values = [
        {
            "place": place,
            "name": row.label,
            "share": row.share,
            "said": percent(row.share),
            "before": row.before,
            "was": "" if row.before is None else f"was {percent(row.before)}",
            "chosen": place == chosen,
        }
        for place, row in enumerate(rows)
    ]
    return {**_drawing(accent, theme, changed), "height": STEP * max(1, len(rows)), "data": {"values": values}}


@lru_cache(maxsize=32)
def _drawing(accent: str, theme: Theme, changed: bool) -> dict[str, Any]:
    """How the bars are drawn, without their data: building this with Altair takes longer than all the rest of a click."""
    # the numbers stand right of the longest bar; with a change they are two columns, so that a tick cannot cut them
    room = alt.ExprRef(f"max(20, width - {126 if changed else 52})")
    across = alt.Scale(zero=True, nice=False, range=[0, room])
    place = alt.Y("place:O", axis=None, scale=alt.Scale(paddingInner=0.35, paddingOuter=0.15))
    share = alt.X("share:Q", scale=across, axis=None)
    edge = alt.value("width")
    base = alt.Chart()
    shade = alt.condition("datum.chosen", alt.value(accent), alt.value(theme.fade))
    layers = [base.mark_bar(height={"band": 1}).encode(y=place, x=share, color=shade)]
    if changed:
        tick = base.mark_tick(thickness=2, height=20, color=theme.ink)
        layers.append(tick.encode(y=place, x=alt.X("before:Q", scale=across, axis=None)))
        was = base.mark_text(align="right", fontSize=13, color=theme.ink2)
        layers.append(was.encode(y=place, x=edge, text="was:N"))
    for test, weight, ink in (("datum.chosen", "bold", theme.ink), ("!datum.chosen", "normal", theme.ink2)):
        part = base.transform_filter(test)
        name = part.mark_text(align="right", dx=-8, fontSize=14, fontWeight=weight, color=theme.ink)
        layers.append(name.encode(y=place, x=alt.value(0), text="name:N"))
        side = {"align": "right", "dx": -78} if changed else {"align": "left", "dx": 8}
        said = part.mark_text(fontSize=14, fontWeight=weight, color=ink, **side)
        layers.append(said.encode(y=place, x=edge if changed else share, text="said:N"))
    chart = (
        alt.layer(*layers)
        .properties(
            background="transparent",
            padding={"left": 0, "top": 0, "right": 4, "bottom": 0},
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        )
        .configure_view(stroke=None)
        .configure_text(font=SANS)
        .configure_axis(grid=False, domain=False)
    )
    return chart.to_dict(context={"data": None})


def describe(rows: Sequence[Bar], title: str) -> str:
    """The bars in one sentence, for those who do not see them."""
    said = ", ".join(
        f"{row.label} {percent(row.share)}" + ("" if row.before is None else f" (was {percent(row.before)})")
        for row in rows
    )
    return f"{title}: {said}."
