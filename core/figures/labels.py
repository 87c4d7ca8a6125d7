"""Tokens of text made fit to be read beside a picture. Any character may come: these are hostile until escaped."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from html import escape

from core.trace import Tokens

LONGEST = 14  # characters of a label; a longer token loses its middle
NAMED = {"\n": "⏎", "\t": "⇥", " ": "␣", "\r": "␍", "\N{NO-BREAK SPACE}": "␣", "\u200b": "␣"}
DIRECTIONS = frozenset(
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)  # would reorder what stands beside them


def label(token: str, longest: int = LONGEST) -> str:
    """A token as one short line: outer space dropped, invisible characters shown by a sign, the middle of long ones cut."""
    text = token.strip(" ") or token
    if text and all(unicodedata.category(char) == "Cf" for char in text):
        text = f"U+{ord(text[0]):04X}"
    elif text and unicodedata.combining(text[0]):
        text = f"◌{text}"
    text = "".join(_visible(char) for char in text) or "∅"
    if len(text) > longest:
        tail = (longest - 1) // 2
        text = f"{text[: longest - 1 - tail]}…{text[-tail:]}"
    return text


def line(text: str, longest: int = 300) -> str:
    """A text of several words on one line, each made fit like a label; the end of a long one is cut, and that is shown."""
    said = " ".join(label(word, 48) for word in text.split())
    return said if len(said) <= longest else f"{said[: longest - 1]}…"


def labels(tokens: Tokens, longest: int = LONGEST) -> list[str]:
    """The labels of a text's tokens, in order."""
    return [label(token, longest) for token in tokens.text]


def joins(tokens: Tokens, place: int) -> bool:
    """Whether a token goes on the word of the one before it; special tokens stand alone."""
    before = place - 1
    return place > 0 and tokens.word[place] == tokens.word[before] and not (tokens.special[place] or tokens.special[before])


def short(text: str, longest: int) -> str:
    """A sentence as one line, its spaces kept as they are, its beginning cut where it is longer."""
    line = "".join(char if char == " " else _visible(char) for char in " ".join(text.split()))
    return line if len(line) <= longest else f"…{line[1 - longest:]}"


def plotly(text: str) -> str:
    """A label for Plotly, which reads a few tags and entities in every text it draws."""
    return escape(text, quote=False)


def percent(share: float) -> str:
    """A share of 1 as "42 %", kept on one line; one decimal near both ends; what is not 0 or 1 is never called so."""
    value = 100 * share
    if value == 0:
        said = "0"
    elif value < 0.1:
        said = "< 0.1"
    elif value < 9.95 or 99.5 <= value < 99.95:
        said = f"{value:.1f}"
    else:
        said = f"{value:.0f}" if value < 99.95 or share == 1 else "> 99.9"
    return f"{said} %".replace(" ", "\N{NO-BREAK SPACE}")


def three(value: float) -> str:
    """A measured number, 0 or more, in three significant digits: "1.23", "12.3", "231,000". Further ones would be the noise of
    float32."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if 100 <= rounded < math.inf else f"{rounded:.3g}"


def divergence(nats: float) -> str:
    """A Kullback–Leibler divergence, by one rule everywhere: "0" within the noise of float32, "< 0.001" where three decimals would
    not tell it from 0, else three decimals below 1 and three significant digits from 1 on."""
    if nats < 0.001:
        return "0" if nats < 5e-7 else "< 0.001"
    return f"{nats:.3f}" if nats < 0.9995 else f"{nats:#.3g}".rstrip(".")


def ratio_said(nats: float) -> str:
    """How many times likelier a difference of log-probability is: e to the |difference|, in three significant digits."""
    times = math.exp(min(abs(nats), 700.0))
    return f"{three(times)} times" if times < 1e6 else f"10 to the {abs(nats) / math.log(10):.0f} times"


def others(count: int, share: float) -> str:
    """What is left over beside a list of tokens: how many others there are, and their probability together; "" for none."""
    return f"All other {count:,} tokens together: {percent(max(0.0, share))}." if count > 0 else ""


def width_px(texts: Sequence[str], size: float) -> float:
    """About how wide the widest of these texts is, in px, at a font size in px: wide scripts count double."""
    return max((sum(1.0 if _wide(char) else 0.5 for char in text) for text in texts), default=0.0) * size


def _visible(char: str) -> str:
    if char in NAMED:
        return NAMED[char]
    if ord(char) < 0x20:
        return chr(0x2400 + ord(char))
    if unicodedata.category(char) in ("Cc", "Cs", "Co", "Cn") or char in DIRECTIONS:
        return "\N{REPLACEMENT CHARACTER}"
    return char


def _wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF" or ord(char) > 0x1F000
