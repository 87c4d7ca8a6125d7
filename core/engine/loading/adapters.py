"""LoRA adapters (Hu et al. 2021): small files that change a base model. A plain one is merged into its base: W + B·A·α/r."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from core.engine.files import Found, read_header
from core.engine.loading import hub
from core.errors import LensError, ModelFileError, ModelNotFoundError, UnsupportedModelError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
LIMIT = 1_000_000  # bytes of a configuration
PART = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<which>[AB])\.weight")
# entries that do not change what an adapter computes, and those that `merge` reads
HARMLESS = {
    "auto_mapping", "base_model_name_or_path", "exclude_modules", "fan_in_fan_out", "inference_mode", "init_lora_weights",
    "layers_pattern", "layers_to_transform", "loftq_config", "lora_alpha", "lora_dropout", "megatron_core", "peft_type",
    "peft_version", "qalora_group_size", "r", "revision", "runtime_config", "target_modules", "task_type", "use_rslora",
}  # fmt: skip
KEEP_BASE = (True, False, None, "gaussian", "orthogonal", "eva")  # ways to begin that leave the base as it was
MERGED = "Merge it into its base with peft (merge_and_unload), save that, and open it"


@dataclass(frozen=True, slots=True)
class Adapter:
    """A plain LoRA: for each module that it changes the factors A [r, in] and B [out, r], and what B·A is multiplied by."""

    factors: dict[str, tuple[Tensor, Tensor]]
    scale: float


def with_base(found: Found) -> Found:
    """Where a folder holds an adapter, the folder of its base with the adapter in mind; anything else as it is.

    The base is looked for in the folder itself, in a folder of its name beside it, and among the models that were fetched from the
    hub before: a file's word alone never leads to another place, nor to the network. Raises ModelNotFoundError, naming the base.
    """
    folder = found.folder
    if found.gguf is not None or not (folder / CONFIG).is_file():
        return found
    whole = (folder / "config.json").is_file()
    if whole:
        return replace(found, adapter=folder) if (folder / WEIGHTS).is_file() else found
    about = _config(folder)
    name = str(about.get("base_model_name_or_path") or "")
    beside = folder.resolve().parent / Path(name.replace("\\", "/")).name
    if Path(name).name and beside != folder.resolve() and (beside / "config.json").is_file():
        return replace(found, folder=beside, adapter=folder)
    try:
        fetched = hub.fetch(name, about.get("revision"), True, None, lambda words: None, lambda base: None)
    except LensError:
        raise ModelNotFoundError(
            f"the base model “{name}”, which the adapter {found.title} changes",
            f"neither a folder {Path(name).name or 'of its name'} beside it nor one fetched from the hub",
            "Put the base's folder beside the adapter's, or load the base by its name once",
        ) from None
    return replace(found, folder=fetched.folder, adapter=folder)


def merge(model: nn.Module, folder: Path) -> None:
    """Add an adapter to the weights of its base, in place.

    Raises UnsupportedModelError, by name, for what is no plain LoRA, ModelFileError for factors that do not fit the base.
    """
    adapter = read(folder)
    found = {name: _linear(model, name, folder) for name in adapter.factors}
    with torch.no_grad():
        for name, (a, b) in adapter.factors.items():
            weight = found[name].weight
            change = adapter.scale * (b.float() @ a.float())  # [out, in]
            if type(found[name]).__name__ == "Conv1D":  # it keeps its weight as [in, out]
                change = change.T
            if change.shape != weight.shape:
                raise ModelFileError(
                    f"factors for {name}, {list(weight.shape)}", f"a change of {list(change.shape)}", "Choose its own base"
                )
            weight.copy_((weight.float() + change.to(weight.device)).to(weight.dtype))


def read(folder: Path) -> Adapter:
    """The adapter in a folder. Raises UnsupportedModelError for what is no plain LoRA, ModelFileError for damaged files."""
    about = _config(folder)
    _check_plain(about)
    if not (folder / WEIGHTS).is_file():
        raise ModelFileError(WEIGHTS, f"none in {folder.name}", "Save the adapter again as safetensors; others can run code")
    read_header(folder / WEIGHTS)
    factors: dict[str, dict[str, Tensor]] = {}
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        for key in file.keys():  # noqa: SIM118 — it is no dictionary
            part = PART.fullmatch(key)
            if part is None:
                raise UnsupportedModelError("a plain LoRA, factors A and B alone", f"also {key}", MERGED)
            factors.setdefault(part["module"], {})[part["which"]] = file.get_tensor(key)
    rank = about.get("r")
    for name, both in factors.items():
        if set(both) != {"A", "B"} or any(one.dim() != 2 for one in both.values()):
            raise ModelFileError(f"both factors of {name}, as matrices", "others", "Copy the adapter again")
        if not both["A"].shape[0] == both["B"].shape[1] == rank:
            raise ModelFileError(f"factors of rank {rank}, as in {CONFIG}", f"others for {name}", "Copy the adapter again")
    return Adapter({name: (both["A"], both["B"]) for name, both in factors.items()}, _scale(about))


def _check_plain(about: dict[str, Any]) -> None:
    """Raise UnsupportedModelError, naming it, for all that makes an adapter more than W + B·A·α/r."""
    kind = about.get("peft_type")
    if kind != "LORA":
        raise UnsupportedModelError("a LoRA adapter", f"one of type {kind}", MERGED)
    more = {name: value for name, value in about.items() if name not in HARMLESS and value}
    if more.get("bias") == "none":
        del more["bias"]
    if (begins := about.get("init_lora_weights")) not in KEEP_BASE:
        more["init_lora_weights"] = begins
    if more:
        named = ", ".join(f"{name}={value!r}"[:60] for name, value in sorted(more.items()))
        raise UnsupportedModelError("a plain LoRA", f"one with {named}", MERGED)


def _scale(about: Any) -> float:
    """α/r, or α/√r for a rank-stabilised LoRA (Kalajdzievski 2023)."""
    rank, alpha = about.get("r"), about.get("lora_alpha")
    numbers = type(rank) is int and rank >= 1 and isinstance(alpha, (int, float)) and not isinstance(alpha, bool)
    if not numbers or not math.isfinite(alpha):
        raise ModelFileError(f"r and lora_alpha as numbers in {CONFIG}", f"{rank!r} and {alpha!r}", "Copy the adapter again")
    return float(alpha) / (math.sqrt(rank) if about.get("use_rslora") else rank)


def _linear(model: nn.Module, name: str, folder: Path) -> Any:
    """The linear module that an adapter calls `name`, whether its model had an output layer around it or not."""
    prefix = f"{getattr(model, 'base_model_prefix', '')}."
    for path in (name, name.removeprefix(prefix), prefix + name):
        try:
            module = model.get_submodule(path)
        except AttributeError:
            continue
        if not isinstance(module, nn.Linear) and type(module).__name__ != "Conv1D":
            raise UnsupportedModelError("a LoRA of linear layers", f"one of {name}, which is none", MERGED)
        table = getattr(model.get_input_embeddings(), "weight", None)  # type: ignore[operator]
        if module.weight is table:
            raise UnsupportedModelError("a LoRA of layers of their own", f"one of {name}, tied to the embedding", MERGED)
        return module
    raise ModelFileError(
        f"a base with {name}, which the adapter {folder.name} changes", "none of that name", "Choose its own base"
    )


def _config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        if path.stat().st_size > LIMIT:
            raise ValueError("too large")
        about = json.loads(path.read_text("utf-8"))
        if not isinstance(about, dict):
            raise ValueError(f"a {type(about).__name__}")
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"a JSON object in {folder.name}/{CONFIG}", f"{error}", "Copy the file again") from None
    return about
