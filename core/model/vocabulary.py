"""Text to tokens and back: byte-level BPE (Sennrich et al. 2016; Radford et al. 2019) by the tokenizers library.

Every word has its leading space, even the first one, so that " ai" is the same token in every place. Text that no token covers
becomes single bytes, so nothing is unknown, and decode(encode(text)) == text for every text without lone surrogates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

PAD, START, END, MASK = range(4)
SPECIALS = ("<pad>", "<s>", "</s>", "<mask>")  # the id of a special token is its place here


class Vocabulary:
    """A trained tokenizer. No text becomes a special token: "</s>" typed by a person becomes ordinary tokens."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.encode_special_tokens = True  # the file does not keep this setting, so it is set after each load
        self.tokenizer = tokenizer
        self._bytes = decoders.ByteLevel()

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        return cls(Tokenizer.from_file(str(path)))

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> Vocabulary:
        """Learn `size` tokens, which include the special tokens and the 256 bytes. Digits are not merged."""
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
        """The ids of `text`, without special tokens. Raises UnicodeEncodeError or TypeError for lone surrogates."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`. Special tokens are left out, broken UTF-8 becomes U+FFFD, the first word loses its leading space."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)

    def token_text(self, id: int) -> str:
        """The text of one token, leading space kept; for a special token its name."""
        return SPECIALS[id] if id < len(SPECIALS) else self._bytes.decode([self._token(id)])

    def opens_word(self, id: int) -> bool:
        """Whether a new word begins with this token."""
        return id < len(SPECIALS) or self._token(id).startswith("Ġ")

    def _token(self, id: int) -> str:
        """The tokenizer's own name of a token: one letter for each byte, "Ġ" for a space. Raises KeyError for an unknown id."""
        token = self.tokenizer.id_to_token(id)
        if token is None:
            raise KeyError(id)
        return token
