"""What a browser may send from the walk, and what is made of it."""

import pytest

from core.ui.encoder.walk import BOXES, Spot, read_spot

GOOD = {"version": "a1", "token": 2, "layer": 1, "head": 3, "box": "map"}
SIZES = (8, 3, 4)


def test_a_click_is_read():
    assert read_spot(GOOD, "a1", SIZES) == Spot(2, 1, 3, "map")
    assert all(read_spot({**GOOD, "box": box}, "a1", SIZES) for box in BOXES)
    assert read_spot({**GOOD, "layer": 9}, "a1", (8, 0, 0)) == Spot(2, 9, 3, "map")  # only paths: layers mean nothing


@pytest.mark.parametrize(
    "raw",
    [
        None, [], "map", {}, {**GOOD, "more": 1}, {**GOOD, "version": "b"}, {**GOOD, "token": 8}, {**GOOD, "token": -1},
        {**GOOD, "token": True}, {**GOOD, "token": 1.0}, {**GOOD, "token": "1"}, {**GOOD, "layer": 3}, {**GOOD, "head": 4},
        {**GOOD, "box": "nowhere"}, {**GOOD, "box": ["map"]}, {**GOOD, "more": 1},
    ],
)  # fmt: skip
def test_anything_else_is_let_go(raw):
    assert read_spot(raw, "a1", SIZES) is None
