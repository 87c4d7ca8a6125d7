"""The large map, tested on its data."""

import json
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
import pytest

from core.figures.heatmap import CLICKABLE, NUMBERED, describe, grid, heatmap
from core.figures.labels import width_px
from core.figures.theme import DARK, LIGHT, paint
from core.request import Stream
from tests.figures.test_theme import contrast


def causal(length: int) -> tuple[np.ndarray, np.ndarray]:
    allowed = np.tri(length, dtype=bool)
    odds = np.where(allowed, np.arange(1, length + 1), 0).astype(np.float32)
    return odds / odds.sum(axis=1, keepdims=True), allowed


def words(length: int) -> list[str]:
    return [("the", "cat", "the", "mat")[i % 4] for i in range(length)]


def figure(length: int = 4, **changes):
    pattern, allowed = causal(length)
    options = {
        "rows": words(length),
        "columns": words(length),
        "stream": Stream.DECODER,
        "focus": (length - 1, 0),
        "theme": LIGHT,
    }
    return heatmap(pattern, allowed, **{**options, **changes})


def numbers(made) -> list:
    return [trace for trace in traces(made, "scatter") if trace.mode == "text"]


def traces(made, kind: str) -> list:
    return [trace for trace in made.data if trace.type == kind]


def test_the_map_holds_the_very_weights_and_forbidden_cells_hold_none():
    pattern, allowed = causal(4)
    shown = np.array(traces(figure(), "heatmap")[0].z, dtype=np.float64)
    assert np.array_equal(shown[allowed], pattern[allowed].astype(np.float64))
    assert np.isnan(shown[~allowed]).all()


def test_the_scale_runs_from_0_to_1_whatever_the_weights():
    drawn = traces(figure(), "heatmap")[0]
    assert (drawn.zmin, drawn.zmax) == (0, 1)
    assert list(drawn.colorbar.tickvals) == [0, 0.5, 1]


def test_the_forbidden_is_hatched_and_a_free_map_is_not():
    assert len(figure().layout.images) == 1
    pattern = np.full((2, 2), 0.5, dtype=np.float32)
    free = heatmap(pattern, pattern > 0, ["a", "b"], ["a", "b"], Stream.ENCODER, (0, 0), LIGHT)
    assert len(free.layout.images) == 0


@pytest.mark.parametrize("length", [1, 4, 70])
def test_plotly_takes_the_drawing_for_valid(length):
    go.Figure(figure(length, focus=(0, 0)).to_dict())


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_every_number_can_be_read_on_its_cell(theme):
    weights = np.linspace(0.1, 1, 20).reshape(5, 4)  # few enough to have room for numbers
    made = heatmap(weights, weights > 0, words(5), words(4), Stream.CROSS, (0, 0), theme, margins=False)
    assert sum(len(trace.y) for trace in numbers(made)) == weights.size
    for trace in numbers(made):
        for row, column in zip(trace.y, trace.x, strict=True):
            ground = "#" + bytes(paint(weights[row, column], theme.weights)).hex()
            assert contrast(ground, trace.textfont.color) >= 4


def test_equal_tokens_stay_apart():
    axis = figure().layout.xaxis
    assert list(axis.tickvals) == [0, 1, 2, 3]
    assert [text.replace("<b>", "").replace("</b>", "") for text in axis.ticktext] == ["the", "cat", "the", "mat"]


def test_a_point_a_cell_tells_the_exact_weight():
    points = traces(figure(), "scatter")[0]
    last = points.customdata[-1]
    assert (points.x[-1], points.y[-1]) == (3, 3)
    assert "0.400000" in last
    assert "may not look" in points.customdata[1]


def test_percents_are_printed_from_10_on_and_only_in_large_cells():
    printed = {
        (y, x): text for trace in numbers(figure()) for x, y, text in zip(trace.x, trace.y, trace.text, strict=True)
    }
    assert {cell: printed[cell] for cell in printed if cell[0] == 3} == {
        (3, 0): "10",
        (3, 1): "20",
        (3, 2): "30",
        (3, 3): "40",
    }
    assert (0, 1) not in printed
    assert grid(words(40), words(40)).cell < NUMBERED
    assert numbers(figure(40)) == []


def test_the_margins_say_spread_and_received():
    pattern, _ = causal(4)
    across, down = traces(figure(), "bar")
    assert across.x[0] == pytest.approx(1.0)
    assert down.y == pytest.approx(pattern.sum(axis=0), abs=1e-4)


