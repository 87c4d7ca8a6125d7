"""How well a model continues an English text, writes one from the first word, or fills a gap; and where its heads look."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.data import corpus
from core.evaluation.report import Report
from core.evaluation.shipped import Shipped
from core.model.multihead import AttentionCall
from core.model.ngrams import Ngrams
from core.model.transformer import Transformer
from core.model.vocabulary import END, MASK, START
from core.training.examples import continuations

CUTS = 2  # how often each held-out sentence is cut, each time at another place
UNSEEN = (  # no sentence of the training part begins like these; `unseen_rows` counts
    "the young engineers are",
    "deep learning helps the",
    "my old teacher",
    "a neural network can",
    "on rainy days we",
    "a good student",
    "we want to build",
    "the new computer in the library",
    "a large language model",
    "the teacher asked the robot",
)


def measure_continue(shipped: Shipped) -> Report:
    """Held-out perplexity beside that of a trigram model, the note "gen ai is", and prompts that no training sentence has."""
    report, vocabulary = Report(), shipped.vocabulary
    train, held_out = corpus.english("train"), corpus.english("held-out")
    epoch = continuations(held_out, vocabulary, 0, shipped.model.config.max_tokens, plain=True)
    examples = [example for n in range(CUTS) for example in epoch(n)]
    ours = sum(shipped.losses(examples))
    trigram = Ngrams(([*ids, END] for ids in vocabulary.encode_all(train)), len(vocabulary), START)
    theirs = sum(trigram.loss(source, [*target, END]) for source, target in examples)
    tokens = sum(len(target) + 1 for _, target in examples)
    words = sum(len(vocabulary.decode(target).split(" ")) + 1 for _, target in examples)
    numbers = report.numbers
    numbers["held-out sentences"] = len(held_out)
    numbers["perplexity per token"] = math.exp(ours / tokens)
    numbers["perplexity per token, trigram with backoff"] = math.exp(theirs / tokens)
    numbers["perplexity per word"] = math.exp(ours / words)
    numbers["perplexity per word, trigram with backoff"] = math.exp(theirs / words)
    numbers["perplexity per token / the trigram's"] = math.exp((ours - theirs) / tokens)
    numbers["perplexity per word / the trigram's"] = math.exp((ours - theirs) / words)
    rows = []
    for source, target in (("gen ai is", ""), ("gen ai is", "interesting"), ("gen ai is interesting", "")):
        words_after = shipped.next_words(source, target)
        name = f"{source} → {target}" if target else source
        rows.append((name, ", ".join(f"{word} {chance:.3f}" for word, chance in words_after)))
        wanted = "domain" if "interesting" in name else "interesting"
        numbers[f'p("{wanted}") after "{name}"'] = dict(words_after).get(wanted, 0.0)
    report.shown.append(("Next words, with their probability", rows))
    report.shown.append(("Prompts not in the training text, continued greedily", unseen_rows(shipped, UNSEEN, train)))
    return report


def unseen_rows(shipped: Shipped, prompts: Sequence[str], train: Sequence[str]) -> list[tuple[str, str]]:
    """Each prompt with its continuation, and how many training sentences begin with it."""
    starts = tuple(corpus.key(prompt) + " " for prompt in prompts)
    keys = [text for text in (corpus.key(text) + " " for text in train) if text.startswith(starts)]
    begun = [sum(text.startswith(start) for text in keys) for start in starts]
    written = shipped.write(list(prompts))
    return [(f"{p} ({n} in training)", text) for p, n, text in zip(prompts, begun, written, strict=True)]


# --- a decoder alone, an encoder alone --------------------------------------------------------------------------------


@torch.inference_mode()
def attention_of(model: Transformer, source: Tensor | None, target: Tensor | None) -> Tensor:
    """The attention patterns of a model that is an encoder or a decoder alone, for rows [row, position] without padding: [layer,
    row, head, query, key]."""
    maps: list[Tensor] = []

    class All:
        def attend(self, call: AttentionCall) -> tuple[Tensor, Tensor]:
            output, weights = call.owner(call.mask)
            maps.append(weights)
            return output, weights

    model(source, target, probe=All())
    return torch.stack(maps)


def best_head(scores: Tensor) -> tuple[int, int]:
    """(layer, head) of the largest of the scores [layer, head]."""
    layer, head = divmod(int(scores.argmax()), scores.shape[1])
    return layer, head


RANDOM_ROWS, RANDOM_LENGTH = 32, 20  # sequences of random tokens, each followed by itself


def measure_write(shipped: Shipped) -> Report:
    """Held-out perplexity beside that of a trigram model, the previous-token and the induction head, and prompts continued."""
    report, vocabulary, model = Report(), shipped.vocabulary, shipped.model
    train, held_out = corpus.english("train"), corpus.english("held-out")
    rows = [ids for ids in vocabulary.encode_all(held_out) if 0 < len(ids) < model.config.max_tokens]
    ours = sum(shipped.losses([([], ids) for ids in rows]))
    trigram = Ngrams(([*ids, END] for ids in vocabulary.encode_all(train)), len(vocabulary), START)
    theirs = sum(trigram.loss([], [*ids, END]) for ids in rows)
    tokens = sum(len(ids) + 1 for ids in rows)
    words = sum(len(vocabulary.decode(ids).split(" ")) + 1 for ids in rows)
    numbers = report.numbers
    numbers["held-out sentences"] = len(rows)
    for unit, count in (("token", tokens), ("word", words)):
        numbers[f"perplexity per {unit}"] = math.exp(ours / count)
        numbers[f"perplexity per {unit}, trigram with backoff"] = math.exp(theirs / count)
    long = [ids[:8] for ids in rows if len(ids) >= 8][:200]
    ids = torch.tensor([[START, *row] for row in long])
    query = torch.arange(2, ids.shape[1])
    previous = attention_of(model, None, ids)[..., query, query - 1].mean((1, 3))
    rng = np.random.default_rng(2022)
    usual = np.unique(np.concatenate([np.array(row) for row in rows]))
    drawn = np.stack([rng.permutation(usual)[:RANDOM_LENGTH] for _ in range(RANDOM_ROWS)])
    twice = torch.from_numpy(np.concatenate([np.full((RANDOM_ROWS, 1), START), drawn, drawn], 1))
    query = torch.arange(RANDOM_LENGTH + 1, 2 * RANDOM_LENGTH)
    again = attention_of(model, None, twice)[..., query, query - RANDOM_LENGTH + 1].mean((1, 3))
    with torch.inference_mode():
        nats = F.cross_entropy(model(None, twice).logits[:, :-1].mT, twice[:, 1:], reduction="none")
    for name, scores in (("previous-token", previous), ("induction", again)):
        layer, head = best_head(scores)
        numbers[f"{name} score, best head"] = float(scores.max())
        numbers[f"{name} head: layer"], numbers[f"{name} head: head"] = layer + 1, head + 1
    numbers["loss on random tokens, first time"] = float(nats[:, :RANDOM_LENGTH].mean())
    numbers["loss on random tokens, second time"] = float(nats[:, RANDOM_LENGTH + 1 :].mean())
    for source in ("gen ai is", "gen ai is interesting"):
        numbers[f'p("{WANTED[source]}") after "{source}"'] = dict(shipped.next_words("", source)).get(WANTED[source], 0.0)
    report.shown.append(("Prompts not in the training text, continued greedily", unseen_rows(shipped, UNSEEN, train)))
    return report


WANTED = {"gen ai is": "interesting", "gen ai is interesting": "domain"}
HIDDEN = 0.15
BLANKS = (
    "the <mask> cat sleeps on the red sofa", "the teacher explains the <mask> slowly", "gen ai is <mask>",
    "the students are writing a <mask> about animals", "she drinks <mask> with milk every morning",
    "the little girl reads a <mask> in the garden", "it is <mask> and my shoes are wet", "my brother does not <mask> cold soup",
)  # fmt: skip


def fill(shipped: Shipped, text: str, k: int = 3) -> list[tuple[str, float]]:
    """The likeliest tokens for the one <mask> in a text, with their probability."""
    before, after = (part.strip() for part in text.split("<mask>"))
    ids = [*(shipped.vocabulary.encode(before) if before else []), MASK, *(shipped.vocabulary.encode(after) if after else [])]
    with torch.inference_mode():
        logits = shipped.model(torch.tensor([[*ids, *[END] * shipped.about["source_end"]]])).logits[0, ids.index(MASK)]
    best = logits.softmax(-1).topk(k)
    pairs = zip(best.values.tolist(), best.indices.tolist(), strict=True)
    return [(shipped.vocabulary.token_text(id).strip(), chance) for chance, id in pairs]


@torch.inference_mode()
def measure_fill(shipped: Shipped) -> Report:
    """Accuracy and perplexity at masked tokens of held-out sentences, beside those of always guessing the most frequent token; and
    gaps filled."""
    report, vocabulary, model = Report(), shipped.vocabulary, shipped.model
    common: Counter[int] = Counter(id for ids in vocabulary.encode_all(corpus.english("train")) for id in ids)
    guess = common.most_common(1)[0][0]
    rng = np.random.default_rng(0)
    right = top = guessed = asked_in_all = 0
    nats = 0.0
    rows = [ids for ids in vocabulary.encode_all(corpus.english("held-out")) if 0 < len(ids) < model.config.max_tokens]
    for ids in rows:
        asked = rng.random(len(ids)) < HIDDEN
        asked[rng.integers(len(ids))] = True
        places = torch.from_numpy(np.flatnonzero(asked))
        wanted = torch.tensor(ids)[places]
        shown = torch.tensor([[*np.where(asked, MASK, ids).tolist(), *[END] * shipped.about["source_end"]]])
        logits = model(shown).logits[0, places]
        best = logits.topk(5).indices
        right += int((best[:, 0] == wanted).sum())
        top += int((best == wanted[:, None]).sum())
        guessed += int((wanted == guess).sum())
        nats += float(F.cross_entropy(logits, wanted, reduction="sum"))
        asked_in_all += len(wanted)
    numbers = report.numbers
    numbers["held-out sentences"], numbers["masked tokens"] = len(rows), asked_in_all
    numbers["masked accuracy"] = right / asked_in_all
    numbers["masked accuracy, among the first five"] = top / asked_in_all
    numbers["masked accuracy of the commonest token"] = guessed / asked_in_all
    numbers["perplexity of a masked token"] = math.exp(nats / asked_in_all)
    filled = [(text, ", ".join(f"{token} {chance:.3f}" for token, chance in fill(shipped, text))) for text in BLANKS]
    report.shown.append(("Blanks, with the likeliest tokens", [(text.replace("<mask>", "▢"), said) for text, said in filled]))
    return report
