"""What the page The decoder keeps in a link: the step and the box that are looked into."""

from __future__ import annotations

from core.ui.session.links import Parameter, counted, declare, optional

Spot = tuple[int, int]


def _spot(raw: str) -> Spot:
    step, box = raw.split(".")
    return counted(step), counted(box)


SPOT = declare(Parameter[Spot | None](
    "step", None, _spot, optional(lambda spot: f"{spot[0] + 1}.{spot[1] + 1}"), forgotten_with=("model", "text", "target"),
))  # fmt: skip
