"""From the files of a Hugging Face model to a model: its kind, whether it can be watched, and whether its files are complete.

Only names and numbers are read from files. Code that lies beside the weights is never run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn
from transformers import AutoConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.utils import logging

from core.answer import Answers
from core.engine.files import COUNTS, SLACK, Found, check_counts, read_config, read_header, weight_files
from core.engine.huggingface import WORKING, HuggingFaceBackend, refusal
from core.engine.loading import mxfp4
from core.engine.loading.adapters import merge
from core.engine.loading.heads import heads_of
from core.engine.loading.kinds import kind_of, text_parts
from core.engine.loading.readonly import check_squares, own_code
from core.engine.loading.settling import settle
from core.engine.ours import Unfilled
from core.errors import DeviceError, LensError, ModelFileError, UnsupportedModelError

STORED = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
SAVED = "Use the configuration saved with these weights"
WRITTEN = re.compile(rf"{COUNTS.pattern}|^num_labels$")  # as a file names them; a name is made for each label


@dataclass(frozen=True, slots=True)
class LoadingPlan:
    """How a model will be loaded: its kind, the class with an output head and the class without one, and what the first
    answers (None for words). reason: why it is read only, one sentence; "" where its attention goes through the interface. packed:
    its experts are packed as MXFP4."""

    config: Any
    kind: str
    head: Any | None
    trunk: Any | None
    answers: Answers | None = None
    reason: str = ""
    packed: bool = False

    @property
    def family(self) -> str:
        return str(self.config.model_type)


def plan(found: Found) -> LoadingPlan:
    """Decide from a folder's configuration how to load its model, before any weight is read.

    Raises ModelFileError for a configuration with errors, UnsupportedModelError for a model that cannot be watched.
    """
    config = _config(found)
    if packed := found.gguf is None and mxfp4.packed(config):
        del config.quantization_config  # the weights come to transformers unpacked
    if getattr(config, "quantization_config", None) is not None and found.gguf is None:
        raise UnsupportedModelError(
            "weights as plain numbers", "quantised ones", "Choose the original checkpoint, or a .gguf file"
        )
    family = str(config.model_type)
    try:
        heads = heads_of(config, kind_of(config), words=found.gguf is not None)
        concrete = heads.head or heads.trunk
        if concrete is None:
            raise refusal(family)
        reads = concrete.main_input_name
        if reads != "input_ids":
            raise UnsupportedModelError(
                "a model that reads text", f"{family}, which reads {reads.replace('_', ' ')}", f"Choose {WORKING}"
            )
        reason = "" if concrete._can_set_attn_implementation() else own_code(family)
        if reason:
            check_squares(config)
    except ImportError as error:  # some families need further packages
        raise UnsupportedModelError(
            "a family this machine can run", f"{family}: {_first_line(error)}", f"Choose {WORKING}"
        ) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(f"a sound {family} configuration in config.json", _first_line(error), SAVED) from error
    return LoadingPlan(config, heads.kind, heads.head, heads.trunk, heads.answers, reason, packed)


def load_pretrained(
    found: Found, how: LoadingPlan, dtype: Any, device: torch.device, say: Callable[[str], None]
) -> HuggingFaceBackend:
    """Load safetensors or GGUF weights into the right class. Weights that are missing, of another shape, or of layers that the
    model does not have are refused.

    Raises ModelFileError, UnsupportedModelError. Only one thread at a time may call this, because building a model changes
    settings of the whole process.
    """
    chosen = how.head or how.trunk
    wanted = _fits(how, found)
    if dtype == "auto" and found.gguf is None:
        dtype = _stored_dtype(found)
    if how.packed:
        mxfp4.check_memory(wanted, dtype, found.title)
    say("Reading the weights")
    model, missing = _read(found, chosen, how, dtype, device, say)
    can_predict = how.head is not None
    if missing and how.head is not None and how.trunk is not None:
        prefix = model.base_model_prefix
        if not any(key.startswith(prefix + ".") for key in missing):
            # only the output head is missing: it is an embedding model, whose attention is complete, but it cannot predict
            can_predict = False
            model, missing = _read(found, how.trunk, how, dtype, device, say)
    answers = how.answers if can_predict else None
    if answers is None:  # a pooler reads the encoder's result, and classifiers alone use it
        missing = [key for key in missing if "pooler" not in key.split(".")]
    if missing:
        raise ModelFileError(
            f"every weight that config.json asks for in {found.title}",
            f"a file without {len(missing)} of them, {missing[0]} first",
            "They would be filled in at random; copy the whole model, and the configuration saved with it",
        )
    if found.adapter is not None:
        merge(model, found.adapter)
    if not how.reason:
        settle(model)
    return HuggingFaceBackend(model, how.kind, can_predict and answers is None, answers)


@contextmanager
def quiet() -> Iterator[None]:
    """Switch off the progress bars and reports of transformers. What matters in them becomes one of our errors."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _config(found: Found) -> Any:
    if found.gguf is not None:
        try:
            return AutoConfig.from_pretrained(
                found.folder, gguf_file=found.gguf, local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # files come from outside, so reading them may raise anything
            raise ModelFileError(
                f"a whole GGUF file of a known family in {found.gguf}",
                _first_line(error),
                "Copy the file again, or choose another",
            ) from error
    written = read_config(found.folder)
    family = written.get("model_type")
    if not isinstance(family, str) or not family:
        raise ModelFileError(
            f"model_type in {found.title}/config.json", f"{family!r}" if family is not None else "none", SAVED
        )
    if family not in CONFIG_MAPPING:
        own = ", which brings code of its own" if "auto_map" in written else ""
        todo = "Lookback runs no code from model files; choose another model" if own else "Choose another model"
        raise UnsupportedModelError(f"a family transformers knows, such as {WORKING}", f"“{family}”{own}", todo)
    check_counts(written, 20_000, WRITTEN)
    try:
        config = AutoConfig.from_pretrained(found.folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # a family's own checks may raise anything, too
        raise ModelFileError(f"a sound {family} configuration in config.json", _first_line(error), SAVED) from error
    # a configuration says what the model is, not which code runs it or which file is read
    config._attn_implementation, config._experts_implementation = "eager", "eager"
    config.fusion_config, config.transformers_weights = None, None
    return config


def _held(found: Found) -> tuple[int, int, frozenset[int]]:
    """(how many numbers, how many tensors, the first sizes of the tensors) the files hold."""
    if found.gguf is not None:  # there a number may take as little as one bit
        return 8 * (found.folder / found.gguf).stat().st_size, 1000, frozenset()
    shapes = [entry["shape"] for file in weight_files(found.folder) for entry in read_header(file).values()]
    return sum(map(math.prod, shapes)), len(shapes), frozenset(shape[0] for shape in shapes if shape)


def _fits(how: LoadingPlan, found: Found) -> int:
    """Build the model on the meta device, which takes no memory for weights, and refuse a configuration that asks for far more
    numbers than the files hold. Gives how many it asks for."""
    held, parts, rows = _held(found)
    check_counts(how.config.to_dict(), parts, rows=rows)
    for part in text_parts(how.config):
        depth = getattr(part, "num_hidden_layers", 1)
        if isinstance(depth, int) and depth < 1:
            raise ModelFileError("at least one layer in config.json", f"{depth}", SAVED)
    build = how.trunk or how.head
    assert build is not None  # `plan` refuses a model with neither class
    try:
        with torch.device("meta"), Unfilled():
            model = build(how.config)
        tables = [*model.parameters(), *model.buffers()]
        wanted = sum(tensor.numel() for tensor in tables)
    except Exception as error:  # a family's own code, with the values of the file
        raise ModelFileError(
            f"a configuration that {how.family} can be built from", _first_line(error), SAVED
        ) from error
    if wanted > 2 * held + SLACK:
        raise ModelFileError(
            f"a configuration for the {held:,} numbers in {found.title}", f"one that asks for {wanted:,}", SAVED
        )
    return wanted


def _stored_dtype(found: Found) -> torch.dtype:
    """The number format in which most of a file's weights are stored."""
    sizes: dict[str, int] = {}
    for file in weight_files(found.folder):
        for entry in read_header(file).values():
            if entry["dtype"] in STORED:
                sizes[entry["dtype"]] = sizes.get(entry["dtype"], 0) + math.prod(entry["shape"])
    best = max(sizes, key=lambda name: sizes[name], default="F32")
    return STORED[best]


def _read(
    found: Found, cls: Any, how: LoadingPlan, dtype: Any, device: torch.device, say: Callable[[str], None]
) -> tuple[Any, list[str]]:
    """The model, and the names of the weights that the files lack. Raises ModelFileError for weights of other shapes, and for
    those of layers that the model does not have."""
    options = {"dtype": dtype, "attn_implementation": "eager", "output_loading_info": True}
    options |= {"local_files_only": True, "trust_remote_code": False, "ignore_mismatched_sizes": True}
    try:
        if found.gguf is not None:
            with _reporting(say):
                model, report = cls.from_pretrained(found.folder, gguf_file=found.gguf, **options)
        else:
            with ExitStack() as stack:
                # we pass exactly the tensors whose headers were checked, so that no other file of the folder is read
                weights: dict[str, Any] = {}
                for file in weight_files(found.folder):
                    weights |= _lazy(file, dtype if device.type == "cpu" else None, stack)
                if how.packed:
                    weights = mxfp4.unpacked(weights)
                model, report = cls.from_pretrained(None, config=how.config, state_dict=weights, **options)
    except LensError:
        raise
    except Exception as error:  # files come from outside, so reading them may raise anything
        if isinstance(error, MemoryError) or "allocate memory" in str(error):
            raise DeviceError(f"memory for {found.title}", "too little", "Choose a smaller model") from error
        raise ModelFileError(
            "weights that fit config.json", f"{type(error).__name__}: {_first_line(error)}", SAVED
        ) from error
    for key, held, wanted in sorted(report.get("mismatched_keys", ())):
        raise ModelFileError(f"{key} of shape {list(wanted)}, as in config.json", f"shape {list(held)}", SAVED)
    for key in sorted(report.get("unexpected_keys", ())):
        if (layers := _beyond(model, key)) is not None:
            raise ModelFileError(f"the {layers} layers that config.json names", f"also {key}", SAVED)
    return model, sorted(report.get("missing_keys", ()))


def _lazy(file: Path, dtype: Any, stack: ExitStack) -> dict[str, Any]:
    """The tensors of a file, each read when it is asked for.

    A tensor that needs no conversion would stay mapped to the file: if someone then saved over the file, the loaded model would
    change, or the process would end. Tensors of `dtype` are therefore read into memory of their own. The others are copied in
    any case, when they are converted.
    """
    mapped = stack.enter_context(safe_open(file, framework="pt", backend="mmap"))
    own = stack.enter_context(safe_open(file, framework="pt", backend="pread"))
    files = {name: own if STORED.get(entry["dtype"]) == dtype else mapped for name, entry in read_header(file).items()}
    empty = {name for name, entry in read_header(file).items() if 0 in entry["shape"]}  # these cannot be sliced
    return {name: held.get_tensor(name) if name in empty else held.get_slice(name) for name, held in files.items()}


@contextmanager
def _reporting(say: Callable[[str], None]) -> Iterator[None]:
    """Report the progress of GGUF weights, which load slowly, by `say` instead of the bar that transformers would draw."""
    from transformers import modeling_gguf_pytorch_utils as reader

    def tell(tensors: Any, **how: Any) -> Iterator[Any]:
        for n, tensor in enumerate(tensors):
            if n % 20 == 0:
                say(f"Reading weight {n + 1} of {len(tensors)}")
            yield tensor

    drawn, reader.tqdm = reader.tqdm, tell
    try:
        yield
    finally:
        reader.tqdm = drawn


def _beyond(model: Any, key: str) -> int | None:
    """Where a weight belongs to a layer that the model does not have: how many layers the model has. Else None."""
    parts, prefix = key.split("."), f"{model.base_model_prefix}."
    for n, part in enumerate(parts):
        if not re.fullmatch(r"\d+", part):
            continue
        stem = ".".join(parts[:n])
        for path in (stem, prefix + stem, stem.removeprefix(prefix)):
            layers = _module(model, path)
            if isinstance(layers, nn.ModuleList) and int(part) >= len(layers):
                return len(layers)
    return None


def _module(model: nn.Module, path: str) -> nn.Module | None:
    try:
        return model.get_submodule(path)
    except AttributeError:
        return None


def _first_line(error: BaseException) -> str:
    lines: Iterable[str] = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)
