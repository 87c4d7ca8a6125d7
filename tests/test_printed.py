"""The comparison of printed numbers lets through what is rounded right, and nothing else."""

import math

from tests.printed import numbers, shows, shows_ratio, shows_share


def test_numbers_are_read_with_commas_and_a_true_minus() -> None:
    assert numbers("−1,234.5 nats and 7") == [-1234.5, 7] and numbers("−1,234.5 nats and 7", " nats") == [-1234.5]


def test_a_number_is_shown_where_it_is_rounded_to_its_last_place() -> None:
    assert shows("price −2.35 nats", -2.345, 2, " nats") and shows("price −2.34 nats", -2.345, 2, " nats")
    assert not shows("price −2.35 nats", -2.36, 2) and not shows("price −2.3 nats", -2.3, 2)
    assert not shows("price −2.35 bits", -2.35, 2, " nats")


def test_a_share_is_shown_with_the_places_it_has() -> None:
    assert shows_share("<b>42\N{NO-BREAK SPACE}%</b>", 0.4249) and not shows_share("42 %", 0.426)
    assert shows_share("4.2 % of it", 0.0421, " of it") and not shows_share("4.2 %", 0.043)
    assert shows_share("&lt; 0.1 %", 0.0004) and not shows_share("< 0.1 %", 0.002) and not shows_share("> 99.9 %", 0.9)


def test_a_ratio_is_shown_to_three_digits_or_as_a_power() -> None:
    assert shows_ratio("231,000 times", -math.log(230_667)) and not shows_ratio("235,000 times", math.log(230_667))
    assert shows_ratio("10 to the 12 times", 12 * math.log(10)) and not shows_ratio("10 to the 13 times", 12 * math.log(10))
