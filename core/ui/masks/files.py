"""A mask as a small file: saved here, read back here, anything else refused in words."""

from __future__ import annotations

import json

from core.errors import InputError, LensError
from core.request import MaskRule
from core.ui.session.rules import read_rules, write_rules

LONGEST = 400_000  # bytes of a file, and characters of the rules in it: a mask too intricate for a link still fits


def write_file(rules: tuple[MaskRule, ...]) -> str:
    """What `read_file` turns into the same rules."""
    return json.dumps({"lookback": "mask", "mask": write_rules(rules)}, indent=1)


def read_file(content: bytes) -> tuple[MaskRule, ...]:
    """The rules of a saved mask. Raises InputError for any other file."""
    try:
        said = json.loads(content.decode("utf-8")) if len(content) <= LONGEST else None
        if type(said) is not dict or said["lookback"] != "mask" or type(said["mask"]) is not str:
            raise ValueError
        return read_rules(said["mask"], LONGEST) if said["mask"] else ()
    except (ValueError, KeyError, TypeError, RecursionError, LensError):
        raise InputError("a mask saved by Lookback", "another file", "Save one with “Save mask” first") from None
