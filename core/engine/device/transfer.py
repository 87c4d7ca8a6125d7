"""Between a device and the host's memory: many tensors in one transfer, and nothing that waits where no number is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from core.attention import readonly

Key = TypeVar("Key")
Wait = Callable[[], None]


def put(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on a device. A GPU's work goes on meanwhile: from pinned memory the copy takes its turn there."""
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def carry(tensors: Sequence[Tensor], behind: bool = False) -> tuple[list[Tensor], Wait]:
    """Tensors of any devices in the host's memory, one transfer for each device; and a function that waits until they are there.

    behind: on a GPU the copies run on a stream of their own, behind what was asked for so far and beside what comes after it.
    """
    found: dict[int, Tensor] = {}
    waits: list[Wait] = []
    for device in dict.fromkeys(tensor.device for tensor in tensors):
        places = [n for n, tensor in enumerate(tensors) if tensor.device == device]
        # wide numbers first: each then lies at a multiple of its own size
        places.sort(key=lambda n: -tensors[n].element_size())
        moved, wait = _carry_from(device, [tensors[n] for n in places], behind)
        found.update(zip(places, moved, strict=True))
        waits.append(wait)

    def all_there() -> None:
        for wait in waits:
            wait()

    return [found[n] for n in range(len(tensors))], all_there


def fetch(rows: Sequence[Mapping[Key, Tensor]]) -> list[dict[Key, np.ndarray]]:
    """The tensors of each row as read-only arrays with memory of their own: float32, and int64 for whole numbers.

    All come in one transfer from each device.
    """
    tensors = [tensor.detach() for row in rows for tensor in row.values()]
    if any(tensor.device.type != "cpu" for tensor in tensors):
        tensors, wait = carry(tensors)
        wait()
    arrays = iter([array_of(_alone(tensor)) for tensor in tensors])
    return [{key: next(arrays) for key in row} for row in rows]


def to_host(tensor: Tensor) -> np.ndarray:
    """A tensor as a read-only array in the host's memory: float32 where it holds numbers with a fraction."""
    (moved,), wait = carry([tensor])
    wait()
    return array_of(moved)


def array_of(tensor: Tensor) -> np.ndarray:
    """A tensor of the host as a read-only array: float32 where it holds numbers with a fraction."""
    return readonly((tensor.float() if tensor.is_floating_point() else tensor).numpy())


def _alone(tensor: Tensor) -> Tensor:
    """The tensor in memory of its own, so that a larger one behind a view can be freed."""
    size = tensor.numel() * tensor.element_size()
    whole = tensor.is_contiguous() and tensor.untyped_storage().nbytes() == size
    return tensor if whole else tensor.clone(memory_format=torch.contiguous_format)


def _carry_from(device: torch.device, tensors: list[Tensor], behind: bool) -> tuple[list[Tensor], Wait]:
    if device.type != "cuda":
        return _unpacked(_packed(tensors).to("cpu"), tensors), lambda: None
    here = torch.cuda.current_stream(device)
    stream = torch.cuda.Stream(device) if behind else here
    stream.wait_stream(here)
    with torch.cuda.stream(stream):
        packed = _packed(tensors)
        host = torch.empty(packed.shape, dtype=torch.uint8, device="cpu", pin_memory=True)
        host.copy_(packed, non_blocking=True)
        for tensor in (*tensors, packed):
            tensor.record_stream(stream)  # their memory is not given to others before the copy is done
        arrived = torch.cuda.Event()
        arrived.record(stream)
    return _unpacked(host, tensors), arrived.synchronize


def _packed(tensors: Sequence[Tensor]) -> Tensor:
    """The bytes of tensors of one device, one behind the other."""
    return torch.cat([tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in tensors])


def _unpacked(packed: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    found, begin = [], 0
    for tensor in like:
        end = begin + tensor.numel() * tensor.element_size()
        found.append(packed[begin:end].view(tensor.dtype).reshape(tensor.shape))
        begin = end
    return found
