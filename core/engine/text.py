"""Texts as models read them: ids, tokens and words, and the tokenizers of our own models."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

from core.checks import LONGEST_TEXT
from core.errors import InputError, TooLongError
from core.trace import Tokens, TokenTexts

Chat = Sequence[Mapping[str, str]]


class Text(Protocol):
    """What a lens needs of a tokenizer."""

    specials: frozenset[int]
    start: int | None  # the decoder's first token, in an encoder–decoder
    ends: frozenset[int]
    pad: int | None
    mask: int | None

    @property
    def longest(self) -> int | None:
        """The most characters of a text that one token can stand for; None where there is no such number."""
        ...

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that a translator of many can be told to read and to write; none for other tokenizers."""
        ...

    @property
    def pairs(self) -> bool:
        """Whether it can join two sentences to one text."""
        ...

    def opening(self, language: str | None = None) -> tuple[int, ...]:
        """What the decoder of an encoder–decoder begins with before it chooses: its start token, then the token that the model is
        always made to write first, or that of the language it is to write. Without a start token: nothing."""
        ...

    def encode_pair(self, text: str, pair: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Two sentences as ids, with the special tokens between and around them, and to which one each belongs, 0 or 1.

        Raises InputError for a tokenizer that cannot join two.
        """
        ...

    def encode(self, text: str, special: bool = True, language: str | None = None) -> tuple[int, ...]:
        """A text as ids. special: add the special tokens that the tokenizer puts around a text, that of its language included,
        which is the tokenizer's usual one where none is given.

        Where a person typed the name of a special token, such as "</s>", it is read as ordinary text. Raises InputError where
        the tokenizer cannot read the text.
        """
        ...

    def encode_target(self, text: str) -> tuple[int, ...]:
        """The text that a decoder has written as ids, without special tokens. Some tokenizers have a second vocabulary for it."""
        ...

    def encode_chat(self, messages: Chat) -> tuple[int, ...]:
        """Messages {"role", "content"} as ids, in the model's chat template, up to where its answer begins.

        Raises InputError for a model without a chat template, and for messages of another form.
        """
        ...

    def decode(self, ids: Iterable[int]) -> str:
        """Ids as a text; special tokens are left out."""
        ...

    def token_text(self, token: int) -> str:
        """One id as a text, leading space kept; “⟨?⟩” for an id outside the vocabulary."""
        ...

    @property
    def texts(self) -> TokenTexts:
        """The same as a value that traces of this tokenizer share: it can be pickled and saved."""
        ...


def check_text(text: object, most: int = LONGEST_TEXT) -> str:
    """The text itself. Raises TooLongError for more than `most` characters, InputError where it is no text or where UTF-8 cannot
    write it (a lone surrogate)."""
    if not isinstance(text, str):
        raise InputError("a text", f"{type(text).__name__}", "Pass a str, or ids=…")
    if len(text) > most:
        raise TooLongError(f"a text of at most {most:,} characters", f"{len(text):,}", "Shorten the text; nothing was cut")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        got = f"half a character (U+{ord(text[error.start]):04X}) at place {error.start}"
        raise InputError("a text of whole characters", got, "Delete that character and type it again") from None
    return text


def longest_token(backend: Any) -> int | None:
    """The most characters of a text that one token of this tokenizer can stand for. None where there is no such number: where
    the tokenizer drops spaces, or makes one unknown token of a word of any length.

    We know it for byte-level BPE only (Radford et al. 2019), where every byte of a text becomes a part of some token.
    """
    if type(getattr(backend, "model", None)).__name__ != "BPE" or backend.truncation is not None:
        return None
    splits, changes = f"{backend.pre_tokenizer}", f"{backend.normalizer}"
    steps = set(re.findall(r"([A-Z]\w*)\(", splits))
    if "ByteLevel" not in steps or steps - {"ByteLevel", "Digits", "Regex", "Sequence", "Split"} or "Removed" in splits:
        return None
    if set(re.findall(r"([A-Z]\w*)\(", changes)) - {"Lowercase", "NFC", "NFKC", "Prepend", "Sequence"}:
        return None
    vocab = backend.get_vocab()
    added = backend.get_added_tokens_decoder().values()
    if not vocab.keys() >= _BYTES.keys() or any(token.lstrip or token.rstrip for token in added if not token.special):
        return None
    # a token's name has one character for each byte; NFC may compose three characters into two bytes
    return max(map(len, vocab)) * (2 if "NF" in changes else 1)


def group_words(tokens: Sequence[str], special: Sequence[bool]) -> tuple[int, ...]:
    """The index of the word that each token belongs to.

    A new word begins at white space, at a special token, and where letters change to punctuation or back. An apostrophe between
    letters stays inside its word. A space that is a token by itself belongs to the word after it.
    """
    words: list[int] = []
    word, tail = -1, ""
    for n, (token, alone) in enumerate(zip(tokens, special, strict=True)):
        leads = n > 0 and not special[n - 1] and tokens[n - 1] != "" and not tokens[n - 1].strip(" ")
        begins = n == 0 or alone or special[n - 1] or token[:1].isspace() or (tail.isspace() and not leads) or not token
        if not begins and not leads:
            begins = _class(tail) != _class(token[0]) and not (token[0] in "'’" or tail in "'’")
        word += begins
        words.append(word)
        tail = token[-1:] or tail
    return tuple(words)


def _class(character: str) -> bool:
    """True for what forms words together (letters, digits, marks, byte tokens), False for punctuation."""
    return character.isalnum() or not character.isascii() or character in "_⟨⟩"


def text_of_token(text: Text | None) -> Callable[[int], str]:
    """A function from an id to its text. Without a tokenizer the text is the id in digits."""
    return text.texts if text is not None else str


def count_of(vocabulary: Mapping[str, int]) -> int:
    """How many ids there are, with those that no token has."""
    return max(vocabulary.values(), default=-1) + 1


def as_tokens(text: Text | None, ids: Sequence[int]) -> Tokens:
    """The tokens of `ids`, with their words and which of them are special. Without a tokenizer each text is the id in digits,
    and a word by itself."""
    if text is None:
        return Tokens(tuple(ids), tuple(map(str, ids)), tuple(range(len(ids))), (False,) * len(ids))
    tokens = tuple(text.token_text(token) for token in ids)
    special = tuple(token in text.specials for token in ids)
    return Tokens(tuple(ids), tokens, group_words(tokens, special), special)


class OurText:
    """A tokenizer of the tokenizers library, as our own models ship it. It works on bytes, so it can read every text."""

    def __init__(self, tokenizer: Any, config: Mapping[str, Any]) -> None:
        self.tokenizer = tokenizer
        self.pad, self.start, self.mask = config.get("pad"), config.get("start"), config.get("mask")
        self.ends = frozenset([config["end"]])
        self.specials = frozenset(i for name in ("pad", "start", "end", "mask") if (i := config.get(name)) is not None)
        self.kind = config["kind"]
        self.source_end = bool(config.get("source_end", self.kind == "encoder"))

    @cached_property
    def longest(self) -> int | None:
        return longest_token(self.tokenizer)

    languages: tuple[str, ...] = ()
    pairs = False

    def opening(self, language: str | None = None) -> tuple[int, ...]:
        return () if self.start is None else (self.start,)

    def encode_pair(self, text: str, pair: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        raise InputError("a model that was trained on pairs of sentences", "one that was not", "Pass a single text")

    def encode(self, text: str, special: bool = True, language: str | None = None) -> tuple[int, ...]:
        # we call it with a batch of one text, because only the batch call lets other threads run
        ids = tuple(self.tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids)
        if not special or not ids:
            return ids
        if self.kind == "decoder":
            return (self.start, *ids)
        return (*ids, *self.ends) if self.source_end else ids

    def encode_target(self, text: str) -> tuple[int, ...]:
        return self.encode(text, special=False)

    def encode_chat(self, messages: Chat) -> tuple[int, ...]:
        raise InputError("a model that was trained to chat", "one that was not", "Pass a plain text")

    def decode(self, ids: Iterable[int]) -> str:
        return self.tokenizer.decode([i for i in ids if i not in self.specials], skip_special_tokens=False)

    @cached_property
    def texts(self) -> TokenTexts:
        return TokenTexts(self.token_text, lambda: count_of(self.tokenizer.get_vocab()))

    def token_text(self, token: int) -> str:
        name = self.tokenizer.id_to_token(token)
        if name is None:
            return "⟨?⟩"
        return name if token in self.specials else bytes_of(name)


def _byte_alphabet() -> dict[str, int]:
    """The printable characters that byte-level BPE writes in place of bytes (Radford et al. 2019, GPT-2): character → byte."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(rest)}


_BYTES = _byte_alphabet()


def bytes_of(name: str) -> str:
    """A byte-level token as text. Bytes that do not make a whole character are shown as ⟨E2 80⟩."""
    if any(character not in _BYTES for character in name):
        return name
    raw = bytes(_BYTES[character] for character in name)
    shown = ""
    while raw:
        try:
            return shown + raw.decode("utf-8")
        except UnicodeDecodeError as error:
            odd = raw[error.start : error.end].hex(" ").upper()
            shown, raw = f"{shown}{raw[: error.start].decode('utf-8')}⟨{odd}⟩".replace("⟩⟨", " "), raw[error.end :]
    return shown
