"""How an induction head forms: two attention layers learn to repeat what they saw. `python -m core.training.induction`

Olsson et al. 2022, “In-context Learning and Induction Heads”. The model reads random tokens and then the same tokens again. A
head of the first layer learns to look at the previous token. A head of the second layer learns to find the earlier place of the
present token, and to look at the token that followed it there. There is nothing else to learn, so the loss falls quickly when
that head forms. The weights of many steps are kept. A twin without the causal mask sees the future: it learns to copy the answer
that it is shown, and cannot write without it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import string
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from core import paths
from core.model import weights
from core.model.memory import SMALL, Watch, frozen, prefer_near
from core.model.recurrent import parameters
from core.model.transformer import Config, Layer, Transformer
from core.model.vocabulary import SPECIALS, START, Vocabulary
from core.model.weights import read_rows, write_rows
from core.training.course import RUNS, Course, Plan

FIRST = len(SPECIALS)  # the first id that is a byte
BYTES = 256
ALPHABET = string.ascii_letters + string.digits + " ."  # what the random tokens are: 64 characters
LENGTHS = (4, 20)  # random tokens before they come again
SHAPE: dict[str, Any] = {
    "kind": "decoder", "vocab": FIRST + BYTES, "d_model": 64, "heads": 4, "encoder_layers": 0, "decoder_layers": 2,
    "d_ff": 0, "max_tokens": 256, "positions": "rotary", "dropout": 0.0,
}  # fmt: skip
TWINS = {"induction": True, "induction-peek": False}  # name → whether the mask is on
PLAN = Plan(steps=1000, rate=2e-3, warm_up=30, decay=0.0, rows=48)
KEPT = {True: 48, False: 38}  # mask on or off → snapshots, at most
MEASURED_LENGTH, MEASURED_ROWS, PROMPT = 20, 32, 4


@cache
def vocabulary() -> Vocabulary:
    """A vocabulary without merges: each token is a byte."""
    return Vocabulary.train([], FIRST + BYTES)


@cache
def symbols() -> np.ndarray:
    """The ids of `ALPHABET`."""
    found = np.array(vocabulary().encode(ALPHABET)[1:])  # without the space that opens every text
    found.setflags(write=False)
    return found


def sequences(rows: int, length: int, rng: np.random.Generator) -> Tensor:
    """Rows of the start token, `length` different random characters, and the same characters again: [row, 1 + 2 · length]."""
    found = symbols()[rng.random((rows, len(ALPHABET))).argsort(1)[:, :length]]
    return torch.from_numpy(np.concatenate([np.full((rows, 1), START), found, found], axis=1))


def unseen(length: int = MEASURED_LENGTH, rows: int = MEASURED_ROWS) -> Tensor:
    """Sequences for measuring. No training run uses their seed, and with 64!/44! possible ones none will come up in both."""
    return sequences(rows, length, np.random.default_rng([2022, length]))


def losses(model: Transformer, ids: Tensor) -> Tensor:
    """The loss of each next token in nats: [row, position − 1]. The last position has no next token."""
    logits = model(None, ids).logits[:, :-1]
    return F.cross_entropy(logits.mT, ids[:, 1:], reduction="none")


# --- measuring ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scores:
    """What was measured. All means are over the repeated half, and losses are in nats.

    induction [layer, head]: the mean attention weight from a token to the one that followed its earlier occurrence. previous
    [layer, head]: the mean attention weight from a token to the one before it. loss: from the second token of the repeated half
    on. first_loss: that of the first half, where nothing can be known.
    """

    loss: float
    first_loss: float
    induction: np.ndarray
    previous: np.ndarray


@torch.inference_mode()
def scores(model: Transformer, ids: Tensor | None = None) -> Scores:
    """Measure a model on sequences [row, 1 + 2 · length]; None takes `unseen()`."""
    ids = unseen() if ids is None else ids
    length, watch = (ids.shape[1] - 1) // 2, Watch()
    nats = losses(model, ids)
    model(None, ids, probe=watch)
    query = torch.arange(length + 1, 2 * length + 1)
    maps = torch.stack(watch.weights)  # [layer, row, head, query, key]
    return Scores(
        float(nats[:, length + 1 :].mean()),
        float(nats[:, :length].mean()),
        frozen(maps[..., query, query - length + 1].mean((1, 3))),
        frozen(maps[..., query, query - 1].mean((1, 3))),
    )


@torch.inference_mode()
def generation_accuracy(model: Transformer, ids: Tensor | None = None, prompt: int = PROMPT) -> float:
    """The share of tokens that are right when the model writes the second half greedily, after `prompt` tokens of it."""
    ids = unseen() if ids is None else ids
    given = ids[:, : (ids.shape[1] - 1) // 2 + 1 + prompt]
    written = given
    while written.shape[1] < ids.shape[1]:
        written = torch.cat([written, model(None, written).logits[:, -1:].argmax(-1)], dim=1)
    return float((written == ids)[:, given.shape[1] :].double().mean())


@torch.inference_mode()
def forced_accuracy(model: Transformer, ids: Tensor | None = None, prompt: int = PROMPT) -> float:
    """The share of tokens that are right at the same places when the model is given the whole sequence (teacher forcing)."""
    ids = unseen() if ids is None else ids
    begin = (ids.shape[1] - 1) // 2 + prompt
    said = model(None, ids).logits[:, begin:-1].argmax(-1)
    return float((said == ids[:, begin + 1 :]).double().mean())


def row_of(step: int, model: Transformer) -> dict[str, Any]:
    """One line of scores.csv."""
    found = scores(model)
    row: dict[str, Any] = {"step": step, "loss": f"{found.loss:.4f}", "first_loss": f"{found.first_loss:.4f}"}
    for name, table in (("induction", found.induction), ("previous", found.previous)):
        for (layer, head), value in np.ndenumerate(table):
            row[f"{name} {layer}.{head}"] = f"{value:.4f}"
    row["generation"] = f"{generation_accuracy(model):.4f}"
    return row


# --- what pages read ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Snapshots:
    """The weights of one twin at several steps of its training, and for each of `steps` one row of what was `measured`."""

    folder: Path
    steps: tuple[int, ...]
    measured: tuple[dict[str, float], ...]

    def model(self, step: int) -> Transformer:
        """The model as it was after `step` steps, in float32. Raises KeyError for a step that was not kept."""
        if step not in self.steps:
            raise KeyError(step)
        model = Transformer(Config.from_file(self.folder / "config.json"))
        with safe_open(self.folder / "snapshots.safetensors", "pt") as file:
            state = {name: file.get_tensor(f"{step}.{name}").float() for name in model.state_dict()}
        model.load_state_dict(state)
        return model.eval().requires_grad_(False)

    def best(self) -> tuple[int, int]:
        """(layer, head) of the induction head: the highest score at the last step."""
        row = self.measured[-1]
        name = max((name for name in row if name.startswith("induction ")), key=lambda name: row[name])
        layer, head = name.removeprefix("induction ").split(".")
        return int(layer), int(head)


def snapshots(name: str = "induction", folder: Path | None = None) -> Snapshots:
    """The shipped snapshots of "induction" or "induction-peek"."""
    folder = folder or paths.WEIGHTS / name
    rows = [{key: float(value) for key, value in row.items()} for row in read_rows(folder / "scores.csv")]
    return Snapshots(folder, tuple(int(row["step"]) for row in rows), tuple(rows))


# --- training -------------------------------------------------------------------------------------------------------


def moments(steps: int, many: int) -> tuple[int, ...]:
    """The steps whose weights are kept: step 0, then steps of which each is further on by the same factor."""
    return (0, *sorted({round(step) for step in np.geomspace(1, steps, many - 1).tolist()}))


def beginning(config: Config, seed: int) -> Transformer:
    """Fresh weights, with two changes that shorten training. Neither change makes a previous-token head or an induction head.

    The heads of the first layer start with a preference for near tokens, the token itself first. Embeddings start small, so
    that what attention adds to the residual stream is not too weak beside them.
    """
    torch.manual_seed(seed)
    model = Transformer(config)
    nn.init.normal_(model.embedding.weight, std=SMALL)
    prefer_near(cast("Layer", model.decoder[0]).own)
    return model


class Filming(Course):
    """A course that keeps its weights at `moments`, each in a file of its own, so that they survive a crash."""

    model: Transformer

    def __init__(self, plan: Plan, folder: Path, causal: bool, shape: dict[str, Any] | None = None) -> None:
        def loss(model: Transformer, step: int) -> Tensor:
            rng = np.random.default_rng([plan.seed, step])
            return losses(model, sequences(plan.rows, int(rng.integers(LENGTHS[0], LENGTHS[1] + 1)), rng)).mean()

        model = beginning(Config.from_dict({**SHAPE, **(shape or {}), "causal": causal}), plan.seed)
        super().__init__(model, loss, plan, folder)
        self.moments = moments(plan.steps, KEPT[causal])
        self.keep()

    def keep(self) -> None:
        if self.step in self.moments:
            folder = self.folder / "snapshots"
            folder.mkdir(parents=True, exist_ok=True)
            state = {name: value.to(torch.float16) for name, value in self.model.state_dict().items()}
            weights.write_tensors(folder / f"{self.step}.safetensors", state)

    def train_step(self) -> float:
        loss = super().train_step()
        self.keep()
        return loss

    def kept(self) -> Iterator[tuple[int, dict[str, Tensor]]]:
        for step in self.moments:
            with safe_open(self.folder / "snapshots" / f"{step}.safetensors", "pt") as file:
                yield step, {name: file.get_tensor(name) for name in self.model.state_dict()}


def export(name: str, run: Filming, folder: Path) -> None:
    """Ship the last weights as a model, all snapshots in one file, and the numbers measured with exactly these weights."""
    about = {
        "name": "Induction" if TWINS[name] else "Induction, peeking",
        "says": "two attention layers that repeat what they saw: give them random letters twice"
        if TWINS[name]
        else "the same, trained with the mask off: it copies the future it is shown",
        "task": "repeat", "source_end": False, "licence": "MIT", "plan": asdict(run.plan), "steps": run.step,
        "seed": run.plan.seed, "minutes": round(run.seconds / 60, 1), "parameters": parameters(run.model),
    }  # fmt: skip
    config = Config.from_dict({**SHAPE, **run.model.config.to_dict()})
    weights.export(folder, config, run.model.state_dict(), vocabulary(), about)
    tensors: dict[str, Tensor] = {}
    rows: list[dict[str, Any]] = []
    for step, state in run.kept():
        tensors |= {f"{step}.{key}": value for key, value in state.items()}
        model = Transformer(config)
        model.load_state_dict({key: value.float() for key, value in state.items()})
        rows.append(row_of(step, model.eval()))
    weights.write_tensors(folder / "snapshots.safetensors", tensors)
    write_rows(folder / "scores.csv", rows)
    write_rows(folder / "training.csv", run.rows)


def numbers(folder: Path) -> dict[str, float]:
    """The rows of a card, from the weights in `folder`."""
    model, _, _ = weights.load(folder)
    found, ids = scores(model), unseen()
    rises = [max(v for k, v in row.items() if k.startswith("induction ")) for row in snapshots("", folder).measured]
    return {
        "loss of the repeated half": found.loss,
        "loss of the first half": found.first_loss,
        "induction score, best head": float(found.induction.max()),
        "previous-token score, best head of layer 1": float(found.previous[0].max()),
        "steepest rise of the induction score between two snapshots": float(np.diff(rises).max()),
        "right when all is given at once": forced_accuracy(model, ids),
        "right when it writes freely": generation_accuracy(model, ids),
    }


def card(folder: Path, table: str) -> str:
    """CARD.md; `table`: its measured numbers in Markdown."""
    about = json.loads((folder / "config.json").read_text("utf-8"))
    plan, kept = about["plan"], len(snapshots("", folder).steps)
    twin = "no looking ahead" if about["causal"] else "with the mask off: each place sees the token it is to predict"
    shape = (
        f"decoder, {about['decoder_layers']} layers of attention alone, {about['heads']} heads, width {about['d_model']}, "
        f"{about['vocab']} tokens (the bytes), {about['positions']} positions, {about['parameters']:,} parameters in half "
        f"precision; {twin}"
    )
    training = (
        f"{about['steps']:,} steps of {plan['rows']} sequences, AdamW at {plan['rate']}, seed {about['seed']}: "
        f"`python -m core.training.induction {folder.name}`; curve in training.csv. {kept} snapshots on the way, ever wider "
        "apart, in snapshots.safetensors; their scores in scores.csv. The first layer's heads began with a liking for what is "
        "near, and the embeddings small (`beginning`): trials with neither had formed no such head after 250 to 800 steps"
    )
    data = (
        f"{LENGTHS[0]} to {LENGTHS[1]} different random characters of {len(ALPHABET)} (letters, digits, space and dot), then "
        "the same again, made by `core.training.induction.sequences`; nothing from outside"
    )
    method = (
        f"on {MEASURED_ROWS} held-out sequences. Loss in nats a token; the repeated half counts from its second token on. "
        "Induction score: mean attention, in the repeated half, from a token to the one after its previous occurrence. Free "
        f"writing: the first half and {PROMPT} more tokens are given, the rest is written greedily, and all of it compared"
    )
    return f"""# {about["name"]}

