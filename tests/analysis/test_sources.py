"""Who foresees which source better, from numbers that lie either way."""

import math

import pytest

from core.analysis.sources import Source, better, together, verdict


def source(network: float, *counting: float, name: str = "songs", tokens: int = 100) -> Source:
    return Source(name, "sung", 10, tokens, network, counting)


def test_the_best_order_of_counting_is_found_and_the_trigram_named() -> None:
    one = source(10.0, 90.0, 40.0, 20.0, 16.0, 18.0)
    assert (one.order, one.best, one.trigram, one.ratio) == (4, 16.0, 20.0, 10 / 16)
    assert Source.from_row(one.to_row()) == one


@pytest.mark.parametrize(("network", "who", "said"), [
    (10.0, "network", "On songs (sung) the network foresees better: a perplexity of 10.0 against 20.0 with n-grams of 3 tokens."),
    (40.0, "counting", "On songs (sung) plain counting foresees better: a perplexity of 20.0 with n-grams of 3 tokens, against "
     "the network’s 40.0."),
    (20.2, "neither", "On songs (sung) the network foresees about as well as counting: a perplexity of 20.2 beside 20.0 with "
     "n-grams of 3 tokens."),
])  # fmt: skip
def test_the_sentence_follows_from_the_numbers(network: float, who: str, said: str) -> None:
    one = source(network, 90.0, 40.0, 20.0)
    assert better(one) == who and verdict([one]) == said
    assert verdict([one, source(5.0, 9.0, 9.0, 8.0, name="rhymes")]).count("On ") == 2


def test_all_sources_together_count_each_token_the_same() -> None:
    whole = together([source(8.0, 16.0, 4.0, 2.0, tokens=300), source(2.0, 1.0, 64.0, 32.0, tokens=100)])
    assert whole.network == pytest.approx(math.exp((300 * math.log(8) + 100 * math.log(2)) / 400))
    assert whole.counting == pytest.approx((8.0, 8.0, 4.0)) and (whole.sentences, whole.tokens) == (20, 400)
