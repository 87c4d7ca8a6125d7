"""A training run: its steps, its checkpoints, its log, and what it ships.

A run depends on its recipe and seed alone: if it is stopped and resumed, it gives the same bits as a run without a stop.
Checkpoints are safetensors in the run's folder. At the end the averaged weights are shipped.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from core import paths
from core.data import corpus
from core.errors import DeviceError
from core.model import weights
from core.model.multihead import AttentionCall
from core.model.transformer import Config, Transformer
from core.model.vocabulary import END, PAD, Vocabulary
from core.model.weights import read_rows, write_rows
from core.training.examples import (
    Epoch,
    Example,
    Feed,
    Feeding,
    batches,
    collate,
    continuations,
    fillings,
    translations,
    writings,
)
from core.training.recipes import TrainingRecipe

CPU = torch.device("cpu")
COUNTED = ("step", "tokens", "seconds", "legs")  # what a checkpoint keeps besides tensors and the place in the data


class FullPrecision:
    """A probe for training in bfloat16. It computes attention in float32, because a CPU is ten times slower at it in bfloat16."""

    def attend(self, call: AttentionCall) -> tuple[Tensor, None]:
        with torch.autocast(call.query.device.type, enabled=False):
            query, key, value = call.query.float(), call.key.float(), call.value.float()
            return F.scaled_dot_product_attention(query, key, value, call.mask).transpose(1, 2), None


def loss_of(
    model: Transformer, batch: tuple[Tensor, Tensor, Tensor], smoothing: float = 0.0, bfloat16: bool = False
) -> tuple[Tensor, int]:
    """The cross-entropy in nats per target token, and the number of these tokens."""
    source, given, wanted = batch
    allowed = source != PAD
    if not model.config.writes:
        wanted = wanted.masked_fill(wanted == END, PAD)  # an encoder predicts masked tokens only, never the end
    with torch.autocast(source.device.type, torch.bfloat16, enabled=bfloat16):
        probe = FullPrecision() if bfloat16 and source.device.type == "cpu" else None
        if model.config.reads:
            logits = model(source, given, None if allowed.all() else allowed, probe=probe).logits
        else:
            logits = model(None, given, probe=probe).logits
    loss = F.cross_entropy(logits.float().flatten(0, 1), wanted.flatten(), ignore_index=PAD, label_smoothing=smoothing)
    return loss, int((wanted != PAD).sum())


class Run:
    """A model in training: its weights, their running mean, the optimizer, and the place in the data and in the random numbers."""

    def __init__(
        self, recipe: TrainingRecipe, vocabulary: Vocabulary, examples: Epoch, held_out: Sequence[Example], folder: Path,
        bfloat16: bool = False, device: torch.device = CPU,
    ) -> None:  # fmt: skip
        self.recipe, self.vocabulary, self.held_out = recipe, vocabulary, held_out
        self.folder, self.bfloat16, self.device = folder, bfloat16, device
        self.feed: Feeding = Feed(examples, recipe.batch, recipe.seed)
        torch.manual_seed(recipe.seed)
        self.config = Config(vocab=len(vocabulary), **recipe.shape)
        self.model = Transformer(self.config).to(device)  # the weights of a seed are the same on every device
        self.mean = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), recipe.rate, (0.9, 0.98), weight_decay=recipe.weight_decay, foreach=True
        )
        self.data = digest(examples(0))
        self.step = self.tokens = 0
        self.seconds = 0.0
        self.moments = moments(recipe.steps, recipe.snapshots)
        self.legs: list[dict[str, Any]] = []  # the earlier runs that trained these weights

    def go_on(self, folder: Path) -> None:
        """Begin with shipped weights and train them further, with a new optimizer, on the next passes over the data.

        Raises ValueError where the weights in `folder` have another shape or other tokens.
        """
        model, vocabulary, about = weights.load(folder)
        if model.config != self.config or vocabulary.tokenizer.to_str() != self.vocabulary.tokenizer.to_str():
            raise ValueError(f"the weights in {folder} have another shape or other tokens than this recipe")
        for ours in (self.model, self.mean):
            ours.load_state_dict(model.state_dict())
        told = ("steps", "tokens", "minutes", "precision")
        self.legs = about.get("legs") or [{key: about[key] for key in told}]
        rows = read_log(folder / "training.csv")
        self.feed.go_to({"epoch": int(rows[-1]["epoch"]) + 1 if rows else 0, "place": 0})
        self.folder.mkdir(parents=True, exist_ok=True)
        if rows:
            write_rows(self.folder / "training.csv", rows)

    def so_far(self, what: str) -> int:
        """The sum of "steps", "tokens" or "minutes" over the earlier runs of these weights."""
        return sum(leg[what] for leg in self.legs)

    def rate(self) -> float:
        """The learning rate of this step: it rises, stays level, then falls (Zhai et al. 2022; Hu et al. 2024)."""
        recipe, step = self.recipe, self.step + 1
        left = (recipe.steps - step + 1) / max(1.0, recipe.decay * recipe.steps)
        return recipe.rate * max(0.0, min(1.0, step / recipe.warm_up, left))

    def smoothing(self) -> float:
        """The label smoothing of this step."""
        return self.recipe.smoothing

    def train_step(self) -> float:
        """Make one step of AdamW. Gives the loss in nats per token."""
        batch = self._collated(self.feed.next_batch())
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        loss, _ = loss_of(self.model, batch, self.smoothing(), self.bfloat16)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimizer.step()
        self.step += 1
        self.tokens += self.config.reads * batch[0].numel() + self.config.writes * batch[1].numel()
        keep = min(self.recipe.average, self.step / (self.step + 10))  # a mean of few steps must forget its first ones faster
        torch._foreach_lerp_(list(self.mean.parameters()), list(self.model.parameters()), 1 - keep)
        if self.step in self.moments:
            path = self.folder / "snapshots" / f"{self.step}.safetensors"
            path.parent.mkdir(parents=True, exist_ok=True)
            weights.write_tensors(path, {name: t.to(torch.float16) for name, t in self.mean.state_dict().items()})
        return loss.item()

    def _collated(self, examples: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor]:
        """A batch on the run's device."""
        source, given, wanted = collate(examples, self.recipe.source_end)
        return source.to(self.device), given.to(self.device), wanted.to(self.device)

    @torch.inference_mode()
    def held_out_loss(self, examples: Sequence[Example] | None = None) -> float:
        """The loss of the averaged weights on held-out text, in nats per target token, without label smoothing."""
        total = count = 0.0
        examples = self.held_out if examples is None else examples
        for group in batches(examples, 4 * self.recipe.batch, np.random.default_rng(0)):
            batch = self._collated([examples[i] for i in group])
            loss, tokens = loss_of(self.mean, batch, bfloat16=self.bfloat16)
            total, count = total + float(loss) * tokens, count + tokens
        return total / max(count, 1)

    def measured(self) -> dict[str, float]:
        """The numbers of a row of the log that are measured on held-out text."""
        return {"held_out_loss": self.held_out_loss()}

    def save(self) -> None:
        """Save a checkpoint: the tensors, and everything else as JSON in the file's header."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {"random": torch.get_rng_state()}
        if self.device.type == "cuda":
            tensors["random on the device"] = torch.cuda.get_rng_state(self.device)
        for (name, now), mean in zip(self.model.named_parameters(), self.mean.parameters(), strict=True):
            tensors |= {f"model.{name}": now.data, f"mean.{name}": mean.data}
            for key, value in self.optimizer.state.get(now, {}).items():
                tensors[f"{key}.{name}"] = value
        places = {**self.feed.place(), **{key: getattr(self, key) for key in COUNTED}}
        header = {"run": json.dumps({**places, "data": self.data, "recipe": asdict(self.recipe)})}
        weights.write_tensors(self.folder / weights.CHECKPOINT, tensors, header)

    def resume(self) -> None:
        """Continue from the last checkpoint. Raises FileNotFoundError where there is none, ValueError where it has another recipe
        or other data."""
        with safe_open(weights.checkpoint(self.folder), "pt") as file:
            run = json.loads(file.metadata()["run"])
            changed = {key for key, value in asdict(self.recipe).items() if run["recipe"].get(key, value) != value}
            changed -= {"steps"}
            changed |= {"data"} if run["data"] != self.data else set()
            if changed:
                raise ValueError(f"the checkpoint was made otherwise: {', '.join(sorted(changed))} changed since")
            for (name, now), mean in zip(self.model.named_parameters(), self.mean.parameters(), strict=True):
                now.data.copy_(file.get_tensor(f"model.{name}"))
                mean.data.copy_(file.get_tensor(f"mean.{name}"))
                held = {key: file.get_tensor(f"{key}.{name}") for key in ("step", "exp_avg", "exp_avg_sq")}
                # the optimizer counts its steps on the CPU, whatever the device of its means
                self.optimizer.state[now] = {k: t if k == "step" else t.to(self.device) for k, t in held.items()}
            torch.set_rng_state(file.get_tensor("random"))
            names = set(file.keys())
            if self.device.type == "cuda" and "random on the device" in names:
                torch.cuda.set_rng_state(file.get_tensor("random on the device"), self.device)
        for key in COUNTED:
            setattr(self, key, run[key])
        self.feed.go_to(run)

    def train(self, minutes: float | None = None, report: int = 200, save_every: float = 180.0) -> None:
        """Train to the last step, or for `minutes`. It prints and logs every `report` steps, and saves every `save_every` seconds
        and at the end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "training.csv"
        past = self.so_far("steps")
        rows = [row for row in read_log(log) if int(row["step"]) <= past + self.step]  # steps after the last save are done again
        began = saved = time.monotonic()
        before, first, losses = self.seconds, (self.step, self.tokens), list[float]()
        while self.step < self.recipe.steps and (minutes is None or time.monotonic() - began < 60 * minutes):
            losses.append(self.train_step())
            now = time.monotonic()
            self.seconds = before + now - began
            if self.step % report == 0 or self.step == self.recipe.steps:
                row = {
                    "step": past + self.step,
                    "epoch": self.feed.epoch,
                    "tokens": self.so_far("tokens") + self.tokens,
                    "seconds": 60 * self.so_far("minutes") + round(self.seconds),
                    "rate": f"{self.rate():.2e}",
                    "loss": f"{np.mean(losses):.4f}",
                    **{name: f"{loss:.4f}" for name, loss in self.measured().items()},
                }
                rows.append({key: str(value) for key, value in row.items()})
                write_rows(log, rows)
                steps, tokens = (self.step - first[0]) / (now - began), (self.tokens - first[1]) / (now - began)
                pace = f"{tokens:.0f} tokens/s, {(self.recipe.steps - self.step) / steps / 60:.0f} min left"
                print(*(f"{key} {value}" for key, value in row.items()), pace, flush=True)
                losses = []
            if now - saved > save_every:
                self.save()
                saved = now
        self.save()

    def export(self, folder: Path) -> None:
        """Ship the averaged weights, the tokenizer and the log."""
        recipe = self.recipe
        precision = "bfloat16" if self.bfloat16 else "float32"
        leg = {"steps": self.step, "tokens": self.tokens, "minutes": round(self.seconds / 60), "precision": precision}
        legs = [*self.legs, leg]
        about = {
            "name": recipe.name.capitalize(),
            "says": recipe.says,
            "task": recipe.task,
            "source_end": recipe.source_end,
            "licence": recipe.licence,
            "steps": sum(one["steps"] for one in legs),
            "seed": recipe.seed,
            "tokens": sum(one["tokens"] for one in legs),
            "minutes": sum(one["minutes"] for one in legs),
            "precision": precision,
            "data": self.data,
        }
        if self.device.type != "cpu":
            about["machine"] = device_name(self.device)
        if self.legs:
            about["legs"] = legs
        weights.export(folder, self.config, self.mean.state_dict(), self.vocabulary, about)
        if (self.folder / "training.csv").is_file():
            shutil.copyfile(self.folder / "training.csv", folder / "training.csv")
        if self.moments:
            films = [(step, self.folder / "snapshots" / f"{step}.safetensors") for step in self.moments]
            kept = {f"{step}.{name}": t for step, path in films if path.is_file() for name, t in load_file(path).items()}
            weights.write_tensors(folder / "snapshots.safetensors", kept)


