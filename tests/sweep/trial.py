"""One family on trial: a small model is built, saved, loaded as everybody loads it, and held against its untouched eager code."""

from __future__ import annotations

import copy
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

import core
from core.engine.ours import Unfilled
from core.errors import LensError
from core.request import Request, Stream
from core.trace import Trace
from tests.families import enliven
from tests.sweep.shapes import FIRST, VARIANTS, VOCAB, small

CLOSE = 1e-3  # how far a weight may be off, and a logit on the scale of its row
STEPS = 5
MOST = 100_000_000  # parameters of a model that is tried
LENGTHS = (9, 40)  # the second one is beyond every window, chunk and top-k of the small configurations

EQUAL, NARROWED, READ_ONLY, REFUSED = "equal", "narrowed", "read-only", "refused"
NO_TEXT, UNBUILT, WRONG, EXCEPTION = "no text", "not built", "WRONG", "EXCEPTION"


@dataclass(frozen=True)
class Finding:
    """What became of one class of one family; words say why."""

    family: str
    name: str
    outcome: str
    words: str = ""


@dataclass(frozen=True)
class Own:
    """What the untouched model gives for one text: logits [position, vocab] or None, and its maps [head, query, key] in order."""

    logits: np.ndarray | None
    maps: dict[Stream, list[np.ndarray]]


def examine(family: str, name: str) -> Finding:
    """Build, save, load and compare one class of one family; without a class, see that it is refused."""
    if not name:
        return unread(family)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        try:
            build(family, name, folder)
        except Exception as error:  # a family's own code, with sizes that it was not made for
            return Finding(family, name, UNBUILT, in_short(error))
        own, fails = None, ""
        try:
            own = getattr(transformers, name).from_pretrained(folder, attn_implementation="eager").eval()
            own_pass(own, ids(LENGTHS[0]))
        except Exception as error:  # many models that see or hear do not run on text alone
            fails = in_short(error)
        return judged(family, name, folder, own, fails)


def unread(family: str) -> Finding:
    """Whether a family without a class that reads ids is refused. Its weights do not matter: it must not come so far."""
    with tempfile.TemporaryDirectory() as place:
        try:
            CONFIG_MAPPING[family]().save_pretrained(place)
        except Exception as error:  # a family whose defaults make no configuration
            return Finding(family, "", UNBUILT, in_short(error))
        save_file({"weight": torch.zeros(1)}, Path(place) / "model.safetensors")
        try:
            core.load(place, device="cpu")
        except LensError as error:
            return Finding(family, "", NO_TEXT, error.got)
        except Exception as error:
            return Finding(family, "", EXCEPTION, f"load: {in_short(error)}")
    return Finding(family, "", WRONG, "a lens of a model that reads no text")


def judged(family: str, name: str, folder: Path, own: Any, fails: str) -> Finding:
    """The outcome for a saved model. fails: how its own code failed on text, or nothing."""
    try:
        lens = core.load(str(folder), device="cpu")
    except LensError as error:
        return Finding(family, name, REFUSED, error.got)
    except Exception as error:
        return Finding(family, name, EXCEPTION, f"load: {in_short(error)}")
    if fails:
        return Finding(family, name, WRONG, f"a lens of a model whose own code fails on text: {fails}")
    try:
        wrong = "; ".join(faults(lens, own))
    except LensError as error:
        return Finding(family, name, WRONG, f"a lens that cannot answer: {error}")
    except Exception as error:
        return Finding(family, name, EXCEPTION, in_short(error))
    if wrong:
        return Finding(family, name, WRONG, wrong)
    outcome = READ_ONLY if not lens.info.changes else NARROWED if lens.info.narrowed else EQUAL
    return Finding(family, name, outcome, " ".join(lens.info.narrowed))


def build(family: str, name: str, folder: Path) -> None:
    """Save a small random model whose heads differ: the first variant that runs on text and attends, else one that can be built."""
    spare, failed = None, None
    for variant in range(len(VARIANTS)):
        try:
            config = small(family, name, variant)
            check_size(name, config)
            model = lively(name, config)
        except Exception as error:  # a family's own code, with sizes that it was not made for
            failed = failed or error
            continue
        spare = spare or model
        if attends(model):
            break
    else:
        if spare is None:
            assert failed is not None
            raise failed
        model = spare
    model.generation_config = transformers.GenerationConfig(**ends(model.config))
    model.save_pretrained(folder)


def check_size(name: str, config: Any) -> None:
    """Raise ValueError for a model that stays large: one that also speaks may hold a vocoder that no field of ours makes small."""
    with torch.device("meta"), Unfilled():
        count = sum(tensor.numel() for tensor in getattr(transformers, name)(copy.deepcopy(config)).parameters())
    if count > MOST:
        raise ValueError(f"{count:,} parameters at its smallest")


