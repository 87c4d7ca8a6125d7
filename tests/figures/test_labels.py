"""Any text may be a token; its label is one short line that cannot disturb what stands around it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.figures.labels import LONGEST, divergence, label, percent, plotly, ratio_said, three, width_px


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (" night", "night"),
        ("</s>", "</s>"),
        (" ", "␣"),
        ("", "∅"),
        ("\n", "⏎"),
        ("\x07", "␇"),
        ("العربية", "العربية"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
        ("\u200d", "U+200D"),
        ("\u202eabc", "\N{REPLACEMENT CHARACTER}abc"),
        ("\u0301", "◌\u0301"),
        ("Donaudampfschifffahrtsgesellschaft", "Donauda…schaft"),
    ],
)
def test_what_a_token_is_called(token, shown):
    assert label(token) == shown


@given(st.text())
def test_a_label_is_never_empty_never_long_and_never_breaks_the_line(token):
    shown = label(token)
    assert 0 < len(shown) <= LONGEST
    assert "\n" not in shown
    assert not any(ord(char) < 32 or char in "\u202a\u202b\u202d\u202e\u2066\u2067" for char in shown)


@given(st.text())
def test_a_label_for_plotly_holds_no_tag(token):
    assert "<" not in plotly(label(token))


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.0, "0 %"), (0.0004, "< 0.1 %"), (0.0213, "2.1 %"), (0.0994, "9.9 %"), (0.0996, "10 %"), (0.424, "42 %"),
        (0.994, "99 %"), (0.9962, "99.6 %"), (0.99999, "> 99.9 %"), (1.0, "100 %"),
    ],
)  # fmt: skip
def test_percent_never_calls_something_nothing_or_all(share, said):
    assert percent(share).replace("\N{NO-BREAK SPACE}", " ") == said


def test_wide_scripts_need_more_room():
    assert width_px(["注意力"], 13) > width_px(["abc"], 13)
    assert width_px([], 13) == 0


@given(st.floats(1e-3, 1e15))
def test_a_measured_number_has_three_significant_digits_and_is_off_by_half_of_the_last(value):
    said = three(value)
    assert float(said.replace(",", "")) == pytest.approx(value, rel=0.005)
    assert len(said.replace(",", "").replace(".", "").strip("0")) <= 3 and "e" not in said


def test_a_ratio_of_float32_is_not_said_to_six_digits():
    assert {ratio_said(math.log(times)) for times in (230_666.5, 230_667.4)} == {"231,000 times"}
    assert ratio_said(math.log(2)) == "2 times" and ratio_said(-math.log(1234)) == "1,230 times"
    assert ratio_said(-1000) == "10 to the 434 times"


@pytest.mark.parametrize(
    ("nats", "said"),
    [(0.0, "0"), (4e-7, "0"), (6e-7, "< 0.001"), (0.00099, "< 0.001"), (0.001, "0.001"), (0.0104, "0.010"), (0.9994, "0.999"),
     (0.9996, "1.00"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123")],
)  # fmt: skip
def test_a_divergence_is_said_by_one_rule(nats: float, said: str) -> None:
    assert divergence(nats) == said
