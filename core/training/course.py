"""The training of a small model in a few minutes: a plan, a loss for each step, and checkpoints from which a run can continue."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn

from core import paths
from core.model import weights

RUNS = paths.ROOT / "runs"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides a run except its model and its batches. The learning rate rises, stays level, and falls over the
    last part of the steps, whose share is `decay`."""

    steps: int
    rate: float = 3e-3
    warm_up: int = 200
    decay: float = 0.3
    clip: float = 1.0
    weight_decay: float = 0.01
    rows: int = 64
    seed: int = 0


class Course:
    """A model in training. loss(model, step) makes the batch of a step from the seed and the step alone. A run that was stopped
    therefore continues as if it had not stopped, and all machines see the same batches."""

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
        """Train to the last step, or for `minutes`. It logs every `every` steps, and saves every `save_every` seconds and at the
        end. Gives True where the last step is done."""
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
        """Save a checkpoint: the tensors, and everything else as JSON in the file's header."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {}
        for name, now in self.model.named_parameters():
            tensors[f"model.{name}"] = now.data
            tensors |= {f"{key}.{name}": value for key, value in self.optimizer.state.get(now, {}).items()}
        header = {"step": self.step, "seconds": self.seconds, "rows": self.rows, "plan": asdict(self.plan)}
        weights.write_tensors(self.folder / weights.CHECKPOINT, tensors, {"run": json.dumps(header)})

    def resume(self) -> None:
        """Continue from the last checkpoint. Raises FileNotFoundError where there is none, ValueError where it has another plan."""
        with safe_open(weights.checkpoint(self.folder), "pt") as file:
            run = json.loads(file.metadata()["run"])
            if run["plan"] != asdict(self.plan):
                raise ValueError(f"the checkpoint was made by another plan: {run['plan']}")
            for name, now in self.model.named_parameters():
                now.data.copy_(file.get_tensor(f"model.{name}"))
                if run["step"]:
                    state = {key: file.get_tensor(f"{key}.{name}") for key in ("step", "exp_avg", "exp_avg_sq")}
                    self.optimizer.state[now] = state
        self.step, self.seconds, self.rows = run["step"], run["seconds"], run["rows"]


