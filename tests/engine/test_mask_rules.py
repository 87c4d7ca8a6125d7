"""Named masks: each against a definition written a second time, alone and in any order, and refused where they cannot be."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.engine.masking import resolve
from core.errors import MaskError, NoSuchHeadError
from core.figures import mask_words
from core.request import MASKS, HeadRef, Intervention, MaskRule, Request, Site, Stream
from tests.oracles import may_look

NATIVES = {
    "causal": lambda n: np.tri(n, dtype=bool),
    "everything": lambda n: np.ones((n, n), dtype=bool),
    "window": lambda n: np.tri(n, dtype=bool) & ~np.tri(n, k=-3, dtype=bool),
}


@st.composite
def scenes(draw):
    """A request, a site of it, the site's own mask, and which ids are padding."""
    stream = draw(st.sampled_from([Stream.ENCODER, Stream.DECODER, Stream.CROSS]))
    queries = draw(st.integers(1, 9))
    keys = draw(st.integers(1, 9)) if stream is Stream.CROSS else queries
    kind = {Stream.CROSS: "everything", Stream.ENCODER: "everything"}.get(stream) or draw(st.sampled_from([*NATIVES]))
    native = np.ones((queries, keys), dtype=bool) if stream is Stream.CROSS else NATIVES[kind](queries)
    site = Site(stream, draw(st.integers(0, 1)), 3)
    cells = st.tuples(st.integers(0, queries - 1), st.integers(0, keys - 1))
    columns = st.tuples(st.none(), st.integers(0, keys - 1))
    rules = []
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from([n for n, kind in MASKS.items() if kind.on_cross or stream is not Stream.CROSS]))
        some = {"custom": cells | columns, "padding": columns}.get(name)
        rules.append(
            MaskRule(
                draw(st.sampled_from([stream, stream, Stream.ENCODER])) if name in ("full", "causal") else stream,
                name,
                layers=draw(st.none() | st.lists(st.integers(0, 1), max_size=2)),
                heads=draw(st.none() | st.lists(st.integers(0, 2), max_size=3)),
                width=draw(st.integers(1, 10)) if MASKS[name].needs_width else None,
                edges=draw(st.lists(some, min_size=1, max_size=6)) if some is not None else (),
            )
            if stream is not Stream.CROSS or name != "causal"
            else MaskRule(stream, "full")
        )
    heads = st.builds(HeadRef, st.just(stream), st.integers(0, 1), st.integers(0, 2))
    cuts = [(draw(heads), *draw(cells)) for _ in range(draw(st.integers(0, 3)))]
    source, target = {
        Stream.ENCODER: (range(queries), None),
        Stream.DECODER: (None, range(queries)),
        Stream.CROSS: (range(keys), range(queries)),
    }[stream]
    request = Request("any", source, target)
    for rule in rules:
        if rule.stream is stream:
            request = request.with_mask(rule)
    padding = draw(st.lists(st.booleans(), min_size=keys, max_size=keys))
    return request.with_cut(*cuts), site, native, padding


@settings(max_examples=250, deadline=None)
@given(scene=scenes())
def test_any_order_of_rules_and_cuts_gives_what_their_definitions_say(scene):
    request, site, native, padding = scene
    expected = may_look(request, site, native, padding)
    empty = ~expected.any(axis=-1)
    if empty.any():
        with pytest.raises(MaskError) as caught:
            resolve(site, native, request.intervention, np.array(padding))
        head, row = np.argwhere(empty)[0]
        assert f"query {row} in {site.stream.value} layer {site.layer}" in str(caught.value)
        if request.intervention.cuts:
            assert f"head {head}" in str(caught.value) or empty.all(axis=0)[row]
    else:
        allowed = resolve(site, native, request.intervention, np.array(padding))
        assert np.array_equal(np.broadcast_to(allowed, expected.shape), expected)


@settings(max_examples=200, deadline=None)
@given(scene=scenes(), data=st.data())
def test_a_later_step_sees_the_same_rows(scene, data):
    request, site, native, padding = scene
    if site.stream is Stream.ENCODER or (site.stream is Stream.DECODER and np.triu(native, 1).any()):
        return  # an encoder has no later step, and a decoder that peeks computes everything anew
    if not may_look(request, site, native, padding).any(axis=-1).all():
        return
    start = data.draw(st.integers(0, len(native) - 1))
    whole = resolve(site, native, request.intervention, np.array(padding))
    rows = resolve(site, native[start:], request.intervention, np.array(padding), start)
    shape = (site.heads, len(native) - start, native.shape[1])
    assert np.array_equal(np.broadcast_to(rows, shape), np.broadcast_to(whole[:, start:], shape))


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("causal", "1000 1100 1110 1111"),
        ("full", "1111 1111 1111 1111"),
        ("window", "1000 1100 0110 0011"),
        ("prefix", "1100 1100 1110 1111"),
        ("block", "1100 1100 0011 0011"),
        ("custom", "1000 1101 1010 1111"),
        ("padding", "1000 1100 1100 1101"),
    ],
)
def test_each_mask_as_it_is_drawn_for_a_causal_text_of_four(name, picture):
    edges = {"custom": [(1, 3), (2, 1)], "padding": [(None, 2)]}.get(name, ())
    rule = MaskRule(Stream.DECODER, name, width=2 if MASKS[name].needs_width else None, edges=edges)
    native, site = np.tri(4, dtype=bool), Site(Stream.DECODER, 0, 1)
    allowed = resolve(site, native, Intervention(masks=(rule,)), np.zeros(4, dtype=bool))[0]
    assert [[bool(int(cell)) for cell in row] for row in picture.split()] == allowed.tolist()


