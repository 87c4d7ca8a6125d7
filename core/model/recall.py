"""Three machines and a memory test: a GRU, a GRU with additive attention, a transformer: `python -m core.model.recall`.

Some pairs of a key and a value, a delay, then keys: which value belonged to each? (Graves et al. 2014, §4.3, ask much the
same.) What fills the delay are further pairs. Any of them might be asked, so a machine must keep them all: a delay that may
be ignored teaches nothing, for a GRU learns to shut its gates (it was tried: no loss over 40 symbols of noise). A machine
reads all pairs as its source; its target is keys, each with an arrow after it, where it says the value.

All three see the same batches in the same order, for the same number of steps, by the same optimizer, at like size.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.errors import InputError
from core.model import weights
from core.model.attention import AttentionCall, MultiHeadAttention
from core.model.recurrent import EncoderDecoder, Recurrence, RecurrentConfig, parameters
from core.model.transformer import Config, Layer, Output, Transformer

RUNS = weights.ROOT / "runs"
KEYS, VALUES = "abcdefghijklmnop", "0123456789"
ASK, FILLER = "→", "·"
SYMBOLS = (ASK, FILLER, *KEYS, *VALUES)  # their ids are their places
PLACE = {symbol: place for place, symbol in enumerate(SYMBOLS)}
KEY, VALUE = PLACE[KEYS[0]], PLACE[VALUES[0]]
IGNORED = -100  # nothing is asked here
HELD_OUT = 8  # one content in so many

Batch = tuple[Tensor, Tensor, Tensor]  # source, given and wanted, each [row, position]


# --- the task -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """`pairs` to recall, after a delay of 0 to `longest` symbols, which are further pairs."""

    pairs: int = 2
    longest: int = 28

    @property
    def width(self) -> int:
        """Symbols before the delay."""
        return 2 * self.pairs

    @property
    def most(self) -> int:
        """Pairs in all, after the longest delay."""
        return self.pairs + self.longest // 2


TASK = Task()
MEASURED = (0, 2, 4, 8, 12, 16, 20, 24, 28)  # delays at which accuracy is measured


def held_out(content: np.ndarray) -> np.ndarray:
    """Which rows [row, symbol] belong to the held-out part: by a hash of their symbols (FNV-1a)."""
    key = np.full(len(content), 2166136261, np.uint64)
    for column in content.T:
        key = ((key ^ column.astype(np.uint64)) * np.uint64(16777619)) & np.uint64(0xFFFFFFFF)
    return (key >> np.uint64(7)) % np.uint64(HELD_OUT) == 0


def contents(
    pairs: int, rows: int, rng: np.random.Generator, unseen: bool, letters: int = len(KEYS)
) -> np.ndarray:
    """Pairs [row, symbol], no key twice in a row; all rows of the one part or all of the other."""
    found: list[np.ndarray] = []
    while sum(map(len, found)) < rows:
        many = rows * (2 * HELD_OUT if unseen else 2)
        content = np.empty((many, 2 * pairs), np.int64)
        content[:, 0::2] = KEY + rng.random((many, letters)).argsort(1)[:, :pairs]
        content[:, 1::2] = VALUE + rng.integers(len(VALUES), size=(many, pairs))
        found.append(content[held_out(content) == unseen])
    return np.concatenate(found)[:rows]


def make(
    task: Task, rows: int, delay: int, rng: np.random.Generator, unseen: bool = False, times: int = 1,
    asked: int | None = None, letters: int = len(KEYS),
) -> Batch:  # fmt: skip
    """Exercises: source (pairs, then the delay), given, and wanted, IGNORED where nothing is asked.

    The first `asked` pairs (None: those before the delay) are asked so many `times`, in any order: given “c → a →”, wanted
    “_ 7 _ 1”. letters: from how many of KEYS the keys are drawn. An odd delay ends with one FILLER.
    """
    content = contents(task.pairs + delay // 2, rows, rng, unseen, letters)
    source = np.concatenate([content, np.full((rows, delay % 2), PLACE[FILLER])], axis=1)
    asked = asked or task.pairs
    order = rng.random((rows, times * asked)).argsort(1) % asked
    given = np.full((rows, 2 * times * asked), PLACE[ASK])
    given[:, 0::2] = np.take_along_axis(content[:, 0::2], order, 1)
    wanted = np.full(given.shape, IGNORED)
    wanted[:, 1::2] = np.take_along_axis(content[:, 1::2], order, 1)
    return torch.from_numpy(source), torch.from_numpy(given), torch.from_numpy(wanted)


# --- the machines ---------------------------------------------------------------------------------------------------

SHAPES: dict[str, dict[str, Any]] = {  # sizes such that no machine has 10 % more parameters than another
    "gru": {"d_embedding": 48, "d_state": 88},
    "attention": {"d_embedding": 48, "d_state": 72, "attends": True, "d_energy": 48},
    "transformer": {
        "kind": "encoder-decoder", "d_model": 64, "heads": 4, "encoder_layers": 1, "decoder_layers": 1, "d_ff": 128,
        "max_tokens": 96, "positions": "rotary", "dropout": 0.0,
    },
}  # fmt: skip
TITLES = {"gru": "GRU", "attention": "GRU with attention", "transformer": "Transformer"}


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
        x = vectors * model.config.d_model**0.5  # positions are rotary: they enter in the layers
        for layer in model.encoder:
            x, _ = layer(x, None, None)
        return model(None, target, memory=model.encoder_norm(x)).logits

    @torch.inference_mode()
    def accuracy(self, delay: int, rows: int = 512, seed: int = 1) -> float:
        """Share of right answers on held-out exercises."""
        source, given, wanted = make(self.task, rows, delay, np.random.default_rng([seed, delay]), unseen=True)
        said = self.run(source, given).logits.argmax(-1)
        return float((said == wanted)[wanted != IGNORED].double().mean())


def frozen(tensor: Tensor) -> np.ndarray:
    array = tensor.detach().float().numpy().copy()
    array.setflags(write=False)
    return array


def load_machine(kind: str, folder: Path | None = None) -> Machine:
    """A shipped machine: "gru", "attention" or "transformer"."""
    folder = folder or weights.SHIPPED / f"recall-{kind}"
    about = json.loads((folder / "machine.json").read_text("utf-8"))
    model = build(kind, about["shape"])
    model.load_state_dict({name: t.float() for name, t in load_file(folder / "model.safetensors").items()})
    return Machine(kind, Task(**about["task"]), model)


def results(folder: Path | None = None) -> list[dict[str, Any]]:
    """Accuracy over delay as it was measured, for every shipped machine: machine, delay, accuracy."""
    found = []
    for kind in SHAPES:
        for row in read_rows((folder or weights.SHIPPED) / f"recall-{kind}" / "results.csv"):
            found.append({"machine": kind, "delay": int(row["delay"]), "accuracy": float(row["accuracy"])})
    return found


# --- training -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """All that decides a run but its model and its batches. The rate rises, stays, and falls over the last `decay`."""

    steps: int
    rate: float = 3e-3
    warm_up: int = 200
    decay: float = 0.3
    clip: float = 1.0
    weight_decay: float = 0.01
    rows: int = 64
    seed: int = 0


class Course:
    """A model in training. loss(model, step) makes the batch of a step from seed and step alone, so that a run that was
    stopped goes on where it was, and every machine sees the same."""

    model: Any  # an nn.Module

    def __init__(self, model: nn.Module, loss: Callable[[Any, int], Tensor], plan: Plan, folder: Path) -> None:
        self.model, self.loss, self.plan, self.folder = model, loss, plan, folder
        self.optimizer = torch.optim.AdamW(
            model.parameters(), plan.rate, (0.9, 0.98), weight_decay=plan.weight_decay, foreach=True
        )
        self.step, self.seconds = 0, 0.0
        self.rows: list[dict[str, Any]] = []

    def train_step(self) -> float:
        plan, step = self.plan, self.step + 1
        left = (plan.steps - step + 1) / max(1.0, plan.decay * plan.steps) if plan.decay else 1.0
        for group in self.optimizer.param_groups:
            group["lr"] = plan.rate * max(0.0, min(1.0, step / plan.warm_up, left))
        self.model.train()
        loss = self.loss(self.model, self.step)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), plan.clip)
        self.optimizer.step()
        self.step = step
        return loss.item()

    def train(
        self, measure: Callable[[], dict[str, float]], every: int = 125, save_every: float = 60.0,
        minutes: float | None = None,
    ) -> bool:  # fmt: skip
        """Train to the last step, or for `minutes`; log, save now and then and at the end. Gives whether it is done."""
        began = saved = time.monotonic()
        before, losses = self.seconds, list[float]()
        while self.step < self.plan.steps and (minutes is None or time.monotonic() - began < 60 * minutes):
            losses.append(self.train_step())
            now = time.monotonic()
            self.seconds = before + now - began
            if self.step % every == 0 or self.step == self.plan.steps:
                row = {"step": self.step, "seconds": round(self.seconds), "loss": round(float(np.mean(losses)), 4)}
                self.rows.append({**row, **{name: round(value, 4) for name, value in measure().items()}})
                print(*(f"{name} {value}" for name, value in self.rows[-1].items()), flush=True)
                losses = []
            if now - saved > save_every:
                self.save()
                saved = now
        self.save()
        return self.step >= self.plan.steps

    def save(self) -> None:
        """One file, whole or not there: tensors, and the small things as JSON in its header."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {}
        for name, now in self.model.named_parameters():
            tensors[f"model.{name}"] = now.data
            tensors |= {f"{key}.{name}": value for key, value in self.optimizer.state.get(now, {}).items()}
        header = {"step": self.step, "seconds": self.seconds, "rows": self.rows, "plan": asdict(self.plan)}
        fresh = self.folder / "checkpoint.new"
        save_file({name: t.contiguous() for name, t in tensors.items()}, fresh, {"run": json.dumps(header)})
        os.replace(fresh, self.folder / "checkpoint.safetensors")

    def resume(self) -> None:
        """Go on from the last checkpoint. Raises FileNotFoundError, or ValueError where the plan was another."""
        path = self.folder / "checkpoint.safetensors"
        if not path.is_file():
            raise FileNotFoundError(f"no checkpoint in {self.folder}: start without --resume")
        with safe_open(path, "pt") as file:
            run = json.loads(file.metadata()["run"])
            if run["plan"] != asdict(self.plan):
                raise ValueError(f"the checkpoint was made by another plan: {run['plan']}")
            for name, now in self.model.named_parameters():
                now.data.copy_(file.get_tensor(f"model.{name}"))
                if run["step"]:
                    state = {key: file.get_tensor(f"{key}.{name}") for key in ("step", "exp_avg", "exp_avg_sq")}
                    self.optimizer.state[now] = state
        self.step, self.seconds, self.rows = run["step"], run["seconds"], run["rows"]


