"""The board in a link: what was laid there comes back, anything else is refused; and its sizes are those of the points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.analysis.transductive import pointsets
from core.analysis.transductive.board import (
    ALPHAS,
    CLASSES,
    GAMMAS,
    PLANE,
    POINTS,
    SEEDS,
    Board,
    opens,
    read_board,
    write_board,
)
from core.analysis.transductive.fourways import answers
from core.ui.transductive import datasets


@st.composite
def boards(draw):
    name = draw(st.sampled_from([*POINTS, "digits"]))
    if name == "digits":
        return opens(name)
    seed = draw(st.integers(0, SEEDS - 1)) if name in PLANE else 0
    signs = st.text("." * 6 + "0123456789"[: CLASSES[name]], min_size=POINTS[name], max_size=POINTS[name])
    kind = opens(name).kind
    labels = draw(st.none() | signs | st.just("." * POINTS[name]))
    return Board(name, seed, draw(st.sampled_from(GAMMAS[kind])), draw(st.sampled_from(ALPHAS)), labels)


@given(boards())
def test_a_board_comes_back_from_its_own_link(board):
    link = write_board(board)
    assert read_board(link) == board
    assert set(link) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")  # nothing that an address would have to spell out


@pytest.mark.parametrize(
    "text",
    [
        "", "moons", "suns.0.40.99", "moons.0.41.99", "moons.0.40.98", "moons.1000.40.99", "texts.1.10.90", "texts.0.80.90",
        "moons.0.40.99.", "moons.0.40.99.1", "moons.0.40.99.1-2-3", "moons.0.40.99.0-1", "moons.0.40.99.97-1",
        "moons.0.40.99.1_1-2", "moons.0.40.99.1-1", "moons.0.40.99.__-1", "moons.٠.40.99", "digits.0.40.99", "digits ",
        "moons.0.40.99." + "1_" * 2000,
    ],
)  # fmt: skip
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError):
        read_board(text)


@pytest.mark.parametrize("name", PLANE)
def test_sets_have_the_points_and_classes_that_links_count(name):
    points = pointsets.draw(name, SEEDS - 1)
    assert (len(points.classes), points.count) == (POINTS[name], CLASSES[name])
    labels = np.full(POINTS[name], -1)
    assert answers(points, labels, 1.0, 0.5).right("spreading") is None


def test_every_set_and_the_texts_are_on_the_list():
    assert set(PLANE) == set(pointsets.SETS) == set(datasets.SAID)
    assert POINTS["texts"] == datasets.EACH * len(datasets.TOPICS) and CLASSES["texts"] == len(datasets.TOPICS)