def test_a_window_looks_both_ways_where_the_stream_does():
    def row(stream, native):
        rule = MaskRule(stream, "window", width=2)
        return resolve(Site(stream, 0, 1), native, Intervention(masks=(rule,)), np.zeros(4, dtype=bool))[0, 1].tolist()

    assert row(Stream.ENCODER, np.ones((4, 4), dtype=bool)) == [True, True, True, False]
    assert row(Stream.DECODER, np.tri(4, dtype=bool)) == [True, True, False, False]
    assert row(Stream.DECODER, np.ones((4, 4), dtype=bool)) == [True, True, True, False], "a decoder that peeks"


def test_a_later_rule_replaces_an_earlier_one_on_the_heads_it_names_and_there_alone(lens_of, ask):
    lens = lens_of("ours")
    request = ask("ours", 6, 6)
    causal, block = MaskRule(Stream.ENCODER, "causal"), MaskRule(Stream.ENCODER, "block", heads=(1,), width=3)
    both = lens.run(request.with_mask(causal).with_mask(block))
    for layer in (0, 1):
        allowed = both.at(Stream.ENCODER, layer).allowed
        for head in range(4):
            blocks = np.kron(np.eye(2, dtype=bool), np.ones((3, 3), dtype=bool))
            assert np.array_equal(allowed[head], blocks if head == 1 else np.tri(6, dtype=bool))
    swapped = lens.run(request.with_mask(block).with_mask(causal))
    assert np.array_equal(swapped.at(Stream.ENCODER, 0).allowed[1], np.tri(6, dtype=bool))


def test_a_rule_for_one_layer_and_one_head_leaves_the_others_alone(lens_of, ask):
    lens = lens_of("llama")
    request = ask("llama", 6)
    rule = MaskRule(Stream.DECODER, "full", layers=(1,), heads=(2,))
    plain, changed = lens.run(request), lens.run(request.with_mask(rule))
    first, second = changed.attention
    assert np.abs(first.pattern - plain.attention[0].pattern).max() <= 1e-6
    above = np.triu(np.ones((6, 6), dtype=bool), 1)
    for head in range(4):
        assert bool(second.head(head)[above].any()) == (head == 2)
        if head != 2:
            assert np.abs(second.head(head) - plain.attention[1].head(head)).max() <= 1e-6


def test_padding_hides_the_keys_that_are_padding(lens_of):
    for family in ("bert", "t5", "bart", "ours", "ours_encoder"):
        lens = lens_of(family)
        source = [10, lens.pad, 12, 13, lens.pad]
        target = {"target_ids": [8, 9]} if lens.info.kind == "encoder-decoder" else {}
        request = lens.request(ids=source, **target)
        masked = lens.run(request.with_mask(MaskRule(Stream.ENCODER, "padding")))
        own = masked.at(Stream.ENCODER, 0)
        assert not own.pattern[:, :, [1, 4]].any() and (own.pattern[:, :, [0, 2, 3]] > 0).all()
        assert lens.run(request).at(Stream.ENCODER, 0).pattern[:, :, [1, 4]].all(), (
            "unasked, padding is read like any id"
        )
        if target:
            cross = lens.run(request.with_mask(MaskRule(Stream.CROSS, "padding"))).at(Stream.CROSS, 1)
            assert not cross.pattern[:, :, [1, 4]].any() and (cross.pattern[:, :, [0, 2, 3]] > 0).all()


def test_a_start_token_that_shares_the_paddings_id_is_no_padding(lens_of, ask):
    for family in ("t5", "marian"):
        lens = lens_of(family)
        assert lens.start == lens.pad
        request = ask(family).append(lens.pad)
        held = lens.run(request.with_mask(MaskRule(Stream.DECODER, "padding"))).at(Stream.DECODER, 0)
        assert (held.pattern[:, :, 0] > 0).all() and not held.pattern[:, :, -1].any()