def device_of(name: str) -> torch.device:
    """The device that a run computes on. "auto": a GPU where there is one. Raises DeviceError for one that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise DeviceError("a device of this machine (auto, cpu, cuda)", f"“{name}”", "Use --device auto") from error
    return device


def device_name(device: torch.device) -> str:
    """What a card calls the machine that its weights were trained on."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def moments(steps: int, many: int) -> tuple[int, ...]:
    """The steps whose weights are kept: `many` steps up to the last one, each later than the one before by the same factor."""
    return tuple(sorted({round(at) for at in np.geomspace(min(20, steps), steps, many).tolist()})) if many else ()


def digest(examples: Sequence[Example]) -> str:
    """A hash of a run's data, which depends on its tokenizer, too."""
    return hashlib.blake2b(json.dumps(examples).encode(), digest_size=6).hexdigest()


def read_log(path: Path) -> list[dict[str, str]]:
    return read_rows(path) if path.is_file() else []


# --- from a recipe to a run -------------------------------------------------------------------------------------------


def prepare(recipe: TrainingRecipe, folder: Path, bfloat16: bool = False, device: torch.device = CPU) -> Run:
    """A run before its first step. The tokenizer is trained once, on the training part alone, and kept in `folder`."""
    path = folder / "tokenizer.json"
    folder.mkdir(parents=True, exist_ok=True)
    if recipe.tokenizer and not path.is_file():
        shutil.copyfile(paths.WEIGHTS / recipe.tokenizer / "tokenizer.json", path)
    if not path.is_file():
        Vocabulary.train(texts_of(recipe.task), recipe.tokens).save(path)
    vocabulary = Vocabulary.load(path)
    examples, held_out = data_of(recipe, vocabulary)
    return Run(recipe, vocabulary, examples, held_out, folder, bfloat16, device)


