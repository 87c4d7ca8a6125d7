"""How a text falls into tokens, step by step: the merges of byte-pair encoding replayed, and what other tokenizers do instead."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from core.engine.text import _BYTES, Text, _bytes_of

LONGEST = 2_000  # characters that are replayed: what a word goes through grows with the square of its length
KINDS = {"BPE": "bpe", "WordPiece": "wordpiece", "Unigram": "unigram", "WordLevel": "words"}


@dataclass(frozen=True, slots=True)
class Split:
    """One word on its way to tokens. steps[0] are its single characters or bytes, the last step its tokens, each shown as
    text; ranks has one entry a merge: which of the learnt merges it was, from 1 on (a small one was learnt early)."""

    word: str
    steps: tuple[tuple[str, ...], ...]
    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Splitting:
    """kind: "bpe", "wordpiece", "unigram", "words" or "other". words are the splits, where the kind has merges; known is how
    many merges the tokenizer has learnt."""

    kind: str
    words: tuple[Split, ...] = ()
    known: int = 0


def merge_steps(
    symbols: Sequence[str], ranks: Mapping[tuple[str, str], int]
) -> tuple[list[tuple[str, ...]], list[int]]:
    """Byte-pair encoding of one word (Sennrich et al. 2016): the pair that was learnt first is merged, wherever it comes first
    in the word, until none is left. Gives every state of the word, and each merge's rank."""
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
    """The words of a text on their way to tokens; only those are given whose last state is what the tokenizer itself makes."""
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
    """The bytes that a token stands for, UTF-8 where the tokenizer knows only characters; b"" for special tokens."""
    if text is None or token in text.specials:
        return b""
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
    return _bytes_of(symbols).replace("▁", " ")


@lru_cache(maxsize=4)
def _ranks(held: str) -> tuple[dict[tuple[str, str], int], bool]:
    """Which merge comes when, and whether words in the vocabulary are taken whole."""
    model = json.loads(held)["model"]
    pairs = [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in model.get("merges", [])]
    return {(pair[0], pair[1]): rank for rank, pair in enumerate(pairs)}, bool(model.get("ignore_merges"))
