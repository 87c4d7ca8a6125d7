"""Models larger than one device: their parts stand on several, by accelerate's device map, and what passes between is carried."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import DeviceError

ROOM = 0.8  # of the memory that is free on a device: the rest is for what a pass needs


def parts_of(model: Any, device: torch.device) -> dict[str, Any] | None:
    """Where each part of a model goes that is too large for a GPU: a device map. None where all of it fits on `device`.

    Raises DeviceError where all devices and the host's memory together are too small.
    """
    if device.type != "cuda" or size_of(model) <= ROOM * torch.cuda.mem_get_info(device)[0]:
        return None
    from accelerate.utils import get_max_memory

    free = get_max_memory()
    return divided(model, {place: int(ROOM * room) for place, room in free.items()})


def divided(model: Any, room: dict[int | str, int]) -> dict[str, Any]:
    """A device map for these devices, each with its bytes, filled in this order. A layer stays whole.

    Raises DeviceError where the model does not fit.
    """
    from accelerate import infer_auto_device_map

    found = dict(infer_auto_device_map(model, max_memory=room, no_split_module_classes=sorted(model._no_split_modules or ())))
    if "disk" in found.values() and "disk" not in room:
        raise DeviceError(
            f"room for {size_of(model) / 1e9:,.1f} GB of weights on all devices and in memory",
            f"{sum(room.values()) / 1e9:,.1f} GB",
            "Choose a smaller model",
        )
    return found


def spread(model: Any, parts: dict[str, Any], folder: str | None = None) -> None:
    """Put the parts of a model where the map says. What the host's memory (or a folder) holds comes to a device in each pass.

    At load only, before threads share the model. The hooks hold nothing of a pass, and carry numbers unchanged; where weights
    come and go, one thread at a time runs the module that they belong to.
    """
    from accelerate import dispatch_model

    skip = getattr(model, "_skip_keys_device_placement", None)
    dispatch_model(model, device_map=parts, offload_dir=folder, skip_keys=skip, force_hooks=True)
    lock = RLock()
    for module in model.modules():
        if getattr(getattr(module, "_hf_hook", None), "offload", False):
            module.forward = _one_at_a_time(module.forward, lock)


def size_of(model: nn.Module) -> int:
    """Bytes of a model's weights."""
    return sum(tensor.numel() * tensor.element_size() for tensor in model.parameters())


def devices_of(parts: dict[str, Any]) -> tuple[str, ...]:
    """The devices of a map, by name, each once."""
    names = (f"cuda:{place}" if isinstance(place, int) else str(place) for place in parts.values())
    return tuple(dict.fromkeys(names))


def weight_of(module: Any) -> Tensor:
    """The weight of a module, also where it only comes to a device in a pass."""
    if module.weight.device.type != "meta":
        return module.weight
    return module._hf_hook.weights_map["weight"]


def _one_at_a_time(function: Callable[..., Any], lock: Any) -> Callable[..., Any]:
    @wraps(function)
    def locked(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return function(*args, **kwargs)

    return locked
