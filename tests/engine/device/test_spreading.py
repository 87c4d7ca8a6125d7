"""A model spread over several devices answers as it does on one. The CPU stands for each of them, a folder for a host's memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import core
from core.engine.device import spreading
from core.engine.device.boxes import Store
from core.errors import DeviceError
from core.request import HeadRef, Sampling
from tests.families import ask

SPREAD = ("gpt2", "llama", "t5", "bart")


@pytest.fixture(params=["hooks", "weights that come and go"])
def spread_of(request, folder_of, tmp_path, monkeypatch):
    """The lens on a tiny model of which every part is hooked; or whose later half comes from a folder in each pass."""

    def parts(model, device):
        if request.param == "hooks":
            return dict.fromkeys(spreading.divided(model, {"cpu": spreading.size_of(model) // 2, "disk": 2**40}), "cpu")
        return spreading.divided(model, {"cpu": spreading.size_of(model) // 2, "disk": 2**40})

    put_there = spreading.spread
    monkeypatch.setattr(spreading, "parts_of", parts)
    monkeypatch.setattr(spreading, "spread", lambda model, map: put_there(model, map, str(tmp_path)))
    return lambda name: core.load(str(folder_of(name)), device="auto", dtype="float32")


@pytest.mark.parametrize("name", SPREAD)
def test_every_number_is_the_one_of_a_single_device(name, spread_of, lens_of):
    whole, lens = lens_of(name), spread_of(name)
    assert lens.info.devices and set(lens.info.devices) <= {"cpu", "disk"} and not whole.info.devices
    assert lens.info.verified is not None and lens.info.narrowed == whole.info.narrowed
    assert lens.info.sites == whole.info.sites and lens.info.causal == whole.info.causal
    request = ask(whole, keep={"pattern", "qkv", "residual", "predictions"}, capture="float32")
    site = whole.info.sites[-1]
    changed = request.with_ablation(HeadRef(site.stream, site.layer, 1), how="mean").with_temperature(1.5)
    for asked in (request, changed):
        a, b = lens.run(asked), whole.run(asked)
        for one, other in zip(a.attention, b.attention, strict=True):
            assert np.array_equal(one.pattern, other.pattern) and np.array_equal(one.value, other.value)
        assert all(np.array_equal(a.residual[stream], depths) for stream, depths in b.residual.items())
        assert np.array_equal(a.predictions.top_logprob, b.predictions.top_logprob)
    assert np.array_equal(lens.projection(site.stream, site.layer), whole.projection(site.stream, site.layer))
    assert torch.equal(lens.backend.embeddings(), whole.backend.embeddings())
    pairs = zip(*(each.generate(request, Sampling(seed=1), 3) for each in (lens, whole)), strict=True)
    for one, other in pairs:
        assert one.choice == other.choice and one.cache == other.cache


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_threads_see_what_they_see_alone(name, spread_of, lens_of):
    lens, requests = spread_of(name), [ask(lens_of(name), 6 + n % 3, 5, n) for n in range(8)]
    lens.store = Store()  # as on GPUs
    alone = [lens_of(name).run(request) for request in requests]
    with ThreadPoolExecutor(8) as pool:
        for n, trace in enumerate(pool.map(lens.run, requests * 3)):
            for one, other in zip(trace.attention, alone[n % 8].attention, strict=True):
                assert np.abs(one.pattern - other.pattern).max() <= 2e-6


def test_a_model_that_fits_stands_on_one_device(lens_of):
    assert spreading.parts_of(lens_of("llama").backend.model, torch.device("cpu")) is None


def test_layers_stay_whole_and_too_little_room_is_refused(lens_of):
    model = lens_of("llama").backend.model
    size = spreading.size_of(model)
    parts = spreading.divided(model, {0: size // 2, 1: size, "cpu": size})
    assert {0, 1} <= set(parts.values()) and not any("self_attn" in name for name in parts)
    assert spreading.devices_of(parts)[:2] == ("cuda:0", "cuda:1")
    with pytest.raises(DeviceError, match="smaller model"):
        spreading.divided(model, {0: size // 4, "cpu": size // 4})
