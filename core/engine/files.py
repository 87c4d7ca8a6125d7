"""Model files: which files there are, how big they are and whether they can be trusted, before any weight is read."""

from __future__ import annotations

import json
import math
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ModelFileError, ModelNotFoundError, ModelTooLargeError
from core.paths import WEIGHTS

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".msgpack", ".h5")
HEADER_LIMIT = 100_000_000  # bytes; the format's own limit
CONFIG_LIMIT = 20_000_000  # bytes
BITS = {"BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16}
BITS |= {"U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64}
SLACK = 50_000_000  # numbers a model may have that its file does not hold: computed tables, a missing output head
AGAIN = "Copy the file again"


@dataclass(frozen=True, slots=True)
class Found:
    """Where a model is: a folder with config.json and safetensors, or a .gguf file in it. adapter: the folder of a LoRA that
    changes the model."""

    id: str
    folder: Path
    gguf: str | None = None
    shipped: bool = False
    adapter: Path | None = None

    @property
    def title(self) -> str:
        """The folder's or file's own name."""
        own = self.adapter or self.folder
        return self.gguf or own.name or own.resolve().name


def shipped() -> dict[str, dict[str, Any]]:
    """The models that come with Lookback: id → its config.json (name, says, kind, sizes)."""
    found = {}
    for config in sorted(WEIGHTS.glob("*/config.json")):
        found[config.parent.name] = read_config(config.parent)
    return found


def find_local(name: str) -> Found | None:
    """Find a shipped id, a folder or a .gguf file of that name. None where there is none; the name may then be one of the hub.

    Raises ModelNotFoundError for what can be no name of a model, ModelFileError for another kind of file.
    """
    if not name.strip() or "\0" in name or len(name) > 4096:
        raise ModelNotFoundError(
            "the name or path of a model", f"“{name[:80]}”", "Name a shipped model, a folder or a .gguf file"
        )
    if name in {config.parent.name for config in WEIGHTS.glob("*/config.json")}:
        return Found(name, WEIGHTS / name, shipped=True)
    try:
        path = Path(name).expanduser()
        if path.is_file():
            if path.suffix.lower() == ".gguf":
                _check_split(path.name)
                return Found(name, path.parent, gguf=path.name)
            raise ModelFileError("a model folder or a .gguf file", f"the file {path.name}", _advice(path))
        if path.is_dir():
            _only_files(path)
            return Found(name, path)
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, no permission, no such home folder
        why = getattr(error, "strerror", None) or str(error)
        raise ModelNotFoundError("a path that can be read", f"“{name[:80]}” ({why})", "Check the path") from None
    return None


def _check_split(name: str) -> None:
    """Raise ModelFileError for one part of a GGUF file that was split into several."""
    part = re.fullmatch(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", name, re.IGNORECASE)
    if part is not None and int(part["count"]) > 1:
        first = f"{part['stem']}-00001-of-{part['count']}.gguf"
        raise ModelFileError(
            "a whole .gguf file",
            f"{name}, part {int(part['number'])} of {int(part['count'])} of a split one",
            f"Join the parts first: llama-gguf-split --merge {first} {part['stem']}.gguf",
        )


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a folder, as a dict. Raises ModelFileError where it is missing or is no JSON object."""
    path, where = folder / "config.json", f"{folder.resolve().name}/config.json"
    if not path.is_file():
        raise ModelFileError(where, "no such file", "A model folder holds config.json and *.safetensors")
    config = _read_json(path, CONFIG_LIMIT)
    if not isinstance(config, dict):
        raise ModelFileError(f"a JSON object in {where}", f"a {type(config).__name__}", AGAIN)
    return config


def read_more(folder: Path, name: str) -> dict[str, Any]:
    """A further JSON file of a folder, such as generation_config.json, as a dict; {} where it is missing.

    Raises ModelFileError where it is no JSON object.
    """
    path = folder / name
    if not path.is_file():
        return {}
    held = _read_json(path, CONFIG_LIMIT)
    if not isinstance(held, dict):
        raise ModelFileError(f"a JSON object in {path.name}", f"a {type(held).__name__}", AGAIN)
    return held


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder, shards included. Raises ModelFileError where there are none, for pickles, and for
    shards whose name is not a plain file name."""
    index, single = folder / "model.safetensors.index.json", folder / "model.safetensors"
    if single.is_file() or not index.is_file():  # where both are there, the single file counts, as in transformers
        files = [single]
    else:
        listed = _read_json(index, HEADER_LIMIT)
        table = listed.get("weight_map") if isinstance(listed, dict) else None
        if not isinstance(table, dict) or not table:
            raise ModelFileError(f"a weight_map in {index.name}", "none", AGAIN)
        for name in table.values():
            # a shard must be a plain file name: another path could lead out of the folder that was chosen
            if not isinstance(name, str) or not name.endswith(".safetensors") or set(name) & set("/\\:\0"):
                raise ModelFileError(
                    "shards named *.safetensors in the same folder", f"{name!r}", "Do not use this folder"
                )
        files = [folder / name for name in sorted(set(table.values()))]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        kinds = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in PICKLES)
        if kinds:
            raise ModelFileError("model.safetensors", ", ".join(kinds[:3]), _advice(Path(kinds[0])))
        raise ModelFileError(
            "model.safetensors", f"a folder without {', '.join(missing[:3])}", "Copy the weights into the folder"
        )
    return files


def read_header(file: Path) -> dict[str, dict[str, Any]]:
    """The table of contents of a safetensors file: name → {"dtype", "shape", "data_offsets"}. No weights are read.

    Raises ModelFileError where the file is truncated or corrupt, or where the table names more than the file holds.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            start = stream.read(8)
            length = int.from_bytes(start, "little")
            if start[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
                raise ModelFileError("safetensors", f"a pickle that is called {file.name}", _advice(Path("model.bin")))
            if start == b"version ":
                raise ModelFileError(
                    f"the weights in {file.name}", "a Git LFS pointer to them", "Run “git lfs pull” in that folder"
                )
            if not 2 <= length <= min(HEADER_LIMIT, size - 8):
                raise ValueError(f"a header of {length} bytes in a file of {size}")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        promised = 8 + length + _tile(header)
        if promised != size:
            raise ValueError(f"{size} bytes where the header promises {promised}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ModelFileError(f"a whole safetensors file in {file.name}", _said(error), AGAIN) from None
    return header


def model_bytes(found: Found) -> int:
    """How many bytes the weights take on disk, known before loading. Raises ModelFileError where there are none."""
    if found.gguf:
        return (found.folder / found.gguf).stat().st_size
    return sum(file.stat().st_size for file in weight_files(found.folder))


def check_budget(found: Found, budget: int | None) -> None:
    """Raise ModelTooLargeError where the weights exceed `budget` bytes (default: LOOKBACK_MODEL_BYTES, if set)."""
    limit = budget_of(budget)
    if limit is not None:
        check_bytes(model_bytes(found), limit)


def budget_of(budget: int | float | None) -> float | None:
    """The most bytes of weights that may be loaded: `budget`, else LOOKBACK_MODEL_BYTES, else None for no limit.

    Raises ModelTooLargeError for a limit that is not a number from 0.
    """
    value = os.environ.get("LOOKBACK_MODEL_BYTES", "") if budget is None else budget
    if isinstance(value, str) and not value.strip():
        return None
    try:
        limit = float(value)
    except (TypeError, ValueError, OverflowError):
        limit = math.nan
    if not limit >= 0:
        name = "LOOKBACK_MODEL_BYTES" if budget is None else "budget"
        raise ModelTooLargeError(f"{name} as a number of bytes", f"“{value}”", "Set it to 2e9, for example")
    return limit


def check_bytes(size: int, limit: float) -> None:
    """Raise ModelTooLargeError where `size` exceeds `limit`."""
    if size > limit:
        raise ModelTooLargeError(
            f"at most {limit / 1e6:,.1f} MB of weights",
            f"{size / 1e6:,.1f} MB",
            "Choose a smaller model, or ask the server's owner",
        )


# how entries are called that count parts; a name like vision_feature_layer points at one layer, from the end where below 0
COUNTS = re.compile(r"((^|_)n_layer|layers|experts|groups|group_num|blocks|stages|codebooks)$")


def check_counts(
    config: dict[str, Any], most: int, names: re.Pattern[str] = COUNTS, rows: frozenset[int] = frozenset()
) -> None:
    """Refuse a configuration that asks for more than `most` parts (layers, experts, blocks): building them would never end.

    names: what the entries are called that count such parts. rows: the first sizes of the file's tensors; experts may be as many,
    for several families keep all of them in one tensor. Raises ModelFileError.
    """
    for name, value in config.items():
        if isinstance(value, dict):
            check_counts(value, most, names, rows)
        elif not isinstance(value, int) or names.search(str(name)) is None or -1 <= value <= max(most, 512):
            continue
        elif not (str(name).endswith("experts") and value in rows):
            raise ModelFileError(
                f"a sound {name} in config.json", f"{value:,}", "Use the configuration saved with these weights"
            )


def _tile(header: dict[str, Any]) -> int:
    """Check that tensors follow each other without gap or overlap, each as long as its shape says. Gives their bytes in all."""
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        shape, (begin, stop) = entry["shape"], entry["data_offsets"]
        if any(type(n) is not int or n < 0 for n in (*shape, begin, stop)):
            raise ValueError(f"{name} with shape {shape} at {begin} to {stop}")
        bits = BITS.get(entry["dtype"])
        if begin != end or stop < begin or (bits is not None and math.prod(shape) * bits != 8 * (stop - begin)):
            raise ValueError(f"{name}, {entry['dtype']} {shape}, in {stop - begin} bytes at {begin}")
        end = stop
    return end


def _read_json(path: Path, limit: int) -> Any:
    where = f"{path.resolve().parent.name}/{path.name}"
    try:
        size = path.stat().st_size
        if size > limit:
            raise ValueError(f"{size:,} bytes")
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"valid JSON in {where}", _said(error), AGAIN) from None


def _only_files(folder: Path) -> None:
    """Refuse pipes and devices under the name of a file, because reading one could wait for ever."""
    for entry in os.scandir(folder):
        try:
            mode = entry.stat().st_mode
        except OSError:  # a link to nowhere: the code that needs the file raises a better error
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise ModelFileError(f"files in {folder.name}", f"{entry.name}, which is none", "Do not use this folder")


def _said(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__


def _advice(path: Path) -> str:
    if path.suffix.lower() in PICKLES:
        return (
            "Such files can run code when opened; save the model again with save_pretrained, which writes safetensors"
        )
    return "Point to the folder that holds config.json"
