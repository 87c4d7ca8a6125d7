"""Texts that models are given in ways of their own: two sentences at once, a language to read and one to write, an end that is
named in another file, tokens beyond the vocabulary, no vocabulary at all. The oracle is the model with its own tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

import core
from core import Sampling, Stream
from core.errors import InputError, RequestError
from core.export.requests import python_lines
from core.request_json import request_from_json, request_to_json
from tests import families

CORPUS = ["is the black cat asleep", "the cat sleeps on the sofa", "gen ai is interesting"] * 3
QUESTION, STATEMENT = "is the cat asleep", "the black cat sleeps"
GREEDY = Sampling(temperature=0.0)


def worded(pair: str, specials: tuple[str, ...]) -> PreTrainedTokenizerFast:
    """Whole words, joined as `pair` says."""
    names = ["<pad>", "<unk>", *specials, *sorted({word for line in CORPUS for word in line.split()})]
    tokenizer = Tokenizer(models.WordLevel({name: n for n, name in enumerate(names)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    single = pair.partition(" $B")[0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=[(name, names.index(name)) for name in specials]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", mask_token="<unk>")


BERT = "[CLS] $A [SEP] $B:1 [SEP]:1", ("[CLS]", "[SEP]")
ROBERTA = "<s> $A </s> </s> $B </s>", ("<s>", "</s>")
PAIRS = {  # family → its configuration's extras, how its tokenizer joins, whether the model is told the types
    "bert": ({}, *BERT, True), "electra": ({}, *BERT, True), "albert": ({}, *BERT, True), "roberta": ({}, *ROBERTA, False),
    "xlm-roberta": ({}, *ROBERTA, False), "roformer": ({}, *BERT, True),
}  # fmt: skip


@pytest.fixture(scope="module", params=PAIRS)
def paired(request, tmp_path_factory) -> tuple[Any, Any, Any, bool]:
    """(lens, the same model as transformers runs it, its tokenizer, whether it is told types)."""
    more, pair, specials, typed = PAIRS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    config = transformers.AutoConfig.for_model(request.param, **families._ENCODER, type_vocab_size=2 if typed else 1, **more)
    torch.manual_seed(0)
    model = transformers.AutoModelForMaskedLM.from_config(config).eval()
    families.enliven(model)
    model.save_pretrained(folder)
    tokenizer = worded(pair, specials)
    tokenizer.save_pretrained(folder)
    eager = type(model).from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    return core.load(str(folder), device="cpu"), eager, tokenizer, typed


def test_a_pair_is_what_the_model_makes_of_two_sentences(paired):
    lens, model, tokenizer, typed = paired
    request = lens.request(QUESTION, pair=STATEMENT, keep=("pattern", "predictions"))
    given = tokenizer(QUESTION, STATEMENT, return_tensors="pt", return_token_type_ids=True)
    assert lens.info.pairs and list(request.source) == given["input_ids"][0].tolist()
    kinds = given["token_type_ids"][0]
    assert not typed or list(request.types) == kinds.tolist()
    assert list(request.types) == sorted(request.types) and set(request.types) == {0, 1}
    with torch.inference_mode():
        own = model(given["input_ids"], output_attentions=True, **({"token_type_ids": kinds[None]} if typed else {}))
        as_one = model(given["input_ids"])
    trace = lens.run(request)
    for layer, pattern in enumerate(own.attentions):
        assert np.abs(trace.at(Stream.ENCODER, layer).pattern - pattern[0].numpy()).max() <= 1e-5
    best = own.logits[0].log_softmax(-1).max(-1).values.numpy()
    assert np.abs(trace.predictions.top_logprob[:, 0] - best).max() <= 1e-4
    # the types are at work: without them the model says something else
    assert torch.allclose(own.logits, as_one.logits, atol=1e-6) != typed


@pytest.mark.parametrize("family", ["bert", "electra", "deberta-v2"])
def test_a_model_is_told_no_types_that_its_own_tokenizer_does_not_tell(family, tmp_path):
    """BERT models that were trained with XLM-R's tokenizer have two token types, and use the first alone."""
    config = transformers.AutoConfig.for_model(family, **families._ENCODER, type_vocab_size=2)
    torch.manual_seed(0)
    tokenizer = worded(*ROBERTA)
    saved(tmp_path, transformers.AutoModelForMaskedLM.from_config(config).eval(), tokenizer)
    model = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path, attn_implementation="eager").eval()
    lens = core.load(str(tmp_path), device="cpu")
    with torch.inference_mode():
        own = model(**tokenizer(QUESTION, STATEMENT, return_tensors="pt", return_token_type_ids=True), output_attentions=True)
    request = lens.request(QUESTION, pair=STATEMENT)
    assert set(request.types) == {0, 1}  # which sentence a token belongs to is still known
    for layer, pattern in enumerate(own.attentions):
        assert np.abs(lens.run(request).at(Stream.ENCODER, layer).pattern - pattern[0].numpy()).max() <= 1e-5


