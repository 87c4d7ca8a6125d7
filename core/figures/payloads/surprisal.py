"""What the surprisal picture draws: each token with the bits it cost two models, and what they expected instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.analysis.surprisal import Place, Verdict
from core.figures.labels import label, percent

CEILING = 12.0  # bits at which the colour of a word is darkest, and the least that the bars' axis shows


def bits_said(bits: float) -> str:
    """Bits in one decimal, two below 1."""
    return f"{bits:.2f}" if bits < 0.995 else f"{bits:.1f}"


def payload(places: Sequence[Place], names: tuple[str, str], given: str, version: str, focus: int) -> dict[str, Any]:
    """names: what the two models are called. given: why the first tokens cost nothing. focus: the place shown first."""
    bits = [v.bits for place in places for v in (place.ours, place.theirs) if v is not None and v.bits is not None]
    return {
        "tokens": [_token(place) for place in places], "names": list(names), "ceiling": CEILING,
        "reach": max(CEILING, *bits) if bits else CEILING, "given": given, "version": version, "focus": focus,
        "two": any(place.theirs is not None for place in places),
    }  # fmt: skip


def _token(place: Place) -> dict[str, Any]:
    return {
        "text": label(place.text, 18) if place.id is not None else "?", "next": place.id is None, "special": place.special,
        "joins": place.joins, "written": place.written, "counted": _counted(place),
        "ours": _verdict(place.ours, place), "theirs": _verdict(place.theirs, place),
    }  # fmt: skip


def _verdict(verdict: Verdict | None, place: Place) -> dict[str, Any] | None:
    if verdict is None:
        return None
    rows = [
        {
            "text": label(one.text, 18),
            "share": one.probability,
            "said": percent(one.probability),
            "here": one.id == place.id,
        }
        for one in verdict.top
    ]
    if verdict.probability is not None and not any(row["here"] for row in rows):
        rank = f"no. {verdict.rank:,}" if verdict.rank else f"below no. {verdict.kept:,}"
        rows[-1] = {
            "text": label(place.text, 18), "share": verdict.probability, "said": percent(verdict.probability), "here": True,
            "rank": rank,
        }  # fmt: skip
    bits = verdict.bits
    return {
        "bits": bits, "bitsSaid": "" if bits is None else bits_said(bits), "rows": rows,
        "said": "" if verdict.probability is None else percent(verdict.probability),
    }  # fmt: skip


def _counted(place: Place) -> str:
    """What the table of triples had counted here, in a sentence; "" where there is no table."""
    if (seen := place.counted) is None:
        return ""
    first, second = (label(text, 18) if text else "" for text in seen.before)
    if not second:
        start = f"In the training text {seen.together:,} sentences began"
        if place.id is None:
            return f"{start}, with {seen.kinds:,} different tokens."
        return f"{start}, {seen.followed:,} of them with “{label(place.text, 18)}”."
    pair = f"“{first}” “{second}” stood" if first else f"a sentence began with “{second}”"
    said = f"In the training text {pair} {seen.together:,} times"
    if not seen.together:
        return f"{said}: the table falls back on shorter memories."
    if place.id is None:
        return f"{said}, followed by {seen.kinds:,} different tokens."
    return f"{said}, followed {seen.followed:,} times by “{label(place.text, 18)}”."
