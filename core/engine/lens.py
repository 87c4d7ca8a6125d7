"""A lens: one loaded model that answers requests. Many threads may share it, because it holds no state of any run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any

import numpy as np

from core.checks import LONGEST_TEXT
from core.engine import generation
from core.engine.admission import admit, read, room, too_long
from core.engine.answers import echo
from core.engine.merges import LONGEST, Splitting, raw, splitting
from core.engine.probe import as_array
from core.engine.runner import Runner
from core.engine.text import Chat, Text, check_text
from core.errors import (
    InputError,
    MaskError,
    NoSuchHeadError,
    NotAPredictor,
    RequestError,
)
from core.model.transformer import Config
from core.request import Request, Sampling, Stream
from core.trace import Beam, Step, Token, Trace, log_softmax


class Lens(Runner):
    """A loaded model. `info` describes it, `request` makes a question, `run` answers it.

    text: its tokenizer; None where the model's folder held none. Requests are then made from ids.
    """

    def __repr__(self) -> str:
        return f"Lens({self.info.id!r}, {self.info.kind}, {self.info.layers} layers × {self.info.heads} heads)"

    # asking

    def request(
        self,
        text: str | Chat | None = None,
        target: str | None = None,
        *,
        pair: str | None = None,
        source_language: str | None = None,
        target_language: str | None = None,
        ids: Iterable[int] | None = None,
        target_ids: Iterable[int] | None = None,
        keep: Iterable[str] = ("pattern",),
        capture: str | None = None,
        layers: Iterable[int] | None = None,
    ) -> Request:
        """A question about a text, with the tokenizer's own special tokens.

        text: the prompt of a decoder, the text of an encoder, the source of an encoder–decoder, or chat messages
        [{"role": …, "content": …}]. target: what the decoder of an encoder–decoder has written so far; None or "" for nothing.
        pair: a second sentence, for an encoder that reads two (`info.pairs`). source_language, target_language: one of
        `info.languages`, for a translator of many: the language of the text, and that in which the decoder is to write.
        ids, target_ids: token ids in place of the two texts. keep, capture, layers: as in Request.
        Raises InputError, TooLongError, RequestError.
        """
        if (text is None) == (ids is None):
            raise InputError(
                "either a text or ids", "both" if text is not None else "neither", 'Call lens.request("some text")'
            )
        kind = self.info.kind
        self._check_languages(source_language, target_language)
        types: tuple[int, ...] | None = None
        if pair is not None:
            given, types = self._encode_pair(text, pair)
        else:
            given = self._numbers(ids, self.info.max_tokens) if ids is not None else self._encode_prompt(text, source_language)
        if (kind != "encoder-decoder" or self.info.answers is not None) and (target or target_ids is not None):
            own = f"{self.info.id}, a {kind if self.info.answers is None else 'classifier'}"
            raise RequestError("a target only for an encoder–decoder that writes", f"one for {own}", "Leave it out")
        made = Request(
            lens=self.info.id,
            source=None if kind == "decoder" else given,
            target=self._target(given, target, target_ids, target_language),
            keep=frozenset([keep] if isinstance(keep, str) else keep),
            capture=capture,
            layers=None if layers is None else tuple(layers),
            sites=self.info.sites,
            types=types,
        )
        admit(self.info, made)
        return made

    @property
    def room(self) -> int:
        """How many characters a text may have. A longer text cannot fit, and is refused before the tokenizer reads it.

        Raises InputError without a tokenizer.
        """
        return room(self.info, self._tokenizer())

    def encode(self, text: str) -> tuple[int, ...]:
        """A text as ids, with the tokenizer's own special tokens. There may be more ids than the model takes. Raises InputError,
        and TooLongError for a text of more characters than we ever read."""
        return self._tokenizer().encode(check_text(text))

    def decode(self, ids: Iterable[int]) -> str:
        """Ids as a text, without special tokens. Raises InputError for ids outside the vocabulary or without a tokenizer,
        TooLongError for more ids than we ever read."""
        return self._tokenizer().decode(self._numbers(ids))

    # answering

    def run(self, request: Request | str) -> Trace:
        """The answer to one request, or to a plain text as `request` takes it. Raises what `request` and `Runner.run` raise."""
        return super().run(self.request(request) if isinstance(request, str) else request)

    def run_many(self, requests: Iterable[Request | str]) -> list[Trace]:
        """The answers to many requests or plain texts, each equal to what `run` gives. Raises what `run` raises."""
        if isinstance(requests, (str, Request)):
            raise RequestError("a list of requests or texts", "a single one", "Call run(…), or put it in a list")
        return super().run_many([self.request(one) if isinstance(one, str) else one for one in requests])

    def generate(
        self, request: Request, sampling: Sampling | None = None, steps: int = 8, first: int = 0
    ) -> Iterator[Step]:
        """Continue the text by one token a step. Each Step brings its candidates, its cache and its trace.

        It stops after `steps` steps, at an end token, or where the text is as long as the model takes; closing the iterator
        stops it, too. Steps are numbered from `first`. The random number of a step depends on the seed and on its number alone:
        a text cut after `first` tokens therefore continues as it did before. Raises NotAPredictor for an encoder.
        """
        return generation.generate(self, admit(self.info, request), sampling or Sampling(temperature=0.0), steps, first)

    def beams(self, request: Request, sampling: Sampling | None = None, width: int = 4, steps: int = 8) -> list[Beam]:
        """Beam search as a tree: every node that was considered, dead ones kept. See core.engine.generation.beams."""
        return [node for nodes in self.beam_steps(request, sampling, width, steps) for node in nodes]

    def beam_steps(
        self, request: Request, sampling: Sampling | None = None, width: int = 4, steps: int = 8
    ) -> Iterator[tuple[Beam, ...]]:
        """Beam search, one step at a time: the nodes that were considered in each step. Closing the iterator stops it."""
        return generation.beams(self, admit(self.info, request), sampling or Sampling(), width, steps)

    def logprobs(self, request: Request, position: int, ids: Iterable[int]) -> np.ndarray:
        """Log-probabilities, in nats, of some tokens at one position: an encoder predicts the token that stands there, a decoder
        the token that comes after it.

        float64 [id], one for each of `ids`. Raises NotAPredictor, and NoSuchHeadError for a position outside the text.
        """
        wanted = list(self._numbers(ids))
        _, result = self.forward([self.row(admit(self.info, request.keeping("predictions")))])
        if result.logits is None:
            raise NotAPredictor("a model with an output head of words", f"{self.info.id}, which has none")
        if not 0 <= position < result.logits.shape[1]:
            raise NoSuchHeadError(f"a position from 0 to {result.logits.shape[1] - 1}", f"{position}")
        return log_softmax(as_array(result.logits[0, position]))[wanted]

    def next_words(self, request: Request, k: int = 5) -> list[Token]:
        """The k likeliest next tokens, each completed greedily to a whole word, with the joint probability of its tokens.

        The text of a word carries its leading space; `id` is that of its first token. Raises NotAPredictor, RequestError.
        """
        return generation.next_words(self, admit(self.info, request), k)

    def splitting(self, text: str) -> Splitting:
        """How the tokenizer splits a text into tokens, one merge after another where it merges. Raises InputError, TooLongError."""
        return splitting(self.text, check_text(text, LONGEST))

    def raw(self, ids: Sequence[int]) -> tuple[bytes, ...]:
        """The bytes each token stands for; b"" for special tokens."""
        return tuple(raw(self.text, token) for token in ids)

    # the model itself

    @property
    def has_tokenizer(self) -> bool:
        """Whether the model came with a tokenizer; without one, requests are made from ids."""
        return self.text is not None

    @property
    def config(self) -> Config | None:
        """The sizes and choices that the model is built from, where it is one of our own; None for a Hugging Face model."""
        return self.backend.config

    def projection(self, stream: Stream, layer: int) -> np.ndarray | None:
        """W_O of one site: float32 [head, d, d_model], the matrix that each head's result is multiplied by. None where the
        family does something else before W_O. Raises NoSuchHeadError."""
        for index, site in enumerate(self.info.sites):
            if (site.stream, site.layer) == (stream, layer):
                found = self.backend.projection(index)
                return None if found is None else as_array(found, copy=True)
        raise NoSuchHeadError(f"a layer of the {stream.value}", f"layer {layer}")

    def positions(self, count: int) -> np.ndarray | None:
        """The vectors that the first `count` positions add to the tokens: float32 [position, d_model]. None where the model adds
        none, as with rotary or relative positions."""
        found = self.backend.positions(count)
        return None if found is None else as_array(found, copy=True)

    def _encode_prompt(self, text: Any, language: str | None = None) -> tuple[int, ...]:
        tokenizer = self._tokenizer()
        if not isinstance(text, str) and isinstance(text, Sequence):
            return tokenizer.encode_chat(text)
        ids = read(self.info, tokenizer, text, lambda whole: tokenizer.encode(whole, language=language))
        if not text or all(token in tokenizer.specials for token in ids):
            raise InputError("a text of at least one word", "an empty text", "Type a word")
        return ids

    def _encode_pair(self, text: Any, pair: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Two sentences as ids, and to which one each token belongs."""
        tokenizer = self._tokenizer()
        if not self.info.pairs:
            raise InputError(
                "an encoder that reads pairs of sentences", f"{self.info.id}, which does not", "Pass a single text"
            )
        for one in (text, pair):  # each alone must fit, before both are read together
            self._encode_prompt(one)
        return tokenizer.encode_pair(text, pair)

    def _check_languages(self, *languages: str | None) -> None:
        for language in languages:
            if language is not None and language not in self.info.languages:
                known = ", ".join(self.info.languages[:12]) + ("" if len(self.info.languages) <= 12 else " and others")
                raise InputError(
                    f"a language among {known}" if known else "no language for this model", f"“{language}”", "Leave it out"
                )

    def _target(
        self, given: tuple[int, ...], target: str | None, target_ids: Iterable[int] | None, language: str | None = None
    ) -> tuple[int, ...] | None:
        """What the decoder reads, where there is one. given: the text of the request."""
        if self.info.kind != "encoder-decoder":
            return given if self.info.kind == "decoder" else None
        if self.info.answers is not None:
            return echo(given, int(self.start or 0))
        return self._written(target, target_ids, language)

    def _written(
        self, target: str | None, target_ids: Iterable[int] | None, language: str | None = None
    ) -> tuple[int, ...]:
        """The ids that the decoder reads: its start token, what it is always made to write first, then what was written so far.
        Ids that begin with the start token are taken as they are."""
        if target and target_ids is not None:
            raise RequestError("target or target_ids", "both")
        if target_ids is not None:
            ids = self._numbers(target_ids, self.info.max_tokens)
        elif target:
            tokenizer = self._tokenizer()
            ids = read(self.info, tokenizer, target, tokenizer.encode_target)
        else:
            ids = ()
        if self.start is None:
            raise MaskError("a start token for the decoder", "none in this model's configuration")
        opening = (self.start,) if self.text is None else self.text.opening(language)
        return ids if ids[:1] == opening[:1] or ids[:1] == (self.start,) else (*opening, *ids)

    def _numbers(self, ids: Iterable[int], most: int = LONGEST_TEXT) -> tuple[int, ...]:
        """The ids as a tuple, checked against the vocabulary. Raises InputError, and TooLongError for more than `most` ids."""
        try:
            count = len(ids) if isinstance(ids, Sized) else 0
            numbers = () if count > most else tuple(int(token) for token in islice(ids, most + 1))
        except (TypeError, ValueError):
            raise InputError("ids as whole numbers", f"{ids!r}") from None
        if max(count, len(numbers)) > most:
            raise too_long(most, self.info, f"{count:,}" if count else f"more than {most:,}")
        if numbers and not 0 <= min(numbers) <= max(numbers) < self.info.vocab:
            raise InputError(
                f"ids from 0 to {self.info.vocab - 1}", f"{max(numbers) if min(numbers) >= 0 else min(numbers)}"
            )
        return numbers

    def _tokenizer(self) -> Text:
        if self.text is None:
            raise InputError(
                "a model with a tokenizer", f"{self.info.id}, whose folder holds none", "Pass ids=… instead of a text"
            )
        return self.text
