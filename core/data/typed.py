"""What a class would type (assets/data/typed.en.tsv): no training text may contain it, and it was chosen before any output."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from core.paths import DATA

TYPED = "typed.en.tsv"  # a line: kind, tab, text
KINDS = ("continue", "write", "fill", "translate", "everyday")  # the tasks of the models; everyday: for the translator, too
BEGINNINGS = ("continue", "write")  # kinds of which only the beginning is typed
BLANK = "<mask>"


@cache
def typed(kind: str, data: Path = DATA) -> tuple[str, ...]:
    """The texts of one of KINDS, in file order."""
    rows = (line.split("\t") for line in (data / TYPED).read_text("utf-8").splitlines())
    return tuple(text for name, text in rows if name == kind)


def key(english: str) -> str:
    """A key that is equal for two sentences which differ only in letter case, spaces or the final stop."""
    return " ".join(english.lower().split()).rstrip(" .?!")


def matching(kind: str, texts: Iterable[str]) -> re.Pattern[str]:
    """What the `key` of a sentence matches as a whole if it gives one of the texts away: the text itself; for BEGINNINGS whatever
    begins with it; for a text with a blank any one word in its place."""
    rest = "(?: .*)?" if kind in BEGINNINGS else ""
    words = (re.escape(key(text)).replace(re.escape(BLANK), "[^ ]+") + rest for text in texts)
    return re.compile("|".join(words))


def times(kind: str, texts: Iterable[str], keys: Iterable[str]) -> list[int]:
    """For each text, how many of the sentences, given by their `key`, give it away."""
    texts = list(texts)
    some = list(filter(matching(kind, texts).fullmatch, keys))  # one pass over all, then each text over these few
    return [sum(matching(kind, [text]).fullmatch(one) is not None for one in some) for text in texts]


def counted(kind: str, texts: Iterable[str], sentences: Iterable[str]) -> list[str]:
    """Each text with how many of the sentences give it away, in words for a card."""
    texts = list(texts)
    found = times(kind, texts, map(key, sentences))
    return [f"{text} ({n} in training)" for text, n in zip(texts, found, strict=True)]


@cache
def _any() -> re.Pattern[str]:
    return re.compile("|".join(matching(kind, typed(kind)).pattern for kind in KINDS))


def given_away(key: str) -> bool:
    """Whether the sentence with this `key` gives away any text that a class would type: it may not be trained on."""
    return _any().fullmatch(key) is not None
