"""How well a translator translates, and whether its cross-attention looks at the word that it translates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from core.data import corpus
from core.data.typed import counted, typed
from core.evaluation.report import AS_A_CLASS_TYPES, Report
from core.evaluation.scores import alignment_error, bleu, chrf
from core.evaluation.shipped import Shipped
from core.model.memory import Watch
from core.model.transformer import Transformer
from core.model.vocabulary import START, Vocabulary

TRANSLATED = (
    250  # sentences of each kind that are translated, and aligned: the first of the held-out part, in file order
)
KINDS = {"WordNet": corpus.WORDNET, "everyday": corpus.EVERYDAY}


def measure_translate(shipped: Shipped) -> Report:
    """BLEU and chrF against the teacher on held-out text, the alignment error against the grammar's alignments, and the reserved
    sentences."""
    report = Report()
    for name, file in KINDS.items():
        outputs, references = translated(shipped, file)
        if not references:
            continue
        report.numbers[f"{name}: held-out sentences translated"] = len(references)
        report.numbers[f"{name}: chrF"] = chrf(outputs, references)
        report.numbers[f"{name}: BLEU"], signature = bleu(outputs, references)
        report.notes = [f"BLEU by sacreBLEU, signature `{signature}`."]
    if (corpus.DATA / ALIGNMENTS).is_file():
        measure_alignment(shipped, report)
    sentences = list(corpus.RESERVED)
    report.shown.append(("Sentences never trained on", list(zip(sentences, shipped.write(sentences), strict=True))))
    train = [english for english, _ in corpus.pairs("train")]
    for heading, kind in ((AS_A_CLASS_TYPES, "translate"), ("Everyday sentences as people type them, chosen alike", "everyday")):
        given = counted(kind, typed(kind), train)
        report.shown.append((heading, list(zip(given, shipped.write(typed(kind)), strict=True))))
    return report


def translated(shipped: Shipped, file: str) -> tuple[list[str], list[str]]:
    """(our greedy Portuguese, the teacher's) for the first held-out sentences of a source, without the reserved ones."""
    reserved = set(map(corpus.key, corpus.RESERVED))
    rows = [row for row in corpus.pairs("held-out", (file,)) if corpus.key(row[0]) not in reserved][:TRANSLATED]
    outputs = [text for i in range(0, len(rows), 64) for text in shipped.write([en for en, _ in rows[i : i + 64]])]
    return outputs, [pt for _, pt in rows]


ALIGNMENTS = "alignments.tsv.gz"
Links = set[tuple[int, int]]  # (English word, Portuguese word)


def measure_alignment(shipped: Shipped, report: Report) -> None:
    """How often cross-attention looks from a word to the word it translates. The best head and layer are chosen on other sentences
    than those that score them; beside them stand what needs no training."""
    rows = aligned(2 * TRANSLATED)
    scored, choosing = rows[:TRANSLATED], rows[TRANSLATED:]
    chosen, error = errors(shipped, choosing), errors(shipped, scored)
    layer, head = best = np.unravel_index(chosen[:, :-1].argmin(), chosen[:, :-1].shape)
    numbers = report.numbers
    numbers["sentences aligned"], numbers["sentences that choose the head"] = len(scored), len(choosing)
    numbers["alignment error rate, best head"] = float(error[best])
    numbers["alignment error rate, best layer's mean"] = float(error[chosen[:, -1].argmin(), -1])
    numbers["alignment error rate, mean over all heads"] = float(error[:, :-1].mean())
    numbers["alignment error rate, word by word in order (the diagonal)"] = diagonal(scored)
    random = errors(untrained(shipped), scored)
    numbers["alignment error rate, mean over the heads of random weights"] = float(random[:, :-1].mean())
    heads = [", ".join(f"{value:.2f}" for value in row[:-1]) + f"; mean {row[-1]:.2f}" for row in error.tolist()]
    named = [(f"layer {n}", row) for n, row in enumerate(heads, 1)]
    report.shown.append(("Alignment error rate of each cross-attention head", named))
    english, portuguese = "the black cat sleeps on the red sofa", "o gato preto dorme no sofá vermelho"
    where = sorted(links(cross_attention(shipped, english, portuguese)[layer][head]), key=lambda link: link[1])
    looks = ", ".join(f"{portuguese.split()[j]} → {english.split()[i]}" for i, j in where)
    report.shown.append((f"Where the best head (layer {layer + 1}, head {head + 1}) looks", [(english, looks)]))


@dataclass(frozen=True)
class Aligned:
    """A pair of texts, and which word of the one gives which word of the other."""

    english: str
    portuguese: str
    links: Links


def aligned(most: int) -> list[Aligned]:
    """The first pairs whose word links the grammar knows; all of them are held out."""
    rows = (line.split("\t") for line in corpus.read(ALIGNMENTS)[:most])
    return [Aligned(en, pt, {(int(i), int(j)) for i, j in (link.split("-") for link in told.split())}) for en, pt, told in rows]


def errors(shipped: Shipped, rows: Sequence[Aligned]) -> np.ndarray:
    """The alignment error rate of every cross-attention head, and last of their mean: float64 [layer, head + 1]."""
    maps = [cross_attention(shipped, row.english, row.portuguese) for row in rows]
    truth = [row.links for row in rows]
    heads = range(shipped.model.config.heads)
    found = []
    for layer in range(shipped.model.config.decoder_layers):
        each = [alignment_error([links(one[layer][head]) for one in maps], truth) for head in heads]
        found.append([*each, alignment_error([links(one[layer].mean(0)) for one in maps], truth)])
    return np.array(found)


def diagonal(rows: Sequence[Aligned]) -> float:
    """The error of linking the first word to the first, the second to the second, and so on."""
    found = []
    for row in rows:
        last = len(row.english.split()) - 1
        found.append({(min(j, last), j) for j in range(len(row.portuguese.split()))})
    return alignment_error(found, [row.links for row in rows])


def untrained(shipped: Shipped, seed: int = 0) -> Shipped:
    """The same network with the random weights that it would have before its first step."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return replace(shipped, model=Transformer(shipped.model.config).eval())


FILMED = 60  # aligned sentences on which each snapshot is measured


def film(folder: Path) -> list[dict[str, str]]:
    """A row for each snapshot of a translator: its step, its loss on held-out aligned sentences (nats per token), and the
    alignment error rate of every cross-attention head."""
    shipped = Shipped.load(folder)
    rows = aligned(FILMED)
    examples = [(shipped.vocabulary.encode(row.english), shipped.vocabulary.encode(row.portuguese)) for row in rows]
    tokens = sum(len(target) + 1 for _, target in examples)
    tensors = load_file(folder / "snapshots.safetensors")
    found = []
    for step in sorted({int(name.partition(".")[0]) for name in tensors}):
        state = {name: tensors[f"{step}.{name}"].float() for name in shipped.model.state_dict()}
        shipped.model.load_state_dict(state)
        row = {"step": str(step), "loss": f"{sum(shipped.losses(examples)) / tokens:.4f}"}
        for (layer, head), error in np.ndenumerate(errors(shipped, rows)[:, :-1]):
            row[f"error {layer}.{head}"] = f"{error:.4f}"
        found.append(row)
    return found


@torch.inference_mode()
def cross_attention(shipped: Shipped, source: str, target: str) -> list[Tensor]:
    """Attention from target words to source words: for each layer [head, target word, source word].

    It is the mean over the query rows that predict the tokens of the target word, and the sum over the tokens of the source
    word. Words are split at spaces; the end token of the source is no word.
    """
    model, vocabulary, watch = shipped.model, shipped.vocabulary, Watch()
    ids = vocabulary.encode(target)
    model(torch.tensor([shipped.source(source)]), torch.tensor([[START, *ids]]), probe=watch)
    rows, columns = (membership(vocabulary, row) for row in (ids, vocabulary.encode(source)))
    # the decoder's sites alternate: own, cross
    maps = [weights[0] for weights in watch.weights[model.config.encoder_layers :][1::2]]
    written = rows / rows.sum(-1, keepdim=True)  # the row of <s> predicts the first token, and so on
    return [written @ found[:, : len(ids), : columns.shape[-1]] @ columns.T for found in maps]


def membership(vocabulary: Vocabulary, ids: Sequence[int]) -> Tensor:
    """[word, token]: 1 where the token belongs to the word."""
    word = torch.tensor([vocabulary.opens_word(id) for id in ids]).cumsum(0) - 1
    return torch.nn.functional.one_hot(word).T.float()


def links(found: Tensor) -> Links:
    """For each target word the source word that it looks at most. found: attention [target word, source word]."""
    return {(i, j) for j, i in enumerate(found.argmax(-1).tolist())}
