"""SmolLM2-135M, a real decoder with grouped queries: what it says, and that every number is its own."""

from __future__ import annotations

import numpy as np
import pytest

from core import HeadRef, MaskRule, Sampling, Stream
from core.errors import TooLongError
from tests.oracles import untouched

pytestmark = pytest.mark.real
TEXT = "The capital of France is"
LONG = "Attention lets a model look back at its input, one word after another, and weigh every one of them. " * 16


def test_it_is_what_its_card_says(smollm2):
    info = smollm2.info
    assert (info.kind, info.layers, info.heads, info.kv_heads, info.d_model) == ("decoder", 30, 9, 3, 576)
    assert (info.vocab, info.max_tokens, info.parameters) == (49152, 8192, 134_515_008)
    assert info.can_predict and info.causal and info.dtype == "float32"
    assert [site.layer for site in info.sites] == list(range(30)) and {site.heads for site in info.sites} == {9}


def test_the_capital_of_france_is_paris(smollm2):
    tokens = smollm2.run(smollm2.request(TEXT)).next_tokens(5)
    assert tokens[0].text == " Paris" and tokens[0].probability == pytest.approx(0.77, abs=0.02)
    words = smollm2.next_words(smollm2.request(TEXT), 3)
    assert words[0].text == " Paris" and words[0].probability == pytest.approx(tokens[0].probability, abs=1e-4)
    said = [token.text for token in smollm2.run(smollm2.request("Gen AI is")).next_tokens(3)]
    assert said == [" a", " designed", " not"]


def test_words_of_several_tokens_are_joined(smollm2):
    words = smollm2.next_words(smollm2.request("The longest word I know is"), 8)
    assert all(smollm2.text.token_text(word.id) == word.text[: len(smollm2.text.token_text(word.id))] for word in words)
    assert [word.logprob for word in words] == sorted((word.logprob for word in words), reverse=True)
    for word in words:
        assert word.probability == pytest.approx(np.exp(word.logprob))


@pytest.mark.parametrize("capture", ["float32", "lazy", "u8"])
def test_every_map_and_the_logits_are_the_untouched_models(capture, smollm2, smollm2_eager):
    request = smollm2.request(TEXT, capture=capture)
    trace, plain = smollm2.run(request), untouched(smollm2_eager, request, last_only=True)
    assert len(trace.attention) == 30
    for mine, theirs in zip(trace.attention, plain.patterns[Stream.DECODER], strict=True):
        worst = np.abs(mine.pattern - theirs).max()
        assert worst <= {"float32": 0, "lazy": 1e-5, "u8": 0.004}[capture]
    assert np.abs(trace.next_logits - plain.logits[-1]).max() <= (0 if capture == "float32" else 1e-4)


def test_a_long_text_is_the_untouched_models_too(smollm2, smollm2_eager):
    request = smollm2.request(LONG)
    assert len(request.target) > 300 and request.capture == "lazy"
    trace, plain = smollm2.run(request), untouched(smollm2_eager, request, last_only=True)
    for layer in (0, 11, 29):
        theirs = plain.patterns[Stream.DECODER][layer]
        for head in (0, 8):
            weights = trace.at(Stream.DECODER, layer).head(head)
            assert np.abs(weights - theirs[head]).max() <= 1e-4
            assert np.abs(weights.sum(-1) - 1).max() <= 1e-5 and not np.triu(weights, 1).any()
    assert np.abs(trace.next_logits - plain.logits[-1]).max() <= 1e-3
    with pytest.raises(TooLongError, match="8,192"):
        smollm2.request(LONG * 30)


def test_three_heads_share_one_key(smollm2):
    trace = smollm2.run(smollm2.request(TEXT, keep={"pattern", "qkv", "scores"}))
    attention = trace.at(Stream.DECODER, 7)
    assert attention.query.shape == (9, 5, 64) and attention.key.shape == attention.value.shape == (3, 5, 64)
    assert [attention.kv_of(head) for head in range(9)] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    for head in range(9):
        scores = attention.query[head] @ attention.key[attention.kv_of(head)].T * attention.scaling
        assert np.abs(scores - attention.scores[head]).max() <= 1e-4


def test_generation_step_by_step_is_the_run_of_the_whole(smollm2):
    steps = list(smollm2.generate(smollm2.request(TEXT), Sampling(temperature=0.0), steps=8))
    assert "".join(step.choice.text for step in steps).startswith(" Paris")
    for step in steps:
        whole = smollm2.run(step.request)
        assert np.abs(step.trace.next_logits - whole.next_logits).max() <= 1e-4
        for new, square in zip(step.trace.attention, whole.attention, strict=True):
            assert np.abs(new.pattern - square.pattern[:, new.query_start :]).max() <= 1e-5
    assert steps[0].cache.reused == 0 and all(step.cache.new == 1 for step in steps[1:])


def test_side_by_side_is_one_by_one(smollm2):
    requests = [smollm2.request(text) for text in (TEXT, "Gen AI is", "Two and two are", "The cat sat on the")]
    for together, request in zip(smollm2.run_many(requests), requests, strict=True):
        alone = smollm2.run(request)
        assert np.abs(together.next_logits - alone.next_logits).max() <= 1e-3
        for mine, other in zip(together.attention, alone.attention, strict=True):
            assert np.abs(mine.pattern - other.pattern).max() <= 1e-4


def test_what_is_changed_changes_and_comes_back(smollm2):
    request = smollm2.request(TEXT)
    plain = smollm2.run(request)
    opened = smollm2.run(request.with_mask(MaskRule(Stream.DECODER, "full")))
    assert all(np.triu(attention.pattern[0], 1).any() for attention in opened.attention)
    assert opened.next_tokens(1)[0].probability != plain.next_tokens(1)[0].probability
    silent = smollm2.run(request.with_ablation(*(HeadRef(Stream.DECODER, layer, 4) for layer in range(30))))
    assert np.abs(silent.next_logits - plain.next_logits).max() > 0.1
    again = smollm2.run(request.with_temperature(2.0).without_interventions())
    assert np.array_equal(again.next_logits, plain.next_logits)


def test_it_reads_chats_through_its_template(smollm2):
    request = smollm2.request([{"role": "user", "content": "What is the capital of France?"}])
    tokens = [smollm2.text.token_text(token) for token in request.target]
    assert "<|im_start|>" in tokens and tokens[-1] in ("\n", "assistant\n") and " France" in tokens
    steps = list(smollm2.generate(request, steps=12))
    assert "Paris" in smollm2.decode([step.choice.id for step in steps])
