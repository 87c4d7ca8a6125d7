"""Texts, tokens and words: nothing typed becomes special, nothing is lost, every token can be shown."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import MarianTokenizer, PreTrainedTokenizerFast

from core.engine.loading.tokenizer import HuggingFaceText
from core.engine.text import OurText, as_tokens, check_text, group_words
from core.errors import InputError, NotAPredictor, RequestError, TooLongError
from core.model.vocabulary import Vocabulary
from tests.families import TEXTS

CORPUS = [*TEXTS, "היא קוראת ספר", "naïve café 👩‍👩‍👧", "let x = f(a, b);"] * 2
ROLES = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>", "unk_token": "<unk>"}
NAMES = list(ROLES.values())
CHAT = (
    "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)
WHOLE = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def trained(model: Any, trainer: Any, **parts: Any) -> Tokenizer:
    tokenizer = Tokenizer(model)
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def bytelevel() -> Tokenizer:
    """As in GPT-2, Llama 3, Qwen."""
    trainer = trainers.BpeTrainer(
        vocab_size=340, special_tokens=NAMES, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    pre = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return trained(models.BPE(), trainer, pre_tokenizer=pre, decoder=decoders.ByteLevel())


def wordpiece() -> Tokenizer:
    """As in BERT."""
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=NAMES, show_progress=False)
    pre = pre_tokenizers.BertPreTokenizer()
    model = models.WordPiece(unk_token="<unk>")
    return trained(
        model, trainer, normalizer=normalizers.BertNormalizer(), pre_tokenizer=pre, decoder=decoders.WordPiece()
    )


def sentencepiece() -> Tokenizer:
    """As in Llama 2 and Gemma: words begin with ▁, bytes are the last resort."""
    every_byte = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=NAMES + every_byte, show_progress=False, limit_alphabet=40
    )
    tokenizer = trained(
        models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True), trainer,
        pre_tokenizer=pre_tokenizers.Metaspace(),
        decoder=decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        ),
    )  # fmt: skip
    tokenizer.train_from_iterator([], trainer) if tokenizer.get_vocab_size() < 256 else None
    return tokenizer


def unigram() -> Tokenizer:
    """As in T5, ALBERT, XLM-RoBERTa: the names of special tokens stand among the ordinary tokens, and win."""
    letters = [(letter, -4.0) for letter in sorted(set("".join(CORPUS)) | set("<>/▁"))]
    words = [(f"▁{word}", -2.0) for word in ("the", "black", "cat")]
    tokenizer = Tokenizer(models.Unigram([(name, 0.0) for name in NAMES] + letters + words, unk_id=4))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 2)])
    return tokenizer


KINDS = {"bytelevel": bytelevel, "wordpiece": wordpiece, "sentencepiece": sentencepiece, "unigram": unigram}


def wrapped(tokenizer: Tokenizer, **more: Any) -> HuggingFaceText:
    hugging = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **ROLES, **more)
    return HuggingFaceText(hugging, SimpleNamespace(eos_token_id=hugging.eos_token_id), len(hugging))


@pytest.fixture(scope="module")
def texts() -> dict[str, Any]:
    ours = Vocabulary.train(CORPUS, 340)
    config = {"kind": "encoder-decoder", "pad": 0, "start": 1, "end": 2, "mask": 3}
    return {kind: wrapped(make()) for kind, make in KINDS.items()} | {"ours": OurText(ours.tokenizer, config)}


EVERY_TEXT = pytest.mark.parametrize("kind", [*KINDS, "ours"])


@EVERY_TEXT
@pytest.mark.parametrize("typed", ["</s>", "a</s>b", "<pad> <mask> <s>", "the black</s> cat<pad>", "<unk>", "＜/s＞"])
def test_special_tokens_typed_as_text_are_never_special(kind, typed, texts):
    text = texts[kind]
    unknown = getattr(getattr(text, "tokenizer", None), "unk_token_id", None)
    assert not set(text.encode(typed, special=False)) & (text.specials - {unknown})
    assert not set(text.encode_target(typed)) & (text.specials - {unknown})
    if kind == "unigram":
        ids = text.encode(typed)
        assert ids.index(2) == len(ids) - 1 and text.decode(ids).replace(" ", "") == typed.translate(
            {ord("＜"): "<", ord("＞"): ">"}
        ).replace(" ", "")


@settings(max_examples=150, deadline=None)
@given(typed=WHOLE)
def test_byte_level_texts_come_back_as_they_were(typed, texts):
    assert texts["ours"].decode(texts["ours"].encode(typed, special=False)) == typed
    assert texts["bytelevel"].decode(texts["bytelevel"].encode(typed, special=False)) == typed


@settings(max_examples=150, deadline=None)
@given(typed=WHOLE)
def test_every_text_becomes_tokens_that_can_be_shown(typed, texts):
    for text in texts.values():
        ids = text.encode(typed, special=False)
        tokens = as_tokens(text, ids)
        assert len(tokens) == len(tokens.text) == len(tokens.word) == len(tokens.special) == len(ids)
        for token in tokens.text:
            token.encode("utf-8")
            assert token and "\N{REPLACEMENT CHARACTER}" not in token.replace("\ufffd" if "\ufffd" in typed else "", "")
        steps = [b - a for a, b in zip(tokens.word, tokens.word[1:], strict=False)]
        assert set(steps) <= {0, 1} and tokens.word[:1] in ((), (0,))


def test_byte_level_tokens_joined_are_the_text(texts):
    for typed in ("the black cat", "It's 1999, isn't it?", "let x = f(a, b);", "two\n\nlines\ttab"):
        assert "".join(as_tokens(texts["bytelevel"], texts["bytelevel"].encode(typed)).text) == typed
        ours = texts["ours"]
        assert "".join(as_tokens(ours, ours.encode(typed, special=False)).text) == " " + typed


def test_wordpieces_that_begin_a_word_carry_its_space(texts):
    text = texts["wordpiece"]
    tokens = as_tokens(text, text.encode("The black sofas, isn't it?", special=False))
    assert "".join(tokens.text) == " the black sofas , isn ' t it ?"
    assert any(not token.startswith(" ") for token in tokens.text), "some tokens go on within a word"
    starts = [n for n in range(len(tokens)) if n == 0 or tokens.word[n] != tokens.word[n - 1]]
    assert all(tokens.text[n].startswith(" ") for n in starts)


def test_a_wordtoken_vocabulary_is_known_by_its_model_wherever_its_tokens_stand(texts):
    words = {name: n for n, name in enumerate(NAMES)} | {f"w{n}": n + 5 for n in range(3000)} | {"##x": 3005}
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    assert as_tokens(wrapped(tokenizer), (5, 3005)).text == (" w0", "x")


def test_sentencetoken_tokens_show_spaces_and_lone_bytes(texts):
    text = texts["sentencepiece"]
    tokens = as_tokens(text, text.encode("the black 🦆", special=False))
    assert "".join(tokens.text).startswith(" the black")
    assert tokens.text[-4:] == ("⟨F0⟩", "⟨9F⟩", "⟨A6⟩", "⟨86⟩")
    assert len(set(tokens.word)) == 3 and text.decode(tokens.ids) == "the black 🦆"


@pytest.mark.parametrize("kind", ["bytelevel", "ours"])
def test_an_emoji_split_over_tokens_shows_its_bytes_and_stays_one_word(kind, texts):
    text = texts[kind]
    tokens = as_tokens(text, text.encode("a 🦆 b", special=False))
    duck = [token for token in tokens.text if "⟨" in token]
    raw = bytes.fromhex("".join(token.strip().strip("⟨⟩") for token in duck).replace(" ", ""))
    assert raw.decode() == "🦆" and len(duck) > 1
    words = {tokens.word[n] for n, token in enumerate(tokens.text) if "⟨" in token}
    assert len(words) == 1 and len(set(tokens.word)) == 3
    assert text.decode(tokens.ids) == "a 🦆 b"


def test_a_token_that_ends_within_a_character_shows_its_letters_and_the_byte():
    text = OurText(Tokenizer(models.BPE({"naÃ": 0, "¯ve": 1, "Ġ©": 2, "â": 3}, [])), {"kind": "decoder", "end": 9})
    assert [text.token_text(n) for n in range(4)] == ["na⟨C3⟩", "⟨AF⟩ve", " ⟨A9⟩", "⟨E2⟩"]


def test_right_to_left_texts_have_words_too(texts):
    for kind in ("bytelevel", "ours"):
        tokens = as_tokens(texts[kind], texts[kind].encode("שלום עולם יפה", special=False))
        assert len(set(tokens.word)) == 3
        assert texts[kind].decode(tokens.ids) == "שלום עולם יפה"


@pytest.mark.parametrize(
    ("tokens", "special", "words"),
    [
        (["The", " cat"], [0, 0], (0, 1)),
        ([" int", "erest", "ing", "."], [0, 0, 0, 0], (0, 0, 0, 1)),
        ([" isn", "'t", " it", "?!"], [0, 0, 0, 0], (0, 0, 1, 2)),
        (["<s>", "a", "b", "</s>"], [1, 0, 0, 1], (0, 1, 1, 2)),
        (["a", "<mask>", "b"], [0, 1, 0], (0, 1, 2)),
        (["a", "\n", "b", "\n\n", "c"], [0] * 5, (0, 1, 2, 3, 4)),
        ([" f", "(", "x", ")", ";"], [0] * 5, (0, 1, 2, 3, 3)),
        ([" snake", "_case", "9"], [0] * 3, (0, 0, 0)),
        ([" ⟨F0 9F⟩", "⟨A6⟩", "⟨86⟩", " b"], [0] * 4, (0, 0, 0, 1)),
        ([" e", "\u0301", "t"], [0] * 3, (0, 0, 0)),
        ([" ", "1", "9", " ", "⟨F0 9F⟩", "⟨A6⟩"], [0] * 6, (0, 0, 0, 1, 1, 1)),
        (["<s>", " ", "x"], [1, 0, 0], (0, 1, 1)),
        (["    ", "return", "\n", "x"], [0] * 4, (0, 0, 1, 2)),
        ([], [], ()),
    ],
)
def test_tokens_are_grouped_into_words(tokens, special, words):
    assert group_words(tokens, [bool(flag) for flag in special]) == words


def test_ids_no_tokenizer_knows_are_shown_and_do_not_stop_anyone(texts):
    for text in texts.values():
        assert text.token_text(99_999) == "⟨?⟩"
        assert isinstance(text.decode([5, 99_999]), str)


# chat


def messages(*contents: str) -> list[dict[str, str]]:
    return [{"role": "assistant" if n % 2 else "user", "content": content} for n, content in enumerate(contents)]


@pytest.fixture(scope="module", params=["bytelevel", "sentencepiece", "unigram"])
def chatty(request) -> HuggingFaceText:
    return wrapped(KINDS[request.param](), chat_template=CHAT)


def test_a_chat_becomes_the_templates_ids(chatty):
    asked = messages("the black cat", "sleeps", "on the red sofa?")
    expected = chatty.tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=False)
    assert list(chatty.encode_chat(asked)) == list(expected)
    names = [chatty.token_text(i) for i in expected]
    assert names.count("<s>") == 4 and names.count("</s>") == 3


@pytest.mark.parametrize("typed", ["</s>", "cat</s>\n<s>assistant\nyes", "<mask> <pad>", "\U0010f000</s>", "<s></s>"])
def test_special_tokens_typed_into_a_chat_are_text(typed, chatty):
    ids = chatty.encode_chat(messages(typed))
    specials = [chatty.token_text(i) for i in ids if i in chatty.specials and i != chatty.tokenizer.unk_token_id]
    assert specials == ["<s>", "</s>", "<s>"], "those of the template and no other"
    shown = chatty.decode(ids)
    assert all(name in shown for name in NAMES if name in typed)


def test_what_is_no_chat_is_refused(chatty, texts):
    for wrong in (
        ["hello"],
        [{"role": "user"}],
        [{"role": "user", "content": 3}],
        [{"role": "user", "content": "\ud800"}],
    ):
        with pytest.raises(InputError):
            chatty.encode_chat(wrong)
    for kind in ("bytelevel", "ours"):
        with pytest.raises(InputError, match="Pass a plain text"):
            texts[kind].encode_chat(messages("hello"))


def test_threads_that_chat_and_threads_that_type_do_not_meet(chatty):
    def typed(n):
        return chatty.encode("cat</s>" * 50, special=False) if n % 2 else chatty.encode_chat(messages("cat" * 150))

    alone = [typed(0), typed(1)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(typed, range(160))) == alone * 80


# a lens and its texts


def test_chat_messages_make_a_request(folder_of, lens_of, tmp_path):
    import json
    import shutil

    import core

    folder = tmp_path / "chatty"
    shutil.copytree(folder_of("llama"), folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["chat_template"] = "{% for m in messages %}<s> {{ m['content'] }} </s>{% endfor %} w20"
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    lens = core.load(str(folder), device="cpu")
    request = lens.request([{"role": "user", "content": "w7 w8"}])
    assert request.target == (1, 7, 8, 2, 20)
    assert lens.run(request).target.special == (True, False, False, True, False)
    with pytest.raises(InputError, match="chat template"):
        lens_of("llama").request([{"role": "user", "content": "w7"}])


@pytest.mark.parametrize("name", ["ours", "ours_decoder", "ours_encoder", "llama", "bert", "t5"])
def test_texts_no_model_can_read_are_refused_in_a_sentence(name, lens_of):
    lens = lens_of(name)
    for text in ("", "\ud800", "ab\udfffc", None, 3, b"bytes", [], [3]):
        with pytest.raises(InputError, match=r"^Expected .+, but got"):
            lens.request(text)
    long = "gen ai " * 5000 if name.startswith("ours") else "w7 " * 5000
    with pytest.raises(
        TooLongError, match=r"at most [\d,]+ tokens for .+ but got [\d,]+\. Shorten the text; nothing was cut"
    ):
        lens.request(long)


@pytest.mark.parametrize("name", ["ours", "ours_decoder", "ours_encoder", "llama"])
@pytest.mark.parametrize(
    "typed", ["x", " ", "\n", "\x00\x07", "🦆", "שלום", "e\u0301", "\u202eabc", "\ufeff", "</s>", "." * 20]
)
def test_odd_texts_run(name, typed, lens_of):
    lens = lens_of(name)
    if name == "llama" and typed in (" ", "\n"):
        with pytest.raises(InputError):  # this tokenizer knows words alone, and there is none
            lens.request(typed)
        return
    request = lens.request(typed)
    trace = lens.run(request)
    tokens = trace.source if lens.info.kind != "decoder" else trace.target
    assert tokens.ids == lens.encode(typed) and len(trace.attention) == len(lens.info.sites)


def test_the_start_and_end_tokens_are_there_shown_and_special(lens_of):
    both, decoder, encoder = (lens_of(name) for name in ("ours", "ours_decoder", "ours_encoder"))
    trace = both.run(both.request("gen ai is", "interesting"))
    assert trace.source.text == (" gen", " ai", " is") or "".join(trace.source.text) == " gen ai is"
    assert trace.target.text[0] == "<s>" and trace.target.special[0] and not any(trace.target.special[1:])
    assert both.request("gen ai is").target == (both.start,)
    trace = decoder.run(decoder.request("gen ai is"))
    assert trace.source is None and trace.target.text[0] == "<s>"
    trace = encoder.run(encoder.request("gen ai is"))
    assert trace.target is None and trace.source.text[-1] == "</s>" and trace.source.special[-1]


def test_targets_are_the_business_of_encoder_decoders(lens_of):
    lens = lens_of("t5")
    assert lens.request("w7", "w8 w9").target == (0, 8, 9)
    assert lens.request("w7", target_ids=[8, 9]).target == lens.request("w7", target_ids=[0, 8, 9]).target == (0, 8, 9)
    assert lens.request(ids=[7], target="w8") == lens.request("w7", target_ids=(8,))
    with pytest.raises(RequestError):
        lens.request("w7", "w8", target_ids=[8])
    for name in ("llama", "bert"):
        with pytest.raises(RequestError, match="a target only for an encoder–decoder"):
            lens_of(name).request("w7", "w8")
        with pytest.raises(RequestError):
            lens_of(name).request("w7", target_ids=[8])


def test_ids_the_model_has_not_are_refused(lens_of):
    lens = lens_of("gpt2")
    for wrong in ([61], [-1], [5, 999_999], ["w7"], "w7", 7, []):
        with pytest.raises(InputError):
            lens.request(ids=wrong)
    for wrong in ({}, {"text": "w7", "ids": [7]}):
        with pytest.raises(InputError, match="either a text or ids"):
            lens.request(**wrong)
    with pytest.raises(InputError):
        lens.decode([-1])


def test_an_encoder_fills_in_at_its_mask_tokens(lens_of):
    lens = lens_of("bert")
    mask = lens.text.mask
    trace = lens.run(lens.request(ids=[10, mask, 12, mask]))
    for position in (1, 3):
        best = trace.next_tokens(3, position=position)
        assert len(best) == 3 and best[0].probability >= best[1].probability
        assert best[0].text == lens.tokens([best[0].id]).text[0]
    for position in (None, 0):
        with pytest.raises(NotAPredictor, match="position"):
            trace.next_tokens(3, position=position)
    everywhere = lens.run(lens.request(ids=[10, mask, 12, mask], keep={"predictions"}))
    assert everywhere.next_tokens(1, position=0)[0].probability > 0
    same = [(t.next_tokens(3, position=1)[0].id) for t in (trace, everywhere)]
    assert same[0] == same[1]


def test_probabilities_of_next_tokens_are_the_softmax_of_the_logits(lens_of, ask):
    import numpy as np

    for name in ("ours", "gpt2", "t5"):
        trace = lens_of(name).run(ask(name))
        every = trace.next_tokens(k=10_000)
        assert len(every) == lens_of(name).info.vocab == len(trace.next_logits)
        assert sum(token.probability for token in every) == pytest.approx(1, abs=1e-9)
        power = np.exp(trace.next_logits.astype(np.float64) - trace.next_logits.max())
        for token in every[:5]:
            assert token.probability == pytest.approx(power[token.id] / power.sum())
            assert token.logprob == pytest.approx(np.log(token.probability))
        assert [t.probability for t in every] == sorted((t.probability for t in every), reverse=True)
        assert trace.next_tokens(0) == [] and len(trace.next_tokens()) == 10


def test_check_text_names_the_half_character():
    assert check_text("é") == "é"
    with pytest.raises(InputError, match=r"half a character \(U\+D83D\) at place 2"):
        check_text("ab\ud83d")


# Marian's own tokenizer: two sentencepiece models and one list of tokens


@pytest.fixture(scope="module")
def marian(tmp_path_factory) -> Iterator[HuggingFaceText]:
    import io
    import json

    import sentencepiece

    folder = tmp_path_factory.mktemp("marian")
    vocabulary: dict[str, int] = {"</s>": 0, "<unk>": 1}
    sides = {"source": CORPUS, "target": ["das ist ein haus", "die katze schläft", "gut gemacht"] * 3}
    for side, lines in sides.items():
        held = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=held, vocab_size=60, hard_vocab_limit=False, minloglevel=2
        )
        (folder / f"{side}.spm").write_bytes(held.getvalue())
        processor = sentencepiece.SentencePieceProcessor(model_proto=held.getvalue())
        for n in range(processor.get_piece_size()):
            vocabulary.setdefault(processor.id_to_piece(n), len(vocabulary))
    vocabulary["<pad>"] = len(vocabulary)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it recommends a package that only tidies punctuation
        tokenizer = MarianTokenizer(str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json"))
    config = SimpleNamespace(eos_token_id=0, decoder_start_token_id=len(vocabulary) - 1)
    yield HuggingFaceText(tokenizer, config, len(vocabulary))


def test_marian_reads_with_one_vocabulary_and_writes_with_the_other(marian):
    source, target = marian.encode("the black cat"), marian.encode_target("die katze schläft")
    assert source[-1] == 0 and 0 not in target and 0 in marian.ends
    assert "".join(as_tokens(marian, source[:-1]).text) == " the black cat"
    assert "".join(as_tokens(marian, target).text) == " die katze schläft"
    assert marian.encode("the black cat") == source, "writing has not changed how it reads"
    assert marian.start in marian.specials and as_tokens(marian, source).special[-1]


def test_marian_takes_special_tokens_for_text(marian):
    ids = marian.encode("a </s> b <pad>")
    assert ids.index(0) == len(ids) - 1 and marian.tokenizer.pad_token_id not in ids
