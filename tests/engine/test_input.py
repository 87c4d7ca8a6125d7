"""Whatever is typed, and whatever tokenizer a folder brings: an answer, or one of our errors with all three parts."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

import core
from core.engine.lens import Lens
from core.errors import InputError, LensError, ModelFileError, NoSuchHeadError, RequestError, TooLongError
from core.request import MASKS, HeadRef, MaskRule, Stream
from tests import families

FOUR = ("ours", "ours_decoder", "gpt2", "bert", "t5")
EACH = pytest.mark.parametrize("name", FOUR)
READS_ALL = pytest.mark.parametrize(
    "name", ("ours", "ours_decoder", "ours_encoder", "bytes")
)  # nothing is unknown to them
MANY = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


def byte_level() -> PreTrainedTokenizerFast:
    """A tokenizer of single bytes, as GPT-2's would be without merges."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({token: n for n, token in enumerate([*alphabet, "<s>", "</s>"])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


@pytest.fixture(scope="module")
def lens(lens_of, tmp_path_factory) -> Callable[[str], Lens]:
    """A lens by name; "bytes" is a GPT-2 whose tokenizer knows every byte."""
    import transformers

    folder = tmp_path_factory.mktemp("bytes")
    values = families.FAMILIES["gpt2"][2] | {"vocab_size": 258, "bos_token_id": 256, "eos_token_id": 257}
    transformers.GPT2LMHeadModel(transformers.GPT2Config(**values)).save_pretrained(folder)
    byte_level().save_pretrained(folder)
    own = core.load(str(folder), device="cpu")
    return lambda name: own if name == "bytes" else lens_of(name)


@pytest.fixture
def copy(folder_of: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(folder_of(name), tmp_path / name))


def refused(kind: type[LensError], lens: Lens, *text: object, **how: object) -> LensError:
    with pytest.raises(LensError) as caught:
        lens.request(*text, **how)  # type: ignore[arg-type]
    assert type(caught.value) is kind, repr(caught.value)
    assert caught.value.expected and caught.value.got and caught.value.todo, repr(caught.value)
    return caught.value


# texts


@EACH
@pytest.mark.parametrize("text", [7, b"x", None, 1.5, object()], ids=lambda text: type(text).__name__)
def test_a_text_is_a_text(name, text, lens):
    refused(InputError, lens(name), text)


@EACH
def test_an_empty_text_is_refused(name, lens):
    for text in ("", []):
        refused(InputError, lens(name), text)
    refused(InputError, lens(name), ids=[])
    if lens(name).info.kind == "encoder-decoder":
        assert lens(name).run(lens(name).request("the cat", "")).target.special == (True,)


@READS_ALL
@pytest.mark.parametrize("text", [" ", "\n", "\0", "\x07\x1b[31m", "\u200b", "\ufeff", "\u202e abc", "שלום עולם", "مرحبا",
                                  "👩‍👩‍👧‍👦", "é", "🏳️‍🌈 a", "a\u0301", "\U0010ffff", "</s><s><pad>", "x"], ids=ascii)  # fmt: skip
def test_odd_texts_are_read_and_read_back(name, text, lens):
    own = lens(name)
    request = own.request(text, text) if own.info.kind == "encoder-decoder" else own.request(text)
    trace = own.run(request)
    for tokens in filter(None, (trace.source, trace.target)):
        assert len(tokens.ids) == len(tokens.text) == len(tokens.word) == len(tokens.special)
        assert all(token for token in tokens.text)
    ids = [i for i in own.encode(text) if i not in own.text.specials]
    assert own.decode(ids).strip() == text.strip() or name != "bytes"
    assert not any(i in own.text.specials for i in own.text.encode(text, special=False))


@EACH
@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "the cat \ud83d"], ids=ascii)
def test_half_a_character_is_refused_and_its_place_named(name, text, lens):
    error = refused(InputError, lens(name), text)
    assert "U+D" in error.got and "at place" in error.got
    if lens(name).info.kind == "encoder-decoder":
        refused(InputError, lens(name), "the cat", text)


