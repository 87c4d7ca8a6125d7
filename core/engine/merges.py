"""How a text is split into tokens, step by step: the merges of byte-pair encoding, and the names of other methods."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from core.engine.text import _BYTES, Text, bytes_of

LONGEST = 2_000  # characters of a text that we split: the steps of a word grow with the square of its length
KINDS = {"BPE": "bpe", "WordPiece": "wordpiece", "Unigram": "unigram", "WordLevel": "words"}


@dataclass(frozen=True, slots=True)
class Split:
    """How one word becomes tokens. steps[0] holds its single characters or bytes, the last step its tokens, each as text.

    ranks: for each merge its number among the learnt merges, from 1; a small number was learnt early.
    """

    word: str
    steps: tuple[tuple[str, ...], ...]
    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Splitting:
    """How a text is split. kind: "bpe", "wordpiece", "unigram", "words" or "other". words: the split of each word, where the
    kind has merges. known: how many merges the tokenizer has learnt."""

    kind: str
    words: tuple[Split, ...] = ()
    known: int = 0


def merge_steps(
    symbols: Sequence[str], ranks: Mapping[tuple[str, str], int]
) -> tuple[list[tuple[str, ...]], list[int]]:
    """Byte-pair encoding of one word (Sennrich et al. 2016). Each step merges the pair that was learnt first, at its first place
    in the word, until no learnt pair is left. Gives every state of the word, and the rank of each merge."""
    parts = tuple(symbols)
    states: list[tuple[str, ...]] = [parts]
    used: list[int] = []
    while True:
        pairs = [(ranks[pair], place) for place, pair in enumerate(pairwise(parts)) if pair in ranks]
        if not pairs:
            return states, used
        rank, place = min(pairs)
        parts = (*parts[:place], parts[place] + parts[place + 1], *parts[place + 2 :])
        states.append(parts)
        used.append(rank)


def splitting(text: Text | None, written: str) -> Splitting:
    """How each word of a text becomes tokens. A word is left out where our steps do not end in the tokenizer's own tokens."""
    backend = _backend(text)
    if backend is None:
        return Splitting("other")
    kind = KINDS.get(type(backend.model).__name__, "other")
    if kind != "bpe":
        return Splitting(kind)
    ranks, whole = _ranks(backend.to_str())
    if backend.normalizer is not None:
        written = backend.normalizer.normalize_str(written)
    words = [written] if backend.pre_tokenizer is None else [
        word for word, _ in backend.pre_tokenizer.pre_tokenize_str(written)
    ]  # fmt: skip
    found = []
    for word in words:
        taken = whole and backend.token_to_id(word) is not None
        states, used = merge_steps((word,) if taken else tuple(word), ranks)
        own = tuple(token.value for token in backend.model.tokenize(word))
        if states[-1] == own:
            found.append(
                Split(
                    _shown(word), tuple(tuple(map(_shown, state)) for state in states), tuple(rank + 1 for rank in used)
                )
            )
    return Splitting("bpe", tuple(found), len(ranks))


def raw(text: Text | None, token: int) -> bytes:
    """The bytes that a token stands for; b"" for special tokens. Where the tokenizer works on characters, they are UTF-8."""
    if text is None or token in text.specials:
        return b""
    if token in getattr(text, "added", {}):  # it stands there as it is written, and not in the alphabet of bytes
        return text.token_text(token).encode("utf-8", "replace")
    backend = _backend(text)
    name = None if backend is None else backend.id_to_token(int(token))
    if (
        name is not None
        and "ByteLevel" in f"{backend.pre_tokenizer} {backend.decoder}"
        and all(c in _BYTES for c in name)
    ):
        return bytes(_BYTES[character] for character in name)
    if name is not None and re.fullmatch(r"<0x[0-9A-F]{2}>", name):
        return bytes.fromhex(name[3:5])
    return text.token_text(token).encode("utf-8", "replace")


def _backend(text: Any) -> Any:
    found = getattr(text, "backend", None) or getattr(text, "tokenizer", None)
    return found if hasattr(found, "to_str") and hasattr(found, "model") else None


def _shown(symbols: str) -> str:
    return bytes_of(symbols).replace("▁", " ")


@lru_cache(maxsize=4)
def _ranks(held: str) -> tuple[dict[tuple[str, str], int], bool]:
    """The rank of each merge, and whether a word that is in the vocabulary becomes one token without merges."""
    model = json.loads(held)["model"]
    pairs = [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in model.get("merges", [])]
    return {(pair[0], pair[1]): rank for rank, pair in enumerate(pairs)}, bool(model.get("ignore_merges"))
