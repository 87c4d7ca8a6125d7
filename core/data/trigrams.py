"""The command that counts the training text and writes the trigram tables that ship: `python -m core.data.trigrams`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from core.data import corpus
from core.model.ngrams import Ngrams
from core.model.trigram import fingerprint, table
from core.model.vocabulary import END, START, Vocabulary
from core.paths import WEIGHTS

COUNTED = {"en": "classroom", "pt": "translator"}  # language → the model whose tokens were counted


def sentences(language: str) -> list[str]:
    """The training text, which `core.evaluation` counts for the cards, too."""
    return corpus.english("train") if language == "en" else [pt for _, pt in corpus.pairs("train")]


def lines(texts: Sequence[str], vocabulary: Vocabulary) -> Iterator[list[int]]:
    """Each text as ids with the end token."""
    return ([*ids, END] for ids in vocabulary.encode_all(texts))


def write(path: Path, rows: Iterable[Sequence[int]], size: int, vocabulary: bytes, count: int) -> int:
    """Count the rows and write the table. Equal rows give equal bytes. vocabulary: its fingerprint. Gives the size in bytes."""
    counts = Ngrams(rows, size, START).counts[2]
    grams = np.array(sorted(counts), dtype=np.int64)
    often = np.array([counts[tuple(gram)] for gram in grams.tolist()], dtype=np.int64)
    columns = dict(zip(("first", "second", "third"), grams.T.astype(np.uint16), strict=True))
    np.savez_compressed(
        path, **columns, count=often.astype(np.uint32), size=np.int64(size), sentences=np.int64(count),
        pieces=np.frombuffer(vocabulary, dtype=np.uint8),
    )  # fmt: skip
    return path.stat().st_size


def main() -> None:
    argparse.ArgumentParser(prog="python -m core.data.trigrams", description=__doc__).parse_args()
    for language, model in COUNTED.items():
        vocabulary = Vocabulary.load(WEIGHTS / model / "tokenizer.json")
        texts = sentences(language)
        rows = list(lines(texts, vocabulary))
        made = write(table(language), rows, len(vocabulary), fingerprint(model), len(texts))
        print(f"{table(language).name}: {len(texts)} sentences, {sum(map(len, rows))} tokens, {made} bytes")


if __name__ == "__main__":
    main()
