"""The page Self-attention by hand, without a browser: what is sent to the plane, what comes back, what is asked."""

import json
import re

import numpy as np
import pytest

from core.analysis import plane as planes
from core.analysis.plane import weigh
from core.figures.hand_payload import state
from core.ui.hand import read_moved, steps


def sent(page, name: str = "hand") -> dict:
    """What the plane was given last."""
    for component in page.app.get("bidi_component"):
        if component.proto.component_name.endswith(f"lookback_{name}"):
            return json.loads(component.proto.json)
    raise AssertionError("the plane is not on the page")


def release(page, plane, version: str = "0"):
    """As the browser does when an arrow is let go."""
    page.app.session_state["plane-desk"].now = plane
    page.app.run()
    return page


def test_the_page_opens_with_the_plane(screen):
    page = screen("hand")
    assert page.calm() and not page.said("trouble")
    data = sent(page)
    assert data["now"] == data["opened"] == state(planes.START)
    assert len(page.said("ask")) == 3


def test_only_a_message_about_the_plane_that_stands_there_counts():
    good = {"version": "0", **state(planes.SINK)}
    assert read_moved(good, "0") == planes.SINK
    for bad in (None, 3, {}, {**good, "version": "1"}, {**good, "more": 1}, {k: v for k, v in good.items() if k != "chosen"}):
        assert read_moved(bad, "0") is None


def test_a_preset_lays_out_another_plane(screen):
    page = screen("hand")
    page.app.button(key="try-hand-3").click().run()
    data = sent(page)
    assert data["version"] == "1" and data["now"] == state(planes.SINK)
    assert "One long key wins" in page.said("note")[0]


@pytest.mark.parametrize("name", ["START", "NEIGHBOUR", "SINK", "ORTHOGONAL", "ALIKE"])
@pytest.mark.parametrize("causal", [False, True])
def test_the_formulas_hold_this_planes_numbers(name, causal):
    plane = getattr(planes, name)
    plane = planes.Plane(plane.words, plane.arrows, plane.chosen, causal)
    found = weigh(plane)
    row, at = plane.chosen, int(found.weight[plane.chosen].argmax())
    first, second, third, last = (latex for latex, _ in steps(plane, found))
    numbers = [float(text) for text in re.findall(r"-?\d+\.\d+", first)]
    assert numbers[0] * numbers[1] + numbers[2] * numbers[3] == pytest.approx(numbers[4], abs=0.005)
    assert numbers[4] / np.sqrt(2) == pytest.approx(float(re.findall(r"-?\d+\.\d+", second)[-1]), abs=0.011)
    scores = [float(text) for text in re.findall(r"e\^\{(-?\d+\.\d+)\}", third)]
    weight = float(third.rpartition("= ")[2])
    assert np.exp(scores[0]) / np.exp(scores[1:]).sum() == pytest.approx(weight, abs=0.02)
    assert weight == pytest.approx(found.weight[row, at], abs=0.0006)
    assert f"{found.output[row][0]:.2f}" in last


def test_the_first_question_is_answered_by_dragging_and_by_nothing_else(screen):
    page = screen("hand")
    assert not page.said("verdict right")
    page.app.button(key="try-hand-1").click().run()  # “sleeps” looks at “cat” here, but nobody dragged
    assert not page.said("verdict right")
    page.app.button(key="try-hand-0").click().run()
    rest = planes.START.arrows
    q, _, v = rest[1]
    moved = planes.Plane(planes.START.words, (rest[0], (q, (30, 20), v), rest[2]), 2)
    assert weigh(moved).weight[2, 1] > 0.5
    release(page, moved)
    assert page.said("verdict right")[0].startswith("Right. It gives")
