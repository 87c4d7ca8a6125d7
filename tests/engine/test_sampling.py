"""The next token is drawn from the distribution the filters leave, and every candidate says which filter cut it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engine.generation import choose, distribution
from core.request import Sampling
from core.trace import largest, log_softmax


def straightforward(logits, sampling):
    """The filters once more, in plain Python, in their order: temperature, top-k, top-p, min-p."""
    heat = [float(x) / sampling.temperature for x in logits]
    power = [np.exp(x - max(heat)) for x in heat]
    p = {i: x / sum(power) for i, x in enumerate(power)}
    order, cut = sorted(p, key=lambda i: -p[i]), {}
    alive = list(order)
    if sampling.top_k is not None:
        cut |= dict.fromkeys(alive[sampling.top_k :], "top-k")
        alive = alive[: sampling.top_k]
    if sampling.top_p is not None:
        whole, mass, kept = sum(p[i] for i in alive), 0.0, 0
        for i in alive:
            mass, kept = mass + p[i] / whole, kept + 1
            if mass >= sampling.top_p:
                break
        cut |= dict.fromkeys(alive[kept:], "top-p")
        alive = alive[:kept]
    if sampling.min_p is not None:
        cut |= dict.fromkeys([i for i in alive if p[i] < sampling.min_p * p[order[0]]], "min-p")
        alive = [i for i in alive if p[i] >= sampling.min_p * p[order[0]]]
    whole = sum(p[i] for i in alive)
    return [p[i] / whole if i in alive else 0.0 for i in range(len(logits))], cut


FILTERS = [
    Sampling(temperature=1.7, top_k=5),
    Sampling(top_p=0.8),
    Sampling(min_p=0.2),
    Sampling(temperature=1.3, top_k=8, top_p=0.9, min_p=0.1),
]
DRAWS = 5000
LOGITS = np.array([1.9, -0.4, 0.3, 1.1, -2.0, 0.8, 0.1, -1.0, 1.5, -0.7, 0.5, -3.0], dtype=np.float32)


@pytest.mark.parametrize("sampling", FILTERS, ids=lambda s: f"{s.temperature}-{s.top_k}-{s.top_p}-{s.min_p}")
def test_many_draws_follow_the_filtered_distribution(sampling):
    expected, cut = straightforward(LOGITS, sampling)
    before, after, _ = distribution(LOGITS, sampling)
    assert np.abs(after - expected).max() <= 1e-9 and after.sum() == pytest.approx(1)
    drawn = np.zeros(len(LOGITS))
    for n in range(DRAWS):
        # half of the draws take another seed, half another step of the same seed
        choice, candidates = choose(LOGITS, replace(sampling, seed=n // 2 * (n % 2)), n // 2 + 1, str)
        drawn[choice.id] += 1
    assert {c.token.id: c.cut_by for c in candidates if c.cut_by} == cut
    assert [c.before for c in candidates] == sorted((float(x) for x in before), reverse=True)
    assert all(c.after == pytest.approx(expected[c.token.id]) for c in candidates)
    possible = np.flatnonzero(expected)
    assert not np.delete(drawn, possible).any(), "what was cut is never drawn"
    hoped = DRAWS * np.array(expected)[possible]
    chi_square = float(((drawn[possible] - hoped) ** 2 / hoped).sum())
    free = len(possible) - 1
    # 99.9 % of fair samplers stay below (Wilson and Hilferty's approximation of the quantile)
    assert chi_square < free * (1 - 2 / (9 * free) + 3.09 * (2 / (9 * free)) ** 0.5) ** 3


@pytest.mark.parametrize("temperature", [1e-3, 1e-12, 5e-324])
def test_a_tiny_temperature_is_greedy_and_never_not_a_number(temperature):
    _, after, _ = distribution(LOGITS, Sampling(temperature=temperature))
    assert after[0] == 1 and after[1:].max() < 1e-100


def test_filters_leave_at_least_one_token():
    for sampling in (Sampling(top_k=1), Sampling(top_p=1e-9), Sampling(min_p=1.0), Sampling(1.0, 1, 1e-9, 1.0)):
        before, after, cut = distribution(LOGITS, sampling)
        assert after[0] == 1 and (cut == 0).sum() == 1 and before[0] < 1
    for sampling in (Sampling(top_k=99), Sampling(top_p=1.0), Sampling(min_p=0.0)):
        before, after, cut = distribution(LOGITS, sampling)
        assert np.allclose(before, after) and not cut.any()


def test_a_choice_outside_the_fifty_likeliest_is_among_the_candidates():
    logits = np.linspace(0.01, 0, 400).astype(np.float32)
    for seed in range(20):
        choice, candidates = choose(logits, Sampling(seed=seed), 0, str)
        assert len(candidates) == 50 and choice in [candidate.token for candidate in candidates]


def test_without_filters_the_distribution_is_the_softmax_at_its_temperature():
    for temperature in (0.5, 1.0, 2.0):
        before, after, cut = distribution(LOGITS, Sampling(temperature=temperature))
        assert np.allclose(before, np.exp(LOGITS) / np.exp(LOGITS.astype(float)).sum(), rtol=1e-6)
        expected = np.exp(LOGITS.astype(float) / temperature)
        assert np.allclose(after, expected / expected.sum()) and not cut.any()


def test_a_draw_depends_on_seed_and_step_alone():
    def draws(seed):
        return [choose(LOGITS, Sampling(seed=seed), step, str)[0].id for step in range(20)]

    assert draws(1) == draws(1) != draws(2)
    assert len(set(draws(1))) > 3, "each step draws anew"


@given(values=st.lists(st.sampled_from([-1.0, 0.0, 0.5, 0.5, 2.0, 7.0]), min_size=1, max_size=40), k=st.integers(0, 45))
def test_the_k_largest_are_the_first_of_a_stable_sort(values, k):
    assert largest(np.array(values), k).tolist() == sorted(range(len(values)), key=lambda i: -values[i])[:k]


@pytest.mark.parametrize("seed", range(4))
def test_the_greedy_choice_is_that_of_the_whole_distribution(seed):
    """To the bit, of a vocabulary such as models have, with ties."""
    logits = (8 * np.random.default_rng(seed).standard_normal(50_257)).astype(np.float32)
    logits[[3, 40, 41]] = logits.max()
    before, after, cut = distribution(logits, Sampling(temperature=0.0))
    choice, candidates = choose(logits, Sampling(temperature=0.0), 0, str)
    order = largest(before, 50)
    assert choice.id == int(np.argmax(after)) == 3
    assert [one.token.id for one in candidates] == order.tolist()
    assert [one.before for one in candidates] == [one.token.probability for one in candidates] == before[order].tolist()
    assert [one.token.logprob for one in candidates] == log_softmax(logits)[order].tolist()
    assert [one.after for one in candidates] == after[order].tolist()
    assert [one.cut_by for one in candidates] == [None if cut[token] == 0 else "greedy" for token in order]