def test_a_pair_beside_single_texts_in_one_batch_is_the_pair_alone(paired):
    lens, *_ = paired
    single = lens.request("the black cat sleeps on the sofa")
    asked = [lens.request(QUESTION, pair=STATEMENT), single, lens.request(QUESTION, pair="cat")]
    for alone, together in zip(map(lens.run, asked), lens.run_many(asked), strict=True):
        for one, other in zip(alone.attention, together.attention, strict=True):
            assert np.abs(one.pattern - other.pattern).max() <= 1e-5


def test_a_pair_is_written_as_json_and_told_apart_from_a_single_text(paired):
    lens, *_ = paired
    pair = lens.request(QUESTION, pair=STATEMENT)
    assert request_from_json(request_to_json(pair)) == pair and hash(request_from_json(request_to_json(pair))) == hash(pair)
    assert pair != lens.request(ids=pair.source) and "types" not in request_to_json(lens.request(QUESTION))
    with pytest.raises(RequestError, match="token types"):
        core.Request(lens.info.id, pair.source, None, types=(0, 1))


def test_lines_of_python_for_a_pair_compute_the_same_maps(paired, monkeypatch):
    lens, *_ = paired
    request = lens.request(QUESTION, pair=STATEMENT)
    monkeypatch.setattr(core, "load", lambda model: lens)
    held: dict[str, Any] = {}
    exec(python_lines(request, "pairs", Stream.ENCODER, 1, 0), held)
    assert held["request"] == request
    pattern = lens.run(request).at(Stream.ENCODER, 1).head(0)
    assert np.array_equal(held["pattern"], pattern)
    exec(python_lines(request, "pairs", Stream.ENCODER, 1, 0, quarter="ab"), held)
    first = request.types.index(1)
    assert np.array_equal(held["shown"][:first, first:], pattern[:first, first:])
    assert np.count_nonzero(held["shown"]) == np.count_nonzero(pattern[:first, first:])
    assert held["given"][:first] == pytest.approx(pattern[:first, first:].sum(axis=1), abs=1e-6)


@pytest.mark.parametrize("family", ["gpt2", "t5", "ours", "ours_encoder"])
def test_a_model_that_reads_no_pairs_says_so(family, lens_of):
    lens = lens_of(family)
    assert not lens.info.pairs
    with pytest.raises(InputError, match="pairs of sentences"):
        lens.request("w9 w11", pair="w12")


# languages


