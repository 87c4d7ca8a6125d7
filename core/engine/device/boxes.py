"""Boxes: what passes captured on a device, within a budget of bytes; what is older moves to the host's memory meanwhile."""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Callable
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from core.engine.device.transfer import array_of, carry
from core.errors import DeviceError

BOX = 64 * 2**20  # bytes: what travels at once
SHARE = 0.25  # of the memory that is free when a lens first captures something
ELSEWHERE = 2**30  # bytes, on devices that do not tell how much of their memory is free
SETTING = "LOOKBACK_DEVICE_BYTES"


class Box:
    """Tensors of one device that leave it together. Threads may share it."""

    __slots__ = ("__weakref__", "away", "bytes", "device", "lock", "tensors", "wait")

    def __init__(self, device: torch.device) -> None:
        self.device, self.bytes, self.away = device, 0, False
        self.tensors: list[Tensor] = []
        self.lock = Lock()
        self.wait: Callable[[], None] = lambda: None

    def leave(self) -> None:
        """Begin to move to the host's memory, and give the device's back. Waits for nothing."""
        with self.lock:
            if not self.away:
                self.tensors, self.wait = carry(self.tensors, behind=True)
                self.away = True

    def arrive(self) -> list[Tensor]:
        """The tensors in the host's memory. Those that come because somebody looks are made float32 before they travel."""
        with self.lock:
            if not self.away:
                numbers = [tensor.float() if tensor.is_floating_point() else tensor for tensor in self.tensors]
                self.tensors, self.wait = carry(numbers)
                self.away = True
        self.wait()
        return self.tensors


class Part:
    """One tensor in a box, wherever the box is."""

    __slots__ = ("box", "place", "shape")

    def __init__(self, box: Box, place: int, shape: tuple[int, ...]) -> None:
        self.box, self.place, self.shape = box, place, shape

    @property
    def there(self) -> Tensor | None:
        """The tensor on its device; None once its box has left."""
        with self.box.lock:
            return None if self.box.away else self.box.tensors[self.place]

    @property
    def array(self) -> np.ndarray:
        """The tensor as a read-only array, float32 or bool. Its box comes to the host in one transfer, if it is not there yet."""
        return array_of(self.box.arrive()[self.place])


class Store:
    """The boxes that are still on a device. For each device they may take `budget` bytes, then the oldest leave.

    budget: None reads LOOKBACK_DEVICE_BYTES, else takes a quarter of what is free. Traces own the boxes; the store only knows them.
    """

    def __init__(self, budget: int | None = None) -> None:
        self.budget, self.lock = budget, Lock()
        self.boxes: list[weakref.ref[Box]] = []
        self.limits: dict[torch.device, float] = {}

    def hold(self, box: Box) -> None:
        """Know one more box, and let the oldest of its device leave where there is no room for all."""
        with self.lock:
            alive = [one for ref in self.boxes if (one := ref()) is not None and not one.away]
            alive.append(box)
            limit = self.limits.setdefault(box.device, self._limit(box.device))
            mine = [one for one in alive if one.device == box.device]
            over = sum(one.bytes for one in mine) - limit
            for one in mine:
                if over <= 0:
                    break
                one.leave()
                over -= one.bytes
            self.boxes = [weakref.ref(one) for one in alive if not one.away]

    def empty(self) -> bool:
        """Let every box leave. Gives whether there was one."""
        with self.lock:
            alive = [one for ref in self.boxes if (one := ref()) is not None and not one.away]
            for one in alive:
                one.leave()
            self.boxes = []
        return bool(alive)

    def _limit(self, device: torch.device) -> float:
        if self.budget is not None:
            return self.budget
        if (said := os.environ.get(SETTING, "").strip()) and said:
            return _number(said)
        return SHARE * torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else ELSEWHERE


def _number(said: str) -> float:
    """The bytes that a setting names. Raises DeviceError for anything but a number from 0."""
    try:
        limit = float(said)
    except ValueError:
        limit = math.nan
    if not limit >= 0:
        raise DeviceError(f"{SETTING} as a number of bytes", f"“{said}”", "Set it to 8e9, for example")
    return limit


class Packer:
    """Puts what one pass captures into boxes."""

    def __init__(self, store: Store) -> None:
        self.store, self.open = store, dict[torch.device, Box]()

    def keep(self, tensor: Tensor) -> Part:
        """Keep a tensor as it is now. A view of something much larger is copied on its device, so that the rest can be freed."""
        size = tensor.numel() * tensor.element_size()
        if tensor.untyped_storage().nbytes() > 2 * size:
            tensor = tensor.clone(memory_format=torch.contiguous_format)
        if (box := self.open.get(tensor.device)) is None:
            box = self.open[tensor.device] = Box(tensor.device)
        box.tensors.append(tensor.detach())
        box.bytes += size
        part = Part(box, len(box.tensors) - 1, tuple(tensor.shape))
        if box.bytes >= BOX:
            self.store.hold(self.open.pop(tensor.device))
        return part

    def close(self) -> None:
        """Hand over the boxes that are not full."""
        for box in self.open.values():
            self.store.hold(box)
        self.open.clear()
