"""Check my cell: the sum shown is the model's own weight, for every family, with every step that family has."""

from __future__ import annotations

import numpy as np
import pytest

from core.analysis import cell, scaling_name, stages
from tests.families import EVERY

KEEP = ("pattern", "scores", "qkv")


@pytest.mark.parametrize("name", EVERY)
def test_the_sum_is_the_models_weight_for_any_cell(name, lens_of, ask):
    lens = lens_of(name)
    trace = lens.run(ask(name, keep=KEEP))
    rng = np.random.default_rng(0)
    for attention in trace.attention:
        heads, queries, keys = attention.shape
        for _ in range(4):
            head, query, key = (int(rng.integers(n)) for n in (heads, queries, keys))
            found = cell(attention, head, query, key)
            assert found.difference <= 1e-5
            assert found.products.sum() == pytest.approx(found.raw, abs=1e-9)
            assert found.weight == pytest.approx(found.exponential / found.total, abs=1e-12)
            assert (found.weight > 0) <= found.allowed
            if found.allowed:
                assert found.score == pytest.approx(float(attention.scores[head, query, key]), abs=2e-5)


@pytest.mark.parametrize("name", EVERY)
def test_the_stages_as_maps_end_in_the_pattern(name, lens_of, ask):
    for attention in lens_of(name).run(ask(name, keep=KEEP)).attention:
        maps = stages(attention, 0)
        assert np.abs(maps["weights"] - attention.head(0)).max() <= 1e-5
        assert np.array_equal(np.isneginf(maps["masked"]), ~attention.allowed[0])
        length = np.linalg.norm(attention.value[attention.kv_of(0)], axis=-1)
        np.testing.assert_allclose(maps["values"], maps["weights"] * length, atol=1e-6)


def test_only_steps_a_family_has_are_shown(lens_of, ask):
    def maps(name: str) -> list[str]:
        return list(stages(lens_of(name).run(ask(name, keep=KEEP)).attention[0], 0))

    assert maps("gpt2") == ["product", "scaled", "masked", "weights", "values"]
    assert maps("gemma2") == ["product", "scaled", "capped", "masked", "weights", "values"]
    assert maps("t5") == ["product", "biased", "masked", "weights", "values"]
    assert maps("opt") == ["product", "masked", "weights", "values"]
    assert cell(lens_of("gpt_oss").run(ask("gpt_oss", keep=KEEP)).attention[0], 0, 2, 1).sunk > 0


def test_the_scaling_is_called_what_it_is():
    assert scaling_name(48**-0.5, 48, False) == "1/√48"
    assert scaling_name(1.0, 8, True) == "none" and scaling_name(1.0, 8, False) == "already in q"
    assert scaling_name(0.3, 8, False) == "0.3, set by the model"


def test_a_temperature_and_a_mask_are_steps_too(lens_of, ask):
    from core.request import MaskRule, Stream

    request = ask("llama", keep=KEEP).with_mask(MaskRule(Stream.DECODER, "full")).with_temperature(2.0)
    attention = lens_of("llama").run(request).attention[0]
    found = cell(attention, 1, 0, 5)
    assert found.allowed and found.temperature == 2.0 and found.difference <= 1e-5
    assert "warmed" in stages(attention, 1)
