"""The shipped trigram tables: what `Ngrams` counts on the same sentences, number by number."""

import math
import random

import numpy as np
import pytest

from core.data import trigrams
from core.model import trigram
from core.model.ngrams import Ngrams
from core.model.trigram import Trigram
from core.model.vocabulary import END, START, Vocabulary
from core.paths import WEIGHTS


def pair(lines: list[list[int]], size: int, path) -> tuple[Ngrams, Trigram]:
    """The same lines counted by both, ours through a file."""
    trigrams.write(path, lines, size, b"0" * 16, len(lines))
    return Ngrams(lines, size, START), Trigram.load(path)


def test_every_probability_is_that_of_the_plain_count(tmp_path) -> None:
    rng = random.Random(1)
    lines = [[*(rng.choice([4, 5, 5, 6, 7, 8]) for _ in range(rng.randrange(1, 7))), END] for _ in range(300)]
    slow, fast = pair(lines, 11, tmp_path / "t.npz")
    for context in ([], [4], [4, 5], [5, 5, 6], [10], [9, 4], [7, 9], [4, END]):
        ours = fast.probabilities(context)
        assert ours.sum() == pytest.approx(1, abs=1e-12)
        assert np.abs(ours - [slow.probability(context, id) for id in range(11)]).max() <= 1e-14
        for id in range(11):
            terms = fast.terms(context, id)
            assert terms[0].p == pytest.approx(ours[id], abs=1e-14)
            for term, lower in zip(terms, [*terms[1:], None], strict=True):
                assert term.lower == (lower.p if lower else 1 / 11)
                kept = max(0.0, term.seen - term.discount) / term.total
                assert term.p == pytest.approx(kept + term.discount * term.kinds / term.total * term.lower, abs=1e-14)
        (first, second), followers, often = fast.seen(context)
        row = (START, START, *context)
        assert (first, second) == row[-2:]
        assert dict(zip(followers.tolist(), often.tolist(), strict=True)) == {
            gram[2]: count for gram, count in slow.counts[2].items() if gram[:2] == row[-2:]
        }


@pytest.mark.assets
@pytest.mark.parametrize("language", ["en", "pt"])
def test_the_shipped_table_is_the_training_text_counted_again(language) -> None:
    vocabulary = Vocabulary.load(WEIGHTS / trigrams.COUNTED[language] / "tokenizer.json")
    texts = trigrams.sentences(language)
    table = Trigram.load(trigram.table(language))
    assert (table.size, table.sentences) == (len(vocabulary), len(texts))
    rows = list(trigrams.lines(texts, vocabulary))
    flat = np.array([id for row in rows for id in (START, START, *row)], dtype=np.int64)
    gram = (flat[:-2] * table.size + flat[1:-1]) * table.size + flat[2:]
    gram, count = np.unique(gram[flat[2:] != START], return_counts=True)  # no trigram runs over the end of a sentence
    assert np.array_equal(table.levels[2].gram, gram) and np.array_equal(table.levels[2].often, count)
    if language == "pt":
        return  # the slow count below takes as long again, and does the same
    slow = Ngrams(rows, len(vocabulary), START)
    assert [level.discount for level in table.levels] == slow.discount
    text = vocabulary.encode("the teacher reads a book")
    for n in range(len(text)):
        ours = table.probabilities(text[:n])
        for id in (*text, END, 17):
            assert ours[id] == pytest.approx(slow.probability(text[:n], id), rel=1e-12)
    nats = -sum(math.log(table.probabilities(text[:n])[id]) for n, id in enumerate(text))
    assert nats == pytest.approx(slow.loss([], text), rel=1e-12)


@pytest.mark.parametrize(
    ("model", "language"), [("classroom", "en"), ("writer", "en"), ("translator", "pt"), ("translator-small", "pt")]
)
def test_a_table_serves_the_models_whose_tokens_it_counts(model: str, language: str) -> None:
    table = trigram.for_model(model)
    assert table is not None and table.sentences == Trigram.load(trigram.table(language)).sentences


@pytest.mark.parametrize("model", ["induction", "no-such-model", "hub:owner/name"])
def test_other_models_have_no_table(model: str) -> None:
    assert trigram.for_model(model) is None