def read_rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    weights.write(path, text.getvalue())


PLAN = Plan(steps=8000, rate=3e-3, warm_up=50, rows=64)
EASY, GROWTH = 0.4, 0.3  # shares of the steps: few letters and few pairs first, then more and more of both
FIRST = (4, 3)  # letters and pairs to begin with


def course(kind: str, task: Task, plan: Plan, folder: Path) -> Course:
    """A machine at its first step. To every machine alike come few letters and pairs first (FIRST), then more and more of
    both, few pairs always more often than many; every pair is asked, twice where there are few."""
    torch.manual_seed(plan.seed)
    model = build(kind, SHAPES[kind])
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


# --- what ships -----------------------------------------------------------------------------------------------------


def export(kind: str, run: Course, folder: Path) -> None:
    """Weights in half precision, the curve as measured with those very weights, the training log."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "name": TITLES[kind], "kind": kind, "licence": "MIT", "symbols": "".join(SYMBOLS), "shape": SHAPES[kind],
        "parameters": parameters(run.model), "task": asdict(TASK), "plan": asdict(run.plan),
        "minutes": round(run.seconds / 60, 1),
    }  # fmt: skip
    tensors = {key: value.to(torch.float16) for key, value in run.model.state_dict().items()}
    weights.write_tensors(folder / "model.safetensors", tensors)
    write_rows(folder / "training.csv", run.rows)
    weights.write(folder / "machine.json", json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    rows = [{"delay": delay, "accuracy": f"{value:.4f}"} for delay, value in measure(folder).items()]
    write_rows(folder / "results.csv", rows)


def measure(folder: Path, delays: Sequence[int] = MEASURED) -> dict[int, float]:
    """Accuracy of the machine in `folder`: delay → share of right answers on 512 held-out exercises."""
    kind = json.loads((folder / "machine.json").read_text("utf-8"))["kind"]
    machine = load_machine(kind, folder)
    return {delay: machine.accuracy(delay) for delay in delays}


def numbers(folder: Path) -> dict[str, float]:
    """The rows of a card."""
    return {f"accuracy after a delay of {delay}": value for delay, value in measure(folder).items()}


def card(folder: Path, table: str) -> str:
    """CARD.md; `table`: its measured numbers in Markdown."""
    about = json.loads((folder / "machine.json").read_text("utf-8"))
    kind, task, plan = about["kind"], about["task"], about["plan"]
    says = {
        "gru": "Reads token by token into one state; answers from that state alone (Sutskever et al. 2014, Cho et al. 2014)",
        "attention": "The same, but looks back at all states of the reader (Bahdanau et al. 2015, eq. 5–6)",
        "transformer": "Reads all tokens at once and looks back by attention alone (Vaswani et al. 2017)",
    }[kind]
    asked = (
        f"{task['pairs']} pairs of one of {len(KEYS)} letters and one of {len(VALUES)} digits, then a delay, then their "
        f"letters: which digit belonged to each? The delay is 0 to {task['longest']} symbols of further such pairs, any of "
        "which might have been asked"
    )
    shape = ", ".join(f"{name} {value}" for name, value in about["shape"].items() if name != "kind")
    training = (
        f"{plan['steps']:,} steps of {plan['rows']} exercises, AdamW at {plan['rate']}, seed {plan['seed']}: "
        f"`python -m core.model.recall {kind}`; curve in training.csv. The three machines were given the same exercises in "
        f"the same order: from {FIRST[1]} pairs of {FIRST[0]} letters up to {task['pairs'] + task['longest'] // 2} pairs of "
        f"{len(KEYS)}, few pairs more often than many, every pair asked"
    )
    if kind == "transformer":
        training += ". Its first layers began with a liking for what is near, its embeddings small (`course`)"
    elif kind == "attention":
        training += ". Its attention began with larger weights than usual (`course`)"
    return f"""# {about["name"]}, recall machine

