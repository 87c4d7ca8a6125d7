"""How well a translator translates, and whether its cross-attention looks at the word that it translates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from core.data import corpus
from core.evaluation.report import Report
from core.evaluation.scores import alignment_error, bleu, chrf
from core.evaluation.shipped import Shipped
from core.model.memory import Watch
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
        report.numbers[f"{name}: BLEU"] = bleu(outputs, references)
    if (corpus.DATA / ALIGNMENTS).is_file():
        measure_alignment(shipped, report)
    sentences = list(corpus.RESERVED)
    report.shown.append(("Sentences never trained on", list(zip(sentences, shipped.write(sentences), strict=True))))
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
    """For every cross-attention head, and for the mean of every layer: how often it looks from a word to the word it translates."""
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


FILMED = 60  # aligned sentences on which each snapshot is measured


def film(folder: Path) -> list[dict[str, str]]:
    """A row for each snapshot of a translator: its step, its loss on held-out aligned sentences (nats per token), and the
    alignment error rate of every cross-attention head."""
    shipped = Shipped.load(folder)
    rows = [line.split("\t") for line in corpus.read(ALIGNMENTS)[:FILMED]]
    truth: list[Links] = [{(int(i), int(j)) for i, j in (link.split("-") for link in row[2].split())} for row in rows]
    examples = [(shipped.vocabulary.encode(row[0]), shipped.vocabulary.encode(row[1])) for row in rows]
    tokens = sum(len(target) + 1 for _, target in examples)
    tensors = load_file(folder / "snapshots.safetensors")
    found = []
    for step in sorted({int(name.partition(".")[0]) for name in tensors}):
        state = {name: tensors[f"{step}.{name}"].float() for name in shipped.model.state_dict()}
        shipped.model.load_state_dict(state)
        maps = [cross_attention(shipped, row[0], row[1]) for row in rows]
        row = {"step": str(step), "loss": f"{sum(shipped.losses(examples)) / tokens:.4f}"}
        for layer in range(shipped.model.config.decoder_layers):
            for head in range(shipped.model.config.heads):
                error = alignment_error([links(one[layer][head]) for one in maps], truth)
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