def lively(name: str, config: Any) -> Any:
    """A model with random weights whose heads differ; with its family's own where those give no numbers."""
    for strong in (True, False):
        torch.manual_seed(0)
        model = getattr(transformers, name)(copy.deepcopy(config)).eval()
        model.set_attn_implementation("eager")
        if strong:
            enliven(model)
        if finite(model):
            break
    return model


def ends(config: Any) -> dict[str, Any]:
    """The special ids of a generation configuration: those of the whole, else those of the part that writes."""
    parts = (config, config.get_text_config(decoder=True))
    names = ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")
    found = {name: [value for part in parts if (value := getattr(part, name, None)) is not None] for name in names}
    return {name: values[0] for name, values in found.items() if values}


def finite(model: Any) -> bool:
    try:
        logits = own_pass(model, ids(LENGTHS[0])).logits
    except Exception:  # it does not run on text at all: nothing to choose
        return True
    return logits is None or bool(np.isfinite(logits).all())


def attends(model: Any) -> bool:
    """Whether a model runs on text, and has attention weights to show."""
    try:
        return any(own_pass(model, ids(LENGTHS[0])).maps.values())
    except Exception:  # a family's own code may raise anything
        return False


def ids(length: int, salt: int = 0) -> list[int]:
    return [FIRST + (17 * n * n + 7 * n + 11 * salt) % (VOCAB - FIRST) for n in range(length)]


def start_of(model: Any) -> int:
    return int(getattr(model.config, "decoder_start_token_id", None) or 0)


def own_pass(model: Any, source: list[int], target: list[int] | None = None) -> Own:
    """One untouched pass; where the family gives no attentions of its own, those that its eager function computes."""
    asked: dict[str, Any] = {"input_ids": torch.tensor([source]), "output_attentions": True, "return_dict": True}
    if model.config.is_encoder_decoder:
        asked["decoder_input_ids"] = torch.tensor([target or [start_of(model)]])
    with torch.inference_mode(), recorded() as seen:
        output = model(**asked, **({"use_cache": False} if "use_cache" in model.forward.__code__.co_varnames else {}))
    names = {
        Stream.ENCODER: "encoder_attentions",
        Stream.DECODER: "decoder_attentions",
        Stream.CROSS: "cross_attentions",
    }
    if not model.config.is_encoder_decoder:
        names = {Stream.DECODER: "attentions"}
    read, written = len(source), len(target or [0])
    sizes = {Stream.ENCODER: (read, read), Stream.DECODER: (written, written), Stream.CROSS: (written, read)}
    if not model.config.is_encoder_decoder:
        sizes = {Stream.DECODER: (read, read)}
    maps = {stream: arrays(getattr(output, name, None), sizes[stream]) for stream, name in names.items()}
    if not any(maps.values()) and not model.config.is_encoder_decoder:
        maps = {Stream.DECODER: arrays(seen, sizes[Stream.DECODER])}
    logits = getattr(output, "logits", None)
    return Own(None if logits is None else logits[0].float().numpy(), maps)


def arrays(tensors: Any, size: tuple[int, int]) -> list[np.ndarray]:
    """The maps among some tensors, [head, query, key] each: layers without attention may give something of another shape."""
    found = [t[0] for t in tensors or () if isinstance(t, torch.Tensor) and t.dim() == 4]
    return [map_.float().numpy() for map_ in found if map_.shape[1:] == size]