def saved(folder: Path, model: Any, tokenizer: Any) -> Path:
    families.enliven(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def shape(vocab: int, **more: Any) -> dict[str, Any]:
    return families._BART | {"vocab_size": vocab, "pad_token_id": 1, "bos_token_id": 0, "num_beams": 1} | more


def pieces() -> dict[str, int]:
    letters = sorted({letter for line in CORPUS for letter in line.replace(" ", "▁")} | {"▁"})
    return {name: n for n, name in enumerate(("<s>", "<pad>", "</s>", "<unk>", *letters))}


def nllb(folder: Path) -> Path:
    tokenizer = transformers.NllbTokenizer(
        vocab=pieces(), merges=[], src_lang="eng_Latn", extra_special_tokens=["eng_Latn", "fra_Latn", "por_Latn"]
    )
    torch.manual_seed(1)
    config = transformers.M2M100Config(**shape(len(tokenizer)))
    return saved(folder, transformers.M2M100ForConditionalGeneration(config).eval(), tokenizer)


def mbart50(folder: Path) -> Path:
    vocab = [(name, -2.0) for name in pieces()]
    tokenizer = transformers.MBart50Tokenizer(vocab=vocab, src_lang="en_XX")
    torch.manual_seed(2)
    config = transformers.MBartConfig(**shape(len(tokenizer)))
    return saved(folder, transformers.MBartForConditionalGeneration(config).eval(), tokenizer)


def m2m100(folder: Path) -> Path:
    lines, model = folder / "lines.txt", folder / "pieces"
    lines.write_text("\n".join(CORPUS * 20))
    sentencepiece.SentencePieceTrainer.train(
        input=str(lines), model_prefix=str(model), vocab_size=40, hard_vocab_limit=False, minloglevel=2
    )
    known = sentencepiece.SentencePieceProcessor(model_file=f"{model}.model")
    names = dict.fromkeys(["<s>", "<pad>", "</s>", "<unk>", *map(known.id_to_piece, range(known.get_piece_size()))])
    (folder / "names.json").write_text(json.dumps({name: n for n, name in enumerate(names)}))
    tokenizer = transformers.M2M100Tokenizer(str(folder / "names.json"), f"{model}.model", src_lang="en")
    torch.manual_seed(3)
    config = transformers.M2M100Config(**shape(max(tokenizer.lang_token_to_id.values()) + 1))
    return saved(folder / "whole", transformers.M2M100ForConditionalGeneration(config).eval(), tokenizer)


LANGUAGES = {
    "nllb": (nllb, "eng_Latn", "por_Latn", "fra_Latn"), "mbart50": (mbart50, "en_XX", "pt_XX", "de_DE"),
    "m2m100": (m2m100, "en", "pt", "fr"),
}  # fmt: skip


@pytest.fixture(scope="module", params=LANGUAGES)
def many(request, tmp_path_factory):
    """(lens, the model as transformers runs it, its tokenizer, its usual language, two others)."""
    build, *languages = LANGUAGES[request.param]
    folder = build(tmp_path_factory.mktemp(request.param))
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation="eager").eval()
    return core.load(str(folder), device="cpu"), model, transformers.AutoTokenizer.from_pretrained(folder), *languages


def test_a_language_is_written_as_transformers_own_loop_writes_it(many):
    lens, model, tokenizer, usual, target, other = many
    assert {usual, target, other} <= set(lens.info.languages)
    for source in (usual, other):
        tokenizer.src_lang = source
        given = tokenizer("the black cat", return_tensors="pt")
        for language in (target, other):
            asked = lens.request("the black cat", source_language=source, target_language=language)
            assert list(asked.source) == given["input_ids"][0].tolist()
            forced = tokenizer.convert_tokens_to_ids(language if "_" in language else f"__{language}__")
            assert lens.tokens([forced]).special == (True,)
            own = model.generate(**given, forced_bos_token_id=forced, do_sample=False, max_new_tokens=6, num_beams=1)[0]
            steps = list(lens.generate(asked, GREEDY, 5))
            written = [*asked.target, *(step.choice.id for step in steps)]
            assert written == own[: len(written)].tolist() and asked.target[-1] == forced


def test_one_visitors_language_is_not_the_next_ones(many):
    lens, _, tokenizer, usual, target, other = many
    plain = lens.request("the black cat")
    lens.request("the black cat", source_language=other, target_language=target)
    assert lens.request("the black cat") == plain
    tokenizer.src_lang = usual
    assert list(plain.source) == tokenizer("the black cat")["input_ids"]


def test_an_unknown_language_is_named_with_those_that_there_are(many, lens_of):
    lens = many[0]
    with pytest.raises(InputError, match=lens.info.languages[0]):
        lens.request("the black cat", target_language="klingon")
    with pytest.raises(InputError, match="no language"):
        lens_of("bart").request("w9", target_language="pt")


