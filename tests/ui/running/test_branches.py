"""What Translate asks of the engine: words forced, rows confined, an earlier encoder layer; and what a browser may send."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import core
from core.errors import LensError, TooLongError
from core.request import HeadRef, MaskRule, Stream
from core.ui.running.branches import closed, confined, encoded, fitting, ids_of_word, read_branch
from core.ui.session.rules import read_reads, write_reads

READS = st.dictionaries(st.integers(0, 90), st.sets(st.integers(0, 90), min_size=1, max_size=9), max_size=4)


@pytest.fixture(scope="module")
def lens():
    return core.load("translator-small")


@pytest.fixture(scope="module")
def request_(lens):
    return lens.request("the cat sleeps", "o gato")


@given(READS)
def test_confined_rows_come_back_from_their_link(rows):
    reads = tuple(sorted((row, tuple(sorted(keys))) for row, keys in rows.items()))
    assert not reads or read_reads(write_reads(reads)) == reads


@pytest.mark.parametrize("raw", ["", "3", "k1", "3k", "0k1", "3k0", "3k4x1", "3k1-", "x", "3k1.2", "9" * 9000, "٣k1"])
def test_rows_that_mean_nothing_are_refused(raw):
    with pytest.raises(ValueError):
        read_reads(raw)


def test_confined_rows_are_counted_before_their_cells_are_shut():
    with pytest.raises(TooLongError, match="at most 81,920 cells to shut, but got 1,500,000"):
        closed(tuple((row, (0,)) for row in range(1500)), 1000)
    shut = closed(((3, (1,)),), 2000)
    assert len(confined((), shut)[0].edges) == 1999
    with pytest.raises(TooLongError, match="but got 83,958"):
        confined((MaskRule(Stream.CROSS, "full"),) * 41, shut)
    assert len(confined((MaskRule(Stream.ENCODER, "full"),) * 41, shut)) == 42


def test_a_confined_row_reads_only_what_it_was_left_in_every_head(lens, request_):
    row, keys = 2, (1, 3)
    length = len(request_.source)
    for before in (
        (),
        (MaskRule(Stream.CROSS, "custom", heads=(1,), edges=((row, 1), (0, 0))),),
        (MaskRule(Stream.CROSS, "full"),),
    ):
        changed = request_
        for rule in confined(before, closed(((row, keys),), length)):
            changed = changed.with_mask(rule)
        for site in lens.info.at(Stream.CROSS):
            seen = lens.run(changed).at(Stream.CROSS, site.layer)
            allowed = np.broadcast_to(seen.allowed, seen.shape)
            for head in range(site.heads):
                own = before and before[0].heads == (head,)
                left = set(keys) - ({1} if own else set())
                assert set(np.flatnonzero(allowed[head, row]).tolist()) == left
                assert seen.pattern[head, row, sorted(left)].sum() == pytest.approx(1, abs=1e-5)
                assert allowed[head, 0].sum() == length - bool(own) and allowed[head, 1].all()


def test_a_confined_row_is_the_row_with_its_edges_cut(lens, request_):
    shut = closed(((2, (0, 2)),), len(request_.source))
    (rule,) = confined((), shut)
    cuts = [
        (HeadRef(Stream.CROSS, site.layer, head), *edge)
        for site in lens.info.at(Stream.CROSS)
        for head in range(site.heads)
        for edge in shut
    ]
    masked, cut = lens.run(request_.with_mask(rule)), lens.run(request_.with_cut(*cuts))
    assert np.abs(masked.next_logits - cut.next_logits).max() <= 1e-6


def test_a_mask_painted_over_a_longer_target_keeps_the_cells_that_are_there(request_):
    rules = (
        MaskRule(Stream.DECODER, "custom", edges=((1, 0), (9, 0))),
        MaskRule(Stream.CROSS, "custom", edges=((8, 0),)),
        MaskRule(Stream.ENCODER, "causal"),
    )
    assert fitting(rules, request_) == (MaskRule(Stream.DECODER, "custom", edges=((1, 0),)), rules[2])
    for rule in fitting(rules, request_):
        request_ = request_.with_mask(rule)


@pytest.mark.parametrize("word", ["gato", "vermelho", "x", "café", "<img>", "</s>", "👩‍👩‍👧", "a b"])
def test_a_typed_word_follows_what_was_written(lens, request_, word):
    for before in ((), encoded(lens, request_.source, "o gato preto")):
        ids = ids_of_word(lens, request_.source, before, word)
        assert ids and not set(ids) & lens.ends
        assert lens.decode((*before, *ids)).strip() == f"{lens.decode(before)} {word}".strip()


def test_what_a_browser_sends_is_checked(lens, request_):
    trace = lens.run(request_.keeping("pattern", "predictions"))
    first = trace.target.ids[1]
    listed = int(trace.predictions.top_ids[1][2])
    reads = ((0, (1,)), (1, (0,)), (2, (2,)))

    def read(**what):
        return read_branch({"version": "v", **what}, "v", trace, 1, reads, lens)

    assert read(step=1, id=listed) == ((first, listed), reads[:2])
    assert read(step=1, reads=[2, 0, 2]) == ((first,), ((0, (1,)), (1, (0, 2))))
    assert read(step=1, reads=list(range(len(trace.source)))) == ((first,), reads[:1])
    forced, kept = read(step=1, word=" gato ")
    assert forced[0] == first and lens.decode(forced).split()[-1] == "gato" and kept == reads[:2]
    for raw in (
        None, [], {}, {"version": "w", "step": 1, "id": listed}, {"version": "v", "step": 9, "id": listed},
        {"version": "v", "step": -1, "id": listed}, {"version": "v", "step": 1, "id": 10**9},
        {"version": "v", "step": True, "id": listed}, {"version": "v", "step": 1, "id": "3"},
        {"version": "v", "step": 1, "id": listed, "more": 1}, {"version": "v", "step": 1, "reads": []},
        {"version": "v", "step": 1, "reads": [99]}, {"version": "v", "step": 1, "reads": [-1]},
        {"version": "v", "step": 1, "reads": [True]}, {"version": "v", "step": 1, "reads": "12"},
        {"version": "v", "step": 1, "word": "  "}, {"version": "v", "step": 1, "word": "x" * 61},
        {"version": "v", "step": 1, "word": 3}, {"version": "v", "step": 1},
    ):  # fmt: skip
        assert read_branch(raw, "v", trace, 1, reads, lens) is None
    with pytest.raises(LensError):
        read(step=1, word="\ud800")
