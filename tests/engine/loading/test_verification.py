"""What is checked before a lens is handed out, and what comes of a model that does not agree with its own code."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
import torch
import transformers

import core
from core.engine import kernels
from core.engine.huggingface import NAME, HuggingFaceBackend
from core.engine.loading import verification
from core.engine.loading.eager import limits
from core.engine.loading.settling import AsEager
from core.engine.loading.settling import untouched as as_eager
from core.request import Sampling
from core.ui.shell.facts import facts, small
from tests import families
from tests.engine.loading import shapes
from tests.engine.loading.shapes import SHAPES, TURN
from tests.oracles import untouched

GREEDY = Sampling(temperature=0.0)
WATCHED = [name for name in SHAPES if name != "diffllama"]
# what the check takes away: each text of these changes another one, or each step an earlier one
NO_CACHE = {"recurrent_gemma", "switch_full", "nllb_moe_full"}
NO_BATCH = {"nllb_moe_full"}


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """The lens on one of the shapes, by name."""
    folder = shapes.folders(tmp_path_factory.mktemp("odd"))
    return cache(lambda name: core.load(str(folder(name)), device="cpu"))


def own(lens):
    """The same folder, loaded by transformers alone with its eager attention."""
    architecture = getattr(transformers, type(lens.backend.model).__name__)
    return architecture.from_pretrained(lens.info.id, attn_implementation="eager", dtype=torch.float32).eval()


def held_to_eager(lens, model, request, tolerance=1e-5):
    trace, expected = lens.run(request), untouched(model, request)
    for stream, maps in expected.patterns.items():
        assert len(maps) == len(lens.info.at(stream)) > 0
        for layer, pattern in enumerate(maps):
            assert trace.at(stream, layer).pattern.shape == pattern.shape
            assert np.abs(trace.at(stream, layer).pattern - pattern).max() <= tolerance
    assert np.abs(trace.next_logits - expected.logits[-1]).max() <= tolerance * (1 + np.abs(expected.logits).max())


@pytest.mark.parametrize("name", WATCHED)
def test_whole_passes_are_the_models_own_on_both_sides_of_every_limit(name, odd):
    lens = odd(name)
    model = own(lens)
    assert lens.info.changes, "it is watched, not only read"
    for length in (3, TURN, TURN + 1, 20):
        held_to_eager(lens, model, families.ask(lens, length, length, capture="float32"))


@pytest.mark.parametrize("name", WATCHED)
def test_every_step_of_writing_is_a_row_of_the_whole_or_the_lens_says_that_it_reads_all_again(name, odd):
    lens = odd(name)
    assert lens.info.caches == (name not in NO_CACHE)
    assert lens.info.caches or any("Each step of writing reads the whole text again" in s for s in lens.info.narrowed)
    request = families.ask(lens, TURN - 2, TURN - 2)
    for step in lens.generate(request, GREEDY, steps=5):
        crosses = step.index > 0 and len(step.request.target) - 1 in lens.info.turns
        assert step.recomputed == (step.index > 0 and (crosses or not lens.info.caches))
        whole = lens.run(step.request)  # between two steps: no step may take it for its own text
        assert np.abs(step.trace.next_logits - whole.next_logits).max() <= 2e-5 * (1 + np.abs(whole.next_logits).max())
        for held in step.trace.attention:
            rows = held.pattern.shape[1]
            square = whole.at(held.site.stream, held.site.layer).pattern
            assert np.abs(held.pattern - square[:, -rows:]).max() <= 2e-5


@pytest.mark.parametrize("name", WATCHED)
def test_texts_of_different_length_side_by_side_answer_as_one_by_one(name, odd):
    lens = odd(name)
    assert lens.info.batches == (name not in NO_BATCH)
    requests = [families.ask(lens, n, n - 2, n, capture="float32") for n in (TURN - 1, TURN, TURN + 1, TURN + 2, 6)]
    for request, trace in zip(requests, lens.run_many(requests), strict=True):
        alone = lens.run(request)
        for a, b in zip(alone.attention, trace.attention, strict=True):
            assert np.abs(a.pattern - b.pattern).max() <= 1e-5
        assert np.abs(alone.next_logits - trace.next_logits).max() <= 1e-5 * (1 + np.abs(alone.next_logits).max())


@pytest.mark.parametrize("name", ["falcon_h1", "phi3", "deepseek_v32", "nllb_moe"])
def test_what_is_written_is_what_the_models_own_generate_writes(name, odd):
    lens = odd(name)
    request = families.ask(lens, TURN - 2, 4)
    written = [step.choice.id for step in lens.generate(request, GREEDY, steps=6)]
    ids = torch.tensor([request.source or request.target])
    more = {} if request.source is None else {"decoder_input_ids": torch.tensor([request.target])}
    with torch.inference_mode():
        found = own(lens).generate(ids, **more, max_new_tokens=6, do_sample=False, num_beams=1)
    assert found[0, len(request.target) :].tolist()[: len(written)] == written


@pytest.mark.parametrize("name", ["phi3", "nllb_moe_full", "recurrent_gemma"])
def test_threads_with_texts_of_different_length_do_not_mix_what_the_model_keeps_in_itself(name, odd):
    lens = odd(name)
    requests = [families.ask(lens, n, 5, n, capture="float32") for n in (5, 20)] * 8
    alone = {request: lens.run(request) for request in requests}
    with ThreadPoolExecutor(4) as pool:
        for request, trace in zip(requests, pool.map(lens.run, requests), strict=True):
            for a, b in zip(alone[request].attention, trace.attention, strict=True):
                assert np.array_equal(a.pattern, b.pattern)


def test_what_was_found_is_told_with_the_lengths_that_were_really_tried(odd):
    for name in ("phi3", "hy_v4", "bamba"):
        info = odd(name).info
        assert info.verified.patterns <= 1e-5 and info.verified.logits <= 1e-4
        assert info.verified.batched and info.verified.steps >= 3 and not info.narrowed
        assert facts(info)[0].startswith("Checked against the model’s own code: largest difference ")
    assert TURN + 1 in odd("phi3").info.verified.lengths and odd("phi3").info.turns == (TURN,)
    assert core.load("classroom").info.verified is None and facts(core.load("classroom").info) == []


def test_without_time_only_one_pass_is_tried_and_no_more_is_told(odd, monkeypatch):
    folder = odd("bamba").info.id
    monkeypatch.setattr(verification, "LEAST", 0.0)
    monkeypatch.setattr(verification, "SHARE", 0.0)
    lens = core.load(folder, device="cpu")
    assert lens.info.verified.lengths == (9,) and not lens.info.verified.steps and not lens.info.verified.batched
    assert not lens.info.caches, "more than keys and values is in its cache, and that was not tried"
    assert "steps" not in " ".join(facts(lens.info)) and "side by side" not in " ".join(facts(lens.info))


def test_limits_are_found_in_every_part_of_a_configuration():
    config = transformers.T5GemmaConfig(
        encoder={"sliding_window": 11, "rope_parameters": {"full_attention": {"original_max_position_embeddings": 13}}},
        decoder={"sliding_window": 17},
    )
    assert {11, 17} <= set(limits(config, 100))
    long = transformers.Phi3Config(**SHAPES["phi3"][2])
    assert limits(long, 64) == (TURN,) and limits(long, TURN) == ()


def test_a_name_that_answers_to_eager_is_still_found_as_ours():
    from transformers import AttentionInterface

    name = AsEager(NAME)
    assert name == "eager" and "eager" == name and name in ("eager", "sdpa") and (name != "eager") is False
    assert name == NAME and name != "sdpa" and {NAME: 1}[name] == 1 and name not in {"eager": 1}
    assert AttentionInterface().get_interface(name, None) is AttentionInterface()[NAME]


def test_every_configuration_is_ours_again_after_a_look_at_the_models_own_code(odd):
    model = odd("t5gemma").backend.model
    configs = [model.config, model.config.encoder, model.config.decoder, model.get_encoder().config]
    before = [config._attn_implementation for config in configs]
    assert all(str.__eq__(name, NAME) for name in before)
    with pytest.raises(RuntimeError), as_eager(model):
        assert all(type(config._attn_implementation) is str for config in configs)
        raise RuntimeError("in the middle")
    assert [config._attn_implementation for config in configs] == before
    assert str(odd("gpt2_upcast").backend.model.config._attn_implementation) == NAME


def test_a_model_whose_maps_are_made_of_two_attentions_is_read_only_and_says_why(odd):
    lens = odd("diffllama")
    assert not lens.info.changes and "its decoder has 2 attentions where 4 were seen" in lens.info.reason
    assert lens.info.reason in facts(lens.info) and lens.info.verified is None


# models that are sabotaged on purpose

GPT2, BERT, BART = "gpt2", "bert", "bart"


def sabotaged(folder_of, name):
    return core.load(str(folder_of(name)), device="cpu")


@pytest.mark.parametrize("name", [GPT2, BERT, BART])
def test_a_pattern_that_is_slightly_wrong_is_caught(name, folder_of, monkeypatch):
    right = kernels.weigh

    def wrong(*args, **kwargs):
        weights = right(*args, **kwargs)
        return weights.lerp_(weights.roll(1, dims=-1), 0.01)

    monkeypatch.setattr(kernels, "weigh", wrong)
    lens = sabotaged(folder_of, name)
    assert not lens.info.changes and "does not compute what its own code computes" in lens.info.reason
    assert "attention weights differ by" in lens.info.reason


def test_a_mask_that_vanishes_is_caught(folder_of, monkeypatch):
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    monkeypatch.setitem(ALL_MASK_ATTENTION_FUNCTIONS._global_mapping, NAME, lambda *args, **kwargs: None)
    lens = sabotaged(folder_of, "llama")
    assert not lens.info.changes and "attention weights differ by" in lens.info.reason
    assert np.triu(lens.run(families.ask(lens, 6)).attention[0].pattern[0], 1).max() == 0


def test_a_cache_that_forgets_is_not_used(folder_of, monkeypatch):
    right = HuggingFaceBackend._new_cache

    def forgets(self):
        cache = right(self)
        kept = cache.update
        cache.update = lambda keys, values, *rest, **how: kept(keys * 0.9, values, *rest, **how)
        return cache

    monkeypatch.setattr(HuggingFaceBackend, "_new_cache", forgets)
    lens = sabotaged(folder_of, GPT2)
    assert lens.info.changes and not lens.info.caches
    assert lens.info.verified.steps == verification.STEPS and "its cache" in lens.info.narrowed[0]
    steps = list(lens.generate(families.ask(lens, 6), GREEDY, steps=3))
    assert [step.recomputed for step in steps] == [False, True, True]
    for step in steps:
        assert np.array_equal(step.trace.next_logits, lens.run(step.request).next_logits)


@pytest.mark.parametrize("name", [BERT, BART])
def test_texts_that_see_each_others_padding_run_one_by_one(name, folder_of, monkeypatch):
    from core.engine import runner

    right = runner.stack
    monkeypatch.setattr(runner, "stack", lambda *args: (right(*args)[0], None))  # nothing says what is padding
    lens = sabotaged(folder_of, name)
    assert lens.info.changes and not lens.info.batches and lens.info.verified.batched
    assert "one by one" in lens.info.narrowed[0]
    requests = [families.ask(lens, n, 4, capture="float32") for n in (8, 7, 9)]
    for request, trace in zip(requests, lens.run_many(requests), strict=True):
        for a, b in zip(lens.run(request).attention, trace.attention, strict=True):
            assert np.array_equal(a.pattern, b.pattern)


def test_numbers_are_told_as_a_digit_and_a_power_of_ten():
    assert [small(number) for number in (0, 3.2e-7, 9.7e-7, 0.5, 1e-10)] == [
        "0",
        "3·10⁻⁷",
        "1·10⁻⁶",
        "5·10⁻¹",
        "1·10⁻¹⁰",
    ]
