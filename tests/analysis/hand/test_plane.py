"""The plane one drags in: its sums against PyTorch's own attention, its presets against what they promise."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from core.analysis.hand import plane as planes
from core.analysis.hand.plane import Plane, read_link, read_plane, weigh, write_link
from core.errors import InputError
from core.figures.payloads.hand import payload, state

TENTH = st.integers(-planes.REACH, planes.REACH)
THREE = st.tuples(*[st.tuples(TENTH, TENTH)] * 3)


@st.composite
def made(draw) -> Plane:
    arrows = draw(st.lists(THREE, min_size=planes.FEWEST, max_size=planes.MOST))
    chosen = draw(st.integers(0, len(arrows) - 1))
    return Plane(planes.WORDS[: len(arrows)], tuple(arrows), chosen, draw(st.booleans()))


@given(made())
def test_every_step_is_that_of_pytorchs_attention(plane):
    q, k, v = (torch.from_numpy(part.copy()) for part in plane.vectors)
    found = weigh(plane)
    wanted = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=plane.causal)[0]
    assert np.allclose(found.output, wanted.numpy(), atol=1e-9)
    assert np.allclose(found.product, (q @ k.T).numpy(), atol=1e-12)
    assert np.allclose(found.weight.sum(-1), 1)
    assert np.allclose(found.part.sum(1), found.output)
    if plane.causal:
        assert not np.triu(found.weight, 1).any()


@given(made())
def test_a_plane_goes_to_the_browser_and_back_whole(plane):
    assert read_plane(payload(plane, plane, "0")["now"]) == plane


@given(made())
def test_a_plane_stands_in_a_link(plane):
    assert read_link(write_link(plane)) == plane


FLAT = ".0_0_0_0_0_0"


@pytest.mark.parametrize(
    "text",
    ["", "3", "3.1_2", "9" + FLAT * 3, "4" + FLAT * 3, "1" + FLAT * 6, "1" + ".31_0_0_0_0_0" * 3, "1x" + FLAT * 3],
)
def test_what_is_no_plane_in_a_link_is_refused(text):
    with pytest.raises(ValueError):
        read_link(text)


BAD = [
    None, [], "x", {}, {"chosen": True}, {"chosen": 3}, {"chosen": -1}, {"chosen": 1.0}, {"causal": 1},
    {"arrows": []}, {"arrows": None}, {"arrows": [[0] * 6] * 2}, {"arrows": [[0] * 6] * 6}, {"arrows": [[0] * 6] * 100_000},
    {"arrows": [[0] * 5] * 3}, {"arrows": [[0.5] * 6] * 3}, {"arrows": [[31] * 6] * 3}, {"arrows": [[True] * 6] * 3},
    {"arrows": [["1"] * 6] * 3}, {"more": 1},
]  # fmt: skip


@pytest.mark.parametrize("raw", BAD)
def test_what_is_no_plane_is_refused_at_the_door(raw):
    assert read_plane({**state(planes.START), **raw} if isinstance(raw, dict) and raw else raw) is None


def test_an_impossible_plane_is_an_error_in_words():
    with pytest.raises(InputError, match="3 to 5 tokens"):
        Plane(("a",), (planes.START.arrows[0],))


def test_the_presets_keep_what_their_names_promise():
    weights = {name: weigh(getattr(planes, name)).weight for name in ("NEIGHBOUR", "ALIKE", "SINK", "ORTHOGONAL", "START")}
    assert weights["NEIGHBOUR"].argmax(1).tolist() == [1, 0, 1, 2] and weights["NEIGHBOUR"].max(1).min() > 0.9
    for name in ("ALIKE", "ORTHOGONAL"):
        assert np.allclose(weights[name], 1 / 3)
    assert not np.allclose(weigh(planes.ALIKE).product, 0)
    assert np.allclose(weigh(planes.ORTHOGONAL).product, 0)
    assert weights["SINK"].argmax(1).tolist() == [0] * 4 and weights["SINK"][:, 0].min() > 0.8
    _, keys, _ = planes.SINK.vectors
    assert np.linalg.norm(keys, axis=1).argmin() == 0  # what makes a sink is its direction, not its length
    assert weights["START"][2, 1] < 0.5  # what the first question asks for has not happened yet