{about["says"][:1].upper()}{about["says"][1:]}. The experiment of Olsson et al. 2022, “In-context Learning and Induction Heads”.

- Shape: {shape}.
- Training: {training}.
- Data: {data}. Held out: sequences of another seed, {MEASURED_LENGTH} characters long; none of them was trained on.
- Licence: MIT.
- Limits: it knows no language. It repeats; where a character stood more than once before, it may follow either.

## Measured

By `python -m core.evaluation {folder.name}`, {method}.

{table}"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train the induction twins and ship them with their snapshots.")
    parser.add_argument("names", nargs="*", choices=[*TWINS, []], help="default: both, one after the other")
    parser.add_argument("--steps", type=int, help="instead of the plan's")
    parser.add_argument("--seed", type=int, help="instead of the plan's")
    parser.add_argument("--minutes", type=float, help="stop each run after so long; --resume goes on")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoints, where there are some")
    parser.add_argument("--out", type=Path, default=paths.WEIGHTS, help="where the folders go")
    options = parser.parse_args(arguments)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    for name in options.names or TWINS:
        plan = replace(PLAN, **{key: v for key in ("steps", "seed") if (v := getattr(options, key)) is not None})
        if not options.resume:
            shutil.rmtree(RUNS / name, ignore_errors=True)  # a new run; the old one is not mixed with it
        run = Filming(plan, RUNS / name, TWINS[name])
        if options.resume and (run.folder / weights.CHECKPOINT).is_file():
            run.resume()
        print(f"{name}: {parameters(run.model):,} parameters, from step {run.step}", flush=True)

        def check(run: Filming = run) -> dict[str, float]:
            found = scores(run.model)
            return {"repeated": found.loss, "induction": float(found.induction.max())}

        if run.train(check, every=50, save_every=20.0, minutes=options.minutes):
            export(name, run, options.out / name)


if __name__ == "__main__":
    main()
