"""The training text in tokens, made once for all models of one tokenizer that are measured in one go."""

from __future__ import annotations

from functools import lru_cache

from tokenizers import Tokenizer

from core.data import corpus
from core.model.vocabulary import END, Vocabulary


def training_ids(vocabulary: Vocabulary) -> list[list[int]]:
    """The English training text in a model's tokens, each sentence with its end."""
    return _ids(vocabulary.tokenizer.to_str())


@lru_cache(maxsize=1)
def _ids(tokenizer: str) -> list[list[int]]:
    return [[*ids, END] for ids in Vocabulary(Tokenizer.from_str(tokenizer)).encode_all(corpus.english())]
