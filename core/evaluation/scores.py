"""Measures of the quality of texts and alignments, as their papers define them; the models' cards state them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Hashable, Sequence


def _grams(items: Sequence[Hashable], n: int) -> Counter[tuple[Hashable, ...]]:
    return Counter(tuple(items[i : i + n]) for i in range(len(items) - n + 1))


def bleu(outputs: Sequence[str], references: Sequence[str]) -> float:
    """Corpus BLEU of 1- to 4-grams, 0–100 (Papineni et al. 2002). Punctuation counts as words, letter case matters, and there is
    no smoothing."""
    hits, sums = [0] * 4, [0] * 4
    lengths = [0, 0]
    for output, reference in zip(outputs, references, strict=True):
        rows = [re.findall(r"\w+|[^\w\s]", text) for text in (output, reference)]
        lengths = [length + len(row) for length, row in zip(lengths, rows, strict=True)]
        for n in range(4):
            ours, theirs = (_grams(row, n + 1) for row in rows)
            hits[n] += (ours & theirs).total()
            sums[n] += ours.total()
    if not all(hits):
        return 0.0
    brevity = min(0.0, 1 - lengths[1] / lengths[0])
    return 100 * math.exp(brevity + sum(math.log(hit / total) for hit, total in zip(hits, sums, strict=True)) / 4)


def chrf(outputs: Sequence[str], references: Sequence[str], order: int = 6, beta: float = 2.0) -> float:
    """Corpus chrF: F₂ of character 1- to 6-grams without spaces, 0–100 (Popović 2015)."""
    hits, ours, theirs = [0] * order, [0] * order, [0] * order
    for output, reference in zip(outputs, references, strict=True):
        texts = ["".join(text.split()) for text in (output, reference)]
        for n in range(order):
            mine, wanted = (_grams(text, n + 1) for text in texts)
            hits[n] += (mine & wanted).total()
            ours[n] += mine.total()
            theirs[n] += wanted.total()
    parts = [(hit / our, hit / their) for hit, our, their in zip(hits, ours, theirs, strict=True) if our and their]
    if not parts:
        return 0.0
    precision, recall = (sum(part[side] for part in parts) / len(parts) for side in (0, 1))
    if precision + recall == 0:
        return 0.0
    return 100 * (1 + beta**2) * precision * recall / (beta**2 * precision + recall)


def alignment_error(
    found: Sequence[Collection[tuple[int, int]]],
    sure: Sequence[Collection[tuple[int, int]]],
    possible: Sequence[Collection[tuple[int, int]]] | None = None,
) -> float:
    """AER = 1 − (|A∩S| + |A∩P|) / (|A| + |S|), over all sentences (Och & Ney 2003). A: found, S: sure, P: possible, which
    contains S."""
    possible = sure if possible is None else [{*p, *s} for p, s in zip(possible, sure, strict=True)]
    right = sum(len(set(a) & set(s)) + len(set(a) & set(p)) for a, s, p in zip(found, sure, possible, strict=True))
    size = sum(len(set(a)) + len(set(s)) for a, s in zip(found, sure, strict=True))
    return 1 - right / size if size else 0.0
