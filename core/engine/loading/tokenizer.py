"""Any tokenizer of the transformers library, found in a model's folder: how the model's texts are read, begin and end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from core.engine.files import Found, read_more
from core.engine.text import Chat, TokenTexts, bytes_of, check_text, count_of, longest_token
from core.errors import InputError, ModelFileError

VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "tekken.json", "bpe.codes")  # or *.model, *.spm
LANGUAGE = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}|[a-z]{2,3}_[A-Z]{2,3}|__([a-z]{2,3})__")  # NLLB, mBART, M2M100


def text_of(tokenizer: Any, config: Any, vocab: int, found: Found) -> HuggingFaceText | None:
    """How a model reads texts; None without a tokenizer. Raises ModelFileError for one that is broken."""
    if tokenizer is None:
        return None
    try:
        return HuggingFaceText(tokenizer, config, vocab, read_more(found.folder, "generation_config.json"))
    except Exception as error:  # a tokenizer is outside code, and may raise anything
        raise ModelFileError(f"a whole tokenizer in {found.title}", f"{error}", "Copy tokenizer.json again") from error


def _has_tokenizer(folder: Path) -> bool:
    """Whether a folder holds a tokenizer: its vocabulary, or the name of one that has none because its tokens are bytes."""
    if any(path.name in VOCABULARIES or path.suffix in (".model", ".spm") for path in folder.iterdir()):
        return True
    import transformers

    name = read_more(folder, "tokenizer_config.json").get("tokenizer_class")
    own = getattr(transformers, name, None) if isinstance(name, str) and name.endswith("Tokenizer") else None
    return own is not None and not getattr(own, "vocab_files_names", True)


def tokenizer_of(found: Found) -> Any:
    """The model's tokenizer. None where the folder holds none: requests are then made from ids."""
    from transformers import AutoTokenizer

    if found.gguf is None and not _has_tokenizer(found.folder):
        return None
    options = {"gguf_file": found.gguf} if found.gguf else {}
    try:
        return AutoTokenizer.from_pretrained(found.folder, local_files_only=True, trust_remote_code=False, **options)
    except Exception as error:  # files come from outside, so reading them may raise anything
        text = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ModelFileError(f"a tokenizer in {found.title}", text, "Copy tokenizer.json again") from error


