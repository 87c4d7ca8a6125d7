"""PNG built by hand, read back by another reader."""

import io

import numpy as np
from PIL import Image

from core.figures.raster import forbidden, hatched, png, stretch
from core.figures.theme import LIGHT, rgb


def test_a_png_read_back_holds_the_same_pixels():
    for channels in (3, 4):
        pixels = np.random.default_rng(0).integers(0, 256, (7, 5, channels), dtype=np.uint8)
        assert np.array_equal(np.array(Image.open(io.BytesIO(png(pixels)))), pixels)


def test_stretching_gives_each_cell_its_pixels():
    assert stretch(np.array([[1, 2], [3, 4]]), 4, 6).tolist() == [[1, 1, 1, 2, 2, 2]] * 2 + [[3, 3, 3, 4, 4, 4]] * 2


def test_hatch_lies_only_where_looking_is_forbidden():
    picture = forbidden(np.tri(3, dtype=bool), 8, LIGHT)
    assert picture.shape == (24, 24, 4)
    opaque = picture[..., 3] == 255
    assert opaque[:8, 8:].all()
    assert not opaque[8:, :8].any()


def test_a_hatch_has_lines_and_ground():
    colours = {tuple(colour) for colour in hatched(20, 20, LIGHT).reshape(-1, 3).tolist()}
    assert colours == {tuple(rgb(LIGHT.hatch).tolist()), tuple(rgb(LIGHT.hatch_ground).tolist())}
