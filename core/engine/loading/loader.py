"""From a name to a lens: shipped id, local folder, .gguf file or hub name."""

from __future__ import annotations

import math
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.engine.backend import LensInfo
from core.engine.device import spreading
from core.engine.files import (
    SLACK,
    Found,
    check_budget,
    check_counts,
    find_local,
    read_config,
    read_header,
    read_more,
    weight_files,
)
from core.engine.lens import Lens
from core.engine.loading import hub
from core.engine.loading.adapters import with_base
from core.engine.loading.tokenizer import ids_of, text_of, tokenizer_of
from core.engine.text import OurText
from core.errors import DeviceError, LensError, ModelFileError, ModelNotFoundError, UnsupportedModelError
from core.request import Site

if TYPE_CHECKING:
    from core.engine.huggingface import HuggingFaceBackend
    from core.engine.loading.discovery import Discovered
    from core.engine.ours import OurBackend

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
ROLES = {"start": "decoder_start_token_id", "pad": "pad_token_id", "end": "eos_token_id"}  # as a config.json names them
ONE_AT_A_TIME = threading.RLock()  # transformers changes settings of the whole process while it builds a model


def load(
    name: str | os.PathLike[str],
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    local_only: bool = False,
    budget: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Lens:
    """The work of `core.engine.load`, which explains the arguments and errors. It stands here because it needs torch."""
    say = progress or (lambda words: None)
    path = os.fspath(name) if isinstance(name, (str, os.PathLike)) else name
    if not isinstance(path, str):
        raise ModelNotFoundError("the name or path of a model", f"{name!r}", 'Call load("classroom"), for example')
    place = device_of(device)
    if place.type == "cuda":
        # with a mask and half precision cuDNN's attention makes a new plan for every new length: a second for each text
        torch.backends.cuda.enable_cudnn_sdp(False)
    numbers = dtype_of(dtype, place)
    say("Looking for the model")
    found = with_base(find_local(path) or hub.fetch(path, revision, local_only, budget, say, _supported))
    check_budget(found, budget)
    config = {} if found.gguf else read_config(found.folder)
    if not ONE_AT_A_TIME.acquire(blocking=False):
        say("Waiting for another model to load")
        ONE_AT_A_TIME.acquire()
    try:
        if config.get("family") == "lookback":
            if found.adapter is not None:
                raise UnsupportedModelError("an adapter of a Hugging Face model", f"one of {config.get('name')}", "Choose another")
            return _load_ours(found, config, place, numbers, say)
        with _own_errors(str(config.get("model_type", found.title))):
            return _load_hugging_face(found, place, numbers, say, spreads=device == "auto")
    finally:
        ONE_AT_A_TIME.release()


@contextmanager
def _own_errors(family: str) -> Iterator[None]:
    """Whatever a family's code raises while its model is loaded becomes UnsupportedModelError; our own errors stay."""
    try:
        yield
    except LensError:
        raise
    except Exception as error:  # about eight hundred families bring code of their own, and it may raise anything
        text = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
        raise UnsupportedModelError(
            "a family whose own code runs",
            f"{family}, which raised {type(error).__name__}: {text}",
            "Choose another model",
        ) from error


def device_of(device: str) -> torch.device:
    """The device of this name; "auto" chooses the best one. Raises DeviceError where this machine does not have it."""
    if device == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(kind)
    try:
        place = torch.device(device)
        # some devices have a name but do not work: so we store a number on it and read it back
        if torch.zeros(1, device=place).item() == 0:
            return place
    except Exception:  # each kind of missing device raises another error
        pass
    raise DeviceError("a device of this machine (auto, cpu, cuda, mps)", f"“{device}”", 'Use device="auto"')


def dtype_of(dtype: str, device: torch.device) -> torch.dtype | str:
    """The number format to compute in. "auto" is float32 on a CPU, and elsewhere stays "auto": the checkpoint's own format.

    Raises DeviceError for a format outside DTYPES.
    """
    if dtype == "auto":
        # bfloat16 was measured 10 to 28 times slower than float32 on a CPU
        return torch.float32 if device.type == "cpu" else "auto"
    wish = str(dtype).removeprefix("torch.")
    if wish not in DTYPES:
        raise DeviceError(f"dtype auto, {', '.join(DTYPES)}", f"“{dtype}”", 'Use dtype="auto"')
    return DTYPES[wish]


def to_device(model: torch.nn.Module, device: torch.device, dtype: torch.dtype | None = None) -> None:
    """Move a model in place. Raises DeviceError where it does not fit."""
    try:
        model.to(device, dtype)
    except RuntimeError as error:
        size = sum(tensor.numel() * tensor.element_size() for tensor in model.parameters())
        raise DeviceError(
            f"room for {size / 1e6:,.0f} MB of weights on {device}", f"{str(error).splitlines()[0]}", 'Use device="cpu"'
        ) from error


def check_finite(model: torch.nn.Module) -> None:
    """Raise ModelFileError, naming the weight, where one is NaN or infinite."""
    seen = set()
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point() or tensor.data_ptr() in seen:
            continue
        seen.add(tensor.data_ptr())
        # a sum is one pass without a copy; finite numbers may add up to infinity, so only then is each one checked
        if not math.isfinite(tensor.sum()) and not bool(torch.isfinite(tensor).all()):
            raise ModelFileError(
                "finite numbers in every weight", f"NaN or infinity in {name}", "The file is damaged or half-trained"
            )


def _supported(found: Found) -> None:
    """Refuse a family that cannot be watched, as soon as its configuration is there and before its weights are fetched."""
    if read_config(found.folder).get("family") != "lookback":
        from core.engine.loading.pretrained import plan, quiet

        with ONE_AT_A_TIME, quiet(), _own_errors(found.title):
            plan(found)


def _load_ours(
    found: Found, config: dict[str, Any], device: torch.device, dtype: torch.dtype | str, say: Callable[[str], None]
) -> Lens:
    from tokenizers import Tokenizer

    from core.engine.ours import OurBackend, build

    say("Reading the weights")
    _sound(config, found)
    try:
        model = build(found.folder, config)
        tokenizer = Tokenizer.from_str((found.folder / "tokenizer.json").read_text("utf-8"))
    except LensError:
        raise
    except Exception as error:  # files come from outside, so reading them may raise anything
        raise ModelFileError(
            f"sound files in {found.title}", f"{type(error).__name__}: {error}", "Copy the model again"
        ) from error
    check_finite(model)
    # what a person types is text: "</s>" in it is four characters, and does not end the text
    tokenizer.encode_special_tokens = True
    to_device(model, device, torch.float32 if isinstance(dtype, str) else dtype)
    model.eval().requires_grad_(False)
    backend = OurBackend(model)
    text = OurText(tokenizer, {**asdict(model.config), **config})
    lens = Lens(_info_of_ours(found, config, backend, device), backend, text)
    first = [model.config.start, model.config.end]
    trace = lens.run(lens.request(ids=first, target_ids=first if lens.info.kind == "encoder-decoder" else None))
    if not all(np.isfinite(attention.pattern).all() for attention in trace.attention):
        raise ModelFileError(
            "weights that give numbers", "weights so large that they give none", "Copy the model again"
        )
    return lens


def _info_of_ours(found: Found, config: dict[str, Any], backend: OurBackend, device: torch.device) -> LensInfo:
    model, shape, sites = backend.model, backend.config, backend.sites()
    return LensInfo(
        id=found.id,
        name=str(config.get("name", found.id)),
        kind=shape.kind,
        layers=_layers(sites),
        heads=shape.heads,
        kv_heads=shape.heads,
        d_model=shape.d_model,
        vocab=shape.vocab,
        max_tokens=shape.max_tokens,
        sites=sites,
        device=str(device),
        dtype=str(next(model.parameters()).dtype).removeprefix("torch."),
        can_predict=True,
        parameters=sum(p.numel() for p in model.parameters()),
        causal=shape.writes and shape.causal,
        depths=shape.encoder_layers if shape.kind == "encoder-decoder" else None,
        can_drop_residual=True,
        can_move_tokens=True,
    )


def _sound(config: dict[str, Any], found: Found) -> None:
    """Refuse sizes that are no whole numbers, or far more than the file holds, before anything is built.

    Raises ModelFileError.
    """
    from core.model.transformer import Config

    held = [entry for file in weight_files(found.folder) for entry in read_header(file).values()]
    check_counts(config, len(held))
    sizes = {f.name: config.get(f.name, f.default) for f in fields(Config) if f.type == "int"}
    for name, value in sizes.items():
        if type(value) is not int or value < 0:
            raise ModelFileError(f"{name} in config.json as a whole number", f"{value!r}", "Copy the model again")
    dropout = config.get("dropout", 0)
    if not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
        raise ModelFileError("dropout in config.json from 0 to 1", f"{dropout!r}", "Copy the model again")
    for name in ("pad", "start", "end", "mask"):
        if sizes[name] >= sizes["vocab"]:
            raise ModelFileError(
                f"{name} below the vocabulary of {sizes['vocab']}", f"{sizes[name]}", "Copy the model again"
            )
    d, layers = sizes["d_model"], sizes["encoder_layers"] + sizes["decoder_layers"]
    wanted = (sizes["vocab"] + sizes["max_tokens"]) * d + layers * (4 * d * d + 2 * d * sizes["d_ff"])
    if wanted > 2 * sum(math.prod(entry["shape"]) for entry in held) + SLACK:
        raise ModelFileError("sizes in config.json that fit the weights", "far larger ones", "Copy the model again")


def _load_hugging_face(
    found: Found, device: torch.device, dtype: torch.dtype | str, say: Callable[[str], None], spreads: bool
) -> Lens:
    """spreads: a model too large for the device may stand on several."""
    started = perf_counter()
    say("Starting transformers")
    from core.engine.loading.pretrained import load_pretrained, plan, quiet

    with quiet():
        how = plan(found)
        tokenizer = tokenizer_of(found)
        backend = load_pretrained(found, how, dtype, device, say)
    say("Checking the weights")
    check_finite(backend.model)
    if (parts := spreading.parts_of(backend.model, device) if spreads else None) is None:
        to_device(backend.model, device)
    else:
        say("Spreading it over several devices")
        spreading.spread(backend.model, parts)
    say("Finding its attentions, and comparing them with its own code")
    with quiet():
        return _first_that_agrees(found, backend, how.reason, tokenizer, started)


def _first_that_agrees(found: Found, backend: HuggingFaceBackend, reason: str, tokenizer: Any, started: float) -> Lens:
    """The lens of a model that can be watched; else of one that is read only. reason: why it is read only, or "". A model that
    does not call our attention function, or computes another formula, or does not agree with its own code, is read only, too.

    Raises UnsupportedModelError, ModelFileError.
    """
    from core.engine.loading.discovery import discover
    from core.engine.loading.kinds import inherit, vocab_of
    from core.engine.loading.readonly import own_code, read_only
    from core.engine.loading.settling import NAMES, rename
    from core.engine.loading.verification import Disagreement, check

    model, refused = backend.model, None
    inherit(model.config)
    said = read_more(found.folder, "generation_config.json")
    plain = {role: getattr(model.config, name, None) for role, name in ROLES.items()}
    plain["end"] = (*ids_of(plain["end"]), *ids_of(said.get("eos_token_id")))
    vocab, start = vocab_of(model, model.config), plain["start"] or 0
    _check_start(backend.kind, plain["start"], vocab)
    for name in () if reason else NAMES:
        rename(model, name)
        try:
            seen = discover(backend, model.config.model_type, plain["pad"], vocab, start)
            lens = _lens(found, backend, seen, tokenizer, plain)
            check(lens, perf_counter() - started)
            return lens
        except UnsupportedModelError as error:
            refused = error
    reason = refused.reason if isinstance(refused, Disagreement) else reason or own_code(model.config.model_type)
    try:
        return _lens(
            found,
            *read_only(model, backend.kind, backend.can_predict, reason, start, backend.answers),
            tokenizer=tokenizer,
            plain=plain,
        )
    except UnsupportedModelError as error:
        raise refused or error from None


def _lens(found: Found, backend: Any, seen: Discovered, tokenizer: Any, plain: dict[str, Any]) -> Lens:
    from core.engine.loading.classifying import check_answer
    from core.engine.loading.kinds import max_tokens_of, vocab_of, width_of

    model, config = backend.model, backend.model.config
    vocab = vocab_of(model, config)
    check_answer(backend, plain, vocab)
    text = text_of(tokenizer, config, vocab, found)
    backend.types = backend.types and (text is None or text.typed)
    info = LensInfo(
        id=found.id,
        name=found.title if Path(found.id).expanduser().exists() else found.id,
        kind=backend.kind,
        layers=_layers(seen.sites),
        heads=max(site.heads for site in seen.sites),
        kv_heads=seen.kv_heads,
        d_model=width_of(model, config),
        vocab=vocab,
        max_tokens=max_tokens_of(model, config, tokenizer),
        sites=seen.sites,
        device=str(model.device),
        devices=spreading.devices_of(getattr(model, "hf_device_map", {})),
        dtype=str(model.dtype).removeprefix("torch."),
        can_predict=backend.can_predict,
        parameters=sum(p.numel() for p in model.parameters()),
        causal=seen.causal,
        depths=seen.depths,
        reason=backend.reason,
        caches=not backend.reason,
        batches=backend.answers is None,  # padding could mislead a classifier's head
        answers=backend.answers,
        pairs=text is not None and text.pairs and backend.kind == "encoder",
        chats=text is not None and text.chats and backend.kind == "decoder",
        languages=() if text is None else text.languages,
    )
    return Lens(info, backend, text, plain)


def _check_start(kind: str, start: Any, vocab: int) -> None:
    """Refuse an encoder–decoder whose configuration does not name the token that its decoder begins with."""
    if kind == "encoder-decoder" and not (isinstance(start, int) and 0 <= start < vocab):
        raise ModelFileError(
            f"decoder_start_token_id below {vocab} in config.json",
            f"{start}",
            "Set it to the token the decoder begins with",
        )


def _layers(sites: Iterable[Site]) -> int:
    """How many layers the deepest stream has."""
    return max(Counter(site.stream for site in sites).values())
