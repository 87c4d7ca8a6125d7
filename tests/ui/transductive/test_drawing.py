"""What a browser may send back when a point is labelled: labels that fit the points, or nothing at all."""

import json
import struct

import numpy as np
import pytest

from core.analysis.transductive import fourways, pointsets
from core.figures.payloads import board as board_payload
from core.ui.transductive.drawing import read_labelled

GOOD = {"version": "moons-0", "labels": "01..1"}


def test_labels_that_fit_are_read():
    assert read_labelled(GOOD, "moons-0", 5, 2).tolist() == [0, 1, -1, -1, 1]


@pytest.mark.parametrize(
    "raw",
    [
        None, [], "01..1", {}, {**GOOD, "more": 1}, {**GOOD, "version": "moons-1"}, {**GOOD, "labels": "01.."},
        {**GOOD, "labels": "01..2"}, {**GOOD, "labels": "01..٣"}, {**GOOD, "labels": ["0", "1", ".", ".", "1"]},
        {**GOOD, "labels": None},
        {**GOOD, "labels": "<img>"},
    ],
)  # fmt: skip
def test_anything_else_is_nothing(raw):
    assert read_labelled(raw, "moons-0", 5, 2) is None


def unpack(data: bytes):
    """The message as the browser reads it."""
    (length,) = struct.unpack_from("<I", data)
    head = json.loads(data[4 : 4 + length])
    n, start = len(head["places"]), -(-(4 + length) // 4) * 4
    return head, np.frombuffer(data, "<f4", offset=start).reshape(2, n, n)


def test_the_message_holds_what_the_four_ways_answered():
    points = pointsets.draw("blobs", 1)
    labels = pointsets.some_labels(points.classes, 1, np.random.default_rng(0))
    found = fourways.answers(points, labels, 10.0, 0.9)
    ways = {name: board_payload.Decided(found.decided[name], found.right(name)) for name in board_payload.TITLES}
    texts = ["<b>“é”</b>"] * len(labels)
    turns = {"own": 1, "seen": 4}
    head, matrices = unpack(
        board_payload.payload(points, points.x, labels, ways, found.matrices, "v", turns, "dark", texts, found.field)
    )
    assert np.allclose(matrices, found.matrices, atol=1e-7)
    assert [way["decided"] for way in head["ways"]] == [board_payload.signs(found.decided[name]) for name in board_payload.TITLES]
    assert board_payload.read_signs(head["labels"], 3).tolist() == labels.tolist()
    assert head["texts"] == texts and head["turns"] == turns
    assert np.allclose(head["sums"], [matrix.sum(1) for matrix in found.matrices], atol=1e-3)
    assert len(json.dumps(head)) < 40_000
