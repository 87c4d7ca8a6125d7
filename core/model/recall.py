"""Three machines and a memory test: a GRU, a GRU with additive attention, a transformer: `python -m core.model.recall`.

They learn to recall what belonged to a key, or, with `--task copy`, to copy what they read (core/model/exercises.py). All
three see the same batches in the same order, for the same number of steps, by the same optimizer, at like size.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from core.errors import InputError
from core.model import weights
from core.model.attention import AttentionCall, MultiHeadAttention
from core.model.course import RUNS, Course, Plan, read_rows, write_rows
from core.model.exercises import (
    ASK,
    FILLER,
    HELD_OUT,
    IGNORED,
    KEYS,
    PLACE,
    SYMBOLS,
    TASK,
    TASKS,
    VALUES,
    Task,
    copying,
    exercises,
    make,
)  # fmt: skip
from core.model.recurrent import EncoderDecoder, Recurrence, RecurrentConfig, parameters
from core.model.transformer import Config, Layer, Output, Transformer

# --- the machines ---------------------------------------------------------------------------------------------------

SHAPES: dict[str, dict[str, Any]] = {  # sizes such that no machine has 10 % more parameters than another
    "gru": {"d_embedding": 48, "d_state": 88},
    "attention": {"d_embedding": 48, "d_state": 72, "attends": True, "d_energy": 48},
    "transformer": {
        "kind": "encoder-decoder", "d_model": 64, "heads": 4, "encoder_layers": 1, "decoder_layers": 1, "d_ff": 128,
        "max_tokens": 96, "positions": "rotary", "dropout": 0.0,
    },
}  # fmt: skip
COPIES = {"transformer": {"positions": "sinusoidal"}}  # what differs for copying, where all hangs on places, not on contents
TITLES = {"gru": "GRU", "attention": "GRU with attention", "transformer": "Transformer"}


def shape_of(kind: str, task: Task) -> dict[str, Any]:
    """The shape of a machine for a task."""
    return {**SHAPES[kind], **(COPIES.get(kind, {}) if task.name == "copy" else {})}


def build(kind: str, shape: dict[str, Any]) -> EncoderDecoder | Transformer:
    """A machine with fresh weights."""
    if kind == "transformer":
        return Transformer(Config.from_dict({"vocab": len(SYMBOLS), **shape}))
    return EncoderDecoder(RecurrentConfig.from_dict({"vocab": len(SYMBOLS), **shape}))


NEAR = (4.0, 8.0, 16.0, 24.0)
SMALL = 0.03  # deviation of a small embedding


@torch.no_grad()
def lean(attention: MultiHeadAttention) -> None:
    """Give the heads a liking for what is near, to begin with: it shortens the wait until heads find each other.

    Query and key get the same bias, so that a rotary score is highest for the token itself and falls with distance. `NEAR` is
    its height there, head by head.
    """
    width = attention.query.out_features // attention.heads
    for head in range(attention.heads):
        bias = torch.randn(width)
        bias *= (NEAR[head % len(NEAR)] * width**0.5) ** 0.5 / bias.norm()
        for side in (attention.query, attention.key):
            side.bias[head * width : (head + 1) * width] = bias


class Watch:
    """A probe that keeps the weights of every attention, in order of execution."""

    def __init__(self) -> None:
        self.weights: list[Tensor] = []

    def attend(self, call: AttentionCall) -> tuple[Tensor, Tensor]:
        output, found = call.owner(call.mask)
        self.weights.append(found)
        return output, found


@dataclass(frozen=True)
class Seen:
    """What one pass shows, as arrays that may not be written to; None where the machine has no such thing.

    chances [target, symbol]: probability of each symbol after each of the target's.
    reader [source, d]: the state after each source symbol (the transformer: its vector there after the last layer).
    writer [target, d]: the state after each target symbol (the transformer: likewise).
    alignment [target, source]: where each answer looks back: additive attention, or the mean over heads of the
    transformer's last cross-attention.
    own (encoder layers), decoder, cross: the transformer's maps, one [head, query, key] for each layer.
    """

    chances: np.ndarray
    reader: np.ndarray
    writer: np.ndarray
    alignment: np.ndarray | None = None
    own: tuple[np.ndarray, ...] = ()
    decoder: tuple[np.ndarray, ...] = ()
    cross: tuple[np.ndarray, ...] = ()


class Machine:
    """A trained machine. Ids and texts in, numbers out; safe to share between threads."""

    def __init__(self, kind: str, task: Task, model: EncoderDecoder | Transformer) -> None:
        self.kind, self.task = kind, task
        self.model = model.eval().requires_grad_(False)

    def encode(self, text: str) -> list[int]:
        """“a3 b7 ··” → ids; spaces count for nothing. Raises InputError for a symbol that the machines do not know."""
        symbols = [symbol for symbol in text if not symbol.isspace()]
        for symbol in symbols:
            if symbol not in PLACE:
                raise InputError(
                    f"letters {KEYS[0]}–{KEYS[-1]}, digits, {FILLER} and {ASK}", f"“{symbol}”", "Leave it out"
                )
        return [PLACE[symbol] for symbol in symbols]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(SYMBOLS[i] for i in ids)

    def run(self, source: Tensor | None, target: Tensor, memory: Tensor | None = None) -> Recurrence | Output:
        """One pass over a batch [row, position]; `memory` of an earlier pass stands for the source."""
        return self.model(source, target, memory=memory)

    @torch.inference_mode()
    def look(self, source: Sequence[int], target: Sequence[int]) -> Seen:
        """Read `source`, then `target`, and show everything."""
        given = torch.tensor([list(target)])
        if isinstance(self.model, EncoderDecoder):
            passed = self.model(torch.tensor([list(source)]), given)
            rows = None if passed.alignment is None else frozen(passed.alignment[0])
            chances = passed.logits[0].softmax(-1)
            return Seen(frozen(chances), frozen(passed.memory[0]), frozen(passed.states[0]), rows)
        watch = Watch()
        out = self.model(torch.tensor([list(source)]), given, probe=watch)
        maps = tuple(frozen(found[0]) for found in watch.weights)
        layers = self.model.config.encoder_layers
        own, decoder, cross = maps[:layers], maps[layers::2], maps[layers + 1 :: 2]
        assert out.memory is not None
        writer = self.model.decoder_norm(out.residual["decoder"][-1][0])
        chances, alignment = out.logits[0].softmax(-1), frozen(watch.weights[-1][0].mean(0))
        return Seen(frozen(chances), frozen(out.memory[0]), frozen(writer), alignment, own, decoder, cross)

    def gradient(self, source: Sequence[int], target: Sequence[int], at: int, answer: int) -> np.ndarray:
        """[source]: how strongly log p(answer) after target[at] hangs on each source symbol's vector: the gradient's length."""
        ids = torch.tensor([list(source)])
        with torch.enable_grad():
            vector = self.model.embedding(ids).detach().requires_grad_()
            logits = self.from_vectors(vector, torch.tensor([list(target)]))
            slope = torch.autograd.grad(logits[0, at].log_softmax(-1)[answer], vector)[0]
        return frozen(slope[0].norm(dim=-1))

    def from_vectors(self, vectors: Tensor, target: Tensor) -> Tensor:
        """Logits [row, target, symbol] where the source is given as its embedded vectors [row, source, d]."""
        if isinstance(self.model, EncoderDecoder):
            return self.model(None, target, memory=self.model.reader(vectors)[0]).logits
        model = self.model
        x = vectors * model.config.d_model**0.5
        if model.config.positions == "sinusoidal":  # rotary ones enter in the layers
            x = x + model.position[: x.shape[1]]
        for layer in model.encoder:
            x, _ = layer(x, None, None)
        return model(None, target, memory=model.encoder_norm(x)).logits

    @torch.inference_mode()
    def accuracy(self, delay: int, rows: int = 512, seed: int = 1) -> float:
        """Share of right answers on held-out exercises."""
        source, given, wanted = exercises(self.task, rows, delay, np.random.default_rng([seed, delay]), unseen=True)
        said = self.run(source, given).logits.argmax(-1)
        return float((said == wanted)[wanted != IGNORED].double().mean())


def frozen(tensor: Tensor) -> np.ndarray:
    array = tensor.detach().float().numpy().copy()
    array.setflags(write=False)
    return array


def load_machine(kind: str, folder: Path | None = None, task: str = "recall") -> Machine:
    """A shipped machine: "gru", "attention" or "transformer", for "recall" or "copy"."""
    folder = folder or weights.SHIPPED / f"{task}-{kind}"
    about = json.loads((folder / "machine.json").read_text("utf-8"))
    model = build(kind, about["shape"])
    model.load_state_dict({name: t.float() for name, t in load_file(folder / "model.safetensors").items()})
    return Machine(kind, Task(**about["task"]), model)


def results(folder: Path | None = None, task: str = "recall") -> list[dict[str, Any]]:
    """Accuracy over delay as it was measured, for every shipped machine of a task: machine, delay, accuracy."""
    found = []
    for kind in SHAPES:
        for row in read_rows((folder or weights.SHIPPED) / f"{task}-{kind}" / "results.csv"):
            found.append({"machine": kind, "delay": int(row["delay"]), "accuracy": float(row["accuracy"])})
    return found


# --- training -------------------------------------------------------------------------------------------------------


PLANS = {"recall": Plan(steps=8000, warm_up=50), "copy": Plan(steps=4000, warm_up=50)}
EASY, GROWTH = 0.4, 0.3  # shares of the steps: few letters and few pairs first, then more and more of both
FIRST = (4, 3)  # letters and pairs to begin with


def course(kind: str, task: Task, plan: Plan, folder: Path) -> Course:
    """A machine at its first step. To every machine alike come few letters and pairs first (FIRST), then more and more of
    both, few pairs always more often than many; every pair is asked, twice where there are few."""
    torch.manual_seed(plan.seed)
    model = build(kind, shape_of(kind, task))
    if task.name == "copy":
        return Course(model, lambda model, step: _copying_loss(model, step, task, plan), plan, folder)
    if isinstance(model, Transformer):
        nn.init.normal_(model.embedding.weight, std=SMALL)
        for stack in (model.encoder, model.decoder):
            lean(cast("Layer", stack[0]).own)
    elif model.attention is not None:
        for weight in model.attention.parameters():  # large: where tanh is nearly straight, two states add up and never meet
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
    """Short ones first: the longest length grows as letters and pairs do for recall."""
    rng = np.random.default_rng([plan.seed, step])
    grown = min(1.0, step / plan.steps / (EASY + GROWTH))
    most = round(4 + (task.longest - 4) * grown)
    source, given, wanted = copying(plan.rows, int(rng.integers(1, most + 1)), rng)
    return F.cross_entropy(model(source, given).logits.flatten(0, 1), wanted.flatten())


# --- what ships -----------------------------------------------------------------------------------------------------


def export(kind: str, task: Task, run: Course, folder: Path) -> None:
    """Weights in half precision, the curve as measured with those very weights, the training log."""
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
        f"`python -m core.model.recall {kind}{' --task copy' * copies}`; curve in training.csv. The three machines were given "
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

By `python -m core.model.evaluate {task.name}-{kind}`: the share of right answers on 512 held-out exercises at each delay;
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
    parser.add_argument("--out", type=Path, default=weights.SHIPPED, help="where their folders go")
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
            return {f"delay {delay}": machine.accuracy(delay, 128) for delay in (task.delays[0], 4, 8, 16, task.longest)}

        if run.train(check, minutes=options.minutes):
            export(kind, task, run, options.out / f"{task.name}-{kind}")


if __name__ == "__main__":
    main()
