"""Text → examples → batches: how sentences are cut, paired, doubled or masked for each task, and grouped by length."""

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
    """A quarter of the sentences as people also type them: a capital at the start, a full stop at the end, or both."""
    if rng.random() < 0.25:
        how = rng.integers(3)
        if how != 0:
            text = text[:1].upper() + text[1:]
        if how != 1 and text[-1:].isalnum():
            text += "."
    return text


def split(text: str, rng: np.random.Generator) -> tuple[str, str]:
    """Cut at a random word boundary; 1 in 20 after the last word, so that a whole sentence gets no more."""
    words = text.split(" ")
    at = len(words) if len(words) < 2 or rng.random() < 0.05 else int(rng.integers(1, len(words)))
    return " ".join(words[:at]), " ".join(words[at:])


def continuations(texts: Sequence[str], vocabulary: Vocabulary, seed: int, limit: int, plain: bool = False) -> Epoch:
    """Each text once per epoch, cut somewhere else each time. plain: as written, and always something left to say."""

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
    """Each text once per epoch, to be written from its first word on; a share comes as text, another text, text again, for
    only what comes again teaches a decoder to look for what followed the last time."""

    def epoch(n: int) -> list[Example]:
        rng = np.random.default_rng([seed, n])
        said = [vary(text, rng) for text in texts]
        twice, other = rng.random(len(said)) < again, rng.integers(len(said), size=len(said))
        lines = [f"{t} {said[j]} {t}" if double else t for t, double, j in zip(said, twice, other, strict=True)]
        return [([], ids) for ids in vocabulary.encode_all(lines) if 0 < len(ids) < limit]

    return epoch


def fillings(texts: Sequence[str], vocabulary: Vocabulary, seed: int, limit: int, hidden: float) -> Epoch:
    """Each text once per epoch as (what is shown, what is wanted): a share of its tokens is asked for, PAD elsewhere. Of
    those, 8 in 10 are shown as the mask, one as any token, one as it is (Devlin et al. 2019, §3.1)."""

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
    """Texts to ids; pairs that would not fit `limit` tokens with their special tokens are left out."""
    sources = vocabulary.encode_all([source for source, _ in pairs])
    targets = vocabulary.encode_all([target for _, target in pairs])
    return [
        (source, target)
        for source, target in zip(sources, targets, strict=True)
        if source and len(source) < limit and len(target) < limit and (target or not nonempty)
    ]


def batches(examples: Sequence[Example], tokens: int, rng: np.random.Generator, pool: int = 8192) -> list[list[int]]:
    """Indices into `examples`, grouped so that lengths are alike and a batch holds at most `tokens` with padding."""
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
    """[row, position], padded at the end."""
    width = max(map(len, rows))
    return torch.tensor([row + [PAD] * (width - len(row)) for row in rows])


def collate(examples: Sequence[Example], source_end: bool) -> tuple[Tensor, Tensor, Tensor]:
    """source [row, position], what the decoder is given, and what it should say: each shifted by one from the other."""
    source = padded([ids + [END] * source_end for ids, _ in examples])
    return source, padded([[START, *ids] for _, ids in examples]), padded([[*ids, END] for _, ids in examples])


class Feeding(Protocol):
    """Where a run gets its batches from. `place` is plain JSON by which `go_to` finds the same spot again."""

    @property
    def epoch(self) -> int: ...

    def next_batch(self) -> list[Example]: ...

    def place(self) -> dict[str, Any]: ...

    def go_to(self, place: Mapping[str, Any]) -> None: ...


class Feed:
    """The batches of one task, pass after pass; where it stands is two numbers, so that a run can be taken up again."""

    def __init__(self, examples: Epoch, tokens: int, seed: int) -> None:
        self.examples, self.tokens, self.seed = examples, tokens, seed
        self.epoch = self.used = 0  # the pass, and how many of its batches were given
        self.ahead: Iterator[list[Example]] | None = None

    def next_batch(self) -> list[Example]:
        """The batch after the last one, wherever a run was taken up again."""
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
