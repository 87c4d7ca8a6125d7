"""The probe of a pass on a device: it waits for no number. What is kept stays there, and masks are known by their marks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.engine.device.attention import DeviceAttention, Sight
from core.engine.device.boxes import Packer, Part, Store
from core.engine.device.transfer import put
from core.engine.kernels import Computed, additive, booleans, call_shape, scores_of
from core.engine.masking import resolve
from core.engine.probe import Probe, Row, concerns, silenced
from core.model.marks import mark_of
from core.model.multihead import AttentionCall
from core.request import Site


class DeviceProbe(Probe):
    """Watches one forward pass on a device. It reads a mask only where a rule changes one that nobody has marked.

    store: knows what is kept on the device, and lets the oldest of it leave where there is no room.
    """

    waits = False

    def __init__(self, sites: Sequence[Site], rows: Sequence[Row], query_start: int, store: Store) -> None:
        super().__init__(sites, rows, query_start)
        self.packer = Packer(store)
        self._parts: dict[
            tuple[Any, ...], tuple[Tensor, Any]
        ] = {}  # what several layers share, beside the tensor it is of

    def close(self) -> None:
        self.packer.close()

    def _ways(self, call: AttentionCall, stored: list[str | None]) -> list[str | None]:
        """Weights for a few rows, as in a step of writing, are smaller than the keys they would be computed from. Codes are
        made where the tensors are, when somebody looks."""
        few = call.query.shape[1] * call.query.shape[2] <= call.key.shape[1] * call.key.shape[3]
        wanted = {how: how for how in (None, "float32", "lazy")} | {"u8": "lazy"}
        return [
            "float32" if how in ("lazy", "u8") and few and self._only_pattern(n) else wanted[how]
            for n, how in enumerate(stored)
        ]

    def _only_pattern(self, n: int) -> bool:
        keep = self.rows[n].request.keep
        return "pattern" in keep and not keep & {"scores", "qkv"}

    def _allowed(self, site: Site, call: AttentionCall, n: int, start: int) -> tuple[Any, bool]:
        """The mask of one request, as a Sight, and whether the request changed it."""
        row = self.rows[n]
        queries, keys = self._lengths(site, call, row)
        native = self._native_sight(call, n, queries, keys)
        change = row.request.intervention
        if not concerns(change, site):
            return native, False
        # where a row stays empty, the request is refused here, from what is known in the host's memory
        made = resolve(site, native.array[0], change, row.padding(site.stream)[:keys], start)
        return Sight(queries, keys, lambda: made), True

    def _native_sight(self, call: AttentionCall, n: int, queries: int, keys: int) -> Sight:
        """The family's own mask for one request, cut to its own lengths, where padding, which stands on the right, has no part."""
        mask = call.mask
        if mask is None:
            return Sight(queries, keys, lambda: np.ones((1, 1, 1), dtype=bool))
        known = mark_of(mask)
        place = 0 if known is not None else min(n, len(mask) - 1)
        return self._shared(
            ("sight", place, queries, keys), mask, lambda: self._sight_of(mask, known, place, queries, keys)
        )

    def _sight_of(self, mask: Tensor, known: Any, place: int, queries: int, keys: int) -> Sight:
        if known is not None:
            # the plain triangle is made anew on the device, sooner than it could be sent there
            again = triangle_on(mask.device, queries) if known.triangle and queries == keys else None
            return Sight(queries, keys, lambda: known.draw().numpy()[None, :queries, :keys], again)
        return self._kept_sight(booleans(mask)[place, :, :queries, :keys], queries, keys)

    def _kept_sight(self, mask: Tensor, queries: int, keys: int) -> Sight:
        """A mask [1 or head, query, key] that nothing is known of but its tensor."""
        part = self.packer.keep(mask)
        return Sight(queries, keys, lambda: part.array, lambda: part.there)

    def _shared(self, name: tuple[Any, ...], tensor: Tensor, make: Any) -> Any:
        """What `make` gives, once for all layers that use this tensor in this way."""
        key = (id(tensor), *name)
        if key not in self._parts:
            # the tensor is held beside it: while it lives, no other tensor can get the same id
            self._parts[key] = tensor, make()
        return self._parts[key][1]

    def _strongest(self, call: AttentionCall, n: int, allowed: Any, changed: bool) -> tuple[Any, bool]:
        """As in Probe, but what is left is known on the device alone."""
        most, (queries, keys) = self.rows[n].request.intervention.top_k, (allowed.queries, allowed.keys)
        if most is None or most >= keys:
            return allowed, changed
        scores = scores_of(call, slice(n, n + 1))[0, :, :queries, :keys]
        may = allowed.on(scores.device)
        order = scores.masked_fill(~may, -torch.inf).argsort(dim=-1, descending=True, stable=True)
        kept = torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, order[..., :most], True) & may
        return self._kept_sight(kept, queries, keys), True

    def _is_triangle(self, call: AttentionCall) -> bool:
        """Whether the mask was made as the plain causal one. Padding on the right changes no row of a text."""
        if call.mask is None or call.query.shape[-2] != call.key.shape[-2]:
            return False
        known = mark_of(call.mask)
        return known is not None and known.triangle

    def _mask(self, call: AttentionCall, allowed: list[Any]) -> Tensor:
        """As in Probe, but put together on the device."""
        queries, keys = call_shape(call)
        device = call.query.device
        rows = [sight.on(device) for sight in allowed]
        heads = max(len(row) for row in rows)
        full = torch.zeros(len(rows), heads, queries, keys, dtype=torch.bool, device=device)
        for n, row in enumerate(rows):
            full[n, :, : row.shape[1], : row.shape[2]] = row
            # nobody reads the rows beyond a shorter text, but some kernels would give NaN for an empty row
            full[n, :, row.shape[1] :, 0] = True
        return full if call.additive is None else additive(full, call.additive)

    def _temperature(self, call: AttentionCall) -> Tensor | None:
        temperatures = [row.request.intervention.temperature for row in self.rows]
        if all(temperature == 1.0 for temperature in temperatures):
            return None
        told = torch.tensor(temperatures, dtype=torch.float32, device="cpu")
        return put(told, call.query.device).reshape(-1, 1, 1, 1)

    def _keep(
        self, site: Site, call: AttentionCall, n: int, how: str, allowed: Any, done: Computed, start: int
    ) -> DeviceAttention:
        request, queries, keys = self.rows[n].request, allowed.queries, allowed.keys
        parts: dict[str, Part | Tensor] = {}
        if how == "float32":
            assert done.weights is not None
            parts["weights"] = self.packer.keep(done.weights[n, :, :queries, :keys])
            if done.sink_weight is not None:
                parts["sink_weight"] = self.packer.keep(done.sink_weight[n, :, :queries])
        if how == "lazy" or request.keep & {"scores", "qkv"}:
            parts |= self._computed_from(call, n, queries, keys)
        if "qkv" in request.keep:
            parts["value"] = self.packer.keep(call.value[n, :, :keys])
        if call.bias is not None and "bias" not in parts:
            parts["bias"] = self._bias_part(call.bias, n, queries, keys)
        return DeviceAttention(
            site, allowed, parts,
            coded=request.capture == "u8" and "pattern" in request.keep,
            keeps=request.keep, scaling=call.scaling, kv_heads=call.key.shape[1], softcap=call.softcap,
            ablated=silenced(request, site), query_start=start, temperature=request.intervention.temperature,
        )  # fmt: skip

    def _computed_from(self, call: AttentionCall, n: int, queries: int, keys: int) -> dict[str, Part | Tensor]:
        """The tensors of one request from which the pattern of any head can be computed later."""
        parts: dict[str, Part | Tensor] = {
            "query": self.packer.keep(call.query[n, :, :queries]),
            "key": self.packer.keep(call.key[n, :, :keys]),
        }
        if call.sink is not None:
            parts["sink"] = call.sink.detach()  # a weight of the model
        if call.bias is not None:
            parts["bias"] = self._bias_part(call.bias, n, queries, keys)
        return parts

    def _bias_part(self, bias: Tensor, n: int, queries: int, keys: int) -> Part:
        place = min(n, len(bias) - 1)
        name = ("bias", place, queries, keys)
        return self._shared(name, bias, lambda: self.packer.keep(bias[place, :, :queries, :keys]))


def triangle_on(device: torch.device, length: int) -> Callable[[], Tensor]:
    """A function that makes the plain causal mask on a device: bool [1, query, key]."""
    return lambda: torch.ones(1, length, length, dtype=torch.bool, device=device).tril()
