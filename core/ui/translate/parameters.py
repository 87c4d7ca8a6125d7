"""What the page Translate keeps in a link: a target text to be read beside the model's own."""

from __future__ import annotations

from core.checks import LONGEST_TEXT
from core.ui.session.links import Parameter, declare, short_enough, text

TEACHER = declare(Parameter[str | None](
    "teacher", None, text, short_enough, forgotten_with=("model", "text"),
    longest=LONGEST_TEXT,
))  # fmt: skip