def test_the_focused_row_and_column_are_framed():
    first, second = figure(focus=(2, 1)).layout.shapes
    assert (first.y0, first.y1) == (1.5, 2.5)
    assert (second.x0, second.x1) == (0.5, 1.5)
    assert first.line.color == LIGHT.ink


def test_one_row_of_cross_attention_is_drawn():
    pattern = np.array([[0.1, 0.2, 0.7]], dtype=np.float32)
    made = heatmap(pattern, pattern > 0, ["<s>"], ["gen", "ai", "is"], Stream.CROSS, (0, 2), DARK)
    assert np.array(traces(made, "heatmap")[0].z).shape == (1, 3)


@pytest.mark.parametrize("length", [64, 65, 256])
def test_long_texts_keep_labels_apart_and_stay_small(length):
    made = figure(length)
    place = grid(words(length), words(length))
    axis = made.layout.yaxis
    ticks = axis.tickvals or range(axis.tick0, length, axis.dtick)
    assert all((later - earlier) * place.cell >= 10 for earlier, later in pairwise(ticks))
    assert length - 1 in ticks  # the focused row is always named
    assert bool(traces(made, "scatter")) == (length**2 <= CLICKABLE)
    assert place.width <= 1000
    assert len(made.to_json()) < 1_000_000


def test_above_the_clickable_size_the_map_itself_tells_the_weight():
    drawn = traces(figure(65), "heatmap")[0]
    assert "“%{y}” → “%{x}”<br><b>%{z:.6f}</b>" in drawn.hovertemplate
    assert figure(65).layout.yaxis.labelalias["1"] == "cat"


def test_without_margins_nothing_is_said_of_whole_rows():
    assert not traces(figure(5, margins=False), "bar")
    assert figure(5, margins=False).layout.height < figure(5).layout.height - 30  # nor is room left for it


@pytest.mark.parametrize("length", [1, 3, 9, 14, 19, 40])
def test_the_colour_bar_leaves_room_for_the_heading_beside_it(length):
    made = figure(length, focus=(0, 0))
    bar, place = traces(made, "heatmap")[0].colorbar, grid(words(length), words(length))
    begins = place.left + bar.x * (place.width - place.left) - bar.len
    assert begins >= width_px(["Decoder, layer 32, head 32"], 14)


def test_faded_cells_are_covered_and_keep_their_weights():
    faded = np.ones((4, 4), bool)
    faded[1:3, 0] = False
    made, plain = figure(4, faded=faded), figure(4)
    veils = [(s.x0, s.x1, s.y0, s.y1) for s in made.layout.shapes if s.fillcolor]
    assert veils == [(-0.5, 3.5, -0.5, 0.5), (0.5, 3.5, 0.5, 2.5), (-0.5, 3.5, 2.5, 3.5)]
    assert np.array_equal(traces(made, "heatmap")[0].z, traces(plain, "heatmap")[0].z, equal_nan=True)
    assert {(x, y) for one in numbers(made) for x, y in zip(one.x, one.y, strict=True)} == {(0, 1), (0, 2)}


@pytest.mark.parametrize("length", [1, 3, 9, 14, 40])
def test_cells_are_square_and_everything_lies_inside(length):
    place = grid(words(length), words(length))
    made = figure(length, focus=(0, 0))
    across = made.layout.xaxis.domain[1] * (place.width - place.left) / length
    down = (made.layout.yaxis.domain[1] - made.layout.yaxis.domain[0]) * (place.height - place.top) / length
    assert across == pytest.approx(place.cell)
    assert down == pytest.approx(place.cell)
    assert made.layout.xaxis2.domain[1] <= 1


@pytest.mark.parametrize(
    "evil", ["<img src=x onerror=alert(1)>", "%{x}", "<a href='javascript:alert(1)'>", "$\\frac{1}{2}$"]
)
def test_hostile_tokens_are_text(evil):
    made = figure(rows=[evil, "b", "c", "d"], columns=["a", "b", "c", evil])
    sent = json.dumps(made.to_plotly_json(), default=lambda value: value.tolist())
    assert "<img" not in sent
    assert "<a " not in sent
    assert traces(made, "scatter")[0].hovertemplate == "%{customdata}<extra></extra>"


def test_the_map_is_described_in_words():
    pattern, _ = causal(2)
    said = describe(["a", "b"], ["a", "b"], pattern, "Decoder, layer 1, head 1")
    assert (
        said.replace("\N{NO-BREAK SPACE}", " ")
        == "Decoder, layer 1, head 1: 2 queries by 2 keys. a looks most at a (100 %), b looks most at b (67 %)."
    )
