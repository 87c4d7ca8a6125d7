"""The machines of the memory games: a GRU, a GRU with additive attention and a transformer, and the values of one pass."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from core import paths
from core.errors import InputError
from core.model.exercises import ASK, FILLER, IGNORED, KEYS, PLACE, SYMBOLS, Task, exercises
from core.model.multihead import AttentionCall, MultiHeadAttention
from core.model.recurrent import EncoderDecoder, Recurrence, RecurrentConfig
from core.model.transformer import Config, Output, Transformer
from core.model.weights import read_rows

SHAPES: dict[str, dict[str, Any]] = {  # no machine has 10 % more parameters than another
    "gru": {"d_embedding": 48, "d_state": 88},
    "attention": {"d_embedding": 48, "d_state": 72, "attends": True, "d_energy": 48},
    "transformer": {
        "kind": "encoder-decoder", "d_model": 64, "heads": 4, "encoder_layers": 1, "decoder_layers": 1, "d_ff": 128,
        "max_tokens": 96, "positions": "rotary", "dropout": 0.0,
    },
}  # fmt: skip
COPIES = {"transformer": {"positions": "sinusoidal"}}  # other settings for copying, which depends on positions, not on contents
TITLES = {"gru": "GRU", "attention": "GRU with attention", "transformer": "Transformer"}


def shape_of(kind: str, task: Task) -> dict[str, Any]:
    """The shape of a machine for a task."""
    return {**SHAPES[kind], **(COPIES.get(kind, {}) if task.name == "copy" else {})}


def build(kind: str, shape: dict[str, Any]) -> EncoderDecoder | Transformer:
    """A machine with fresh weights."""
    if kind == "transformer":
        return Transformer(Config.from_dict({"vocab": len(SYMBOLS), **shape}))
    return EncoderDecoder(RecurrentConfig.from_dict({"vocab": len(SYMBOLS), **shape}))


AT = "delay "  # a column of a training log: the accuracy at this delay
ROWS, WATCHED = 512, 128  # exercises at each delay: after training, and at each line of its log
NEAR = (4.0, 8.0, 16.0, 24.0)
SMALL = 0.03  # standard deviation of a small embedding


@torch.no_grad()
def prefer_near(attention: MultiHeadAttention) -> None:
    """Let fresh heads prefer tokens that are near. It shortens the time until the heads of two layers work together.

    Query and key get the same bias, so that a rotary score is highest for the token itself and falls with distance. `NEAR` holds
    this highest score for each head.
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
    """The values of one pass, as read-only arrays. None where the machine has no such value.

    chances [target, symbol]: the probability of each symbol after each target symbol.
    reader [source, d]: the state after each source symbol; for the transformer, the encoder's vector after its last layer.
    writer [target, d]: the state after each target symbol; for the transformer, the decoder's vector after its last layer.
    alignment [target, source]: how much each answer looks at each source symbol, by additive attention, or for the transformer
    by the mean over the heads of its last cross-attention.
    own (the encoder's), decoder, cross: the transformer's attention patterns, one [head, query, key] for each layer.
    """

    chances: np.ndarray
    reader: np.ndarray
    writer: np.ndarray
    alignment: np.ndarray | None = None
    own: tuple[np.ndarray, ...] = ()
    decoder: tuple[np.ndarray, ...] = ()
    cross: tuple[np.ndarray, ...] = ()


class Machine:
    """A trained machine. It takes ids and texts and gives numbers. Threads may share it."""

    def __init__(self, kind: str, task: Task, model: EncoderDecoder | Transformer) -> None:
        self.kind, self.task = kind, task
        self.model = model.eval().requires_grad_(False)

    def encode(self, text: str) -> list[int]:
        """“a3 b7 ··” → ids, without the spaces. Raises InputError for a symbol that the machines do not know."""
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
        """One pass over a batch [row, position]. memory: that of an earlier pass, instead of the source."""
        return self.model(source, target, memory=memory)

    @torch.inference_mode()
    def look(self, source: Sequence[int], target: Sequence[int]) -> Seen:
        """Read `source`, then `target`, and give every value of the pass."""
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
        """How strongly log p(answer) after target[at] depends on each source symbol: [source], the length of the gradient with
        respect to the symbol's vector."""
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
        if model.config.positions == "sinusoidal":  # rotary positions are applied inside the layers
            x = x + model.position[: x.shape[1]]
        for layer in model.encoder:
            x, _ = layer(x, None)
        return model(None, target, memory=model.encoder_norm(x)).logits

    @torch.inference_mode()
    def accuracy(self, delay: int, rows: int = ROWS, seed: int = 1) -> float:
        """The share of right answers on held-out exercises."""
        source, given, wanted = exercises(self.task, rows, delay, np.random.default_rng([seed, delay]), unseen=True)
        said = self.run(source, given).logits.argmax(-1)
        return float((said == wanted)[wanted != IGNORED].double().mean())


def frozen(tensor: Tensor) -> np.ndarray:
    array = tensor.detach().float().numpy().copy()
    array.setflags(write=False)
    return array


def load_machine(kind: str, folder: Path | None = None, task: str = "recall") -> Machine:
    """A shipped machine: "gru", "attention" or "transformer", for "recall" or "copy"."""
    folder = folder or paths.WEIGHTS / f"{task}-{kind}"
    about = json.loads((folder / "machine.json").read_text("utf-8"))
    model = build(kind, about["shape"])
    model.load_state_dict({name: t.float() for name, t in load_file(folder / "model.safetensors").items()})
    return Machine(kind, Task(**about["task"]), model)


def results(folder: Path | None = None, task: str = "recall") -> list[dict[str, Any]]:
    """The measured accuracy of every shipped machine of a task at each delay: rows with machine, delay and accuracy."""
    found = []
    for kind in SHAPES:
        for row in read_rows((folder or paths.WEIGHTS) / f"{task}-{kind}" / "results.csv"):
            found.append({"machine": kind, "delay": int(row["delay"]), "accuracy": float(row["accuracy"])})
    return found


def logs(folder: Path | None = None, task: str = "recall") -> dict[str, dict[int, list[tuple[int, float]]]]:
    """What the logs of training hold of each machine: delay → (step, share of right answers), step after step."""
    found: dict[str, dict[int, list[tuple[int, float]]]] = {}
    for kind in SHAPES:
        rows = read_rows((folder or paths.WEIGHTS) / f"{task}-{kind}" / "training.csv")
        named = {int(name.removeprefix(AT)): name for name in rows[0] if name.startswith(AT)}
        found[kind] = {delay: [(int(row["step"]), float(row[name])) for row in rows] for delay, name in named.items()}
    return found
