"""The attention view's messages, read back by a decoder written here from their description alone."""

import json
import struct
import subprocess
import sys

import numpy as np
import pytest

from core.attention import decode_u8, encode_u8
from core.figures.payloads import attention_view as payload
from core.paths import ROOT
from core.request import Request, Site, Stream
from core.trace import Attention, Tokens, Trace
from tests.browser.made_up import trace_of

ENCODER, DECODER, CROSS = Stream


def opened(message: bytes) -> tuple[dict, bytes]:
    length = struct.unpack("<I", message[:4])[0]
    assert length % 4 == 0
    return json.loads(message[4 : 4 + length]), message[4 + length :]


def unfold(cells: np.ndarray, queries: int, keys: int, start: int, triangle: bool) -> np.ndarray:
    """Cells row after row as [query, key]; under a triangle row q holds keys 0 … start + q."""
    if not triangle:
        return cells.reshape(queries, keys)
    out, at = np.zeros((queries, keys), cells.dtype), 0
    for q in range(queries):
        width = min(keys, start + q + 1)
        out[q, :width] = cells[at : at + width]
        at += width
    assert at == len(cells)
    return out


def size(queries: int, keys: int, start: int, triangle: bool) -> int:
    return sum(min(keys, start + q + 1) for q in range(queries)) if triangle else queries * keys


def codes_of(message: bytes) -> list[np.ndarray]:
    header, body = opened(message)
    told = header["codes"]
    queries, keys = told["side"]
    start = header["start"] if told["whole"] else 0
    count = size(queries, keys, start, told["triangle"])
    raw = np.frombuffer(body, np.uint8)
    return [
        unfold(raw[told["at"] + i * count : told["at"] + (i + 1) * count], queries, keys, start, told["triangle"])
        for i in range(sum(header["heads"]))
    ]


