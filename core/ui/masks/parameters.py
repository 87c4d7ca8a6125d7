"""What the page Masks keeps in a link: the widths of masks in the gallery, where they are not the usual ones."""

from __future__ import annotations

import re

from core.masks import MASKS
from core.ui.session.links import Parameter, declare

Widths = tuple[tuple[str, int], ...]


def _widths(raw: str) -> Widths:
    """“window4.block5”."""
    found = tuple(re.fullmatch(r"([a-z]+)([1-9][0-9]{0,2})", part) for part in raw.split("."))
    widths = {one[1]: int(one[2]) for one in found if one and one[1] in MASKS and MASKS[one[1]].needs_width}
    if len(widths) < len(found):
        raise ValueError(raw)
    return tuple(sorted(widths.items()))


WIDTHS = declare(Parameter[Widths]("widths", (), _widths, lambda widths: ".".join(f"{name}{width}" for name, width in widths)))
