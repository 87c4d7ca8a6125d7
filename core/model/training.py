"""Training, from a recipe to weights: `python -m core.model.training classroom`.

What decides a run is in `recipes`, what it reads in `examples`, what it does in `run`. Checkpoints are safetensors in
runs/NAME; at the end the averaged weights are shipped to assets/weights/NAME.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from core.model import corpus, weights
from core.model.examples import continuations, fillings, translations, writings
from core.model.recipes import RECIPES, Recipe
from core.model.run import Run
from core.model.transformer import Config
from core.model.vocabulary import Vocabulary

RUNS = weights.ROOT / "runs"


def prepare(recipe: Recipe, folder: Path, bfloat16: bool = False) -> Run:
    """A run at its first step. The tokenizer is trained on the training part alone, once, and kept in `folder`."""
    path = folder / "tokenizer.json"
    if recipe.tokenizer and not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(weights.SHIPPED / recipe.tokenizer / "tokenizer.json", path)
    if recipe.task == "translate":
        train, unseen = corpus.pairs("train"), corpus.pairs("held-out")
        vocabulary = vocabulary_at(path, [text for pair in train for text in pair], recipe.pieces)
        limit = Config(vocab=len(vocabulary), **recipe.shape).max_tokens
        examples, held_out = translations(train, vocabulary, limit), translations(unseen, vocabulary, limit)(0)
    else:
        texts = corpus.english("train")
        vocabulary = vocabulary_at(path, texts, recipe.pieces)
        limit = Config(vocab=len(vocabulary), **recipe.shape).max_tokens
        unseen_texts, seed = corpus.english("held-out"), recipe.seed
        if recipe.task == "write":
            examples = writings(texts, vocabulary, seed, limit, recipe.again)
            held_out = writings(unseen_texts, vocabulary, seed, limit)(0)
        elif recipe.task == "fill":
            examples = fillings(texts, vocabulary, seed, limit, recipe.hidden)
            held_out = fillings(unseen_texts, vocabulary, seed, limit, recipe.hidden)(0)
        else:
            examples = continuations(texts, vocabulary, seed, limit)
            held_out = continuations(unseen_texts, vocabulary, seed, limit, plain=True)(0)
    chosen = np.random.default_rng(0).permutation(len(held_out))[:1500]
    return Run(recipe, vocabulary, examples, [held_out[i] for i in chosen], folder, bfloat16)


def vocabulary_at(path: Path, texts: Sequence[str], pieces: int) -> Vocabulary:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        Vocabulary.train(texts, pieces).save(path)
    return Vocabulary.load(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a model and ship its weights.")
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument(
        "--steps", type=int, help="instead of the recipe's; may change on --resume before the rate falls"
    )
    parser.add_argument("--minutes", type=float, help="stop after so long, wherever the run is")
    parser.add_argument("--out", type=Path, help="where the weights go (default: assets/weights/NAME)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--further", action="store_true", help="begin with the weights that ship, and train them for as many steps more"
    )
    parser.add_argument("--export", action="store_true", help="ship the last checkpoint as it is, without training")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--bfloat16", action="store_true", help="twice as fast on CPUs with AVX-512 BF16, slow elsewhere"
    )
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if options.threads > 1 else "false"
    torch.set_num_threads(options.threads)
    recipe = RECIPES[options.name]
    if options.steps:
        recipe = replace(recipe, steps=options.steps)
    folder = RUNS / recipe.name
    if not options.resume and not options.export and folder.exists():
        shutil.rmtree(folder)  # a new run; the old one is not mixed with it
    shipped = options.out or weights.SHIPPED / recipe.name
    if options.further and not options.resume:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(shipped / "tokenizer.json", folder / "tokenizer.json")
    run = prepare(recipe, folder, options.bfloat16)
    if options.resume or options.export:
        run.resume()
    elif options.further:
        run.go_on(shipped)
    if not options.export:
        print(
            f"{recipe.name}: {sum(p.numel() for p in run.model.parameters()):,} parameters, from step {run.step}",
            flush=True,
        )
        run.train(options.minutes)
    run.export(shipped)


if __name__ == "__main__":
    main()