def test_hiding_the_padding_equals_not_having_it(lens_of):
    lens = lens_of("bert")
    short = lens.run(lens.request(ids=[10, 11, 12]))
    rule = MaskRule(Stream.ENCODER, "padding")
    padded = lens.run(lens.request(ids=[10, 11, 12, lens.pad, lens.pad]).with_mask(rule))
    for a, b in zip(short.attention, padded.attention, strict=True):
        assert np.abs(a.pattern - b.pattern[:, :3, :3]).max() <= 1e-6


def test_an_empty_row_is_refused_by_name(lens_of, ask):
    lens = lens_of("gpt2")
    first = MaskRule(Stream.DECODER, "custom", edges=[(0, 0)])
    with pytest.raises(MaskError, match=r"nothing left for query 0 in decoder layer 0") as caught:
        lens.run(ask("gpt2").with_mask(first))
    assert "Leave one cell of that row open" in str(caught.value)
    with pytest.raises(MaskError, match=r"query 3 in decoder layer 1, head 2"):
        head = HeadRef(Stream.DECODER, 1, 2)
        lens.run(ask("gpt2").with_cut(*[(head, 3, key) for key in range(4)]))
    lens.run(ask("gpt2"))  # and the model is as it was


@pytest.mark.parametrize("name", ["causal", "window", "prefix", "block"])
def test_order_means_nothing_between_two_texts(name):
    with pytest.raises(MaskError, match="cross-attention"):
        MaskRule(Stream.CROSS, name, width=2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "diagonal"},
        {"name": "window"},
        {"name": "window", "width": 0},
        {"name": "window", "width": -1},
        {"name": "window", "width": 1.5},
        {"name": "window", "width": True},
        {"name": "custom"},
        {"name": "custom", "edges": [(0,)]},
        {"name": "custom", "edges": [(-1, 0)]},
        {"name": "custom", "edges": [(0, None)]},
        {"name": "custom", "edges": 3},
        {"name": "padding", "edges": [(1, 2)]},
    ],
)
def test_a_rule_that_cannot_be_is_refused_when_it_is_made(wrong):
    with pytest.raises(MaskError):
        MaskRule(Stream.DECODER, **wrong)


def test_a_rule_on_what_the_model_has_not_is_refused_when_the_request_is_made(ask):
    request = ask("gpt2", 5)
    for rule in (
        MaskRule(Stream.ENCODER, "full"),
        MaskRule(Stream.DECODER, "full", layers=(2,)),
        MaskRule(Stream.DECODER, "full", heads=(4,)),
        MaskRule(Stream.DECODER, "custom", edges=[(5, 0)]),
        MaskRule(Stream.DECODER, "custom", edges=[(None, 5)]),
    ):
        with pytest.raises(NoSuchHeadError):
            request.with_mask(rule)
    bert = ask("bert", 5)
    with pytest.raises(NoSuchHeadError, match="a stream this model has \\(encoder\\)"):
        bert.with_mask(MaskRule(Stream.CROSS, "full"))


def test_numpy_numbers_are_numbers():
    rule = MaskRule("decoder", "window", width=np.int64(3), layers=np.arange(2), heads=[np.int32(1)])
    assert rule == MaskRule(Stream.DECODER, "window", width=3, layers=(0, 1), heads=(1,))
    assert hash(rule) == hash(MaskRule(Stream.DECODER, "window", width=3, layers=(0, 1), heads=(1,)))
    assert type(rule.width) is int


def test_the_registry_of_masks_says_what_each_does_and_cannot_be_changed():
    assert list(MASKS) == ["full", "causal", "window", "prefix", "padding", "block", "custom"]
    assert all(kind.title and kind.says.endswith(".") for kind in MASKS.values())
    assert all(re.fullmatch("[a-z]+", name) for name in MASKS), "a link writes it between dots, a width behind it"
    assert all(("{width}" in kind.says) == kind.needs_width for kind in MASKS.values())
    with pytest.raises(TypeError):
        MASKS["mine"] = MASKS["full"]


@pytest.mark.parametrize("causal", [True, False])
def test_a_windows_line_counts_the_places_that_it_leaves_open(causal: bool) -> None:
    """Its card says "fewer than N away", which holds on both kinds of stream; "N of them" would be wrong on an encoder."""
    stream = Stream.DECODER if causal else Stream.ENCODER
    native = NATIVES["causal" if causal else "everything"](9)
    rule = MaskRule(stream, "window", width=3)
    allowed = resolve(Site(stream, 0, 1), native, Intervention(masks=(rule,)), np.zeros(9, dtype=bool), 0)
    away = np.abs(np.arange(9)[:, None] - np.arange(9))
    assert "fewer than 3 tokens away" in mask_words.says("window", 3, stream)
    assert np.array_equal(np.broadcast_to(allowed, (1, 9, 9))[0], (away < 3) & native)
    assert np.broadcast_to(allowed, (1, 9, 9))[0, 4].sum() == (3 if causal else 5)