@EACH
def test_one_token_is_enough(name, lens):
    own = lens(name)
    trace = own.run(own.request(ids=[7]))
    assert trace.attention[0].pattern.shape == (4, 1, 1) and trace.attention[0].pattern.max() == 1


@pytest.mark.parametrize("name", [*FOUR[:2], "gpt2", "bert", "bytes"])
def test_a_hundred_thousand_characters_are_too_long_and_both_numbers_are_named(name, lens):
    own = lens(name)
    for text in ("the cat " * 12_500, "x " * 50_000, "x" * 100_000 if name == "bytes" else "a b " * 25_000):
        error = refused(TooLongError, own, text)
        assert f"{own.info.max_tokens:,} tokens" in error.expected
        assert int(error.got.replace(",", "")) > 1000


@pytest.mark.parametrize("name", [*FOUR[:3], "bert", "bart"])  # T5's relative positions have no end
def test_one_token_more_than_the_model_takes(name, lens):
    own = lens(name)
    limit = own.info.max_tokens
    assert limit == families.LIMIT
    own.run(own.request(ids=families.ids(limit)))
    error = refused(TooLongError, own, ids=families.ids(limit + 1))
    assert str(limit) in error.expected and error.got == str(limit + 1)
    if own.info.kind == "encoder-decoder":  # the start token counts
        own.run(own.request(ids=[7], target_ids=families.ids(limit - 1)))
        assert refused(TooLongError, own, ids=[7], target_ids=families.ids(limit)).got == str(limit + 1)


@EACH
@pytest.mark.parametrize("ids", [[-1], [10**6], [2**70], ["x"], [None], 7, "ab", [float("nan")]], ids=repr)
def test_ids_that_are_none_of_the_vocabulary(name, ids, lens):
    refused(InputError, lens(name), ids=ids)


@EACH
def test_a_text_or_ids_but_not_both(name, lens):
    refused(InputError, lens(name))
    refused(InputError, lens(name), "the", ids=[7])
    if lens(name).info.kind != "encoder-decoder":
        refused(RequestError, lens(name), "the", "cat")


@pytest.mark.parametrize("name", ("ours", "ours_decoder", "ours_encoder", "bytes"))
@MANY
@given(text=st.text(st.characters(codec=None), max_size=40), target=st.text(max_size=9))
def test_any_text_is_read_or_refused(name, text, target, lens):
    own = lens(name)
    try:
        request = own.request(text, target) if own.info.kind == "encoder-decoder" else own.request(text)
        trace = own.run(request)
    except InputError as error:
        assert error.todo
        return
    for tokens in filter(None, (trace.source, trace.target)):
        assert len(tokens.text) == len(tokens.ids) and all(tokens.text)
        assert list(tokens.word) == sorted(tokens.word)


@EACH
def test_requests_that_contradict_the_model_are_refused(name, lens):
    own = lens(name)
    request = families.ask(own)
    stream = own.info.sites[0].stream
    absent = next(other for other in Stream if not own.info.at(other)) if len(own.info.at(Stream.CROSS)) == 0 else None
    for head in (HeadRef(stream, 9, 0), HeadRef(stream, 0, 9)):
        with pytest.raises(NoSuchHeadError):
            request.with_ablation(head)
        with pytest.raises(NoSuchHeadError):
            request.with_cut((head, 0, 0))
    if absent is not None:
        with pytest.raises(NoSuchHeadError):
            request.with_mask(MaskRule(absent, "full"))
    with pytest.raises(RequestError):
        own.run(7)
    with pytest.raises(RequestError):
        own.request(ids=[7], keep={"everything"})
    assert set(MASKS) >= {"causal", "full"}


# tokenizers


@EACH
@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", "{}", '{"model": {}}', "\x00", '{"version": "1.0"}'])
def test_a_tokenizer_that_is_none(name, text, copy):
    folder = copy(name)
    (folder / "tokenizer.json").write_text(text)
    with pytest.raises(ModelFileError) as caught:
        core.load(str(folder), device="cpu")
    assert caught.value.todo