@pytest.mark.parametrize("family", ["bart", "t5", "mbart"])
def test_a_token_that_is_always_written_first_stands_there(family, folder_of, tmp_path, eager_of):
    folder = copied(folder_of(family), tmp_path)
    (folder / "generation_config.json").write_text(json.dumps({"forced_bos_token_id": 9, "eos_token_id": 2}))
    lens = core.load(str(folder), device="cpu")
    asked = lens.request("w9 w11 w12")
    own = eager_of(family).generate(
        torch.tensor([asked.source]), forced_bos_token_id=9, do_sample=False, max_new_tokens=5, num_beams=1
    )[0].tolist()  # fmt: skip
    written = [*asked.target, *(step.choice.id for step in lens.generate(asked, GREEDY, 4))]
    assert asked.target[-1] == 9 and written == own[: len(written)]


def copied(folder: Path, to: Path) -> Path:
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


@pytest.mark.parametrize("family", ["gpt2", "llama", "bart", "t5"])
def test_an_end_that_only_the_other_file_names_ends_the_text(family, folder_of, tmp_path):
    folder = copied(folder_of(family), tmp_path)
    plain = core.load(str(folder_of(family)), device="cpu")
    asked = plain.request("w9 w11 w12")
    third = list(plain.generate(asked, GREEDY, 3))[-1]
    first_seen = next(n for n, step in enumerate(plain.generate(asked, GREEDY, 3)) if step.choice.id == third.choice.id)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, third.choice.id]}))
    lens = core.load(str(folder), device="cpu")
    steps = list(lens.generate(lens.request("w9 w11 w12"), GREEDY, 6))
    assert len(steps) == first_seen + 1 and steps[-1].finished


# tokens


def bytelevel(*added: str) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")
    wrapped.add_tokens([AddedToken(name, normalized=False) for name in added])
    return wrapped


ADDED = ("Bác", "naïve", "Ünïcode", "日本", "привет", "é", "ĠĊ")


def gpt2(folder: Path, tokenizer: Any, **more: Any) -> Any:
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=64, **{"vocab_size": len(tokenizer), **more})
    return core.load(str(saved(folder, transformers.GPT2LMHeadModel(config).eval(), tokenizer)), device="cpu")


def test_added_tokens_of_any_script_are_shown_as_they_are_written(tmp_path):
    lens = gpt2(tmp_path, bytelevel(*ADDED))
    for name in ADDED:
        request = lens.request(f"the {name} cat")
        assert "".join(lens.tokens(request.target).text) == f"the {name} cat"
        (token,) = [token for token, text in zip(request.target, lens.tokens(request.target).text, strict=True) if text == name]
        assert lens.raw([token]) == (name.encode(),)


def test_ids_that_no_token_has_are_told_apart_and_gaps_are_no_end(tmp_path):
    """Ids may go on after a gap: what lies beyond the number of tokens can still be a token."""
    tokenizer = bytelevel()
    lens = gpt2(tmp_path, tokenizer, vocab_size=len(tokenizer) + 9)
    beyond = len(tokenizer) + 3
    assert lens.tokens([beyond]).text == ("⟨?⟩",)
    trace = lens.run(lens.request(ids=[1, beyond, 2]))
    assert trace.target.text[1] == "⟨?⟩" and lens.decode([beyond, 40]) == lens.decode([40])
    with pytest.raises(InputError, match="ids from 0 to"):
        lens.request(ids=[lens.info.vocab])


@pytest.mark.parametrize("typed", ["the cat", "Bác", "日本 🙂", "a</s>b"])
def test_a_tokenizer_without_a_vocabulary_reads_bytes(typed, tmp_path_factory, request):
    folder = tmp_path_factory.getbasetemp() / "byt5"
    if not folder.exists():
        tokenizer = transformers.ByT5Tokenizer(extra_ids=4)
        config = transformers.T5Config(**families._T5 | {"vocab_size": 384, "decoder_start_token_id": 0, "eos_token_id": 1})
        torch.manual_seed(0)
        saved(folder, transformers.T5ForConditionalGeneration(config).eval(), tokenizer)
        assert not {path.name for path in folder.iterdir()} & {"tokenizer.json", "vocab.json"}
    lens = core.load(str(folder), device="cpu")
    asked = lens.request(typed)
    assert asked.source[:-1] == tuple(byte + 3 for byte in typed.encode()) and asked.source[-1] == 1
    assert lens.decode(asked.source) == typed
    for byte, text in zip(typed.encode(), lens.tokens(asked.source).text[:-1], strict=True):
        assert text == (chr(byte) if byte < 128 else f"⟨{byte:02X}⟩")
