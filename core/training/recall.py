"""Memory tests for a GRU, a GRU with additive attention and a transformer. `python -m core.training.recall`

They learn to recall what belonged to a key, or, with `--task copy`, to copy what they read (core/model/exercises.py). All
three see the same batches in the same order, for the same number of steps, with the same optimizer, and are of similar size.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core import paths
from core.model import weights
from core.model.exercises import (
    HELD_OUT,
    IGNORED,
    KEYS,
    SYMBOLS,
    TASK,
    TASKS,
    VALUES,
    Task,
    copying,
    make,
)  # fmt: skip
from core.model.memory import SHAPES, SMALL, TITLES, WATCHED, Machine, build, load_machine, prefer_near, shape_of
from core.model.recurrent import parameters
from core.model.transformer import Layer, Transformer
from core.model.weights import write_rows
from core.training.course import RUNS, Course, Plan

PLANS = {"recall": Plan(steps=8000, warm_up=50), "copy": Plan(steps=4000, warm_up=50)}
EASY, GROWTH = 0.4, 0.3  # shares of the steps with few letters and pairs, and with ever more of both
FIRST = (4, 3)  # letters and pairs to begin with


def course(kind: str, task: Task, plan: Plan, folder: Path) -> Course:
    """A machine before its first step. All machines first get few letters and pairs (FIRST), then more and more of both. Few
    pairs are always more frequent than many. Every pair is asked; where there are few pairs, each is asked twice."""
    torch.manual_seed(plan.seed)
    model = build(kind, shape_of(kind, task))
    if task.name == "copy":
        return Course(model, lambda model, step: _copying_loss(model, step, task, plan), plan, folder)
    if isinstance(model, Transformer):
        nn.init.normal_(model.embedding.weight, std=SMALL)
        for stack in (model.encoder, model.decoder):
            prefer_near(cast("Layer", stack[0]).own)
    elif model.attention is not None:
        for weight in model.attention.parameters():  # large: where tanh is almost linear, it cannot compare two states
            nn.init.normal_(weight, std=0.3)

    def loss(model: Any, step: int) -> Tensor:
        rng = np.random.default_rng([plan.seed, step])
        grown = min(1.0, max(0.0, (step / plan.steps - EASY) / GROWTH))
        letters = round(FIRST[0] + (len(KEYS) - FIRST[0]) * grown)
        most = round(FIRST[1] + (task.most - FIRST[1]) * grown)
        pairs = min(letters, 1 + int(most * rng.random() ** 1.5))
        source, given, wanted = make(Task(pairs), plan.rows, 0, rng, times=1 + (pairs < 4), letters=letters)
        return F.cross_entropy(model(source, given).logits.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED)

    return Course(model, loss, plan, folder)


def _copying_loss(model: Any, step: int, task: Task, plan: Plan) -> Tensor:
    """The loss of copying. Texts are short first: the longest length grows as letters and pairs do for recall."""
    rng = np.random.default_rng([plan.seed, step])
    grown = min(1.0, step / plan.steps / (EASY + GROWTH))
    most = round(4 + (task.longest - 4) * grown)
    source, given, wanted = copying(plan.rows, int(rng.integers(1, most + 1)), rng)
    return F.cross_entropy(model(source, given).logits.flatten(0, 1), wanted.flatten())


# --- what ships -----------------------------------------------------------------------------------------------------


def export(kind: str, task: Task, run: Course, folder: Path) -> None:
    """Ship the weights in half precision, the accuracy measured with exactly these weights, and the training log."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "name": TITLES[kind], "kind": kind, "licence": "MIT", "symbols": "".join(SYMBOLS), "shape": shape_of(kind, task),
        "parameters": parameters(run.model), "task": asdict(task), "plan": asdict(run.plan),
        "minutes": round(run.seconds / 60, 1),
    }  # fmt: skip
    tensors = {key: value.to(torch.float16) for key, value in run.model.state_dict().items()}
    weights.write_tensors(folder / "model.safetensors", tensors)
    write_rows(folder / "training.csv", run.rows)
    weights.write(folder / "machine.json", json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    rows = [{"delay": delay, "accuracy": f"{value:.4f}"} for delay, value in measure(folder).items()]
    write_rows(folder / "results.csv", rows)


def measure(folder: Path, delays: Sequence[int] | None = None) -> dict[int, float]:
    """Accuracy of the machine in `folder`: delay → share of right answers on 512 held-out exercises."""
    kind = json.loads((folder / "machine.json").read_text("utf-8"))["kind"]
    machine = load_machine(kind, folder)
    return {delay: machine.accuracy(delay) for delay in delays or machine.task.delays}


def numbers(folder: Path) -> dict[str, float]:
    """The rows of a card."""
    return {f"accuracy after a delay of {delay}": value for delay, value in measure(folder).items()}


READS = {
    "gru": "Reads token by token into one state; answers from that state alone (Sutskever et al. 2014, Cho et al. 2014)",
    "attention": "The same, but looks back at all states of the reader (Bahdanau et al. 2015, eq. 5–6)",
    "transformer": "Reads all tokens at once and looks back by attention alone (Vaswani et al. 2017)",
}


def card(folder: Path, table: str) -> str:
    """CARD.md; `table`: its measured numbers in Markdown."""
    about = json.loads((folder / "machine.json").read_text("utf-8"))
    kind, task, plan = about["kind"], Task(**about["task"]), about["plan"]
    copies = task.name == "copy"
    if copies:
        asked = (
            f"2 to {task.longest} symbols of {len(KEYS)} letters and {len(VALUES)} digits, then the same again: each is said as "
            "many steps after it was read as there are symbols, which is the delay"
        )
        order = f"from 4 symbols up to {task.longest}, all lengths alike"
        measured = "each symbol is asked for with the right ones before it given"
    else:
        asked = (
            f"{task.pairs} pairs of one of {len(KEYS)} letters and one of {len(VALUES)} digits, then a delay, then their "
            f"letters: which digit belonged to each? The delay is 0 to {task.longest} symbols of further such pairs, any of "
            "which might have been asked"
        )
        order = (
            f"from {FIRST[1]} pairs of {FIRST[0]} letters up to {task.most} pairs of {len(KEYS)}, few pairs more often than "
            "many, every pair asked"
        )
        measured = f"the {task.pairs} letters before the delay are asked"
    shape = ", ".join(f"{name} {value}" for name, value in about["shape"].items() if name != "kind")
    training = (
        f"{plan['steps']:,} steps of {plan['rows']} exercises, AdamW at {plan['rate']}, seed {plan['seed']}: "
        f"`python -m core.training.recall {kind}{' --task copy' * copies}`; curve in training.csv. The three machines were given "
        f"the same exercises in the same order: {order}"
    )
    if kind == "transformer" and not copies:
        training += ". Its first layers began with a liking for what is near, its embeddings small (`course`)"
    elif kind == "attention" and not copies:
        training += ". Its attention began with larger weights than usual (`course`)"
    return f"""# {about["name"]}, {task.name} machine

{READS[kind]}.

- Task: {asked}.
- Shape: {shape}; {about["parameters"]:,} parameters in half precision.
- Training: {training}.
- Data: made by `core.model.exercises`; nothing from outside. Held out: one content in {HELD_OUT}, by a hash of its symbols,
  those of the delay included.
- Licence: MIT.
- Limits: it knows these symbols and this task, up to these lengths, and nothing else.

## Measured

By `python -m core.evaluation {task.name}-{kind}`: the share of right answers on 512 held-out exercises at each delay;
{measured}.

{table}"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train the recall machines and ship them.")
    parser.add_argument("kinds", nargs="*", choices=[*SHAPES, []], help="default: all three, one after another")
    parser.add_argument("--task", choices=TASKS, default=TASK.name)
    parser.add_argument("--steps", type=int, help="instead of the plan's")
    parser.add_argument("--seed", type=int, help="instead of the plan's")
    parser.add_argument("--minutes", type=float, help="stop each run after so long; --resume goes on")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoints, where there are some")
    parser.add_argument("--out", type=Path, default=paths.WEIGHTS, help="where their folders go")
    options = parser.parse_args(arguments)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    task = TASKS[options.task]
    for kind in options.kinds or SHAPES:
        plan = replace(PLANS[task.name], **{key: v for key in ("steps", "seed") if (v := getattr(options, key)) is not None})
        folder = RUNS / f"{task.name}-{kind}"
        if not options.resume:
            shutil.rmtree(folder, ignore_errors=True)  # a new run; the old one is not mixed with it
        run = course(kind, task, plan, folder)
        if options.resume and (folder / weights.CHECKPOINT).is_file():
            run.resume()
        print(f"{kind}: {parameters(run.model):,} parameters, from step {run.step}", flush=True)
        machine = Machine(kind, task, run.model)
        run.model.requires_grad_(True)

        def check(machine: Machine = machine) -> dict[str, float]:
            machine.model.eval()
            return {f"delay {delay}": machine.accuracy(delay, WATCHED) for delay in (task.delays[0], 4, 8, 16, task.longest)}

        if run.train(check, minutes=options.minutes):
            export(kind, task, run, options.out / f"{task.name}-{kind}")


if __name__ == "__main__":
    main()
