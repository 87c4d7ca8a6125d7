"""Files that are no traces, or no longer: each is refused in words, before anything of what it promises is allocated."""

from __future__ import annotations

import json
import os
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import HeadRef, MaskRule, Trace, load
from core.errors import InputError, LensError, TooLongError
from core.request import KEEPS
from core.saving import saved, tensors


@pytest.fixture(scope="module")
def trace():
    lens = load("classroom")
    request = lens.request("gen ai is", "interesting").keeping(*KEEPS, capture="lazy")
    return lens.run(request.with_mask(MaskRule("encoder", "causal")).with_ablation(HeadRef("cross", 1, 2)))


@pytest.fixture(scope="module")
def content(trace, tmp_path_factory):
    place = tmp_path_factory.mktemp("saved") / "trace"
    trace.save(place)
    return place.read_bytes()


def parts(content):
    """The header and the numbers of a file."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def joined(header, numbers):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


def told(content, change):
    """The file with its description changed by `change(description)`."""
    header, numbers = parts(content)
    said = json.loads(header["__metadata__"]["lookback"])
    change(said)
    header["__metadata__"]["lookback"] = json.dumps(said)
    return joined(header, numbers)


def refused(content, tmp_path_factory, most=64 * 2**20):
    """Assert that a file is refused, with at most so many bytes in use at once."""
    place = tmp_path_factory.mktemp("hostile") / "trace"
    place.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(LensError):
            Trace.load(place)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


@settings(max_examples=40)
@given(data=st.data())
def test_a_file_cut_anywhere_is_refused(content, tmp_path_factory, data):
    refused(content[: data.draw(st.integers(0, len(content) - 1))], tmp_path_factory)
    refused(content + b"more", tmp_path_factory)


@settings(max_examples=150)
@given(data=st.data())
def test_whatever_byte_is_changed_the_file_is_refused_or_still_a_trace(content, tmp_path_factory, data):
    """A changed number is another number; a changed description never leads to any error but ours."""
    length = 8 + int.from_bytes(content[:8], "little")
    at = data.draw(st.integers(0, length + 200))
    changed = content[:at] + bytes([data.draw(st.integers(0, 255))]) + content[at + 1 :]
    place = tmp_path_factory.mktemp("changed") / "trace"
    place.write_bytes(changed)
    try:
        found = Trace.load(place)
    except LensError:
        return
    asked(found)


def asked(trace):
    """Ask a trace everything; whatever its numbers are, it fails with nothing but a LensError."""
    with np.errstate(all="ignore"):
        for one in trace.attention:
            for name in ("pattern", "scores", "query", "key", "value", "sink", "allowed"):
                with suppress(LensError):
                    getattr(one, name)
        for position in (None, 0):
            with suppress(LensError):
                trace.next_tokens(3, position)
        trace.to_frame()


HEADERS = {
    "empty": b"",
    "a pickle": b"\x80\x04\x95",
    "a header longer than the file": (2**62).to_bytes(8, "little") + b"{}",
    "a header as long as one likes": (2**31).to_bytes(8, "little") + b"{" + b" " * 100,
    "nested": joined(b"[" * 100_000, b""),
    "a list": joined([], b""),
    "an array of 2**60 cells": joined(
        {"x": {"dtype": "F32", "shape": [2**30, 2**30], "data_offsets": [0, 2**62]}}, b""
    ),
    "a huge side": joined({"x": {"dtype": "F32", "shape": [0, 2**62], "data_offsets": [0, 0]}}, b""),
    "a side below zero": joined({"x": {"dtype": "F32", "shape": [-1, -4], "data_offsets": [0, 16]}}, b"\0" * 16),
    "many sides": joined({"x": {"dtype": "F32", "shape": [1] * 90, "data_offsets": [0, 4]}}, b"\0" * 4),
    "a hole": joined({"x": {"dtype": "U8", "shape": [1], "data_offsets": [3, 4]}}, b"\0" * 4),
    "overlapping": joined({n: {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]} for n in "ab"}, b"\0" * 4),
    "no dtype": joined({"x": {"dtype": ["O"], "shape": [1], "data_offsets": [0, 8]}}, b"\0" * 8),
    "an object": joined({"x": {"dtype": "O", "shape": [1], "data_offsets": [0, 8]}}, b"\0" * 8),
    "weights of a model": joined({"__metadata__": {"format": "pt"}}, b""),
    "no description": joined({"__metadata__": {"lookback": "[]"}}, b""),
    "a description that is none": joined({"__metadata__": {"lookback": 3}}, b""),
    "metadata as a list": joined({"__metadata__": []}, b""),
    "infinite": joined({"__metadata__": {"lookback": "[" + "1e999," * 10 + "NaN]"}}, b""),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_hostile_header_is_refused(name, tmp_path_factory):
    refused(HEADERS[name], tmp_path_factory, 2**20 if name != "nested" else 8 * 2**20)


def attention(said, **changed):
    said["attention"][0].update(changed)


CHANGES = {
    "another version": lambda said: said.update(format=2),
    "another file": lambda said: said.update(lookback="request"),
    "more heads": lambda said: attention(said, site=["encoder", 0, 4096]),
    "no heads": lambda said: attention(said, site=["encoder", 0, 0]),
    "a layer below zero": lambda said: attention(said, site=["encoder", -1, 4]),
    "an unknown stream": lambda said: attention(said, site=["sideways", 0, 4]),
    "key heads": lambda said: attention(said, kv_heads=3),
    "no key heads": lambda said: attention(said, kv_heads=0),
    "a kept thing that is not there": lambda said: attention(said, recipe=None),
    "kept what": lambda said: attention(said, keeps=["pattern", "everything"]),
    "scaling as a text": lambda said: attention(said, scaling="big"),
    "temperature 0": lambda said: attention(said, temperature=0),
    "softcap below zero": lambda said: attention(said, softcap=-3.0),
    "an ablated head": lambda said: attention(said, ablated=[7]),
    "rows past the text": lambda said: attention(said, query_start=3),
    "an array of another kind": lambda said: said["attention"][0]["arrays"].update(allowed="next_logits"),
    "an array that is not there": lambda said: said["attention"][0]["arrays"].update(allowed="/etc/passwd"),
    "a path": lambda said: said.update(next_logits="../../../etc/passwd"),
    "a part of no attention": lambda said: said["attention"][0]["arrays"].update(secret="next_logits"),
    "a part of no recipe": lambda said: said["attention"][0]["recipe"]["arrays"].update(code="next_logits"),
    "logits of another shape": lambda said: said.update(next_logits="predictions.top_logprob"),
    "predictions without entropy": lambda said: said["predictions"].pop("entropy"),
    "a residual of no stream": lambda said: said["residual"].update(sideways=said["residual"]["encoder"]),
    "other tokens": lambda said: said["request"].update(source=[1, 2]),
    "no tokens": lambda said: said.update(source=None),
    "texts of another length": lambda said: said["source"]["text"].update(said["texts"]),
    "texts that overlap": lambda said: said["texts"].update(ends="source.ids"),
    "a mask token beyond the text": lambda said: said.update(masked_logits=[[99, "next_logits"]]),
    "a request that is none": lambda said: said["request"].update(temperature=-1),
    "a head that no site has": lambda said: said.update(sites=[["encoder", 0, 1]]),
    "sites without number": lambda said: said.update(sites=[["encoder", 0, 1]] * 70_000),
    "nothing": lambda said: said.clear(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_description_that_contradicts_its_arrays_is_refused(name, content, tmp_path_factory):
    refused(told(content, CHANGES[name]), tmp_path_factory)


def test_places_that_are_no_files_are_refused_at_once(trace, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for place in (tmp_path, tmp_path / "pipe", tmp_path / "link", tmp_path / "none", "/dev/zero", "a\0b", ""):
        with pytest.raises(InputError):
            Trace.load(place)
    for place in (tmp_path, tmp_path / "none" / "trace", "a\0b", "", "/dev/null/trace"):
        with pytest.raises(InputError, match="a file that can be written"):
            trace.save(place)
    assert {file.name for file in tmp_path.iterdir()} == {"pipe", "link"}  # nothing half written is left


def test_saving_replaces_a_file_whole_or_not_at_all(trace, tmp_path, monkeypatch):
    place = tmp_path / "trace"
    trace.save(place)
    before = place.read_bytes()

    def breaks(stream, arrays, about):
        stream.write(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(saved, "write", breaks)
    with pytest.raises(InputError, match="the disk is full"):
        trace.save(place)
    assert place.read_bytes() == before and list(tmp_path.iterdir()) == [place]


def test_a_description_too_long_to_be_read_is_not_written(trace, tmp_path, monkeypatch):
    monkeypatch.setattr(tensors, "HEADER", 1000)
    with pytest.raises(TooLongError, match="at most 1,000 bytes"):
        trace.save(tmp_path / "trace")


def test_the_file_says_how_it_counts(content):
    header, _ = parts(content)
    said = json.loads(header["__metadata__"]["lookback"])
    assert said["counting"] == "streams, layers, heads, queries, keys and positions are counted from 0"
    assert said["attention"][0]["site"] == ["encoder", 0, 4] and "encoder.0.query" in header
