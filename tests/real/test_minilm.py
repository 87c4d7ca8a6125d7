"""all-MiniLM-L6-v2, a real encoder without an output head: its attention is whole, it just predicts nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core import MaskRule, Stream
from core.errors import NotAPredictor, TooLongError

pytestmark = pytest.mark.real
TEXT = "The capital of France isn't Lyon."


def test_it_is_what_its_card_says(minilm):
    info = minilm.info
    assert (info.kind, info.layers, info.heads, info.d_model, info.max_tokens) == ("encoder", 6, 12, 384, 512)
    assert not info.can_predict and [site.heads for site in info.sites] == [12] * 6
    assert info.parameters == pytest.approx(22.7e6, rel=0.01)


def test_its_words_are_those_of_the_text(minilm):
    tokens = minilm.run(minilm.request(TEXT)).source
    assert tokens.text[:5] == ("[CLS]", " the", " capital", " of", " france") and tokens.text[-1] == "[SEP]"
    assert tokens.special[0] and tokens.special[-1] and not any(tokens.special[1:-1])


@pytest.mark.parametrize("capture", ["float32", "lazy"])
def test_every_map_is_the_untouched_models(capture, minilm, minilm_eager):
    request = minilm.request(TEXT, capture=capture, keep={"pattern", "residual"})
    trace = minilm.run(request)
    with torch.inference_mode():
        plain = minilm_eager(torch.tensor([request.source]), output_attentions=True, output_hidden_states=True)
    for mine, theirs in zip(trace.attention, plain.attentions, strict=True):
        assert np.abs(mine.pattern - theirs[0].numpy()).max() <= (0 if capture == "float32" else 1e-6)
    for mine, theirs in zip(trace.residual[Stream.ENCODER], plain.hidden_states, strict=False):
        assert np.abs(mine - theirs[0].numpy()).max() <= 1e-5


def test_it_predicts_nothing(minilm):
    trace = minilm.run(minilm.request("The capital of France is [MASK]."))
    for ask in (trace.next_tokens, lambda: trace.next_tokens(position=2)):
        with pytest.raises(NotAPredictor):
            ask()
    with pytest.raises(NotAPredictor):
        minilm.generate(minilm.request(TEXT))
    with pytest.raises(NotAPredictor):
        minilm.next_words(minilm.request(TEXT))


def test_a_causal_mask_empties_the_upper_triangle(minilm):
    trace = minilm.run(minilm.request(TEXT).with_mask(MaskRule(Stream.ENCODER, "causal")))
    for attention in trace.attention:
        assert not np.triu(attention.pattern, 1).any()
        assert np.abs(attention.pattern.sum(-1) - 1).max() <= 1e-5


def test_side_by_side_is_one_by_one(minilm):
    requests = [minilm.request(text) for text in (TEXT, "Gen AI is interesting.", "A cat")]
    for together, request in zip(minilm.run_many(requests), requests, strict=True):
        for mine, other in zip(together.attention, minilm.run(request).attention, strict=True):
            assert np.abs(mine.pattern - other.pattern).max() <= 1e-5


def test_longer_than_it_takes(minilm):
    with pytest.raises(TooLongError, match="512"):
        minilm.request("word " * 600)
