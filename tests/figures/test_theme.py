"""The colours of every picture."""

import numpy as np
import pytest

from core.figures.theme import DARK, LIGHT, paint, rgb, theme_named
from core.request import Stream

THEMES = [LIGHT, DARK]


def luminance(colour: str) -> float:
    part = rgb(colour) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_text_and_accents_can_be_read(theme):
    for colour in (theme.ink, theme.ink2, theme.ink3, *(theme.accent(stream) for stream in Stream)):
        assert contrast(colour, theme.bg) >= 4.5
        assert contrast(colour, theme.field) >= 4.5


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_more_weight_moves_one_way_in_lightness(theme):
    steps = np.diff([luminance(stop) for stop in theme.weights])
    assert (steps < 0).all() if theme is LIGHT else (steps > 0).all()


def test_the_scale_meets_its_stops_and_lies_between_them():
    assert paint(np.array([0.0, 1.0]), LIGHT.weights).tolist() == [
        rgb(LIGHT.weights[0]).tolist(),
        rgb(LIGHT.weights[-1]).tolist(),
    ]
    middle = paint(np.array([0.0625]), LIGHT.weights)[0]
    assert (
        middle.tolist()
        == np.round((rgb(LIGHT.weights[0]).astype(float) + rgb(LIGHT.weights[1])) / 2).astype(int).tolist()
    )


def test_what_is_out_of_range_takes_the_end_of_the_scale():
    assert (
        paint(np.array([-1.0, 2.0, np.nan]), LIGHT.weights).tolist()
        == paint(np.array([0.0, 1.0, 0.0]), LIGHT.weights).tolist()
    )


def test_an_unknown_appearance_is_light():
    assert theme_named(None) is LIGHT
    assert theme_named("dark") is DARK
