"""A mask as a small file: saved here, read back here, anything else refused in words."""

from __future__ import annotations

import json

from core.errors import InputError, LensError, TooLongError
from core.request import MaskRule
from core.ui.session.rules import FILE, read_rules, readable, write_rules

LONGEST = FILE.characters  # bytes of a file, and characters of the rules in it: a mask too intricate for a link still fits


def write_file(rules: tuple[MaskRule, ...]) -> str:
    """What `read_file` turns into the same rules."""
    return json.dumps({"lookback": "mask", "mask": write_rules(rules)}, indent=1)


def fits_file(rules: tuple[MaskRule, ...]) -> bool:
    """Whether `read_file` reads what `write_file` makes of these rules."""
    return readable(rules, FILE) and len(write_file(rules)) <= LONGEST


def read_file(content: bytes) -> tuple[MaskRule, ...]:
    """The rules of a saved mask. Raises InputError for any other file, TooLongError for a mask larger than any that is saved."""
    if len(content) > LONGEST:
        expected = f"a mask saved by Lookback, of at most {LONGEST:,} bytes"
        raise TooLongError(expected, f"a file of {len(content):,} bytes", "Save one with “Save mask” first")
    try:
        said = json.loads(content.decode("utf-8"))
        if type(said) is not dict or said["lookback"] != "mask" or type(said["mask"]) is not str:
            raise ValueError
        return read_rules(said["mask"], FILE) if said["mask"] else ()
    except TooLongError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError, LensError):
        raise InputError("a mask saved by Lookback", "another file", "Save one with “Save mask” first") from None
