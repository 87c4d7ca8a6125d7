"""Every kind of model is opened as what it is, or refused in plain words: families whose code raises, decoders that also see,
pairs of two models, configurations with parts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers

import core
from core.errors import ModelFileError, UnsupportedModelError
from core.request import Stream
from tests.sweep import trial
from tests.sweep.shapes import LIMIT, VOCAB

SIZES: dict[str, Any] = {"vocab_size": VOCAB, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
                         "num_attention_heads": 4, "max_position_embeddings": LIMIT}  # fmt: skip
GPT2: dict[str, Any] = {"vocab_size": VOCAB, "n_embd": 48, "n_layer": 3, "n_head": 4, "n_positions": LIMIT}

# two models side by side: the encoder's configuration and the decoder's
PAIRS: dict[str, tuple[Any, Any]] = {
    "bert2bert": (("Bert", SIZES), ("Bert", SIZES | {"num_hidden_layers": 3})),
    "roberta2roberta": (("Roberta", SIZES), ("Roberta", SIZES)),
    "electra2generation": (
        ("Electra", SIZES | {"embedding_size": 16}),
        ("BertGeneration", SIZES | {"hidden_size": 24}),
    ),
    "bert2gpt2": (("Bert", SIZES), ("GPT2", GPT2)),
}


def saved_pair(folder: Path, encoder: Any, decoder: Any) -> Path:
    import torch

    parts = [getattr(transformers, f"{family}Config")(**values) for family, values in (encoder, decoder)]
    config = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(*parts)
    config.decoder_start_token_id, config.pad_token_id = 3, 0
    torch.manual_seed(0)
    model = transformers.EncoderDecoderModel(config).eval()
    trial.enliven(model)
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("family", "name"),
    [("aimv2", "Aimv2Model"), ("chinese_clip", "ChineseCLIPModel"), ("exaone4_5_vision", "Exaone4_5_VisionModel"),
     ("pegasus_x", "PegasusXForConditionalGeneration"), ("clipseg", "CLIPSegModel")],
)  # fmt: skip
def test_whatever_a_familys_code_raises_becomes_a_refusal_that_names_the_family(family, name, tmp_path):
    trial.build(family, name, tmp_path / "model")
    with pytest.raises((UnsupportedModelError, ModelFileError)) as caught:
        core.load(str(tmp_path / "model"), device="cpu")
    assert family in caught.value.got and caught.value.todo


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_of_two_models_shows_every_stream_as_its_own_code_computes_it(name, tmp_path):
    folder = saved_pair(tmp_path / name, *PAIRS[name])
    own = transformers.EncoderDecoderModel.from_pretrained(folder, attn_implementation="eager").eval()
    finding = trial.judged("encoder-decoder", name, folder, own, "")
    # GPT-2's cross-attention hands no arguments on, so that it can be read but not changed
    assert finding.outcome == (trial.READ_ONLY if name == "bert2gpt2" else trial.EQUAL), finding.words
    info = core.load(str(folder), device="cpu").info
    layers = 3 if name in ("bert2bert", "bert2gpt2") else 2
    assert {stream: len(info.at(stream)) for stream in Stream} == {
        Stream.ENCODER: 2, Stream.DECODER: layers, Stream.CROSS: layers,
    }  # fmt: skip
    assert info.d_model == own.config.decoder.hidden_size
    assert info.max_tokens == (LIMIT - 2 if name == "roberta2roberta" else LIMIT), "RoBERTa reserves two rows"


def test_a_pair_reads_no_longer_texts_than_its_shorter_half(tmp_path):
    halves = (("Bert", SIZES), ("BertGeneration", SIZES | {"max_position_embeddings": 24}))
    assert core.load(str(saved_pair(tmp_path / "pair", *halves)), device="cpu").info.max_tokens == 24


def test_a_pair_with_two_vocabularies_is_refused(tmp_path):
    folder = saved_pair(tmp_path / "pair", ("Bert", SIZES), ("GPT2", GPT2 | {"vocab_size": 99}))
    with pytest.raises(UnsupportedModelError, match="128 and 99"):
        core.load(str(folder), device="cpu")


# decoders that also see or hear, here given text alone
SEEING = {
    "qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration",
    "gemma3": "Gemma3ForConditionalGeneration",
    "internvl": "InternVLForConditionalGeneration",
    "glm4v": "Glm4vForConditionalGeneration",
    "qwen2_audio": "Qwen2AudioForConditionalGeneration",
}


@pytest.mark.parametrize("family", SEEING)
def test_a_decoder_that_also_sees_or_hears_is_a_decoder_of_text(family, tmp_path):
    trial.build(family, SEEING[family], tmp_path / "model")
    own = getattr(transformers, SEEING[family]).from_pretrained(tmp_path / "model", attn_implementation="eager").eval()
    assert trial.judged(family, SEEING[family], tmp_path / "model", own, "") == trial.Finding(
        family, SEEING[family], trial.EQUAL
    )
    lens, text = core.load(str(tmp_path / "model"), device="cpu"), own.config.text_config
    assert lens.info.kind == "decoder" and lens.info.causal and lens.info.can_predict
    assert (lens.info.vocab, lens.info.d_model, lens.info.max_tokens) == (VOCAB, text.hidden_size, LIMIT)
    named = getattr(text, "eos_token_id", None)
    assert set(lens.ends) == ({named} if named is not None else set())
    for attention in lens.run(lens.request(ids=trial.ids(9), capture="float32")).attention:
        assert attention.site.stream is Stream.DECODER and not np.triu(attention.pattern, 1).any()


@pytest.mark.parametrize(("family", "name"), [("qwen2_vl_text", "Qwen2VLTextModel"), ("clip_text_model", "CLIPTextModel"),
                                              ("molmo2_text", "Molmo2TextModel")])  # fmt: skip
def test_the_text_part_of_a_larger_model_that_hides_the_future_is_a_decoder_without_a_head(family, name, tmp_path):
    trial.build(family, name, tmp_path / "model")
    info = core.load(str(tmp_path / "model"), device="cpu").info
    assert info.kind == "decoder" and info.causal and not info.can_predict


def test_of_two_eager_functions_the_one_that_a_module_calls_is_its_formula():
    from transformers.models.tipsv2 import modeling_tipsv2 as family

    from core.engine.huggingface import own_function

    found = {
        own_function(cls).__name__
        for name, cls in vars(family).items()
        if name.endswith("Attention") and name[0] == "T"
    }
    assert found == {"eager_attention_forward", "text_eager_attention_forward"}
    assert trial.examine("tipsv2", "Tipsv2Model") == trial.Finding("tipsv2", "Tipsv2Model", trial.EQUAL)


def test_a_weight_that_holds_no_number_is_read_like_the_others(tmp_path):
    values = SIZES | {"embedding_size": 32, "true_hidden_size": 16, "intra_bottleneck_size": 16}
    model = transformers.MobileBertForMaskedLM(transformers.MobileBertConfig(**values))
    assert any(tensor.numel() == 0 for tensor in model.state_dict().values())
    model.save_pretrained(tmp_path)
    assert core.load(str(tmp_path), device="cpu").info.can_predict