{says}.

- Task: {asked}.
- Shape: {shape}; {about["parameters"]:,} parameters in half precision.
- Training: {training}.
- Data: made by `core.model.recall.make`; nothing from outside. Held out: one content in {HELD_OUT}, by a hash of its symbols,
  those of the delay included.
- Licence: MIT.
- Limits: it knows these symbols and this task, up to these lengths, and nothing else.

## Measured

By `python -m core.model.evaluate recall-{kind}`: the share of right answers on 512 held-out exercises at each delay; the
{task["pairs"]} letters before the delay are asked.

{table}"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train the recall machines and ship them.")
    parser.add_argument("kinds", nargs="*", choices=[*SHAPES, []], help="default: all three, one after another")
    parser.add_argument("--steps", type=int, help="instead of the plan's")
    parser.add_argument("--seed", type=int, help="instead of the plan's")
    parser.add_argument("--minutes", type=float, help="stop each run after so long; --resume goes on")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoints, where there are some")
    parser.add_argument("--out", type=Path, default=weights.SHIPPED, help="where recall-* go")
    options = parser.parse_args(arguments)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    for kind in options.kinds or SHAPES:
        plan = replace(PLAN, **{key: v for key in ("steps", "seed") if (v := getattr(options, key)) is not None})
        folder = RUNS / f"recall-{kind}"
        if not options.resume:
            shutil.rmtree(folder, ignore_errors=True)  # a new run; the old one is not mixed with it
        run = course(kind, TASK, plan, folder)
        if options.resume and (folder / "checkpoint.safetensors").is_file():
            run.resume()
        print(f"{kind}: {parameters(run.model):,} parameters, from step {run.step}", flush=True)
        machine = Machine(kind, TASK, run.model)
        run.model.requires_grad_(True)

        def check(machine: Machine = machine) -> dict[str, float]:
            machine.model.eval()
            return {f"delay {delay}": machine.accuracy(delay, 128) for delay in (0, 4, 8, 16, TASK.longest)}

        if run.train(check, minutes=options.minutes):
            export(kind, run, options.out / f"recall-{kind}")


if __name__ == "__main__":
    main()