class HuggingFaceText:
    """Any tokenizer of the transformers library."""

    def __init__(self, tokenizer: Any, config: Any, vocab: int, generation: Mapping[str, Any] | None = None) -> None:
        """generation: what stands in generation_config.json, where some models alone say how a text ends and begins."""
        self.tokenizer, self.vocab = tokenizer, vocab
        generation = generation or {}
        # each call changes settings of the one tokenizer, which all threads share
        self.lock = Lock()
        self.pad, self.mask = tokenizer.pad_token_id, tokenizer.mask_token_id
        self.start = getattr(config, "decoder_start_token_id", None)
        named = [ids_of(held) for held in (getattr(config, "eos_token_id", None), generation.get("eos_token_id"))]
        self.ends = frozenset(i for i in (*named[0], *named[1], tokenizer.eos_token_id) if i is not None)
        forced = getattr(config, "forced_bos_token_id", None)
        self.forced = ids_of(generation.get("forced_bos_token_id", forced))[:1] if self.start is not None else ()
        self.spoken = languages_of(tokenizer) if self.start is not None else {}
        self.usual = getattr(tokenizer, "src_lang", None)
        # what somebody added to the vocabulary stands there as it is written, and not in the alphabet of bytes
        self.added = {int(i): str(token) for i, token in getattr(tokenizer, "added_tokens_decoder", {}).items()}
        roles = (getattr(tokenizer, f"{role}_token_id", None) for role in ("bos", "eos", "pad", "mask", "cls", "sep"))
        specials = {*tokenizer.all_special_ids, *self.spoken.values(), self.start} - {None}
        if tokenizer.unk_token_id not in roles:  # a word that it does not know is still a word
            specials.discard(tokenizer.unk_token_id)
        self.specials = frozenset(specials)
        self.backend: Any = getattr(tokenizer, "backend_tokenizer", None)
        kind = type(getattr(self.backend, "model", None)).__name__
        self.wordpiece, self.wordlevel = kind == "WordPiece", kind == "WordLevel"
        self.bytelevel = (
            "ByteLevel" in f"{getattr(self.backend, 'pre_tokenizer', '')} {getattr(self.backend, 'decoder', '')}"
        )
        self.bytewise = type(tokenizer).__name__ == "ByT5Tokenizer"  # a token a byte, without a vocabulary file
        self.careful: Any = None

    @cached_property
    def longest(self) -> int | None:
        return longest_token(self.backend)

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(sorted(self.spoken))

    @property
    def pairs(self) -> bool:
        return self.backend is not None and self.start is None

    @property
    def chats(self) -> bool:
        """Whether it has a template for the messages of a conversation."""
        return bool(getattr(self.tokenizer, "chat_template", None))

    @cached_property
    def typed(self) -> bool:
        """Whether it tells its model, and not only us, to which of two sentences a token belongs. XLM-R's does not, and there are
        BERT models that were trained with it."""
        with self.lock:
            return self.pairs and 1 in self.backend.encode("a", "a", add_special_tokens=True).type_ids

    def opening(self, language: str | None = None) -> tuple[int, ...]:
        if self.start is None:
            return ()
        spoken = (self.spoken[language],) if language is not None else self.forced
        # the first mBART begins with the language itself
        return spoken if spoken and type(self.tokenizer).__name__ == "MBartTokenizer" else (self.start, *spoken)

    def encode(self, text: str, special: bool = True, language: str | None = None) -> tuple[int, ...]:
        return self._ids(lambda: self._typed(text, special, language))

    def encode_pair(self, text: str, pair: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        types: list[int] = []

        def ask() -> list[int]:
            reads: Any = self._careful() if self._names_special(text) or self._names_special(pair) else self.backend
            found = reads.encode(text, pair, add_special_tokens=True)
            types[:] = found.type_ids if 1 in found.type_ids else _sentences(found.sequence_ids)
            return found.ids

        if not self.pairs:
            raise InputError("a model that reads pairs of sentences", "one that does not", "Pass a single text")
        ids = self._ids(ask)
        return ids, tuple(types)

    def encode_target(self, text: str) -> tuple[int, ...]:
        def ask() -> list[int]:
            return self.tokenizer(text_target=text, add_special_tokens=False, split_special_tokens=True)["input_ids"]

        # only tokenizers written in Python, such as Marian's, have a second vocabulary for what is written
        return self._ids(ask if self.backend is None else lambda: self._typed(text, False))

    def encode_chat(self, messages: Chat) -> tuple[int, ...]:
        if not self.chats:
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
        return TokenTexts(self.token_text, lambda: count_of(self.tokenizer.get_vocab()))

    def token_text(self, token: int) -> str:
        raw = self._name(token)
        if raw is None:
            return "⟨?⟩"
        if token in self.specials:
            return raw
        if self.bytewise:
            return raw if raw.isascii() else f"⟨{ord(raw):02X}⟩"
        if token in self.added and self.bytelevel:
            return self.added[token]
        if self.wordpiece:
            return raw[2:] if raw.startswith("##") else " " + raw
        if self.wordlevel:  # it splits a text into words, but no word into tokens
            return raw if raw[:1].isspace() else " " + raw
        if self.bytelevel:
            return bytes_of(raw)
        if re.fullmatch(r"<0x[0-9A-F]{2}>", raw):
            return f"⟨{raw[3:5]}⟩"
        return raw.replace("▁", " ")

    def _name(self, token: int) -> str | None:
        """What the tokenizer calls an id; None where it knows none. Ids may lie beyond its length, for there may be gaps."""
        try:
            name = self.tokenizer.convert_ids_to_tokens(int(token))
        except Exception:  # a tokenizer is outside code, and an id that it does not know may raise anything
            return None
        return None if name is None or (not name and not self.bytewise) else str(name)

    def _typed(self, text: str, special: bool, language: str | None = None) -> list[int]:
        """The ids of a text that a person typed. "</s>" in it is ordinary text, and must not end the text."""
        if self.spoken:  # under the lock: what one asked for must not be there for the next one
            self.tokenizer.src_lang = self.usual if language is None else language
        if not self._names_special(text):
            return self.tokenizer(text, add_special_tokens=special, split_special_tokens=True)["input_ids"]
        return self._careful().encode_batch_fast([text], add_special_tokens=special)[0].ids

    def _names_special(self, text: str) -> bool:
        """Whether the tokenizer would read the name of a special token in this text as that token."""
        ids = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        if self.specials.isdisjoint(ids):
            return False
        if not self.specials.isdisjoint(self._careful().encode_batch_fast([text], add_special_tokens=False)[0].ids):
            raise ValueError("it would read the name of a special token as that token")
        return True

    def _careful(self) -> Any:
        """The tokenizer that knows no special token by its name."""
        if self.careful is None:
            self.careful = _without_names(
                self.backend, {self.tokenizer.convert_ids_to_tokens(i) for i in self.specials}
            )
        self.careful.post_processor = self.backend.post_processor  # that of the language at hand
        return self.careful

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


def ids_of(held: Any) -> tuple[int, ...]:
    """One id or several, as a configuration names them; none for anything else."""
    many = held if isinstance(held, (list, tuple)) else (held,)
    return tuple(one for one in many if type(one) is int and one >= 0)


def languages_of(tokenizer: Any) -> dict[str, int]:
    """The languages of a tokenizer that can be told which one it reads, each with the id of its token."""
    if not hasattr(type(tokenizer), "src_lang"):
        return {}
    found = {}
    # M2M100's knows its languages by a table of its own, and may not count them among its special tokens
    for token in (*tokenizer.all_special_tokens, *getattr(tokenizer, "lang_token_to_id", ())):
        if match := LANGUAGE.fullmatch(str(token)):
            found[match[1] or str(token)] = int(tokenizer.convert_tokens_to_ids(token))
    return found


def _sentences(sequences: Sequence[int | None]) -> list[int]:
    """To which sentence each token belongs; a special token belongs to the one that it follows, and the first to the first."""
    types, now = [], 0
    for sequence in sequences:
        now = now if sequence is None else sequence
        types.append(now)
    return types


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
