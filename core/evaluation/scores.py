"""Measures of the quality of texts and alignments, as their papers define them; the models' cards state them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Sequence


def _grams(items: Sequence[Hashable], n: int) -> Counter[tuple[Hashable, ...]]:
    return Counter(tuple(items[i : i + n]) for i in range(len(items) - n + 1))


def bleu(outputs: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """Corpus BLEU, 0–100 (Papineni et al. 2002), as sacreBLEU computes it (Post 2018), and its signature, with which the number can
    be compared with those of others. sacreBLEU is there for tests and cards, not for running the app."""
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU()
    return metric.corpus_score(list(outputs), [list(references)]).score, str(metric.get_signature())


def chrf(outputs: Sequence[str], references: Sequence[str], order: int = 6, beta: float = 2.0) -> float:
    """Corpus chrF: F₂ of character 1- to 6-grams without spaces, 0–100 (Popović 2015)."""
    hits, ours, theirs = [0] * order, [0] * order, [0] * order
    for output, reference in zip(outputs, references, strict=True):
        texts = ["".join(text.split()) for text in (output, reference)]
        for n in range(order):
            mine, wanted = (_grams(text, n + 1) for text in texts)
            hits[n] += (mine & wanted).total()
            ours[n] += mine.total() if wanted else 0  # as sacreBLEU: a reference too short for n-grams asks for none
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
