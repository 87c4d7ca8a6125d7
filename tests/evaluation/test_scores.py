"""The measures measure what their papers say."""

import math
import random

import pytest

from core.evaluation.scores import alignment_error, bleu, chrf
from core.model.ngrams import Ngrams


def test_a_perfect_translation_scores_100_and_a_foreign_one_0() -> None:
    texts = ["o gato preto dorme no sofá vermelho .", "não há nada aqui para ver"]
    assert bleu(texts, texts) == pytest.approx(100)
    assert chrf(texts, texts) == pytest.approx(100)
    assert bleu(["xyz"] * 2, texts) == chrf(["xyz"] * 2, ["o gato"] * 2) == 0


def test_bleu_by_hand() -> None:
    # hits of 6, 5, 4, 3 n-grams: 5, 3, 2, 1; equal lengths
    outputs, references = ["a b c d e f"], ["a b c d x f"]
    assert bleu(outputs, references) == pytest.approx(100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    short = bleu(["a b c d"], ["a b c d e f"])
    assert short == pytest.approx(100 * math.exp(1 - 6 / 4))


def test_bleu_and_chrf_of_a_known_corpus() -> None:
    # sacrebleu 2.6.0: BLEU(tokenize="13a", smooth_method="none") and CHRF()
    outputs = [
        "o gato preto dorme no sofá vermelho",
        "ela não gosta de maçãs verdes, mas come",
        "os alunos leem um livro",
    ]
    references = [
        "o gato preto está dormindo no sofá vermelho",
        "ela não gosta de maçãs verdes, e não come",
        "os estudantes leem um bom livro",
    ]
    assert bleu(outputs, references) == pytest.approx(46.3151, abs=1e-3)
    assert chrf(outputs, references) == pytest.approx(63.2052, abs=0.05)


def test_alignment_error_by_hand() -> None:
    truth = [{(0, 0), (1, 2), (2, 1)}]
    assert alignment_error(truth, truth) == 0
    assert alignment_error([{(0, 0), (1, 1), (2, 2)}], truth) == pytest.approx(1 - 2 / 6)
    assert alignment_error([{(0, 0), (1, 1)}], [{(0, 0)}], [{(1, 1)}]) == pytest.approx(0)


def test_an_ngram_model_is_a_distribution_and_learns_order() -> None:
    rng = random.Random(0)
    lines = [[4, 5, 6, 2] if rng.random() < 0.7 else [4, 6, 5, 2] for _ in range(50)] + [[7, 8, 2]]
    model = Ngrams(lines, size=12, start=1)
    for context in ([], [4], [4, 5], [9, 10], [7, 8]):
        assert sum(model.probability(context, id) for id in range(12)) == pytest.approx(1)
    assert model.probability([4], 5) > model.probability([4], 6) > model.probability([4], 8) > 0
    assert model.loss([4, 5], [6, 2]) < model.loss([4, 5], [5, 2])
    assert model.loss([], [4, 5]) == pytest.approx(model.loss([], [4]) + model.loss([4], [5]))
