"""The settings of a Hugging Face model, made once at load, before threads share it: whose attention it calls, by which name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import Lock
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from core.engine.huggingface import NAME, refusal


class AsEager(str):
    """A name that also answers to "eager". Some families ask for their attention by name, and apply part of their mask only
    where the answer is "eager" (the sparse index of DeepSeek-V3.2): for them our function stands in for the eager one."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return other == "eager" or str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other


NAMES = (
    AsEager(NAME),
    NAME,
)  # as the configurations hold it: where the first passes our function by, the second may not


def settle(model: PreTrainedModel) -> None:
    """Make the settings of a model once, at load, before threads share it: our attention function, hidden states that end
    before the final norm, no gradients.

    Raises UnsupportedModelError where the family does not take an attention function.
    """
    model.set_attn_implementation(NAME)
    if model.config._attn_implementation != NAME:
        raise refusal(model.config.model_type)
    for module in model.modules():
        if isinstance(getattr(module, "config", None), PreTrainedConfig):
            # the last hidden state is then the one before the final norm: the residual stream at its full depth
            module.config.tie_last_hidden_states = False
    guard_ropes(model)
    model.eval().requires_grad_(False)


def rename(model: PreTrainedModel, name: str) -> None:
    """Put another of `NAMES` into every configuration that names our function. At load only, before threads share the model."""
    for config in _ours(model):
        config._attn_implementation_internal = name


@contextmanager
def untouched(model: PreTrainedModel) -> Iterator[PreTrainedModel]:
    """The model with its own eager attention in place of ours, in all its configurations, nested ones too. At load only, before
    threads share the model."""
    held = [(config, config._attn_implementation_internal) for config in _ours(model)]
    try:
        for config, _ in held:
            config._attn_implementation_internal = "eager"
        yield model
    finally:
        for config, name in held:
            config._attn_implementation_internal = name


def _ours(model: PreTrainedModel) -> list[Any]:
    """The configurations, each once, that name our attention function."""
    found: dict[int, Any] = {}
    waiting = [
        module.config for module in model.modules() if isinstance(getattr(module, "config", None), PreTrainedConfig)
    ]
    while waiting:
        config = waiting.pop()
        if id(config) not in found and hasattr(config, "_attn_implementation_internal"):
            found[id(config)] = config
            waiting += [part for key in config.sub_configs if (part := getattr(config, key, None)) is not None]
    return [config for config in found.values() if str.__eq__(NAME, config._attn_implementation_internal or "")]


def guard_ropes(model: nn.Module) -> None:
    """Let one thread at a time compute the rotary angles of a long-context rope: it writes the factors that belong to the length
    of a text into a table of the model, and reads them from there."""
    for module in model.modules():
        kind = getattr(module, "rope_type", None)
        kinds = set(kind.values()) if isinstance(kind, dict) else {kind}
        if kinds & {"longrope", "dynamic"}:
            module.forward = _one_at_a_time(module.forward)


def remembered(model: nn.Module) -> dict[tuple[str, str], Any]:
    """What the modules hold beside their weights, by module and name. A pass that puts something else there makes one pass
    depend on another, unless passes run one after another. Ropes are left out: `guard_ropes` takes care of them."""
    return {
        (place, name): value
        for place, module in model.named_modules()
        if not hasattr(module, "rope_type")
        for name, value in (*vars(module).items(), *module._buffers.items())
        if not name.startswith("_") and (value is None or isinstance(value, (Tensor, int, float)))
    }


def changed(before: dict[tuple[str, str], Any], after: dict[tuple[str, str], Any]) -> bool:
    """Whether one of the things that `remembered` found is another one now."""
    if before.keys() != after.keys():
        return True
    pairs = ((value, after[key]) for key, value in before.items())
    return any(a is not b if isinstance(a, Tensor) or isinstance(b, Tensor) else a != b for a, b in pairs)


def _one_at_a_time(function: Callable[..., Any]) -> Callable[..., Any]:
    lock = Lock()

    @wraps(function)
    def locked(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return function(*args, **kwargs)

    return locked


def turns_of(config: Any) -> tuple[int, ...]:
    """The lengths after which a long-context rope takes other factors for every position of a text; () for other models."""
    ropes = getattr(config.get_text_config(decoder=True), "rope_parameters", None) or {}
    ropes = [ropes, *(part for part in ropes.values() if isinstance(part, dict))]
    lengths = {rope.get("original_max_position_embeddings") for rope in ropes if rope.get("rope_type") == "longrope"}
    return tuple(sorted(length for length in lengths if isinstance(length, int)))
