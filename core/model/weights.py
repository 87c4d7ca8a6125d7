"""A model in a folder: config.json, model.safetensors and tokenizer.json, but never a pickle.

Weights ship in half precision and become float32 when they are loaded. The engine checks files from outside; this module does
not.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.model.transformer import Config, Transformer
from core.model.vocabulary import Vocabulary

CHECKPOINT = "checkpoint.safetensors"  # the file's name in the folder of a run


def write(path: Path, text: str) -> None:
    """Write a file completely or not at all: a reader sees the old file or the new one."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, "utf-8")
    os.replace(fresh, path)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str] | None = None) -> None:
    """Write tensors as `write` does, with small texts in the file's header: so a checkpoint is one file, complete or missing."""
    fresh = path.with_name(path.name + ".new")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, fresh, dict(header) if header else None)
    fresh.chmod(0o644)  # safetensors makes a file that only its owner can read
    os.replace(fresh, path)


def checkpoint(folder: Path) -> Path:
    """The checkpoint of a run in this folder. Raises FileNotFoundError where there is none."""
    path = folder / CHECKPOINT
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint in {folder}: start without --resume")
    return path


def export(
    folder: Path, config: Config, state: Mapping[str, Tensor], vocabulary: Vocabulary, about: Mapping[str, Any]
) -> None:
    """Ship a model: `state` in half precision, `about` (family, name, task, licence …) beside the config."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / "model.safetensors", {name: tensor.to(torch.float16) for name, tensor in state.items()})
    write(folder / "tokenizer.json", vocabulary.tokenizer.to_str())
    write(
        folder / "config.json",
        json.dumps({"family": "lookback", **about, **config.to_dict()}, indent=2, ensure_ascii=False) + "\n",
    )


def load(folder: Path) -> tuple[Transformer, Vocabulary, dict[str, Any]]:
    """The model in float32 and eval mode, its vocabulary, and all of config.json. Raises RuntimeError where the names or shapes
    of the weights do not fit."""
    about = json.loads((folder / "config.json").read_text("utf-8"))
    model = Transformer(Config.from_dict(about))
    model.load_state_dict({name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()})
    return model.eval(), Vocabulary.load(folder / "tokenizer.json"), about


def read_rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write(path, text.getvalue())
