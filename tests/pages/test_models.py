"""Models of the server's owner, in the app: what each kind can show, and what is told where one cannot be used."""

import shutil

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertForMaskedLM, BertModel, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from core.figures.payloads.encoder_walk import unpack

WORDS = ["gen", "ai", "is", "interesting", "domain", "the", "cat", "sits", "on", "a", "mat"]


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a word, with the special tokens of BERT."""
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    made = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    special = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    return PreTrainedTokenizerFast(tokenizer_object=made, **special)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A directory of tiny models with random weights: an encoder with and without a head, a decoder, a damaged one."""
    root = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    small = {
        "vocab_size": 16,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    bert = BertConfig(**small, max_position_embeddings=32)
    gpt = GPT2Config(vocab_size=16, n_embd=16, n_layer=2, n_head=2, n_positions=32, bos_token_id=2, eos_token_id=3)
    for name, model in (
        ("reader", BertModel(bert)),
        ("filler", BertForMaskedLM(bert)),
        ("writer", GPT2LMHeadModel(gpt)),
    ):
        model.save_pretrained(root / name)
        tokenizer().save_pretrained(root / name)
    shutil.copytree(root / "reader", root / "damaged")
    weights = root / "damaged" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    return root


@pytest.fixture
def opened(folder, offered):
    return offered(folder)


@pytest.mark.parametrize("page", ["home", "attention"])
def test_an_encoder_without_a_head_shows_its_attention_and_a_sentence(screen, opened, page):
    shown = screen(page, model="folder:reader")
    assert shown.calm()
    assert shown.tokens == ["[CLS]", "gen", "ai", "is", "[SEP]"]
    assert shown.map.shape == (5, 5)
    assert any("there is no next token" in line for line in shown.said("how"))
    assert len(shown.app.get("vega_lite_chart")) == (page == "attention")  # the focused row alone


def test_an_encoder_with_a_head_says_what_fits_and_the_switch_moves_it(screen, opened):
    shown = screen("attention", model="folder:filler")
    assert any("What fits here" in body for body in shown.html)
    shown.app.toggle(key="causal").set_value(True).run()
    assert shown.calm()
    assert np.array_equal(np.isnan(shown.map), ~np.tri(5, dtype=bool))
    assert all(row["before"] is not None for row in shown.bars())


@pytest.mark.parametrize("page", ["home", "attention"])
def test_a_decoder_reads_its_own_text(screen, opened, page):
    shown = screen(page, model="folder:writer", text="the cat sits")
    assert shown.calm()
    assert np.array_equal(np.isnan(shown.map), ~np.tri(len(shown.map), dtype=bool))
    assert len(shown.bars()) >= 5
    assert not [box for box in shown.app.text_input if box.key == "bar-target-text"]


def test_the_models_menu_tells_how_the_model_was_checked(screen, opened):
    shown = screen("home", model="folder:writer", text="the cat sits")
    told = [caption.value.replace("\\", "") for caption in shown.app.caption]
    found = [line for line in told if line.startswith("Checked against the model’s own code: largest difference ")]
    assert len(found) == 1 and "in attention weights" in found[0] and "in logits" in found[0]
    assert "Tried: texts of 5 to 9 tokens, 3 steps of writing, texts side by side." in told
    shown.app.radio(key="bar-model").set_value("classroom").run()
    assert not any("own code" in caption.value for caption in shown.app.caption)


def test_the_choice_is_fitted_to_the_next_model(screen, opened):
    shown = screen("attention", stream="cross", layer="3", head="4")
    shown.app.radio(key="bar-model").set_value("folder:writer").run()
    assert shown.calm()
    assert dict(shown.app.query_params.items())["stream"] == "decoder"
    assert any("no cross attention" in note for note in shown.said("note"))


def test_a_damaged_model_is_told_and_another_can_be_chosen(screen, opened):
    shown = screen("attention", model="folder:damaged")
    assert shown.calm()
    assert "safetensors" in shown.said("trouble")[0]
    assert str(opened) not in "".join(shown.html)
    shown.app.radio(key="bar-model").set_value("classroom").run()
    assert not shown.said("trouble")


def test_a_model_beyond_the_budget_is_refused_before_it_is_read(screen, opened, monkeypatch):
    monkeypatch.setenv("LOOKBACK_MODEL_BYTES", "100")
    shutil.copytree(opened / "reader", opened / "large", dirs_exist_ok=True)
    shown = screen("attention", model="folder:large")
    assert "of weights" in shown.said("trouble")[0]


def test_every_offered_model_is_in_the_list_by_name(screen, opened):
    options = screen("attention").app.radio(key="bar-model").options
    assert {"reader", "filler", "writer"} <= set(options)


@pytest.mark.parametrize(("name", "kind"), [("reader", "encoder"), ("writer", "decoder")])
def test_the_walk_through_the_encoder_needs_a_model_of_ours_and_says_so(screen, opened, name, kind):
    shown = screen("encoder", model=f"folder:{name}")
    assert shown.calm() and not shown.said("trouble")
    assert "needs one of our own encoders" in shown.lead and name in shown.lead
    assert any("no encoder" in line for line in shown.said("how")) == (kind == "decoder")
    (sent,) = [one.proto for one in shown.app.get("bidi_component") if one.proto.component_name == "lookback_encoder_walk"]
    head, arrays = unpack(sent.bytes)
    assert not head["walk"] and [token["text"] for token in head["tokens"]] == ["[CLS]", "gen", "ai", "is", "[SEP]"]
    assert arrays["points.all"].shape[1:] == (5, 2) and len(head["near"][1]) == 6
    shown.app.button(key="walk-ours").click().run()
    assert shown.calm() and shown.lead.startswith("In layer 1")


def test_a_hugging_face_encoder_fills_in_a_masked_word(screen, opened):
    shown = screen("generate", model="folder:filler", part="fill.2")
    assert shown.calm()
    assert shown.lead.startswith("In place of “ai” the model would put “")
    without = screen("generate", model="folder:reader")
    assert without.calm() and any("came without what fills in" in line for line in without.said("how"))
    assert [[one.key for one in page.app.get("bidi_component")].count("fill") for page in (shown, without)] == [1, 0]
