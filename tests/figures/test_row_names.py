"""Names beside the rows of a map or of strips: they neither touch each other nor the cells."""

import numpy as np
import pytest

from core.figures.plain_map import plain_map
from core.figures.strip import strip
from core.figures.theme import LIGHT

LENGTHS = (2, 8, 16, 20, 24, 40, 60)


def apart(figure) -> float:
    """px between the middles of two names, less the px that a name is high."""
    layout = figure.layout
    axis, count = layout.yaxis, layout.yaxis.range[0] + 0.5
    row = (layout.height - layout.margin.t - layout.margin.b) / count
    steps = np.diff(axis.tickvals)
    return float(steps.min() * row - axis.tickfont.size)


@pytest.mark.parametrize("length", LENGTHS)
def test_names_of_states_and_of_small_maps_keep_apart(length):
    names = list("abcdefghij" * 6)[:length]
    states = strip(np.zeros((length, 64)), names, LIGHT, 1.0, 226, most=250)
    small = plain_map(np.eye(length), names, names, LIGHT, "weight", False, None, 250, top=1.0)
    for figure in (states, small):
        assert apart(figure) >= 0.5 and figure.layout.yaxis.ticklen == 4
