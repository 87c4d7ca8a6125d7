"""Text to tokens and back: byte-level BPE (Sennrich et al. 2016; Radford et al. 2019) by the tokenizers library.

Every word, the first too, carries its leading space, so that " ai" is one and the same token wherever it stands. Bytes
are the last resort, so nothing is unknown, and decode(encode(text)) == text for every text without lone surrogates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

PAD, START, END, MASK = range(4)
SPECIALS = ("<pad>", "<s>", "</s>", "<mask>")  # their ids are their places


class Vocabulary:
    """A trained tokenizer. No text becomes a special token: "</s>" typed by a person is five ordinary bytes or so."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.encode_special_tokens = True  # the file does not keep this: whoever loads the file must set it
        self.tokenizer = tokenizer
        self._bytes = decoders.ByteLevel()

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        return cls(Tokenizer.from_file(str(path)))

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> Vocabulary:
        """Learn `size` tokens, the specials and the 256 bytes among them; digits stay single."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.normalizer = normalizers.Prepend(" ")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=list(SPECIALS),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    def __len__(self) -> int:
        return self.tokenizer.get_vocab_size()

    def save(self, path: Path) -> None:
        self.tokenizer.save(str(path))

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, no special among them. Raises UnicodeEncodeError or TypeError on lone surrogates."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`: specials leave nothing, broken UTF-8 becomes U+FFFD, the first word's space goes."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)

    def token_text(self, id: int) -> str:
        """One token by itself, its leading space kept; a special by its name."""
        return SPECIALS[id] if id < len(SPECIALS) else self._bytes.decode([self._token(id)])

    def opens_word(self, id: int) -> bool:
        """Whether a new word begins with this token."""
        return id < len(SPECIALS) or self._token(id).startswith("Ġ")

    def _token(self, id: int) -> str:
        """The tokenizer's own writing of a token: one letter a byte, "Ġ" for a space. Raises KeyError for no such id."""
        token = self.tokenizer.id_to_token(id)
        if token is None:
            raise KeyError(id)
        return token
