"""The worksheet: what its key says is NumPy's own softmax of what its first page gives."""

import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.analysis.hand.worksheet import LAST, exercise
from core.errors import InputError
from core.export.worksheet import worksheet


class Tables(HTMLParser):
    """All tables of a page, as rows of texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[list[list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.found.append([])
        elif tag == "tr":
            self.found[-1].append([])
        elif tag in ("td", "th"):
            self.found[-1][-1].append("")
            self.open = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.open = False

    def handle_data(self, data):
        if getattr(self, "open", False):
            self.found[-1][-1][-1] += data


def read(cell: str) -> list[float]:
    """The numbers of a cell: one, or those of a vector."""
    return [float(n) for n in re.findall(r"-?[\d.]+", cell.replace("−", "-"))]


def numbers(table) -> np.ndarray:
    """The cells of a table below its head and right of its names."""
    return np.array([[read(cell) for cell in row[1:]] for row in table[1:]])


@given(st.integers(1, LAST))
def test_the_key_is_numpys_softmax_of_what_the_sheet_gives(number):
    page, key = (Tables(part).found for part in worksheet(exercise(number)).split('<section class="page">')[1:])
    assert page[0] == key[0]  # both give the same vectors
    query, keys, value = (np.array([read(row[at]) for row in page[0][1:]]) for at in (1, 2, 3))
    assert query.shape == keys.shape == (3, 4) and value.shape == (3, 2)
    product = query @ keys.T
    score = product / np.sqrt(4)
    weight = np.exp(score) / np.exp(score).sum(-1, keepdims=True)
    assert np.array_equal(numbers(key[1])[..., 0], product)
    assert np.array_equal(numbers(key[2])[..., 0], score)
    assert np.allclose(numbers(key[4])[..., 0], np.c_[np.exp(score), np.exp(score).sum(-1)], atol=0.00051)
    assert np.allclose(numbers(key[5])[..., 0], weight, atol=0.00051)
    assert np.allclose(numbers(key[6])[:, 0], weight @ value, atol=0.051)
    # the sheet itself has nothing filled in, but the table of powers
    for table in (page[1], page[2], page[4], page[5], page[6]):
        assert not any("".join(row[1:]) for row in table[1:])
    powers = dict(zip(page[3][0][1:], page[3][1][1:], strict=True))
    for x, power in powers.items():
        assert float(power) == pytest.approx(np.exp(float(x.replace("−", "-"))), abs=0.00051)
    assert {f"{x:g}".replace("-", "−") for x in score.ravel()} <= set(powers)


@given(st.integers(1, LAST))
def test_working_with_the_rounded_numbers_gives_the_key_within_its_last_digit(number):
    it = exercise(number)
    power = np.round(it.power, 3)
    weight = np.round(power / power.sum(-1, keepdims=True), 3)
    assert np.abs(weight - np.round(it.weight, 3)).max() < 0.00151
    assert np.abs(np.round(weight @ it.value, 1) - np.round(it.output, 1)).max() < 0.101


def test_a_number_is_a_sheet_and_another_number_another(tmp_path):
    assert worksheet(exercise(7)) == worksheet(exercise(7)) != worksheet(exercise(8))
    for wrong in (0, -1, LAST + 1, 1.5, "1", True, None):
        with pytest.raises(InputError, match="a sheet from 1"):
            exercise(wrong)


def test_the_file_needs_nothing_else_and_says_which_word_is_looked_at_most():
    it = exercise(3)
    text = worksheet(it)
    assert not re.search(r"<script|https?:|url\(|@import|<link|<img", text)
    key = unescape(text.split('<section class="page">')[2])
    for word, row in zip(it.words, it.weight, strict=True):
        assert f"“{word}” looks most at “{it.words[int(row.argmax())]}”" in key