def mask_of(message: bytes, index: int) -> np.ndarray:
    header, body = opened(message)
    queries, keys = header["size"]
    told = header["masks"][header["mask_of"][index]]
    if told["kind"] == "full":
        return np.ones((queries, keys), bool)
    if told["kind"] == "causal":
        return np.tri(queries, keys, header["start"], dtype=bool)
    bits = np.frombuffer(body, np.uint8, offset=told["at"], count=(queries * keys + 7) // 8)
    return np.unpackbits(bits, count=queries * keys).reshape(queries, keys).astype(bool)


@pytest.mark.parametrize(
    ("stream", "mask"), [(ENCODER, "full"), (ENCODER, "causal"), (ENCODER, "holes"), (DECODER, "full"), (CROSS, "full")]
)
def test_codes_and_masks_come_back(stream, mask):
    trace = trace_of(mask=mask)
    message = payload.overview(trace, stream)
    header, _ = opened(message)
    index = 0
    for layer in range(3):
        attention = trace.at(stream, layer)
        for head in range(4):
            np.testing.assert_array_equal(codes_of(message)[index], encode_u8(attention.head(head)))
            np.testing.assert_array_equal(mask_of(message, index), attention.allowed[head])
            index += 1
    assert header["codes"]["triangle"] == (stream is DECODER or mask == "causal")
    assert header["size"] == list(trace.at(stream, 0).shape[1:])
    assert len(header["masks"]) == 1


@pytest.mark.parametrize("stream", list(Stream))
def test_float32_comes_back_bit_for_bit(stream):
    trace = trace_of()
    header, body = opened(payload.heads(trace, stream, [(2, 1), (0, 3), (2, 1)]))
    assert [(one["layer"], one["head"]) for one in header["heads"]] == [(2, 1), (0, 3)]
    for one in header["heads"]:
        attention = trace.at(stream, one["layer"])
        _, queries, keys = attention.shape
        assert (one["first"], one["rows"]) == (0, queries)
        cells = np.frombuffer(body, "<f4", offset=one["at"], count=size(queries, keys, 0, one["triangle"]))
        shown = unfold(cells, queries, keys, 0, one["triangle"])
        np.testing.assert_array_equal(shown, attention.head(one["head"]))
        np.testing.assert_allclose(shown.sum(axis=1), 1, atol=1e-5)


def test_rows_of_codes_add_up():
    for index, codes in enumerate(codes_of(payload.overview(trace_of(64, 2, 4), ENCODER))):
        assert abs(decode_u8(codes).sum(axis=1) - 1).max() < 0.02, index


@pytest.mark.parametrize(
    ("tokens", "layers", "heads", "mask"), [(256, 4, 12, "causal"), (256, 6, 12, "full"), (600, 2, 8, "full")]
)
def test_above_the_budget_the_overview_is_pooled_and_the_rest_follows(tokens, layers, heads, mask):
    trace = trace_of(tokens, layers, heads, mask)
    messages = [payload.overview(trace, ENCODER), payload.heads(trace, ENCODER, [(1, 2)], 40)]
    header, _ = opened(messages[0])
    pooled = layers * heads * tokens * tokens / (2 if mask == "causal" else 1) > 1.8e6
    assert header["codes"]["whole"] != pooled
    if pooled:
        assert header["codes"]["side"] == [48, 48]
        codes = encode_u8(trace.at(ENCODER, 1).head(2))
        starts = [i * tokens // 48 for i in range(48)] + [tokens]
        block = codes[starts[20] : starts[21], starts[7] : starts[8]]
        assert codes_of(messages[0])[heads + 2][20, 7] == block.max()
        whole = payload.layer(trace, ENCODER, 1)
        assert (whole is None) == (heads * tokens * tokens > 2e6)
        if whole is None:  # then the heads in focus alone, as many as fit
            part = payload.layer(trace, ENCODER, 1, (2, 0, 5, 7, 1, 3))
            messages.append(part)
            told, body = opened(part)
            assert told["only"] == [2, 0, 5, 7, 1, 3][: len(told["only"])] and told["only"]
            cells = np.frombuffer(body, np.uint8, offset=told["at"], count=tokens * tokens)
            np.testing.assert_array_equal(cells.reshape(tokens, tokens), codes)
        if whole is not None:
            messages.append(whole)
            told, body = opened(whole)
            count = size(tokens, tokens, 0, told["triangle"])
            cells = np.frombuffer(body, np.uint8, offset=told["at"] + 2 * count, count=count)
            np.testing.assert_array_equal(unfold(cells, tokens, tokens, 0, told["triangle"]), codes)
    assert max(map(len, messages)) <= payload.BUDGET


def test_a_head_too_large_sends_the_rows_around_the_focus():
    rng = np.random.default_rng(5)
    pattern = np.tril(rng.random((1, 1100, 1100), dtype=np.float32))
    pattern /= pattern.sum(axis=-1, keepdims=True)
    trace = _alone(_attention(DECODER, np.tri(1100, dtype=bool)[None], pattern=pattern))
    for query in (0, 800, 1099):
        message = payload.heads(trace, DECODER, [(0, 0)], query)
        assert 1_500_000 < len(message) <= payload.BUDGET
        header, body = opened(message)
        one = header["heads"][0]
        assert one["first"] <= query < one["first"] + one["rows"]
        cells = np.frombuffer(body, "<f4", offset=one["at"], count=size(one["rows"], 1100, one["first"], True))
        shown = unfold(cells, one["rows"], 1100, one["first"], True)
        np.testing.assert_array_equal(shown, pattern[0, one["first"] : one["first"] + one["rows"]])


def test_codes_alone_give_no_float32_and_say_so():
    codes = encode_u8(trace_of().at(ENCODER, 0).pattern)
    trace = _alone(_attention(ENCODER, np.ones((1, 9, 9), bool), codes=codes), source=True)
    assert opened(payload.overview(trace, ENCODER))[0]["approximate"] is True
    np.testing.assert_array_equal(codes_of(payload.overview(trace, ENCODER)), codes)
    assert opened(payload.heads(trace, ENCODER, [(0, 1)]))[0]["heads"] == []


def test_heads_with_masks_of_their_own_keep_them():
    allowed = np.stack([np.ones((5, 5), bool), np.tri(5, dtype=bool), np.eye(5, dtype=bool), np.ones((5, 5), bool)])
    pattern = (allowed / allowed.sum(axis=-1, keepdims=True)).astype(np.float32)
    trace = _alone(_attention(ENCODER, allowed, pattern=pattern), source=True)
    message = payload.overview(trace, ENCODER)
    assert [told["kind"] for told in opened(message)[0]["masks"]] == ["full", "causal", "bits"]
    for head in range(4):
        np.testing.assert_array_equal(mask_of(message, head), allowed[head])


def test_scores_are_means_of_the_float32_pattern():
    trace = trace_of()
    scores = {one["name"]: one["values"] for one in opened(payload.overview(trace, ENCODER))[0]["scores"]}
    pattern = trace.at(ENCODER, 1).head(1).astype(np.float64)
    at = 4 + 1
    entropy = -(pattern * np.log(np.maximum(pattern, 1e-300))).sum(axis=1)
    assert scores["spread"][at] == pytest.approx(np.exp(entropy).mean(), abs=1e-3)
    assert scores["self"][at] == pytest.approx(np.diagonal(pattern).mean(), abs=1e-4)
    assert scores["previous"][at] == pytest.approx(np.diagonal(pattern, -1).mean(), abs=1e-4)
    assert scores["next"][at] == pytest.approx(np.diagonal(pattern, 1).mean(), abs=1e-4)
    assert scores["first"][at] == pytest.approx(pattern[:, 0].mean(), abs=1e-4)
    assert scores["received"][at] == pytest.approx(pattern.mean(axis=0).max(), abs=1e-4)
    across = {one["name"] for one in opened(payload.overview(trace, CROSS))[0]["scores"]}
    assert across == {"spread", "narrow", "first", "received"}


def test_the_same_choice_gives_the_same_bytes_in_every_process():
    ask = (
        "import hashlib; from core.figures.payloads import attention_view as p; from core.request import Stream;"
        "from tests.browser.made_up import trace_of;"
        "t = trace_of(mask='holes'); s = Stream.ENCODER;"
        "print(hashlib.sha256(p.overview(t, s) + p.heads(t, s, [(1, 1)]) + p.settings(t, s, choice={'layer': 1})).hexdigest())"
    )
    given = set()
    for seed in "12":
        done = subprocess.run(
            [sys.executable, "-c", ask], capture_output=True, check=True, env={"PYTHONHASHSEED": seed}, cwd=ROOT
        )
        given.add(done.stdout)
    assert len(given) == 1 and len(given.pop()) == 65


def test_another_question_has_another_name():
    names = {payload.identity(trace_of(mask=mask), stream) for mask in ("full", "holes") for stream in Stream}
    assert len(names) == 6


def test_a_number_of_numpy_is_refused():
    with pytest.raises(TypeError, match="float32"):
        payload.settings(trace_of(), ENCODER, choice={"value": np.float32(0.5)})
    with pytest.raises(TypeError, match="int64"):
        payload.settings(trace_of(), ENCODER, choice=[np.int64(3)])


def test_texts_say_which_part_they_play():
    parts = {}
    for stream in Stream:
        texts = opened(payload.overview(trace_of(), stream))[0]["texts"]
        parts[stream] = [(text["name"], text["rows"], text["columns"]) for text in texts]
    assert parts[ENCODER] == [("Source", True, True), ("Target", False, False)]
    assert parts[DECODER] == [("Source", False, False), ("Target", True, True)]
    assert parts[CROSS] == [("Source", False, True), ("Target", True, False)]


def _attention(stream: Stream, allowed: np.ndarray, **arrays: np.ndarray) -> Attention:
    count = len(next(iter(arrays.values())))
    keeps = frozenset({"pattern"})
    return Attention(Site(stream, 0, count), allowed, keeps=keeps, scaling=1.0, kv_heads=count, **arrays)


def _alone(attention: Attention, source: bool = False) -> Trace:
    count = attention.shape[-1]
    tokens = Tokens(tuple(range(count)), tuple(f"t{i}" for i in range(count)), tuple(range(count)), (False,) * count)
    request = Request("alone", tokens.ids if source else None, None if source else tokens.ids, capture="float32")
    return Trace(request, tokens if source else None, None if source else tokens, (attention,))


def test_of_a_pair_each_token_says_its_sentence_and_a_single_text_says_none():
    single, pair, other = (payload.header_of(payload.overview(trace_of(first=first), ENCODER)) for first in (0, 4, 5))
    assert pair["texts"][0]["sentence"] == [0] * 4 + [1] * 5
    assert not any("sentence" in text for text in (*single["texts"], pair["texts"][1]))
    assert len({one["id"] for one in (single, pair, other)}) == 3
