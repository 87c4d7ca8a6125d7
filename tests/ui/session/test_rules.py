"""Mask rules in a link: what is written is read again, and nothing else is."""

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import LensError, TooLongError
from core.request import MaskRule, Stream
from core.ui.masks.files import fits_file, read_file, write_file
from core.ui.session.rules import FILE, LINK, LONGEST, flips, read_reads, read_rules, readable, write_reads, write_rules

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


# A few signs can name millions of cells

SMALL = 4_000_000  # bytes that reading a refused mask may take at once: the text itself, never what it would expand to
SPANS = st.one_of(
    st.integers(1, 9999).map(str),
    st.tuples(st.integers(0, 9999), st.integers(0, 9999)).map(lambda ends: f"{ends[0]}x{ends[1]}"),
    st.just("1x9999"),
)
FIELDS = st.one_of(
    st.lists(SPANS, min_size=1, max_size=4).map(lambda spans: "k" + "_".join(spans)),
    st.lists(st.tuples(st.integers(1, 9999), SPANS), min_size=1, max_size=4).map(
        lambda rows: "-".join(f"{row}k{spans}" for row, spans in rows)
    ),
    st.lists(st.integers(1, 9999), min_size=1, max_size=4).map(lambda layers: "l" + "-".join(map(str, layers))),
)


def saved(mask):
    return json.dumps({"lookback": "mask", "mask": mask}).encode()


def peak(read, raw):
    """The most memory that reading took, and what it gave: None where it was refused."""
    tracemalloc.start()
    try:
        return read(raw), tracemalloc.get_traced_memory()[1]
    except (ValueError, LensError):
        return None, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@given(
    st.sampled_from(["encoder.custom", "decoder.padding", "cross.full", "encoder.window.3"]),
    st.lists(st.tuples(FIELDS, st.integers(1, 3000)), min_size=1, max_size=3), st.sampled_from("-_.,"),
)  # fmt: skip
def test_what_is_refused_was_never_written_out(head, fields, between):
    part = ".".join([head, *(between.join([field] * times) for field, times in fields)])
    for text in (part, ",".join([part] * 40)):
        for bounds, read in ((LINK, read_rules), (FILE, lambda raw: read_file(saved(raw)))):
            found, most = peak(read, text)
            if found is None:
                assert most < SMALL + 12 * len(text)
            else:
                assert sum(len(rule.edges) for rule in found) <= bounds.cells and len(found) <= bounds.rules


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("encoder.custom." + "-".join(["1k1x9999"] * 600), 600 * 9999),
        ("encoder.custom.k" + "_".join(["2x9999"] * 700), 700 * 9998),
        (",".join(f"encoder.custom.{row}k1x9999_5" for row in range(1, 40)), 39 * 10_000),
        ("cross.custom.k1x9999.k1x9999.1k1x9999.2k1x9999.3k1x9999." + "-".join(["4k1x9999"] * 9), 14 * 9999),
        (",".join(["decoder.causal.k1x9999"] * 60), 60 * 9999),
    ],
)  # fmt: skip
def test_too_many_cells_are_refused_with_both_numbers_however_they_are_named(text, cells):
    with pytest.raises(TooLongError, match=f"at most {LINK.cells:,} cells of a mask, but got {cells:,}"):
        read_rules(text)
    assert peak(read_rules, text)[1] < SMALL


@pytest.mark.parametrize("one", ["1k1x9999-", "7k2-", "1k9999x9999-"])
def test_a_saved_mask_is_counted_before_it_is_written_out(one):
    text = "encoder.custom." + (one * (390_000 // len(one)))[:-1] + "-1k1x9999" * 30
    with pytest.raises(TooLongError, match=f"at most {FILE.cells:,} cells"):
        read_file(saved(text))
    assert peak(read_file, saved(text))[1] < SMALL


def test_more_rules_characters_or_bytes_than_are_read_are_refused_with_both_numbers():
    for read, raw, said in (
        (read_rules, "encoder.full," * 64 + "encoder.full", "64 rules of a mask, but got 65"),
        (read_rules, "x" * 6001, "6,000 characters of a mask, but got 6,001"),
        (read_file, saved("," * 5000), "4,096 rules of a mask, but got 5,001"),
        (read_file, b" " * 500_000, "400,000 bytes, but got a file of 500,000"),
        (read_reads, "1k1-" * 128 + "1k1", "128 rows that are told what to read, but got 129"),
        (read_reads, "1k1x9999-" * 60 + "2k1", f"{LINK.cells:,} cells, but got 599,941"),
        (read_reads, "1k" + "1_" * 3000 + "1", "6,000 characters, but got 6,003"),
    ):
        with pytest.raises(TooLongError, match=f"at most {said}"):
            read(raw)
        assert peak(read, raw)[1] < SMALL


def test_layers_and_heads_are_named_once():
    assert read_rules("encoder.full.l3-1.h2")[0].layers == (2, 0)
    for field in ("l1-1", "h2-3-2", "l" + "1-" * 2000 + "1"):
        with pytest.raises(ValueError):
            read_rules(f"encoder.full.{field}")


@pytest.mark.parametrize("tokens", [3, 40, 128])
def test_every_mask_that_can_be_painted_and_written_to_a_link_is_read_again(tokens):
    shut = np.zeros((tokens, tokens), dtype=bool)
    shut[:, 0] = True
    worst = MaskRule(Stream.CROSS, "custom", edges=flips(np.ones((tokens, tokens), dtype=bool), shut)[1:])
    almost = ~np.eye(tokens, dtype=bool)
    fullest = MaskRule(Stream.CROSS, "custom", edges=flips(almost, ~almost & (np.arange(tokens) > 0)))
    for rule in (worst, fullest):
        if not rule.edges:
            continue
        rules = (rule,)
        while len(write_rules((*rules, rule))) <= LINK.characters and len(rules) < LINK.rules:
            rules += (rule,)
        assert readable(rules) and read_rules(write_rules(rules)) == rules
    reads = tuple((row, tuple(range(tokens))) for row in range(64))
    assert read_reads(write_reads(reads)) == reads


def test_what_could_not_be_read_again_is_known_before_it_is_saved():
    whole = MaskRule(Stream.ENCODER, "custom", edges=tuple((query, key) for query in range(128) for key in range(128)))
    assert readable((whole,) * 5) and not readable((whole,) * 6)
    assert fits_file((whole,) * 16) and not fits_file((whole,) * 17)
    checkered = tuple((query, key) for query in range(560) for key in range(0, 400, 2))
    assert not fits_file((MaskRule(Stream.ENCODER, "custom", edges=checkered),))
