"""What all lessons keep in a link: how deep they look."""

from __future__ import annotations

from core.ui.session.links import Parameter, declare

DEPTHS = ("Idea", "Maths", "Code")


def _depth(raw: str) -> str:
    return DEPTHS[[name.lower() for name in DEPTHS].index(raw)]


DIAL = declare(Parameter("dial", DEPTHS[0], _depth, str.lower))
