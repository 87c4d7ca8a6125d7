"""What the page Self-attention by hand keeps in a link: its arrows, what is taken away from the recipe, the worksheet."""

from __future__ import annotations

from core.analysis.hand.broken_recipe import AS_TRAINED, read_recipe, write_recipe
from core.analysis.hand.plane import Plane, read_link, write_link
from core.ui.session.links import Parameter, counted, declare, optional

# the arrows; None as the lesson opens
PLANE = declare(Parameter[Plane | None]("plane", None, read_link, optional(write_link)))
RECIPE = declare(Parameter("recipe", AS_TRAINED, read_recipe, write_recipe, changes=True))
SHEET = declare(Parameter("sheet", 0, counted, lambda sheet: str(sheet + 1)))
