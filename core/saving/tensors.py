"""Named arrays in one file of the safetensors format, which holds numbers only: reading it can run no code.

Everything that a file says of itself is checked against its size before an array is made of it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from core.checks import natural
from core.errors import InputError, TooLongError

HEADER = 8 * 2**20  # bytes of a header that we read
DTYPES = {"BOOL": "?", "U8": "u1", "I64": "<i8", "F32": "<f4"}  # the format's names of what a trace is made of
_NAMES = {np.dtype(code): name for name, code in DTYPES.items()}


class Spec(NamedTuple):
    """What a file says of one array: the format's name of its dtype, its shape, and where its bytes begin behind the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int = 0

    @property
    def bytes(self) -> int:
        """How many bytes the array takes."""
        return math.prod(self.shape) * np.dtype(DTYPES[self.dtype]).itemsize


def spec_of(name: str, array: np.ndarray) -> Spec:
    """What a file will say of this array. Raises InputError for a dtype that no trace has."""
    kind = _NAMES.get(array.dtype)
    if kind is None:
        raise InputError(f"{name} in one of {', '.join(map(str, _NAMES))}", f"{array.dtype}", "Convert it first")
    return Spec(kind, array.shape)


def write(stream: BinaryIO, arrays: Mapping[str, np.ndarray], about: Mapping[str, str]) -> None:
    """Write arrays and texts `about` them. Raises TooLongError for a longer header than `read` takes."""
    # the wide ones first: so each begins at a multiple of its width, as the format wants it
    order = sorted(arrays, key=lambda name: -arrays[name].dtype.itemsize)
    header: dict[str, Any] = {"__metadata__": dict(about)}
    start = 0
    for name in order:
        spec = spec_of(name, arrays[name])
        header[name] = {"dtype": spec.dtype, "shape": spec.shape, "data_offsets": [start, start + spec.bytes]}
        start += spec.bytes
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    if len(text) > HEADER:
        raise TooLongError(
            f"a description of at most {HEADER:,} bytes", f"{len(text):,}", "Shorten the text, or cut fewer cells"
        )
    stream.write(len(text).to_bytes(8, "little") + text)
    for name in order:
        stream.write(np.ascontiguousarray(arrays[name]).data.cast("B") if arrays[name].size else b"")


def read_header(stream: BinaryIO, size: int) -> tuple[dict[str, Spec], dict[str, Any]]:
    """The arrays that a file of `size` bytes holds, by name, and the texts about them; the stream then stands at the first.

    Raises InputError where the file is truncated or its header promises anything but exactly its bytes.
    """
    length = int.from_bytes(stream.read(8), "little")
    if not 2 <= length <= min(HEADER, size - 8):
        raise _broken(f"a header of {length:,} bytes in a file of {size:,}")
    try:
        header = json.loads(stream.read(length))
        about = header.pop("__metadata__", {})
        specs = {name: _spec(entry) for name, entry in header.items()}
        place = 0
        for spec in sorted(specs.values(), key=lambda spec: (spec.start, spec.bytes)):
            if spec.start != place:
                raise ValueError(f"an array at {spec.start} where {place} was next")
            place += spec.bytes
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _broken(f"{error}" or type(error).__name__) from None
    if 8 + length + place != size:
        raise _broken(f"{size:,} bytes where its header promises {8 + length + place:,}")
    if not isinstance(about, dict):
        raise _broken("a header without a description")
    return specs, about


def read_arrays(stream: BinaryIO, specs: Mapping[str, Spec]) -> dict[str, np.ndarray]:
    """The arrays themselves, read-only, from a stream that `read_header` has left at the first."""
    found = {}
    for name, spec in sorted(specs.items(), key=lambda item: (item[1].start, item[1].bytes)):
        raw = stream.read(spec.bytes)
        if len(raw) != spec.bytes:
            raise _broken(f"an end within {name}")
        if spec.dtype == "BOOL" and (np.frombuffer(raw, np.uint8) > 1).any():
            raise _broken(f"neither true nor false in {name}")
        found[name] = np.frombuffer(raw, DTYPES[spec.dtype]).reshape(spec.shape)
    return {name: found[name] for name in specs}


def _spec(entry: dict[str, Any]) -> Spec:
    """One line of a header. Raises ValueError where its shape is none, or does not take the bytes that it names."""
    start, end = entry["data_offsets"]
    shape = tuple(-1 if natural(side) is None else int(side) for side in entry["shape"])
    sound = len(shape) <= 4 and all(0 <= side < 2**31 for side in shape) and natural(start) is not None
    if entry["dtype"] not in DTYPES or not sound:
        raise ValueError(f"an array of {entry['dtype']} {entry['shape']}")
    spec = Spec(entry["dtype"], shape, start)
    if end != start + spec.bytes:
        raise ValueError(f"{end - start} bytes for an array of {spec.dtype} {list(spec.shape)}")
    return spec


def _broken(why: str) -> InputError:
    return InputError("a whole trace saved by Lookback", why, "Save it again")
