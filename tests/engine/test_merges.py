"""Merges replayed one by one end in the tokenizer's own tokens, and the bytes of all tokens are the bytes of the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import core
from core.engine.merges import merge_steps, splitting
from core.engine.text import OurText
from tests.engine.test_texts import KINDS, wrapped

WHOLE = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
KIND = {"bytelevel": "bpe", "sentencepiece": "bpe", "wordpiece": "wordpiece", "unigram": "unigram"}


@pytest.fixture(scope="module")
def classroom():
    return core.load("classroom")


@pytest.fixture(scope="module")
def text(classroom):
    return classroom.text


@given(typed=WHOLE)
def test_the_last_state_of_every_word_is_what_the_model_reads(text, typed):
    found = splitting(text, typed)
    tokens = [token for word in found.words for token in word.steps[-1]]
    assert tokens == [text.token_text(token) for token in text.encode(typed, special=False)]
    for word in found.words:
        assert len(word.steps) == len(word.ranks) + 1
        for before, after, rank in zip(word.steps, word.steps[1:], word.ranks, strict=False):
            assert len(after) == len(before) - 1 and 1 <= rank <= found.known


@given(typed=WHOLE)
def test_the_bytes_of_the_tokens_are_those_of_the_text(classroom, text, typed):
    ids = text.encode(typed, special=False)
    assert b"".join(classroom.raw(ids)) == (f" {typed}" if typed else "").encode()


def test_the_earliest_merge_goes_first_and_then_the_leftmost():
    ranks = {("a", "b"): 5, ("b", "c"): 1, ("a", "bc"): 7}
    assert merge_steps("abcab", ranks) == (
        [("a", "b", "c", "a", "b"), ("a", "bc", "a", "b"), ("a", "bc", "ab"), ("abc", "ab")], [1, 5, 7],
    )  # fmt: skip
    assert merge_steps("xx", {}) == ([("x", "x")], [])


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_tokenizer_says_what_it_does(kind):
    text = wrapped(KINDS[kind]())
    found = splitting(text, "the black cat sleeps on the red sofa")
    assert found.kind == KIND[kind]
    assert bool(found.words) == (found.kind == "bpe")
    if found.words:
        spelt = "".join(token for word in found.words for token in word.steps[-1])
        assert spelt.split() == ["the", "black", "cat", "sleeps", "on", "the", "red", "sofa"]


def test_special_tokens_have_no_bytes_and_a_model_without_a_tokenizer_no_merges(text):
    assert core.load("classroom").raw([0, 1, 2]) == (b"", b"", b"")
    assert splitting(None, "a").kind == "other"
    assert isinstance(text, OurText)
