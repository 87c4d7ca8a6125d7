"""Batches: which requests may share a forward pass, and their ids and positions as padded tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from core.engine.device.transfer import put
from core.request import Request, Stream

CELLS = 64_000_000  # the most cells (rows × heads × tokens²) of one layer in one forward pass
ROWS = 32


def groups(requests: Sequence[Request], heads: int, turns: Sequence[int] = ()) -> Iterator[list[int]]:
    """Groups of requests that run together, as places in the list. Each request comes once; a group has similar lengths, and
    lies on one side of every length in `turns`."""
    order = sorted(range(len(requests)), key=lambda n: (len(requests[n].source or ()), len(requests[n].target or ())))
    group: list[int] = []
    for n in order:
        if group and not fits([requests[m] for m in (*group, n)], heads, turns):
            yield group
            group = []
        group.append(n)
    if group:
        yield group


def fits(group: Sequence[Request], heads: int, turns: Sequence[int] = ()) -> bool:
    """Whether requests may share a forward pass: they are few enough, and similar in length, so that little is padding."""
    for name in ("source", "target"):
        lengths = [len(getattr(request, name) or ()) for request in group]
        if max(lengths) > 1.25 * min(lengths) + 2:
            return False
        if any(min(lengths) <= turn < max(lengths) for turn in turns):
            return False
    longest = max(max(len(r.source or ()), len(r.target or ())) for r in group)
    return len(group) <= ROWS and len(group) * heads * longest**2 <= CELLS


def stack(
    rows: Sequence[tuple[int, ...] | None], fill: int, device: torch.device
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Ids padded on the right with `fill`, int64 [batch, position], and which of them are no padding, bool of that shape; None
    for the second where nothing is padded, for both where there are no ids."""
    present = [row for row in rows if row is not None]
    if not present:
        return None, None
    width = max(map(len, present))
    ids = put(torch.tensor([(*row, *[fill] * (width - len(row))) for row in present], device="cpu"), device)
    if all(len(row) == width for row in present):
        return ids, None
    lengths = put(torch.tensor([len(row) for row in present], device="cpu"), device)
    return ids, torch.arange(width, device=device)[None] < lengths[:, None]


def places(requests: Sequence[Request], stream: Stream, ids: torch.Tensor | None, start: int) -> torch.Tensor | None:
    """The positions of the tokens `ids` [batch, position], which are the text from `start` on: int64 of the same shape, −1 for
    no position. None where no request moves a token."""
    if ids is None or not any(rule.stream is stream for r in requests for rule in r.intervention.positions):
        return None
    width = ids.shape[-1]
    rows = []
    for request in requests:
        count = len((request.source if stream is Stream.ENCODER else request.target) or ())
        stand = request.intervention.places(stream, count) or tuple(range(count))
        # padding gets position 0, which has no effect: no token looks at padding
        rows.append((*stand[start:], *[0] * (width - count + start)))
    return put(torch.tensor(rows, device="cpu"), ids.device)


def kinds(requests: Sequence[Request], ids: torch.Tensor | None) -> torch.Tensor | None:
    """To which of two sentences each token of the sources `ids` [batch, position] belongs: int64 of the same shape, 0 for single
    texts and padding. None where no request is a pair."""
    if ids is None or all(request.types is None for request in requests):
        return None
    width = ids.shape[-1]
    rows = [(*(request.types or ()), *[0] * (width - len(request.types or ()))) for request in requests]
    return put(torch.tensor(rows, device="cpu"), ids.device)
