"""From texts to examples to batches: sentences are cut, paired, repeated or masked for each task, and grouped by length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from core.model.vocabulary import END, MASK, PAD, SPECIALS, START, Vocabulary

Ids = list[int]
Example = tuple[Ids, Ids]  # source without </s>, target without <s> and </s>
Epoch = Callable[[int], list[Example]]  # the examples of the n-th pass over the data


def vary(text: str, rng: np.random.Generator) -> str:
    """The text; in one case of four with a capital at the start, a full stop at the end, or both, as people also type."""
    if rng.random() < 0.25:
        how = rng.integers(3)
        if how != 0:
            text = text[:1].upper() + text[1:]
        if how != 1 and text[-1:].isalnum():
            text += "."
    return text


def split(text: str, rng: np.random.Generator) -> tuple[str, str]:
    """Cut a text at a random word boundary. One in 20 is cut after its last word: so a model learns to add nothing to a whole
    sentence."""
    words = text.split(" ")
    at = len(words) if len(words) < 2 or rng.random() < 0.05 else int(rng.integers(1, len(words)))
    return " ".join(words[:at]), " ".join(words[at:])


def continuations(texts: Sequence[str], vocabulary: Vocabulary, seed: int, limit: int, plain: bool = False) -> Epoch:
    """Each text once per epoch, cut at another place each time. plain: the text as it is written, and never cut after its last
    word."""

    def epoch(n: int) -> list[Example]:
        rng = np.random.default_rng([seed, n])
        halves = [split(text if plain else vary(text, rng), rng) for text in texts]
        return encoded(halves, vocabulary, limit, nonempty=plain)

    return epoch


def translations(pairs: Sequence[tuple[str, str]], vocabulary: Vocabulary, limit: int) -> Epoch:
    """Each pair once per epoch."""
    examples = encoded(pairs, vocabulary, limit)
    return lambda n: examples


def writings(texts: Sequence[str], vocabulary: Vocabulary, seed: int, limit: int, again: float = 0.0) -> Epoch:
    """Each text once per epoch, to be written from its first word on. again: the share of examples that are a text, another
    text, and the first text again: only repetition teaches a decoder to look for what followed a token the last time."""

    def epoch(n: int) -> list[Example]:
        rng = np.random.default_rng([seed, n])
        said = [vary(text, rng) for text in texts]
        twice, other = rng.random(len(said)) < again, rng.integers(len(said), size=len(said))
        lines = [f"{t} {said[j]} {t}" if double else t for t, double, j in zip(said, twice, other, strict=True)]
        return [([], ids) for ids in vocabulary.encode_all(lines) if 0 < len(ids) < limit]

    return epoch


def fillings(texts: Sequence[str], vocabulary: Vocabulary, seed: int, limit: int, hidden: float) -> Epoch:
    """Each text once per epoch as (what is shown, what is wanted). hidden: the share of tokens that are wanted; elsewhere stands
    PAD. Of ten wanted tokens, eight are shown as the mask, one as a random token, one unchanged (Devlin et al. 2019, §3.1)."""

    def epoch(n: int) -> list[Example]:
        rng = np.random.default_rng([seed, n])
        found: list[Example] = []
        for ids in vocabulary.encode_all([vary(text, rng) for text in texts]):
            if not 0 < len(ids) < limit:
                continue
            asked = rng.random(len(ids)) < hidden
            asked[rng.integers(len(ids))] = True
            how, any_token = rng.random(len(ids)), rng.integers(len(SPECIALS), len(vocabulary), size=len(ids))
            shown = np.where(how < 0.8, MASK, np.where(how < 0.9, any_token, ids))
            found.append((np.where(asked, shown, ids).tolist(), np.where(asked, ids, PAD).tolist()))
        return found

    return epoch


def encoded(
    pairs: Sequence[tuple[str, str]], vocabulary: Vocabulary, limit: int, nonempty: bool = False
) -> list[Example]:
    """The pairs as ids. A pair with more than `limit` tokens, special tokens included, is left out."""
    sources = vocabulary.encode_all([source for source, _ in pairs])
    targets = vocabulary.encode_all([target for _, target in pairs])
    return [
        (source, target)
        for source, target in zip(sources, targets, strict=True)
        if source and len(source) < limit and len(target) < limit and (target or not nonempty)
    ]


def batches(examples: Sequence[Example], tokens: int, rng: np.random.Generator, pool: int = 8192) -> list[list[int]]:
    """Indices into `examples`, in batches of similar length. A batch holds at most `tokens` tokens, padding included."""
    order = rng.permutation(len(examples))
    result: list[list[int]] = []
    for begin in range(0, len(order), pool):
        lengths = [(len(examples[i][1]), len(examples[i][0]), int(i)) for i in order[begin : begin + pool]]
        groups: list[list[int]] = []
        width = [0, 0]
        for target, source, i in sorted(lengths, key=lambda row: row[:2]):
            wider = [max(width[0], target + 1), max(width[1], source + 1)]
            if not groups or sum(wider) * (len(groups[-1]) + 1) > tokens:
                groups.append([])
                wider = [target + 1, source + 1]
            groups[-1].append(i)
            width = wider
        result += [groups[i] for i in rng.permutation(len(groups))]
    return result


def padded(rows: Sequence[Ids]) -> Tensor:
    """The rows as one tensor [row, position], padded at the end."""
    width = max(map(len, rows))
    return torch.tensor([row + [PAD] * (width - len(row)) for row in rows])


def collate(examples: Sequence[Example], source_end: bool) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of three tensors [row, position]: the source, what the decoder is given, and what it should predict, which is the
    same shifted by one position."""
    source = padded([ids + [END] * source_end for ids, _ in examples])
    return source, padded([[START, *ids] for _, ids in examples]), padded([[*ids, END] for _, ids in examples])


class Feeding(Protocol):
    """Something that gives a run its batches. `place` gives plain JSON, with which `go_to` returns to the same batch."""

    @property
    def epoch(self) -> int: ...

    def next_batch(self) -> list[Example]: ...

    def place(self) -> dict[str, Any]: ...

    def go_to(self, place: Mapping[str, Any]) -> None: ...


class Feed:
    """The batches of one task, one pass over the data after another. Two numbers say how far it is, so that a run can continue."""

    def __init__(self, examples: Epoch, tokens: int, seed: int) -> None:
        self.examples, self.tokens, self.seed = examples, tokens, seed
        self.epoch = self.used = 0  # the pass, and how many of its batches were given
        self.ahead: Iterator[list[Example]] | None = None

    def next_batch(self) -> list[Example]:
        """The next batch. It is the same whether or not the run was stopped before."""
        while True:
            if self.ahead is None:
                examples = self.examples(self.epoch)
                groups = batches(examples, self.tokens, np.random.default_rng([self.seed, self.epoch, 1]))
                self.ahead = iter([[examples[i] for i in group] for group in groups[self.used :]])
            batch = next(self.ahead, None)
            if batch is not None:
                self.used += 1
                return batch
            self.epoch, self.used, self.ahead = self.epoch + 1, 0, None

    def place(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "place": self.used}

    def go_to(self, place: Mapping[str, Any]) -> None:
        self.epoch, self.used, self.ahead = place["epoch"], place["place"], None