@EACH
def test_a_tokenizer_cut_anywhere(name, copy):
    folder = copy(name)
    whole = (folder / "tokenizer.json").read_bytes()
    for n in range(1, 8):
        (folder / "tokenizer.json").write_bytes(whole[: len(whole) * n // 8])
        with pytest.raises(ModelFileError):
            core.load(str(folder), device="cpu")


ODD = [
    "{",
    "[]",
    "7",
    '{"tokenizer_class": 7}',
    '{"chat_template": 7}',
    '{"model_max_length": "x"}',
    '{"pad_token": 7}',
]
ODD += ['{"added_tokens_decoder": {"x": 1}}', '{"extra_special_tokens": 3}']


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("file", ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"])
def test_files_beside_the_tokenizer_that_are_none(file, text, copy):
    folder = copy("gpt2")
    (folder / file).write_text(text)
    try:
        own = core.load(str(folder), device="cpu")
        own.run(own.request("w5 w6"))
    except LensError as error:
        assert error.todo


@pytest.mark.parametrize("name", ["gpt2", "bert", "t5", "ours_decoder"])
def test_a_tokenizer_of_another_vocabulary(name, copy):
    folder = copy(name)
    vocabulary = {"<unk>": 0, "the": 1, **{f"x{n}": n for n in range(2, 1000)}, "cat": 1000}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    own = core.load(str(folder), device="cpu")
    own.run(own.request("x9 x10"))
    error = refused(InputError, own, "the cat")
    assert str(own.info.vocab) in error.expected and "1000" in error.got.replace(",", "")


@pytest.mark.parametrize("name", ["gpt2", "bert", "t5"])
def test_without_a_tokenizer_there_are_ids(name, copy, lens_of):
    folder = copy(name)
    for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / file).unlink(missing_ok=True)
    own = core.load(str(folder), device="cpu")
    assert own.text is None
    assert "ids=" in refused(InputError, own, "the cat").todo
    trace = own.run(families.ask(own))
    assert len(trace.attention) == len(own.info.sites)
    if own.info.kind == "encoder-decoder":
        assert trace.target.ids[0] == own.start
    with pytest.raises(InputError):
        own.decode([7])


def test_our_model_without_a_tokenizer_is_refused(copy):
    folder = copy("ours")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelFileError):
        core.load(str(folder), device="cpu")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of Unix")
def test_our_tokenizer_is_not_waited_for(copy):
    folder = copy("ours")
    (folder / "tokenizer.json").unlink()
    os.mkfifo(folder / "tokenizer.json")
    with pytest.raises(ModelFileError):
        core.load(str(folder), device="cpu")


TEMPLATE = "{% for m in messages %}{{ m['content'] }} {% endfor %}"


def chatting(folder: Path, template: str) -> Lens:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": template}))
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    return core.load(str(folder), device="cpu")


def test_chats_are_read_through_the_models_template(copy):
    own = chatting(copy("gpt2"), TEMPLATE)
    request = own.request([{"role": "user", "content": "w5 w6"}, {"role": "assistant", "content": "w7"}])
    assert request.target == own.encode("w5 w6 w7")
    for chat in (
        [{"role": "user"}],
        ["w5"],
        [7],
        [{"role": "user", "content": 7}],
        [{"role": "user", "content": "\ud800"}],
    ):
        refused(InputError, own, chat)


@pytest.mark.parametrize("template", ["{{", "{{ 1 / 0 }}", "{{ nothing.at.all }}", "{{ raise_exception('no') }}",
                                      "{{ ''.__class__.__mro__ }}", "{% for i in range(10**9) %}{% endfor %}"])  # fmt: skip
def test_a_template_that_fails_is_an_error_of_ours(template, copy):
    try:
        own = chatting(copy("gpt2"), template)
    except ModelFileError:
        return
    refused(InputError, own, [{"role": "user", "content": "w5"}])


@pytest.mark.parametrize("name", ["ours", "ours_decoder", "bert", "gpt2"])
def test_a_model_that_was_not_trained_to_chat_says_so(name, lens):
    assert "chat" in refused(InputError, lens(name), [{"role": "user", "content": "w5"}]).expected
