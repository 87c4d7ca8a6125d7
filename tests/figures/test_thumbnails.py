"""All heads at a glance, tested on its data."""

import io
from base64 import b64decode

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from core.figures.theme import LIGHT, rgb
from core.figures.thumbnails import GAP, mosaic, side_of, size_of, thumbnails
from core.request import Stream


def heads(layers: int, count: int, length: int = 3) -> list[list[np.ndarray]]:
    made = [[np.zeros((length, length)) for _ in range(count)] for _ in range(layers)]
    made[layers - 1][count - 1][:] = 1.0
    return made


def test_each_head_has_its_place_rows_are_layers():
    picture = mosaic(heads(2, 3), LIGHT)
    side, step = 2 * side_of(3), 2 * (side_of(3) + GAP)
    assert picture.shape == (2 * step, 3 * step, 3)
    dark = picture[step + GAP + side // 2, 2 * step + GAP + side // 2]
    assert dark.tolist() == rgb(LIGHT.weights[-1]).tolist()
    assert picture[GAP + side // 2, GAP + side // 2].tolist() == rgb(LIGHT.weights[0]).tolist()


def test_one_point_a_head_carries_layer_and_head():
    made = thumbnails(heads(2, 3), Stream.DECODER, (1, 2), LIGHT)
    points = made.data[0]
    assert [tuple(place) for place in points.customdata] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert list(zip(points.y, points.x, strict=True)) == [tuple(place) for place in points.customdata]
    assert points.hovertemplate[-1].startswith("decoder, layer 2, head 3")


def test_the_chosen_one_wears_the_streams_ring():
    ring = thumbnails(heads(2, 3), Stream.CROSS, (1, 2), LIGHT).layout.shapes[0]
    assert ring.line.color == LIGHT.cross
    assert ring.x0 < 2 < ring.x1
    assert ring.y0 < 1 < ring.y1


def test_the_picture_in_the_figure_is_the_mosaic():
    made = thumbnails(heads(1, 2), Stream.ENCODER, (0, 0), LIGHT)
    data = b64decode(made.layout.images[0].source.partition(",")[2])
    assert np.array_equal(np.array(Image.open(io.BytesIO(data))), mosaic(heads(1, 2), LIGHT))


@pytest.mark.parametrize(("layers", "count"), [(3, 4), (12, 12), (30, 9), (6, 16)])
def test_many_heads_stay_one_small_figure(layers, count):
    made = thumbnails([[np.random.default_rng(0).random((48, 48))] * count] * layers, Stream.DECODER, (0, 0), LIGHT)
    assert len(made.data) == 1
    assert (made.layout.width, made.layout.height) == size_of(layers, count)
    assert len(made.to_json()) < 1_500_000


def test_plotly_takes_the_drawing_for_valid():
    go.Figure(thumbnails(heads(3, 4), Stream.ENCODER, (1, 3), LIGHT).to_dict())


def test_layers_may_have_different_numbers_of_heads():
    made = thumbnails([heads(1, 2)[0], heads(1, 4)[0]], Stream.ENCODER, (1, 3), LIGHT)
    assert len(made.data[0].customdata) == 6
