"""Training, from a recipe to weights: `python -m core.training classroom`.

`recipes` says what decides a run, `examples` makes what it reads, and `run` does the work. Checkpoints are safetensors in
runs/NAME. At the end the averaged weights are shipped to assets/weights/NAME.
"""

from __future__ import annotations

import argparse
import os
import shutil
from dataclasses import replace
from pathlib import Path

import torch

from core import paths
from core.training.recipes import RECIPES
from core.training.run import device_of, prepare

RUNS = paths.ROOT / "runs"


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
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 or auto: a GPU where there is one")
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if options.threads > 1 else "false"
    torch.set_num_threads(options.threads)
    recipe = RECIPES[options.name]
    if options.steps:
        recipe = replace(recipe, steps=options.steps)
    folder = RUNS / recipe.name
    if not options.resume and not options.export and folder.exists():
        shutil.rmtree(folder)  # a new run; the old one is not mixed with it
    shipped = options.out or paths.WEIGHTS / recipe.name
    if options.further and not options.resume:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(shipped / "tokenizer.json", folder / "tokenizer.json")
    run = prepare(recipe, folder, options.bfloat16, device_of(options.device))
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
