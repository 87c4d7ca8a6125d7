"""Tokens of a text, what every id of a vocabulary says, and what a model expects at each position."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from core.brief import Brief

UNKNOWN = "⟨?⟩"  # an id that a vocabulary does not have


class Token(NamedTuple):
    """One candidate: its id, its text (leading space kept), its natural log-probability and its probability."""

    id: int
    text: str
    logprob: float
    probability: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as the model reads it. Each of the four fields has one entry for each token.

    ids: numbers in the vocabulary. text: each token decoded, leading space kept. word: index of the word that the token belongs
    to. special: True for tokens that are no text, such as the start, the end and padding.
    """

    ids: tuple[int, ...]
    text: tuple[str, ...]
    word: tuple[int, ...]
    special: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Predictions(Brief):
    """What the model expects at every position. logprob and entropy are in nats.

    top_ids int64 [position, k] and top_logprob float32 [position, k]: the k likeliest tokens. actual_logprob float32 [position]:
    that of the token which really stands next (a decoder) or here (an encoder), NaN where there is none. entropy float32
    [position].
    """

    top_ids: np.ndarray
    top_logprob: np.ndarray
    actual_logprob: np.ndarray
    entropy: np.ndarray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Texts(Brief):
    """Many texts as two arrays, for a file: the n-th one is the UTF-8 bytes before ends[n], from ends[n − 1] on.

    ends int64 [text]; letters uint8 [byte]. An empty array of letters with ends of 0 stands for empty texts.
    """

    ends: np.ndarray
    letters: np.ndarray

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """The arrays of these texts."""
        parts = [text.encode("utf-8", "surrogatepass") for text in texts]
        ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
        return cls(ends, np.frombuffer(b"".join(parts), dtype=np.uint8))

    @property
    def sound(self) -> bool:
        """Whether the ends lie in order within the letters. Arrays from a file may be anything."""
        steps = np.diff(self.ends, prepend=0, append=len(self.letters))
        return bool((steps >= 0).all()) and (len(self.ends) == 0 or int(self.ends[-1]) == len(self.letters))

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, n: int) -> str:
        start = int(self.ends[n - 1]) if n else 0
        return self.letters[start : int(self.ends[n])].tobytes().decode("utf-8", "replace")


class TokenTexts:
    """What each id says: called with an id, it gives its text.

    It asks the tokenizer, until it is pickled or saved: then it holds the texts of the whole vocabulary and needs none. It never
    changes, so copies are the object itself. ask: the text of one id. count: how many ids there are.
    """

    __slots__ = ("_ask", "_count", "_texts")

    def __init__(self, ask: Callable[[int], str], count: Callable[[], int]) -> None:
        self._ask, self._count = ask, count
        self._texts: Texts | None = None

    @classmethod
    def saved(cls, texts: Texts) -> TokenTexts:
        """The same from texts that were saved, in the order of the ids."""
        made = cls(lambda token: texts[token] if 0 <= token < len(texts) else UNKNOWN, lambda: len(texts))
        made._texts = texts
        return made

    @property
    def texts(self) -> Texts:
        """The texts of the whole vocabulary, read once."""
        if self._texts is None:
            self._texts = Texts.of(map(self._ask, range(self._count())))
        return self._texts

    def __call__(self, token: int) -> str:
        return self._ask(token)

    def __reduce__(self) -> tuple[Any, ...]:
        return TokenTexts.saved, (self.texts,)

    def __copy__(self) -> TokenTexts:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> TokenTexts:
        return self

    def __repr__(self) -> str:
        return f"TokenTexts({'from a tokenizer' if self._texts is None else f'{len(self._texts)} ids'})"
