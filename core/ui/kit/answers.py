"""Numbers as people write them in an answer: with a comma or a point, a percent sign, a fraction, a unit behind."""

from __future__ import annotations

import re

MINUS = dict.fromkeys(map(ord, "−–"), "-")
MARKS = {ord("٫"): ".", ord("٬"): ",", ord("٪"): "%", ord("،"): ","}
DIGITS = r"\d+(?:[.,]\d+)*|[.,]\d+"
WRITTEN = re.compile(rf"[≈~=]?\s*([+-]?)\s*({DIGITS})(?:\s*/\s*({DIGITS}))?\s*(%?)")


def readings(written: str, unit: str = "") -> tuple[float, ...]:
    """What a written answer may mean as a number; empty where it is none.

    A comma is a decimal mark or parts thousands, and where both are possible ("1,000") both are meant. "25 %" is 25 where the
    answer is wanted in percent, else 0.25; where it is, a share written as 0.25 is 25 too.
    """
    text = " ".join(written.translate({**MINUS, **MARKS}).split())
    text = re.sub(r"(?<=\d) (?=\d{3}(?!\d))", "", text)
    text = text.removesuffix(unit).rstrip() if unit and unit != "%" else text
    found = WRITTEN.fullmatch(text)
    if found is None:
        return ()
    sign, above, below, percent = found.groups()
    sign = -1.0 if sign == "-" else 1.0
    parts = [1.0] if below is None else [one for one in _numbers(below) if one]
    values = [sign * one / part for one in _numbers(above) for part in parts]
    if percent and unit != "%":
        values = [one / 100 for one in values]
    elif unit == "%" and not percent:
        values += [100 * one for one in values if abs(one) <= 1]
    return tuple(dict.fromkeys(values))


def _numbers(digits: str) -> list[float]:
    """What digits with points and commas in them may mean."""
    found = re.fullmatch(r"(.*)([.,])(\d*)", digits)
    if found is None:
        return [float(digits)]
    before, mark, after = found.groups()
    other = re.escape("," if mark == "." else ".")
    meant = []
    if re.fullmatch(rf"\d*|\d{{1,3}}({other}\d{{3}})+", before):
        meant.append(float(f"{re.sub('[.,]', '', before)}.{after}"))
    if re.fullmatch(r"\d{1,3}(,\d{3})+|\d{1,3}(\.\d{3}){2,}", digits):
        meant.append(float(re.sub("[.,]", "", digits)))
    return meant
