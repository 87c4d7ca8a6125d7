"""What the model's menu says of the loaded model: how it was checked, and what it cannot do."""

from __future__ import annotations

from math import floor, log10

from core.engine.backend import LensInfo, Verified

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def facts(info: LensInfo) -> list[str]:
    """Sentences on a loaded model, the check first; none for our own models."""
    reason = [info.reason] if info.reason else []
    return reason + ([] if info.verified is None else _checked(info.verified)) + list(info.narrowed)


def _checked(found: Verified) -> list[str]:
    named = (("attention weights", found.patterns), ("logits", found.logits))
    gaps = [f"{small(gap)} in {name}" for name, gap in named if gap is not None]
    if not gaps:
        return []
    tried = [f"texts of {found.lengths[0]} to {found.lengths[-1]} tokens"]
    tried += [f"{found.steps} steps of writing"] * bool(found.steps) + ["texts side by side"] * found.batched
    return [
        f"Checked against the model’s own code: largest difference {', '.join(gaps)}.",
        f"Tried: {', '.join(tried)}.",
    ]


def small(number: float) -> str:
    """A number as a digit and a power of ten, such as 3·10⁻⁷; 0 as it is."""
    if number == 0:
        return "0"
    power = floor(log10(number))
    digit = round(number / 10.0**power)
    digit, power = (1, power + 1) if digit == 10 else (digit, power)
    return f"{digit}·10{str(power).translate(RAISED)}"
