"""How well a model continues an English text, writes one from the first word, or fills a gap; and where its heads look."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.data import corpus
from core.data.typed import BLANK, counted, typed
from core.evaluation.comparison import by_source, state
from core.evaluation.report import AS_A_CLASS_TYPES, Report
from core.evaluation.shipped import Shipped
from core.evaluation.texts import training_ids
from core.model.multihead import AttentionCall
from core.model.transformer import Transformer
from core.model.vocabulary import END, MASK, START
from core.training.examples import Example, continuations

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
    """Held-out perplexity beside that of counting, the note "gen ai is", and prompts that no training sentence has."""
    report, vocabulary, limit = Report(), shipped.vocabulary, shipped.model.config.max_tokens
    asked: dict[str, list[Example]] = {}
    for name, texts in corpus.english_by_source("held-out").items():
        epoch = continuations(texts, vocabulary, 0, limit, plain=True)
        asked[name] = [example for n in range(CUTS) for example in epoch(n)]
    state(report, by_source(shipped, asked), words_in(shipped, asked))
    numbers = report.numbers
    rows = []
    for source, target in (("gen ai is", ""), ("gen ai is", "interesting"), ("gen ai is interesting", "")):
        words_after = shipped.next_words(source, target)
        name = f"{source} → {target}" if target else source
        rows.append((name, ", ".join(f"{word} {chance:.3f}" for word, chance in words_after)))
        wanted = "domain" if "interesting" in name else "interesting"
        numbers[f'p("{wanted}") after "{name}"'] = dict(words_after).get(wanted, 0.0)
    report.shown.append(("Next words, with their probability", rows))
    report.shown += prompts_shown(shipped, "continue")
    return report


def words_in(shipped: Shipped, asked: Mapping[str, Sequence[Example]]) -> int:
    """How many words are asked for, each end counted as one."""
    return sum(len(shipped.vocabulary.decode(text).split(" ")) + 1 for examples in asked.values() for _, text in examples)


def prompts_shown(shipped: Shipped, kind: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Two tables of prompts with their continuations: UNSEEN, and those that a class would type."""
    return [
        ("Prompts not in the training text, continued greedily", unseen_rows(shipped, kind, UNSEEN)),
        (AS_A_CLASS_TYPES, unseen_rows(shipped, kind, typed(kind))),
    ]


def unseen_rows(shipped: Shipped, kind: str, prompts: Sequence[str]) -> list[tuple[str, str]]:
    """Each prompt with its continuation, and how many training sentences begin with it."""
    return list(zip(counted(kind, prompts, corpus.english()), shipped.write(list(prompts)), strict=True))


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
    """Held-out perplexity beside that of counting, the previous-token and the induction head, and prompts continued."""
    report, vocabulary, model = Report(), shipped.vocabulary, shipped.model
    asked: dict[str, list[Example]] = {}
    for name, texts in corpus.english_by_source("held-out").items():
        asked[name] = [([], ids) for ids in vocabulary.encode_all(texts) if 0 < len(ids) < model.config.max_tokens]
    state(report, by_source(shipped, asked), words_in(shipped, asked))
    rows, numbers = [ids for examples in asked.values() for _, ids in examples], report.numbers
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
    report.shown += prompts_shown(shipped, "write")
    return report


WANTED = {"gen ai is": "interesting", "gen ai is interesting": "domain"}
HIDDEN = 0.15
BLANKS = (
    "the <mask> cat sleeps on the red sofa", "the teacher explains the <mask> slowly", "gen ai is <mask>",
    "the students are writing a <mask> about animals", "she drinks <mask> with milk every morning",
    "the little girl reads a <mask> in the garden", "it is <mask> and my shoes are wet", "my brother does not <mask> cold soup",
)  # fmt: skip


def fill(shipped: Shipped, text: str, k: int = 3) -> list[tuple[str, float]]:
    """The likeliest tokens for the one BLANK in a text, with their probability."""
    before, after = (part.strip() for part in text.split(BLANK))
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
    common: Counter[int] = Counter(id for ids in training_ids(vocabulary) for id in ids if id != END)
    guess = common.most_common(1)[0][0]
    rng = np.random.default_rng(0)
    right = top = guessed = asked_in_all = 0
    nats = 0.0
    unseen = vocabulary.encode_all(corpus.english("held-out"))
    rows = [ids for ids in unseen if 0 < len(ids) < model.config.max_tokens]
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
    report.shown.append(("Blanks, with the likeliest tokens", [(boxed(text), likeliest(shipped, text)) for text in BLANKS]))
    given = [boxed(text) for text in counted("fill", typed("fill"), corpus.english())]
    found = [likeliest(shipped, text) for text in typed("fill")]
    report.shown.append((AS_A_CLASS_TYPES, list(zip(given, found, strict=True))))
    return report


def boxed(text: str) -> str:
    """A text with its blank as people see it."""
    return text.replace(BLANK, "▢")


def likeliest(shipped: Shipped, text: str) -> str:
    """The likeliest tokens for the blank in a text, in words."""
    return ", ".join(f"{token} {chance:.3f}" for token, chance in fill(shipped, text))
