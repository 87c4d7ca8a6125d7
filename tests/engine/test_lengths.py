"""Texts that cannot fit are refused before the tokenizer sees them; a text that fits never is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

import core
from core.checks import LONGEST_TEXT
from core.engine.admission import HEAD
from core.engine.lens import Lens
from core.engine.loading.tokenizer import HuggingFaceText
from core.engine.text import longest_token
from core.errors import InputError, TooLongError

ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
OURS = ["classroom", "translator", "filler", "writer"]


class Watched:
    """A tokenizer that keeps a list of how much it was given."""

    def __init__(self, text):
        self.text, self.seen = text, []

    def __getattr__(self, name):
        return getattr(self.text, name)

    def encode(self, text, special=True, language=None):
        self.seen.append(len(text))
        return self.text.encode(text, special, language)

    def encode_target(self, text):
        self.seen.append(len(text))
        return self.text.encode_target(text)

    def decode(self, ids):
        self.seen.append(len(ids))
        return self.text.decode(ids)

    @property
    def tokenizer(self):
        pytest.fail("the tokenizer was taken out")

    backend = tokenizer


def watched(lens):
    return Lens(lens.info, lens.backend, Watched(lens.text))


@pytest.fixture(scope="module", params=OURS)
def ours(request):
    return watched(core.load(request.param))


LONG = {
    "one letter": "x" * 20_000_000, "words": "gen ai is " * 2_000_000, "spaces": " " * 20_000_000, "lines": "\n" * 5_000_000,
    "signs": "\U0001f986" * 3_000_000, "marks": "e\u0301" * 3_000_000, "names of specials": "</s>" * 1_000_000,
}  # fmt: skip


@pytest.mark.parametrize("kind", LONG)
def test_a_text_of_millions_of_characters_never_reaches_the_tokenizer(kind, ours):
    ours.text.seen.clear()
    text = LONG[kind]
    asks = [lambda: ours.request(text), lambda: ours.encode(text), lambda: ours.splitting(text)]
    if ours.info.kind == "encoder-decoder":
        asks += [lambda: ours.request("the cat", text), lambda: ours.request(text, text)]
        asks += [lambda: ours.request(ids=[7], target=text)]
    for ask in asks:
        before = list(ours.text.seen)
        with pytest.raises(TooLongError, match=r"at most .+ characters, but got [\d,]+\. Shorten the text; nothing was cut"):
            ask()
        assert all(length < 10 for length in ours.text.seen[len(before) :])  # a source beside the target that is refused


def test_both_numbers_are_named_tokens_and_characters(ours):
    with pytest.raises(TooLongError) as caught:
        ours.request("x" * (ours.room + 1))
    assert caught.value.expected.startswith(f"at most {ours.info.max_tokens} tokens for ")
    assert caught.value.expected.endswith(f" and at most {ours.room:,} characters")
    assert caught.value.got == f"{ours.room + 1:,}"


def test_lists_of_millions_of_ids_are_counted_first(ours):
    asks = [(lambda ids: ours.request(ids=ids), ours.info.max_tokens), (ours.decode, LONGEST_TEXT)]
    if ours.info.kind == "encoder-decoder":
        asks.append((lambda ids: ours.request(ids=[7], target_ids=ids), ours.info.max_tokens))
    for ask, most in asks:
        with pytest.raises(TooLongError, match=f"at most {most:,} tokens for .+, but got 5,000,000"):
            ask(range(5_000_000))
        with pytest.raises(TooLongError, match=f"but got more than {most:,}"):
            ask(iter(range(5_000_000)))
    assert not [length for length in ours.text.seen if length > LONGEST_TEXT]


def test_a_text_of_the_longest_tokens_that_the_model_takes_is_not_refused(ours):
    text, most = ours.text.text, ours.info.max_tokens
    tokens = sorted((text.token_text(token) for token in range(ours.info.vocab)), key=len, reverse=True)[:5]
    for token in tokens:
        count = most
        while len(ours.encode(token * count)) > most - 2:
            count -= 1
        assert len(ours.request(token * count, *([""] if ours.info.kind == "encoder-decoder" else [])).sites)


# how much of a text one token can stand for


def byte_level(extra=(), merges=(), normalizer=None, splits=None, model=models.BPE, **options):
    """A tokenizer of bytes, with further tokens and merges."""
    tokenizer = Tokenizer(model({token: n for n, token in enumerate([*ALPHABET, *extra])}, list(merges), **options))
    last = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = last if splits is None else pre_tokenizers.Sequence([splits, last])
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    return tokenizer


ABC = {"extra": ("ab", "abab", "ĠĠ", "ĠĠĠĠ"), "merges": (("a", "b"), ("ab", "ab"), ("Ġ", "Ġ"), ("ĠĠ", "ĠĠ"))}
KNOWN = {
    "bytes": byte_level(), "merged": byte_level(**ABC), "composing": byte_level(**ABC, normalizer=normalizers.NFC()),
    "compatible": byte_level(**ABC, normalizer=normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])),
    "digits": byte_level(**ABC, splits=pre_tokenizers.Digits(individual_digits=True)),
    "split": byte_level(**ABC, splits=pre_tokenizers.Split(Regex(r"\\s+|\\w+"), "isolated")),
    "prepended": byte_level(**ABC, normalizer=normalizers.Prepend("ab")),
}  # fmt: skip


@settings(deadline=None)
@given(
    st.one_of(
        st.text(max_size=60), st.text("ab ", max_size=200),
        st.text("e\u0301\u0308\u0345\u1112\u1161\u11ab\u03b1\u0313\u0300 ", max_size=80)
    )
)  # fmt: skip
def test_no_token_stands_for_more_characters_than_its_tokenizer_says(typed):
    for name, tokenizer in KNOWN.items():
        longest = longest_token(tokenizer)
        count = len(tokenizer.encode(typed).ids)
        assert longest is not None and len(typed) <= longest * count, name


def truncated():
    tokenizer = byte_level()
    tokenizer.enable_truncation(8)
    return tokenizer


def greedy():
    tokenizer = byte_level()
    tokenizer.add_tokens([AddedToken("abc", lstrip=True)])
    return tokenizer


def holed():
    tokenizer = Tokenizer(models.BPE({token: n for n, token in enumerate(ALPHABET[1:])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


WORDS = {"a": 0, "<unk>": 1}
UNKNOWN = {
    "words": Tokenizer(models.WordLevel(WORDS, unk_token="<unk>")),
    "wordpiece": Tokenizer(models.WordPiece(WORDS, unk_token="<unk>")),
    "unigram": Tokenizer(models.Unigram([("a", -1.0), ("<unk>", -2.0)], 1)), "bare": Tokenizer(models.BPE(WORDS, [])),
    "dropped spaces": byte_level(splits=pre_tokenizers.WhitespaceSplit()),
    "removed": byte_level(splits=pre_tokenizers.Split(" ", "removed")), "stripped": byte_level(normalizer=normalizers.Strip()),
    "no accents": byte_level(normalizer=normalizers.StripAccents()),
    "replaced": byte_level(normalizer=normalizers.Replace(Regex(" +"), " ")), "truncated": truncated(), "greedy": greedy(),
    "holed": holed(),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_where_a_token_may_stand_for_any_number_of_characters_there_is_no_such_number(name):
    assert longest_token(UNKNOWN[name]) is None


def test_a_tokenizer_written_in_python_has_none_either(lens_of):
    assert longest_token(None) is None
    assert isinstance(lens_of("bert").text, HuggingFaceText) and lens_of("bert").text.longest is None


# tokenizers that drop what they do not know


@pytest.fixture(scope="module", params=["bert", "llama", "t5"])
def guest(request, lens_of):
    return watched(lens_of(request.param))


def test_a_very_long_text_that_fits_is_read_all_the_same(guest):
    written = [""] if guest.info.kind == "encoder-decoder" else []
    for text in ("w7" + " " * 900_000 + "w8", " " * 999_000 + "w9", "w5 " + "\n\t" * 300_000):
        request = guest.request(text, *written)
        ids = request.target if guest.info.kind == "decoder" else request.source
        assert len(ids) <= 6 and set(ids) & {5, 7, 9}


def test_of_a_very_long_text_that_does_not_fit_only_the_beginning_is_read(guest):
    guest.text.seen.clear()
    with pytest.raises(TooLongError, match=rf"at most [\d,]+ tokens for .+, but got [\d,]+ in its first {HEAD:,} characters"):
        guest.request("w7 w8 " * 150_000)
    with pytest.raises(TooLongError, match=f"{LONGEST_TEXT:,} characters, but got 1,200,000"):
        guest.request("w7 w8 " * 200_000)
    assert guest.text.seen == [HEAD]


def test_messages_are_counted_together(lens_of):
    lens = lens_of("llama")
    lens.text.tokenizer.chat_template = "{{ messages }}"
    try:
        for count in (1, 3):
            messages = [{"role": "user", "content": "w7 " * (600_000 // count)}] * count
            with pytest.raises(TooLongError, match="at most 1,000,000 characters, but got 1,800,000"):
                lens.request(messages)
        with pytest.raises(InputError, match="a text, but got int"):
            lens.request([{"role": "user", "content": 3}])
    finally:
        lens.text.tokenizer.chat_template = None


def test_words_longer_than_are_replayed_are_refused():
    lens = core.load("classroom")
    assert lens.splitting("x" * 2000).words
    with pytest.raises(TooLongError, match="at most 2,000 characters, but got 2,001"):
        lens.splitting("x" * 2001)
