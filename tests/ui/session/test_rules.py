"""Mask rules in a link: what is written is read again, and nothing else is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import LensError
from core.request import MaskRule, Stream
from core.ui.masks.files import read_file, write_file
from core.ui.session.rules import LONGEST, flips, read_rules, write_rules

PLACES = st.lists(st.integers(0, 30), min_size=1, max_size=4, unique=True).map(lambda places: tuple(sorted(places)))
CELLS = st.sets(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=60)


@given(
    st.sampled_from(list(Stream)), st.one_of(st.none(), PLACES), st.one_of(st.none(), PLACES), CELLS,
    st.sets(st.integers(0, 40), max_size=5),
)  # fmt: skip
def test_what_is_painted_survives_the_link(stream, layers, heads, cells, columns):
    edges = tuple((None, key) for key in sorted(columns)) + tuple(sorted(cells))
    rule = MaskRule(stream, "custom", layers, heads, edges=edges)
    text = write_rules((rule, MaskRule(stream, "full")))
    assert read_rules(text) == (rule, MaskRule(stream, "full"))
    assert not set(text) - set("abcdefghijklmnopqrstuvwxyz0123456789._-,")


def test_widths_and_columns_too():
    rules = (MaskRule(Stream.ENCODER, "window", width=3), MaskRule(Stream.CROSS, "padding", edges=((None, 2), (None, 3))))
    assert write_rules(rules) == "encoder.window.3,cross.padding.k3x4"
    assert read_rules("encoder.window.3,cross.padding.k3x4") == rules


@pytest.mark.parametrize(
    "text",
    [
        "", "encoder",
        "sideways.full", "encoder.nonsense", "cross.causal", "encoder.window", "encoder.window.0",
        "encoder.window.99999",
        "encoder.custom", "encoder.custom.1k", "encoder.custom.0k1", "encoder.custom.1k0", "encoder.custom.1k5x2",
        "encoder.full.<b>",
        "encoder.custom.l0.1k1", "encoder.custom.1k1-", "encoder.custom.١k١", ",".join(["encoder.full"] * 65),
        "encoder.full." * 2000,
    ],
)  # fmt: skip
def test_anything_else_is_refused(text):
    with pytest.raises((ValueError, LensError)):
        read_rules(text)


def test_flips_are_the_cells_that_differ_and_columns_that_differ_from_end_to_end():
    native = np.tri(4, dtype=bool)
    wanted = native.copy()
    wanted[2, 1], wanted[0, 3] = False, True
    assert flips(native, wanted) == ((0, 3), (2, 1))
    assert flips(native, native) == ()
    wanted[:, 2] = ~native[:, 2]
    assert flips(native, wanted) == ((None, 2), (0, 3), (2, 1))


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"\xff\xfe", b'{"lookback": "mask"}', b'{"lookback": "mask", "mask": 3}', b"[" * 100_000,
     b'{"lookback": "mask", "mask": "encoder.nonsense"}', b'{"lookback": "mask", "mask": "' + b"x" * 100_000 + b'"}',
     b'{"lookback": "mask", "mask": "' + b"encoder.full," * 50_000 + b'encoder.full"}', b'"lookback"',
     b'{"lookback": "mask", "mask": ["a"]}',
     b'{"lookback": "mask", "mask": "encoder.custom.<img src=x onerror=alert(1)>"}'],
)  # fmt: skip
def test_another_file_is_refused_in_words(content):
    with pytest.raises(LensError, match="a mask saved by Lookback"):
        read_file(content)


def test_a_saved_mask_is_read_again():
    assert read_file(b'{"lookback": "mask", "mask": "encoder.window.3"}') == (MaskRule(Stream.ENCODER, "window", width=3),)


def test_a_mask_too_intricate_for_a_link_still_fits_a_file():
    cells = tuple((query, key) for query in range(128) for key in range(0, 128, 2))
    rule = MaskRule(Stream.ENCODER, "custom", edges=cells)
    assert len(write_rules((rule,))) > LONGEST
    assert read_file(write_file((rule,)).encode()) == (rule,)


def test_simple_masks_are_short_in_a_link():
    native = np.ones((64, 64), dtype=bool)
    row = (np.arange(64)[:, None] != 3) | (np.arange(64) > 20)
    for wanted, most in ((np.tri(64, dtype=bool), 600), (np.arange(64) != 5, 30), (row, 30)):
        rule = MaskRule(Stream.ENCODER, "custom", edges=flips(native, np.broadcast_to(wanted, native.shape)))
        assert len(write_rules((rule,))) <= most