def texts_of(task: str) -> list[str]:
    """The texts on which a model's own tokenizer is trained."""
    return [text for pair in corpus.pairs("train") for text in pair] if task == "translate" else corpus.english("train")


def data_of(recipe: TrainingRecipe, vocabulary: Vocabulary) -> tuple[Epoch, list[Example]]:
    """The passes over the training part, and up to 1,500 examples of the held-out part, always the same."""
    limit, seed = Config(vocab=len(vocabulary), **recipe.shape).max_tokens, recipe.seed
    if recipe.task == "translate":
        examples = translations(corpus.pairs("train"), vocabulary, limit)
        held_out = translations(corpus.pairs("held-out"), vocabulary, limit)(0)
    else:
        texts, unseen = corpus.english("train"), corpus.english("held-out")
        if recipe.task == "write":
            examples = writings(texts, vocabulary, seed, limit, recipe.again)
            held_out = writings(unseen, vocabulary, seed, limit)(0)
        elif recipe.task == "fill":
            examples = fillings(texts, vocabulary, seed, limit, recipe.hidden)
            held_out = fillings(unseen, vocabulary, seed, limit, recipe.hidden)(0)
        else:
            examples = continuations(texts, vocabulary, seed, limit)
            held_out = continuations(unseen, vocabulary, seed, limit, plain=True)(0)
    chosen = np.random.default_rng(0).permutation(len(held_out))[:1500]
    return examples, [held_out[i] for i in chosen]
