"""A lazy layer is computed once however often it is looked at, and lets go of its pattern where newer ones need the room."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from core import attention as attentions
from core.attention import Recipe
from tests.families import FAMILIES

SOME = ("gpt2", "llama", "t5", "gpt_oss", "gemma2")


@pytest.fixture
def computed(monkeypatch):
    """The heads that recipes computed, in order."""
    heads, real = [], Recipe.pattern
    monkeypatch.setattr(Recipe, "pattern", lambda self, head, allowed: heads.append(head) or real(self, head, allowed))
    monkeypatch.setattr(attentions, "_RECENT", attentions._Recent())
    return heads


@pytest.mark.parametrize("name", SOME)
def test_a_loop_over_heads_computes_each_once(name, lens_of, ask, computed):
    trace = lens_of(name).run(ask(name, capture="lazy"))
    whole = lens_of(name).run(ask(name, capture="float32"))
    for _ in range(2):
        for a, b in zip(trace.attention, whole.attention, strict=True):
            for head in range(a.site.heads):
                assert np.abs(a.pattern[head] - b.pattern[head]).max() <= 1e-6
                assert np.array_equal(a.head(head), a.pattern[head])
    assert computed == [head for a in trace.attention for head in range(a.site.heads)]
    assert not trace.attention[0].pattern.flags.writeable and name in FAMILIES


def test_one_head_alone_is_computed_alone(lens_of, ask, computed):
    one = lens_of("gpt2").run(ask("gpt2", capture="lazy")).attention[0]
    one.head(2)
    one.head(2)
    assert computed == [2, 2]


def test_the_oldest_patterns_make_room_and_none_is_kept_that_is_too_large(lens_of, ask, computed, monkeypatch):
    trace = lens_of("llama").run(ask("llama", 8, capture="lazy"))
    first, second = trace.attention
    size = first.pattern.nbytes
    monkeypatch.setattr(attentions, "RECENT", size)
    del computed[:]
    assert all(one.pattern is one.pattern for one in (second, first))
    assert computed == [*range(4), *range(4)]  # each took the other's room, and held it
    monkeypatch.setattr(attentions, "RECENT", size - 1)
    assert second.pattern is not second.pattern
    assert len(computed) == 16


def test_nothing_keeps_a_trace_that_nobody_holds(lens_of, ask, computed):
    trace = lens_of("gpt2").run(ask("gpt2", capture="lazy"))
    assert all(one.pattern is one.pattern for one in trace.attention)
    refs = list(attentions._RECENT.holders)
    assert [ref() for ref in refs] == list(trace.attention)
    del trace
    gc.collect()
    assert [ref() for ref in refs] == [None] * len(refs)


def test_many_threads_read_one_pattern(lens_of, ask, computed):
    one = lens_of("llama").run(ask("llama", capture="lazy")).attention[1]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: one.pattern, range(64)))
    assert all(np.array_equal(pattern, found[0]) for pattern in found)


def test_codes_are_read_once_too(lens_of, ask):
    one = lens_of("gpt2").run(ask("gpt2", capture="u8")).attention[0]
    assert one.approximate and one.pattern is one.pattern and np.array_equal(one.pattern[1], one.head(1))
