"""Tokens told to stand elsewhere: the same as running the model on positions of one's own making, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import core
from core.errors import RequestError
from core.request import PositionRule, Request, Stream

TEXT, WRITTEN = "the cat sits on the mat", "and the dog"
MOVED = [("off", 0), ("shifted", 7), ("shuffled", 3)]
STREAM = {"writer": Stream.DECODER, "filler": Stream.ENCODER, "induction": Stream.DECODER}


def asked(name, lens):
    return lens.request(TEXT, WRITTEN) if lens.info.kind == "encoder-decoder" else lens.request(TEXT)


@given(st.integers(0, 2**40), st.integers(0, 40))
def test_a_shuffle_is_an_order_and_the_same_for_the_same_seed(seed, count):
    rule = PositionRule(Stream.ENCODER, "shuffled", seed)
    assert sorted(rule.places(count)) == list(range(count))
    assert rule.places(count) == PositionRule(Stream.ENCODER, "shuffled", seed).places(count)


def test_rules_that_mean_nothing_are_refused():
    for how, amount in (
        ("sideways", 0),
        ("shifted", 0),
        ("shifted", -1),
        ("shifted", 10**9),
        ("shuffled", -1),
        ("off", "x"),
    ):
        with pytest.raises(RequestError):
            PositionRule(Stream.ENCODER, how, amount)
    with pytest.raises(RequestError):
        PositionRule(Stream.CROSS, "off")
    with pytest.raises(RequestError, match="positions of a text"):
        core.load("filler").request(TEXT).with_positions(PositionRule(Stream.DECODER, "off"))


@pytest.mark.parametrize(("how", "amount"), MOVED)
@pytest.mark.parametrize("stream", [Stream.ENCODER, Stream.DECODER])
def test_added_positions_are_those_of_a_model_whose_table_was_changed(stream, how, amount):
    lens = core.load("classroom")
    rule = PositionRule(stream, how, amount)
    request = asked("classroom", lens).keeping("pattern", "residual")
    moved, plain = lens.run(request.with_positions(rule)), lens.run(request)
    ids = request.source if stream is Stream.ENCODER else request.target
    table = lens.positions(lens.info.max_tokens)
    given = np.array([table[place] if place >= 0 else 0 * table[0] for place in rule.places(len(ids))])
    words = plain.residual[stream][0] - table[: len(ids)]
    np.testing.assert_allclose(moved.residual[stream][0], words + given, atol=1e-5)
    # a second model, whose table holds these very rows, must give the same
    other = core.load("classroom")
    inputs = {"source": torch.tensor([request.source]), "target": torch.tensor([request.target])}
    with torch.inference_mode():
        own = other.backend.model
        kept = own.position.clone()
        try:
            if stream is Stream.ENCODER:
                own.position[: len(ids)] = torch.tensor(given)
                memory, _ = own.encode(inputs["source"])
                own.position.copy_(kept)
            else:
                memory, _ = own.encode(inputs["source"])
                own.position[: len(ids)] = torch.tensor(given)
            wanted = own(target=inputs["target"], memory=memory).logits[0, -1].numpy()
        finally:
            own.position.copy_(kept)
    np.testing.assert_allclose(moved.next_logits, wanted, atol=1e-4)
    if how == "off":
        assert np.abs(moved.next_logits - plain.next_logits).max() > 1e-3


def test_rotary_positions_count_only_as_distances():
    lens = core.load("writer")
    request = asked("writer", lens)
    plain = lens.run(request)
    shifted = lens.run(request.with_positions(PositionRule(Stream.DECODER, "shifted", 9)))
    off = lens.run(request.with_positions(PositionRule(Stream.DECODER, "off")))
    assert lens.positions(5) is None
    for one, same, other in zip(plain.attention, shifted.attention, off.attention, strict=True):
        np.testing.assert_allclose(same.pattern, one.pattern, atol=1e-4)
        if one.site.layer == 0:
            assert np.abs(other.pattern - one.pattern).max() > 0.05


def test_without_positions_an_encoder_cannot_tell_one_order_from_another():
    lens = core.load("filler")
    request = asked("filler", lens)
    rule = PositionRule(Stream.ENCODER, "off")
    order = [3, 0, 5, 1, 4, 2, *range(6, len(request.source))]
    turned = lens.request(ids=[request.source[n] for n in order])
    one, other = lens.run(request.with_positions(rule)), lens.run(turned.with_positions(rule))
    for a, b in zip(one.attention, other.attention, strict=True):
        np.testing.assert_allclose(a.pattern[:, order][:, :, order], b.pattern, atol=1e-4)


@pytest.mark.parametrize("name", ["classroom", "writer", "filler"])
def test_the_native_order_said_aloud_changes_nothing_beside_others(name):
    """Rows that moved and a row that did not, side by side in one pass, each as alone; the plain one as if nobody had asked."""
    lens = core.load(name)
    request = asked(name, lens)
    streams = [Stream.ENCODER, Stream.DECODER] if lens.info.kind == "encoder-decoder" else [STREAM[name]]
    rows = [request, *(request.with_positions(PositionRule(stream, how, n)) for stream in streams for how, n in MOVED)]
    together = lens.run_many(rows)
    for row, trace in zip(rows, together, strict=True):
        alone = lens.run(row)
        for a, b in zip(alone.attention, trace.attention, strict=True):
            np.testing.assert_allclose(a.pattern, b.pattern, atol=1e-5)
    assert len({row for row in rows}) == len(rows)


@pytest.mark.parametrize(("how", "amount"), MOVED)
def test_step_by_step_is_the_whole_pass_when_positions_moved(how, amount):
    for name, stream in (("writer", Stream.DECODER), ("classroom", Stream.DECODER), ("classroom", Stream.ENCODER)):
        lens = core.load(name)
        request = asked(name, lens).with_positions(PositionRule(stream, how, amount))
        for step in lens.generate(request, steps=4):
            whole = lens.run(step.request)
            np.testing.assert_allclose(step.trace.next_logits, whole.next_logits, atol=1e-4)
            assert step.recomputed == (how == "shuffled" and stream is Stream.DECODER and step.index > 0)


def test_a_family_that_cannot_be_told_is_refused_in_words(lens_of, ask):
    with pytest.raises(RequestError, match="own kind"):
        lens_of("gpt2").run(ask("gpt2").with_positions(PositionRule(Stream.DECODER, "off")))
    lens = core.load("classroom")
    with pytest.raises(RequestError, match="Shift by less"):
        lens.run(asked("classroom", lens).with_positions(PositionRule(Stream.ENCODER, "shifted", lens.info.max_tokens)))


def test_the_empty_change_is_the_same_request():
    request = Request("m", (1, 2, 3), None)
    moved = request.with_positions(PositionRule(Stream.ENCODER, "off"))
    assert moved.without_interventions() == request and moved != request and hash(moved)
    assert moved.intervention and not request.intervention
