"""Texts as models read them: ids, tokens and words. One small class is for our tokenizers, and one for Hugging Face's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from threading import Lock
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

    def encode(self, text: str, special: bool = True) -> tuple[int, ...]:
        """A text as ids. special: add the special tokens that the tokenizer puts around a text.

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


def _count(vocabulary: Mapping[str, int]) -> int:
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

    def encode(self, text: str, special: bool = True) -> tuple[int, ...]:
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
        return TokenTexts(self.token_text, lambda: _count(self.tokenizer.get_vocab()))

    def token_text(self, token: int) -> str:
        name = self.tokenizer.id_to_token(token)
        if name is None:
            return "⟨?⟩"
        return name if token in self.specials else _bytes_of(name)


class HuggingFaceText:
    """Any tokenizer of the transformers library."""

    def __init__(self, tokenizer: Any, config: Any, vocab: int) -> None:
        self.tokenizer, self.vocab = tokenizer, vocab
        # each call changes settings of the one tokenizer, which all threads share
        self.lock = Lock()
        self.pad, self.mask = tokenizer.pad_token_id, tokenizer.mask_token_id
        self.start = getattr(config, "decoder_start_token_id", None)
        ends = getattr(config, "eos_token_id", None)
        ends = [] if ends is None else ends if isinstance(ends, (list, tuple)) else [ends]
        self.ends = frozenset(int(i) for i in [*ends, tokenizer.eos_token_id] if i is not None)
        roles = (getattr(tokenizer, f"{role}_token_id", None) for role in ("bos", "eos", "pad", "mask", "cls", "sep"))
        specials = {*tokenizer.all_special_ids, self.start} - {None}
        if tokenizer.unk_token_id not in roles:  # a word that it does not know is still a word
            specials.discard(tokenizer.unk_token_id)
        self.specials = frozenset(specials)
        self.backend = getattr(tokenizer, "backend_tokenizer", None)
        kind = type(getattr(self.backend, "model", None)).__name__
        self.wordpiece, self.wordlevel = kind == "WordPiece", kind == "WordLevel"
        self.bytelevel = (
            "ByteLevel" in f"{getattr(self.backend, 'pre_tokenizer', '')} {getattr(self.backend, 'decoder', '')}"
        )
        self.careful: Any = None

    @cached_property
    def longest(self) -> int | None:
        return longest_token(self.backend)

    def encode(self, text: str, special: bool = True) -> tuple[int, ...]:
        return self._ids(lambda: self._typed(text, special))

    def encode_target(self, text: str) -> tuple[int, ...]:
        def ask() -> list[int]:
            return self.tokenizer(text_target=text, add_special_tokens=False, split_special_tokens=True)["input_ids"]

        # only tokenizers written in Python, such as Marian's, have a second vocabulary for what is written
        return self._ids(ask if self.backend is None else lambda: self._typed(text, False))

    def encode_chat(self, messages: Chat) -> tuple[int, ...]:
        if not getattr(self.tokenizer, "chat_template", None):
            raise InputError("a model with a chat template", "one without", "Pass a plain text instead of messages")
        for message in messages:
            if not isinstance(message, Mapping) or not {"role", "content"} <= set(message):
                raise InputError("messages with role and content", f"{message!r}")
            check_text(message["content"])
        check_text("".join(message["content"] for message in messages))

        def ask() -> list[int]:
            # names of special tokens that a person typed are text: while the template is filled in, single characters of
            # private use stand for them, and they come back after the template's own special tokens were found
            names = sorted(filter(None, self.tokenizer.all_special_tokens), key=len, reverse=True)
            written = "".join(message["content"] for message in messages)
            unused = (mark for code in range(0x10F000, 0x10FFFE) if (mark := chr(code)) not in written)
            stand_ins = dict(zip(names, unused, strict=False))
            typed = [{**message, "content": _replaced(message["content"], stand_ins)} for message in messages]
            text = self.tokenizer.apply_chat_template(typed, tokenize=False, add_generation_prompt=True)
            if not any(mark in text for mark in stand_ins.values()):
                return self.tokenizer(text, add_special_tokens=False)["input_ids"]
            found: list[int] = []
            for part in re.split(f"({'|'.join(map(re.escape, names))})", text):
                if part in stand_ins:
                    found.append(self.tokenizer.convert_tokens_to_ids(part))
                elif part:
                    plain = _replaced(part, {mark: name for name, mark in stand_ins.items()})
                    found += self._typed(plain, False)
            return found

        return self._ids(ask)

    def decode(self, ids: Iterable[int]) -> str:
        plain = [i for i in ids if i not in self.specials]
        with self.lock:
            return self.tokenizer.decode(plain, clean_up_tokenization_spaces=False)

    @cached_property
    def texts(self) -> TokenTexts:
        return TokenTexts(self.token_text, lambda: _count(self.tokenizer.get_vocab()))

    def token_text(self, token: int) -> str:
        raw = self.tokenizer.convert_ids_to_tokens(int(token)) if token < len(self.tokenizer) else None
        if raw is None:
            return "⟨?⟩"
        if token in self.specials:
            return str(raw)
        if self.wordpiece:
            return raw[2:] if raw.startswith("##") else " " + raw
        if self.wordlevel:  # it splits a text into words, but no word into tokens
            return raw if raw[:1].isspace() else " " + raw
        if self.bytelevel:
            return _bytes_of(raw)
        if re.fullmatch(r"<0x[0-9A-F]{2}>", raw):
            return f"⟨{raw[3:5]}⟩"
        return raw.replace("▁", " ")

    def _typed(self, text: str, special: bool) -> list[int]:
        """The ids of a text that a person typed. "</s>" in it is ordinary text, and must not end the text."""
        ids = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        if self.specials.isdisjoint(ids):
            if not special:
                return ids
            return self.tokenizer(text, add_special_tokens=True, split_special_tokens=True)["input_ids"]
        if self.careful is None:
            self.careful = _without_names(
                self.backend, {self.tokenizer.convert_ids_to_tokens(i) for i in self.specials}
            )
        plain, whole = (
            self.careful.encode_batch_fast([text], add_special_tokens=added)[0].ids for added in (False, special)
        )
        if not self.specials.isdisjoint(plain):
            raise ValueError("it would read the name of a special token as that token")
        return whole

    def _ids(self, ask: Any) -> tuple[int, ...]:
        try:
            with self.lock:
                ids = tuple(int(i) for i in ask())
        except Exception as error:  # a tokenizer is outside code and may raise anything
            raise InputError("a text this model's tokenizer can read", f"{type(error).__name__}: {error}") from error
        bad = [i for i in ids if i >= self.vocab]
        if bad:
            raise InputError(
                f"ids below the model's vocabulary of {self.vocab}", f"{bad[0]}", "Its tokenizer is another model's"
            )
        return ids


def _without_names(backend: Any, names: set[str]) -> Any:
    """The tokenizer with other names for its special tokens, names that nobody can type. The ids do not change.

    It is needed where the special tokens are among the ordinary ones, as "</s>" is in T5's vocabulary.
    """
    from tokenizers import Tokenizer

    held = json.loads(backend.to_str())
    held["added_tokens"] = [token for token in held["added_tokens"] if token["content"] not in names]
    vocab = held["model"]["vocab"]
    if isinstance(vocab, dict):
        held["model"]["vocab"] = {f"\0{name}" if name in names else name: i for name, i in vocab.items()}
    else:
        held["model"]["vocab"] = [[f"\0{name}" if name in names else name, score] for name, score in vocab]
    careful = Tokenizer.from_str(json.dumps(held))
    careful.encode_special_tokens = True
    return careful


def _replaced(text: str, pairs: Mapping[str, str]) -> str:
    for old, new in pairs.items():
        text = text.replace(old, new)
    return text


def _byte_alphabet() -> dict[str, int]:
    """The printable characters that byte-level BPE writes in place of bytes (Radford et al. 2019, GPT-2): character → byte."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(rest)}


_BYTES = _byte_alphabet()


def _bytes_of(name: str) -> str:
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
