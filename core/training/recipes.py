"""The training recipes, one for each model that ships: everything that decides a training run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """Everything that decides a training run.

    rate: the learning rate. It rises over `warm_up` steps, stays level, and falls to zero over the last part of the steps, whose
    share is `decay`; until it falls, the number of steps may still change. batch: tokens in a batch, padding included.
    average: decay of the running mean of the weights, which is what ships. tokenizer: the shipped model whose tokens it shares;
    "" trains a tokenizer of its own. again (task "write"): share of the texts that come twice, with another text in between.
    hidden (task "fill"): share of the tokens that are masked. snapshots: how many sets of weights are kept during training.
    """

    name: str
    says: str
    task: str  # "continue" | "translate" | "write" | "fill"
    licence: str
    steps: int
    shape: dict[str, Any] = field(default_factory=dict)  # arguments of Config, without the vocabulary
    tokens: int = 5000
    source_end: bool = True  # the source ends with </s>: so the encoder sees that the last word is complete
    batch: int = 2500
    rate: float = 1.5e-3
    warm_up: int = 500
    decay: float = 0.35
    smoothing: float = 0.0
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.998
    seed: int = 0
    tokenizer: str = ""
    again: float = 0.0
    hidden: float = 0.2
    snapshots: int = 0


RECIPES = {
    recipe.name: recipe
    for recipe in (
        TrainingRecipe(
            name="classroom",
            says="continues English: the encoder reads the beginning of a sentence, the decoder writes the rest",
            task="continue",
            licence="MIT; data: WordNet 3.0 licence and MIT",
            steps=5000,
            rate=2e-3,
            shape={"kind": "encoder-decoder"},
        ),
        TrainingRecipe(
            name="translator",
            says="translates English into Brazilian Portuguese",
            task="translate",
            licence="MIT; data: WordNet 3.0 licence and MIT",
            steps=4000,
            rate=2e-3,
            shape={"kind": "encoder-decoder"},
            tokens=6000,
            smoothing=0.1,
        ),
        TrainingRecipe(
            name="translator-small",
            says="the translator's smaller twin, kept at many steps of its training: watch cross-attention align",
            task="translate",
            licence="MIT; data: WordNet 3.0 licence and MIT",
            steps=3000,
            rate=3e-3,
            warm_up=200,
            shape={"kind": "encoder-decoder", "d_model": 64, "d_ff": 256, "encoder_layers": 2, "decoder_layers": 2},
            smoothing=0.1,
            tokenizer="translator",
            snapshots=16,
        ),
        TrainingRecipe(
            name="writer",
            says="writes English on from any beginning: a decoder alone",
            task="write",
            licence="MIT; data: WordNet 3.0 licence and MIT",
            steps=2400,
            rate=3e-3,
            warm_up=200,
            batch=5000,
            shape={"kind": "decoder", "d_model": 128, "d_ff": 512, "encoder_layers": 0, "decoder_layers": 4,
                   "positions": "rotary"},
            source_end=False,
            tokenizer="classroom",
            again=0.2,
        ),
        TrainingRecipe(
            name="filler",
            says="fills in masked words of English: an encoder alone",
            task="fill",
            licence="MIT; data: WordNet 3.0 licence and MIT",
            steps=2400,
            rate=3e-3,
            warm_up=200,
            batch=5000,
            shape={"kind": "encoder", "d_model": 128, "d_ff": 512, "encoder_layers": 4, "decoder_layers": 0},
            tokenizer="classroom",
        ),
    )
}
