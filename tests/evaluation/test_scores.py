"""The measures measure what their papers say."""

import math
import random

import numpy as np
import pytest
import sacrebleu
from sacrebleu.metrics.chrf import CHRF

from core.evaluation.counting import losses
from core.evaluation.scores import alignment_error, bleu, chrf
from core.model.ngrams import Ngrams


def test_a_perfect_translation_scores_100_and_a_foreign_one_0() -> None:
    texts = ["o gato preto dorme no sofá vermelho .", "não há nada aqui para ver"]
    assert bleu(texts, texts)[0] == pytest.approx(100)
    assert chrf(texts, texts) == pytest.approx(100)
    assert bleu(["xyz"] * 2, texts)[0] < 1 and chrf(["xyz"] * 2, ["o gato"] * 2) == 0


def test_bleu_by_hand() -> None:
    # hits of 6, 5, 4, 3 n-grams: 5, 3, 2, 1; equal lengths
    score, signature = bleu(["a b c d e f"], ["a b c d x f"])
    assert score == pytest.approx(100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    assert signature == f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{sacrebleu.__version__}"
    assert bleu(["a b c d"], ["a b c d e f"])[0] == pytest.approx(100 * math.exp(1 - 6 / 4))


def test_our_chrf_is_sacrebleus() -> None:
    rng = random.Random(0)
    for count in (1, 2, 40):
        texts = [["".join(rng.choices("abç ", k=rng.randrange(1, 12))) for _ in range(count)] for _ in range(2)]
        assert chrf(*texts) == pytest.approx(CHRF().corpus_score(texts[0], [texts[1]]).score, abs=1e-9)
    outputs = ["o gato preto dorme no sofá vermelho", "ela não gosta de maçãs verdes, mas come"]
    references = ["o gato preto está dormindo no sofá vermelho", "ela não gosta de maçãs verdes, e não come"]
    assert chrf(outputs, references) == pytest.approx(CHRF().corpus_score(outputs, [references]).score, abs=1e-9)


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


def test_counting_gives_the_plain_models_numbers_at_every_order() -> None:
    rng = random.Random(3)

    def text(least: int, most: int) -> list[int]:
        return [rng.choice([4, 5, 5, 6, 7, 8]) for _ in range(rng.randrange(least, most))]

    lines = [[*text(1, 7), 2] for _ in range(300)] + [[3, 10, 2], [0, 2], [0, 2]]
    asked = [(text(0, 5), [*text(0, 6), rng.choice([2, 9])]) for _ in range(60)]
    found = losses(lines, asked, 11, 1)
    assert found.shape == (5, 60)
    for order, ours in enumerate(found, 1):
        plain = Ngrams(lines, 11, 1, order)
        assert np.abs(ours - [plain.loss(context, ids) for context, ids in asked]).max() < 1e-12
