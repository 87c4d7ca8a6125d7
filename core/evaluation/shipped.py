"""A shipped model in use: greedy writing, the likeliest next words, and the loss of given texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.errors import NotAPredictor
from core.model import weights
from core.model.transformer import Transformer
from core.model.vocabulary import END, PAD, START, Vocabulary
from core.training.examples import Example, collate, padded


@dataclass(frozen=True)
class Shipped:
    """A shipped model: its weights, its vocabulary and its config.json."""

    model: Transformer
    vocabulary: Vocabulary
    about: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> Shipped:
        return cls(*weights.load(folder))

    def source(self, text: str) -> list[int]:
        return self.vocabulary.encode(text) + [END] * self.about["source_end"]

    @torch.inference_mode()
    def next_logits(self, source: Sequence[int], target: Sequence[int]) -> Tensor:
        """[vocab] after `target`, which begins with the start token."""
        read = torch.tensor([source]) if self.model.config.reads else None
        return self.model(read, torch.tensor([target])).logits[0, -1]

    @torch.inference_mode()
    def write(self, texts: Sequence[str], limit: int = 40) -> list[str]:
        """The greedy output for each source text, all in one batch. Raises NotAPredictor for an encoder, which writes nothing."""
        if not self.model.config.writes:
            raise NotAPredictor("a model that writes", "an encoder, which reads", "Mask a token and let it be filled")
        if not self.model.config.reads:
            return [self.write_on(text, limit) for text in texts]
        source = padded([self.source(text) for text in texts])
        allowed = source != PAD
        ids = torch.full((len(texts), 1), START)
        given, past, memory = ids, None, None
        alive = torch.ones(len(texts), dtype=torch.bool)
        while bool(alive.any()) and ids.shape[1] <= limit:
            output = self.model(source, given, allowed, memory=memory, past=past)
            past, memory = output.past, output.memory
            given = output.logits[:, -1:].argmax(-1).where(alive[:, None], torch.tensor(END))
            ids = torch.cat([ids, given], dim=1)
            alive &= given[:, 0] != END
        rows = [row[1:].tolist() for row in ids]
        return [self.vocabulary.decode(row[: row.index(END)] if END in row else row) for row in rows]

    @torch.inference_mode()
    def write_on(self, text: str, limit: int = 40) -> str:
        """What a decoder alone adds to a text, greedily."""
        given = [START, *self.vocabulary.encode(text)]
        ids, past, new = list[int](), None, given
        while len(ids) < limit and (not ids or ids[-1] != END):
            output = self.model(None, torch.tensor([new]), past=past)
            past, new = output.past, [int(output.logits[0, -1].argmax())]
            ids += new
        return self.vocabulary.decode(ids[: ids.index(END)] if END in ids else ids)

    def next_words(self, source: str, target: str = "", k: int = 3) -> list[tuple[str, float]]:
        """The `k` likeliest next tokens, each completed greedily to a word, with the joint probability of its tokens."""
        given = self.source(source)
        start = [START, *self.vocabulary.encode(target)]
        chances = self.next_logits(given, start).softmax(-1).topk(k)
        words = []
        for chance, first in zip(chances.values.tolist(), chances.indices.tolist(), strict=True):
            word = [first]
            while first != END and len(word) < 12:
                best = self.next_logits(given, [*start, *word]).softmax(-1).max(-1)
                following = int(best.indices)
                if self.vocabulary.opens_word(following) or not self.vocabulary.token_text(following).isalnum():
                    break
                word.append(following)
                chance *= float(best.values)
            words.append((self.vocabulary.decode(word).strip() or "(end)", chance))
        return sorted(words, key=lambda pair: -pair[1])

    @torch.inference_mode()
    def losses(self, examples: Sequence[Example], rows: int = 64) -> list[float]:
        """The loss of each target with its end token, given its source, in nats."""
        order = sorted(range(len(examples)), key=lambda i: (len(examples[i][1]), len(examples[i][0])))
        result = [0.0] * len(examples)
        for begin in range(0, len(order), rows):
            group = order[begin : begin + rows]
            source, given, wanted = collate([examples[i] for i in group], self.about["source_end"])
            reads = self.model.config.reads
            logits = (self.model(source, given, source != PAD) if reads else self.model(None, given)).logits
            nats = torch.nn.functional.cross_entropy(logits.mT, wanted, ignore_index=PAD, reduction="none")
            for i, value in zip(group, nats.sum(-1).tolist(), strict=True):
                result[i] = value
        return result
