"""A network beside Kneser–Ney counting, each source of held-out text by itself: the rows of the cards and of the page Sequence
modelling."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from core.analysis.sources import Source, together, verdict
from core.data import corpus
from core.evaluation.counting import losses
from core.evaluation.report import Report
from core.evaluation.shipped import Shipped
from core.evaluation.texts import training_ids
from core.model.vocabulary import END, START
from core.training.examples import Example

FILE = "sources.csv"  # in the model's folder: what the page reads


def by_source(shipped: Shipped, asked: Mapping[str, Sequence[Example]]) -> list[Source]:
    """Both on the same tokens. asked: for each source of corpus.ENGLISH its examples: what is given, and what is asked for."""
    vocabulary = shipped.vocabulary
    rows = [(given, [*wanted, END]) for examples in asked.values() for given, wanted in examples]
    held_out = corpus.english_by_source("held-out")
    counting = losses(training_ids(vocabulary), rows, len(vocabulary), START)
    found, begin = [], 0
    for name, examples in asked.items():
        if not examples:
            continue
        end = begin + len(examples)
        tokens = sum(len(wanted) for _, wanted in rows[begin:end])
        theirs = tuple(math.exp(nats / tokens) for nats in counting[:, begin:end].sum(1).tolist())
        ours = math.exp(sum(shipped.losses(examples)) / tokens)
        found.append(Source(name, corpus.ENGLISH[name][1], len(held_out[name]), tokens, ours, theirs))
        begin = end
    return found


def state(report: Report, sources: Sequence[Source], words: int) -> None:
    """The comparison as numbers of a report, the file that the page reads, and what follows from them. words: how many were asked
    for in all sources, ends included."""
    whole, numbers = together(sources), report.numbers
    numbers["held-out sentences"] = whole.sentences
    for source in sources:
        numbers[f"{source.name}: tokens"] = source.tokens
        rows(numbers, f"{source.name}: perplexity per token", source)
    rows(numbers, "perplexity per token", whole)
    for name, perplexity in (("", whole.network), (", trigram", whole.trigram)):
        numbers[f"perplexity per word{name}"] = perplexity ** (whole.tokens / words)
    report.files[FILE] = [source.to_row() for source in sources]
    report.notes.append(verdict(sources))


def rows(numbers: dict[str, float], name: str, source: Source) -> None:
    """The network, the trigram and the best order of counting, under a name."""
    numbers[name] = source.network
    numbers[f"{name}, trigram"] = source.trigram
    numbers[f"{name}, best order of n-grams (order {source.order})"] = source.best
    numbers[f"{name} / the best order's"] = source.ratio
