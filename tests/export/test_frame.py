"""A data frame of a trace holds its weights, names its rows by their tokens, and tells what the trace does not hold."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

from core import HeadRef, MaskRule, Stream, frame, load
from core.engine.inside import account, inner
from core.errors import InputError, LensError, NoSuchHeadError, NotKeptError, RequestError


@pytest.fixture(scope="module")
def lens():
    return load("classroom")


@pytest.fixture(scope="module")
def request_(lens):
    request = lens.request("the cat sits", "and the dog")
    return request.with_mask(MaskRule("encoder", "causal", heads=(1,))).with_ablation(HeadRef("cross", 0, 1))


@pytest.mark.parametrize("capture", ["float32", "lazy", "u8"])
def test_each_row_is_a_cell_with_its_tokens(lens, request_, capture):
    trace = lens.run(request_.keeping("pattern", "scores", capture=capture))
    table = trace.to_frame()
    assert len(table) == sum(np.prod(one.shape) for one in trace.attention)
    assert all(table[name].dtype == "category" for name in ("stream", "query_token", "key_token"))
    for row in table.iloc[:: len(table) // 50].itertuples():
        one = trace.at(Stream(row.stream), row.layer)
        queries, keys = frame.sides(one.site.stream, trace.source, trace.target)
        assert (row.query_token, row.key_token) == (queries.text[row.query], keys.text[row.key])
        cell = row.head, row.query, row.key
        assert row.weight == one.pattern[cell] and row.score == one.scores[cell] and row.allowed == one.allowed[cell]


def test_rows_are_chosen_by_stream_layer_and_head(lens, request_):
    trace = lens.run(request_)
    table = trace.to_frame("cross", 1, 2)
    assert (set(table["stream"]), set(table["layer"]), set(table["head"])) == ({"cross"}, {1}, {2})
    pattern = trace.at(Stream.CROSS, 1).head(2)
    assert np.array_equal(table["weight"].to_numpy().reshape(pattern.shape), pattern)
    assert "score" not in table and set(trace.to_frame(layer=2)["stream"]) == {"encoder", "decoder", "cross"}
    assert set(trace.to_frame(Stream.DECODER)["layer"]) == {0, 1, 2}
    assert list(table.groupby("query")["weight"].sum().round(5)) == [1.0] * len(trace.target)


def test_only_kept_layers_and_scores_alone(lens, request_):
    asked = lens.request("the cat", "", layers=(1,), keep=("scores",))
    table = lens.run(asked).to_frame()
    assert set(table["layer"]) == {1} and "weight" not in table and "score" in table
    for keep in ((), ("residual",)):
        with pytest.raises(NoSuchHeadError, match="held \\(none\\)"):
            lens.run(request_.keeping(*keep)).to_frame()
    with pytest.raises(NotKeptError, match="pattern"):
        lens.run(request_.keeping("qkv")).to_frame()


@pytest.mark.parametrize(
    ("where", "error"),
    [
        (("sideways",), RequestError),
        (("cross", 9), NoSuchHeadError),
        (("cross", 0, 9), NoSuchHeadError),
        ((None, 0, -1), NoSuchHeadError),
    ],
)
def test_what_is_not_there_is_told(lens, request_, where, error):
    with pytest.raises(error):
        lens.run(request_).to_frame(*where)


def test_too_many_rows_are_refused_and_a_python_without_pandas_is_told(lens, request_, monkeypatch):
    trace = lens.run(request_)
    monkeypatch.setattr(frame, "CELLS", 20)
    with pytest.raises(InputError, match=r"at most 20 rows of a data frame.*Choose a stream"):
        trace.to_frame()
    assert len(trace.to_frame("encoder", 0, 0)) == len(trace.source) ** 2
    real = builtins.__import__

    def without(name, *rest):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(LensError, match="Install pandas"):
        trace.to_frame("encoder", 0, 0)


def test_everything_prints_in_few_words(lens, request_):
    trace = lens.run(request_.keeping("pattern", "qkv", "predictions", capture="lazy"))
    plain = request_.without_interventions()
    assert repr(trace) == "Trace('classroom', 4 tokens → 4 tokens: 9 attentions, next_logits, predictions)"
    assert repr(lens.run(plain.keeping())) == "Trace('classroom', 4 tokens → 4 tokens: no attention, next_logits)"
    assert "entropy=float32 [4]" in repr(trace.predictions)
    assert "query=float32 [4, 4, 48]" in repr(trace.attention[0].held["recipe"])
    assert "without=float32 [9, 4]" in repr(account(lens, plain)) and "layers=3 × {standard" in repr(inner(lens, plain))
    assert all("array(" not in repr(one) for one in (trace, *trace.attention, account(lens, plain), trace.token_text))