@contextmanager
def recorded() -> Iterator[list[torch.Tensor]]:
    """The weights that eager functions compute while this is open, in order."""
    seen: list[torch.Tensor] = []
    families = [module for name, module in sorted(sys.modules.items()) if name.startswith("transformers.models.")]
    kept = [
        (one, name, f) for one in families for name, f in vars(one).items() if name.endswith("eager_attention_forward")
    ]

    def wrapped(function: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            output, weights = function(*args, **kwargs)
            seen.append(weights)
            return output, weights

        return run

    for holder, called, function in kept:
        setattr(holder, called, wrapped(function))
    try:
        yield seen
    finally:
        for holder, called, function in kept:
            setattr(holder, called, function)


def question(lens: Any, length: int, salt: int = 0, **how: Any) -> Request:
    written = {"target_ids": ids(max(1, length // 2), salt + 3)} if lens.info.kind == "encoder-decoder" else {}
    return lens.request(ids=ids(length, salt), **written, **how)


def answer_of(model: Any, request: Request) -> Own:
    source = list(request.source or request.target)
    return own_pass(model, source, list(request.target) if request.source and request.target else None)


def faults(lens: Any, own: Any) -> Iterator[str]:
    """What the lens gives otherwise than the model's own code, in words."""
    room = [length for length in LENGTHS if length + STEPS <= lens.info.max_tokens] or [min(5, lens.info.max_tokens)]
    kind = "encoder-decoder" if own.config.is_encoder_decoder else None
    if kind and lens.info.kind != kind:
        yield f"kind {lens.info.kind}"
        return
    keep = {"pattern", "predictions"} if lens.info.can_predict else {"pattern"}
    for length in room:
        for capture in ("float32", "lazy"):
            request = question(lens, length, keep=keep, capture=capture)
            yield from differences(lens.run(request), answer_of(own, request), f"{capture} at {length}")
    if lens.info.can_predict and lens.info.kind != "encoder":
        for length in room:
            yield from writes(lens, own, length)
    pair = [
        question(lens, length, salt, keep=keep, capture="float32")
        for salt, length in enumerate((room[0], max(1, room[0] - 4)))
    ]
    for request, trace in zip(pair, lens.run_many(pair), strict=True):
        yield from differences(trace, answer_of(own, request), f"in a batch at {len(request.source or request.target)}")


def differences(trace: Trace, own: Own, where: str) -> Iterator[str]:
    for stream, maps in own.maps.items():
        held = [a.pattern for a in trace.attention if a.site.stream is stream or len(own.maps) == 1]
        if len(held) != len(maps):
            yield f"{where}: {len(held)} maps of the {stream.value}, not {len(maps)}"
            continue
        for layer, (a, b) in enumerate(zip(held, maps, strict=True)):
            if a.shape != b.shape:
                yield f"{where}: a map of {a.shape}, not {b.shape}"
            elif not np.abs(a - b).max() <= CLOSE:
                yield f"{where}: weights of {stream.value} {layer} off by {np.abs(a - b).max():.2g}"
                break
    if own.logits is not None and trace.predictions is not None:
        logprobs = own.logits.astype(np.float64) - np.log(np.exp(own.logits.astype(np.float64)).sum(-1, keepdims=True))
        if len(logprobs) != len(trace.predictions.top_ids):
            yield f"{where}: predictions at {len(trace.predictions.top_ids)} positions, not {len(logprobs)}"
            return
        off = np.abs(np.take_along_axis(logprobs, trace.predictions.top_ids, -1) - trace.predictions.top_logprob).max()
        if not off <= CLOSE * (1 + np.abs(own.logits).max()):
            yield f"{where}: log-probabilities off by {off:.2g}"


def writes(lens: Any, own: Any, length: int) -> Iterator[str]:
    """Whether greedy writing differs from the model's own generate."""
    request = question(lens, length)
    source = list(request.source or request.target)
    given: dict[str, Any] = {"input_ids": torch.tensor([source])}
    if request.source is not None:
        given["decoder_input_ids"] = torch.tensor([list(request.target)])
    begun = list(request.target)
    try:
        with torch.inference_mode():
            mine = own.generate(**given, max_new_tokens=STEPS, do_sample=False, num_beams=1)[0].tolist()
    except Exception:  # not every family can generate; then a whole pass for every token is the model's own way
        mine = None
    theirs = begun + [step.choice.id for step in lens.generate(request, steps=STEPS)]
    whole = begun + by_whole_passes(own, request)
    mine = mine or whole
    if lens.info.narrowed and theirs == whole:  # the lens says that it writes by whole passes where `generate` differs
        return
    if theirs != mine and not near_tie(own, request, theirs, mine):
        yield f"writes {theirs[len(begun) :]} after {length}, not {mine[len(begun) :]}"


def by_whole_passes(own: Any, request: Request) -> list[int]:
    stops = own.generation_config.eos_token_id
    stops = stops if isinstance(stops, list) else [stops]
    written: list[int] = []
    while len(written) < STEPS and not (written and written[-1] in stops):
        logits = answer_of(own, request).logits
        written.append(int(logits[-1].argmax()))
        request = request.append(written[-1])
    return written


def near_tie(own: Any, request: Request, a: list[int], b: list[int]) -> bool:
    """Whether two writings part where two tokens are nearly equally likely."""
    shared = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
    if shared is None or shared < len(request.target):
        return False
    for token in a[len(request.target) : shared]:
        request = request.append(token)
    logits = answer_of(own, request).logits[-1]
    return bool(abs(logits[a[shared]] - logits[b[shared]]) <= CLOSE)


def in_short(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines)[:200]} ({Path(last.filename).name}:{last.lineno})"
