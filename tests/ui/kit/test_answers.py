"""Numbers in answers: read as they are meant, and what is no number is none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ui.kit.answers import readings


@pytest.mark.parametrize(("written", "unit", "meant"), [
    ("2.5", "", {2.5}), ("2,5", "", {2.5}), (" ≈ 2.5 ", "", {2.5}), (".5", "", {0.5}), ("−3", "", {-3}), ("+3", "", {3}),
    ("25 %", "", {0.25}), ("25%", "%", {25}), ("25", "%", {25}), ("0.25", "%", {0.25, 25}), ("2.5 bits", "bits", {2.5}),
    ("1/4", "", {0.25}), ("1 000", "", {1000}), ("1,000", "", {1, 1000}), ("1.000", "", {1}), ("1.234,5", "", {1234.5}),
    ("1,234.5", "", {1234.5}), ("1,000,000", "", {1e6}), ("٢٫٥", "", {2.5}), ("٢٥٪", "%", {25}),
    ("", "", set()), ("  ", "", set()), ("two", "", set()), ("2.5 bits", "", set()), ("1/0", "", set()), ("1,2,3", "", set()),
    ("12 34", "", set()), ("nan", "", set()), ("inf", "", set()), ("1e5", "", set()), ("2²", "", set()), ("%", "%", set()),
])  # fmt: skip
def test_a_number_is_read_as_it_is_meant(written: str, unit: str, meant: set[float]) -> None:
    assert set(readings(written, unit)) == meant


@given(st.floats(-1e6, 1e6), st.integers(0, 4), st.sampled_from(".,"))
def test_what_is_printed_is_read_back(number: float, places: int, mark: str) -> None:
    assert float(f"{number:.{places}f}") in readings(f"{number:.{places}f}".replace(".", mark))


@given(st.text(max_size=30), st.sampled_from(["", "%", "bits"]))
def test_nothing_written_is_too_odd(written: str, unit: str) -> None:
    assert all(math.isfinite(one) for one in readings(written, unit))
