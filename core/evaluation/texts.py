"""The texts that models are measured with, read once for all models that are measured in one go."""

from __future__ import annotations

from functools import cache, lru_cache

from tokenizers import Tokenizer

from core.data import corpus
from core.model.vocabulary import END, Vocabulary


@cache
def training() -> tuple[str, ...]:
    """The English that models were trained on."""
    return tuple(corpus.english("train"))


@cache
def training_sources() -> tuple[str, ...]:
    """The English side of the pairs that translators were trained on."""
    return tuple(english for english, _ in corpus.pairs("train"))


@cache
def held_out() -> dict[str, tuple[str, ...]]:
    """The held-out English of each source."""
    return {name: tuple(texts) for name, texts in corpus.english_by_source("held-out").items()}


def training_ids(vocabulary: Vocabulary) -> list[list[int]]:
    """The English training text in a model's tokens, each sentence with its end."""
    return _ids(vocabulary.tokenizer.to_str())


@lru_cache(maxsize=1)
def _ids(tokenizer: str) -> list[list[int]]:
    return [[*ids, END] for ids in Vocabulary(Tokenizer.from_str(tokenizer)).encode_all(training())]
