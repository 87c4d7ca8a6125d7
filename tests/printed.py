"""Numbers as a text prints them, compared as numbers: one that lies between two roundings may be printed as either."""

import math
import re
from html import unescape

NUMBER = r"[-−]?\d[\d,]*(?:\.\d+)?"


def numbers(text: str, then: str = "") -> list[float]:
    """Every number of a text, or those that are followed by `then`."""
    return [_value(said) for said in _said(text, then)]


def shows(text: str, value: float, decimals: int, then: str = "") -> bool:
    """Whether a text prints a number, rounded to so many decimals, followed by `then`."""
    printed = (said for said in _said(text, then) if _decimals(said) == decimals)
    return any(abs(_value(said) - value) <= 0.51 * 10**-decimals for said in printed)


def shows_share(text: str, share: float, then: str = "") -> bool:
    """Whether a text prints a share of 1 as a percentage: "42 %", "4.2 %", "< 0.1 %", followed by `then`."""
    for sign, said in re.findall(rf"(?:([<>])\s)?({NUMBER})\s%{re.escape(then)}", unescape(text)):
        over = 100 * share - _value(said)
        if (sign == "<" and over < 0) or (sign == ">" and over > 0):
            return True
        if not sign and abs(over) <= 0.51 * 10 ** -_decimals(said):
            return True
    return False


def shows_ratio(text: str, nats: float) -> bool:
    """Whether a text prints e to the |nats|, to three digits: "12.3 times", or as a power: "10 to the 12 times"."""
    powers = [math.log(10) * _value(said) for said in re.findall(rf"10 to the ({NUMBER}) times", text)]
    plain = [math.log(number) for number in numbers(text, " times") if number > 0]
    return any(abs(power - abs(nats)) <= 0.51 * math.log(10) for power in powers) or any(
        abs(one - abs(nats)) <= 0.006 for one in plain
    )


def _said(text: str, then: str) -> list[str]:
    return re.findall(rf"({NUMBER}){re.escape(then)}", text.replace("{,}", ",").replace("\N{NO-BREAK SPACE}", " "))


def _value(said: str) -> float:
    return float(said.replace("−", "-").replace(",", ""))


def _decimals(said: str) -> int:
    return len(said.partition(".")[2])
