"""Where to look first, and what a run costs."""

import numpy as np

from core.analysis import cost, focus_on
from core.request import Site, Stream


def test_the_focus_is_the_last_word_and_what_it_looks_at_most():
    pattern = np.array([[1, 0, 0], [0.2, 0.8, 0], [0.1, 0.2, 0.7]])
    assert focus_on(pattern, [False, False, True]) == (1, 1)
    assert focus_on(pattern, [True, True, True]) == (2, 2)


def test_cost_counts_every_weight_of_every_head():
    sites = [Site(Stream.DECODER, layer, 9) for layer in range(30)]
    price = cost(sites, 0, 38)
    assert price.weights == 38 * 38 * 30 * 9 == 389_880
    assert price.bytes == 4 * 389_880
    assert str(price) == "38 × 38 tokens × 30 layers × 9 heads = 390k weights, 1.6 MB"


def test_cost_of_an_encoder_decoder_adds_its_three_streams():
    sites = [Site(Stream.ENCODER, 0, 4), Site(Stream.DECODER, 0, 4), Site(Stream.CROSS, 0, 4)]
    price = cost(sites, 5, 3)
    assert price.weights == 4 * (5 * 5 + 3 * 3 + 3 * 5)
    assert str(price).startswith("5 × 5 tokens × 1 layer × 4 heads + 3 × 3")


def test_cost_says_heads_where_layers_differ():
    assert str(cost([Site(Stream.ENCODER, 0, 4), Site(Stream.ENCODER, 1, 8)], 2, 0)).startswith(
        "2 × 2 tokens × 12 heads"
    )
