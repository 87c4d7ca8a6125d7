"""What the page The encoder keeps in a link: the box that is looked into, by its name."""

from __future__ import annotations

from core.ui.session.links import Parameter, declare, matching

BOX = declare(Parameter("box", "", matching("[a-z0-9]{1,16}")))
