"""The probe: an argument of one forward pass that sees, changes and keeps every attention as the requests ask.

It is made for the pass and thrown away after it. There are no hooks, no module keeps any state, and nothing is shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.attention import encode_u8, readonly
from core.engine.kernels import Computed, Kernel, additive, booleans, call_shape, choose_kernel, compute, scores_of
from core.engine.masking import resolve
from core.errors import ModelFileError
from core.model.multihead import AttentionCall
from core.request import Intervention, Request, Site, Stream
from core.trace import Attention, Recipe


@dataclass(frozen=True, slots=True)
class Row:
    """One request within a batch, and which of its ids are padding. The arrays are as long as its own texts."""

    request: Request
    source_pad: np.ndarray  # bool [source]
    target_pad: np.ndarray  # bool [target so far]

    def padding(self, stream: Stream) -> np.ndarray:
        """Which keys of a stream are padding: bool [key]."""
        return self.target_pad if stream is Stream.DECODER else self.source_pad


class Probe:
    """Watches one forward pass over a batch of requests. Afterwards `collect(row)` gives the attentions of one request.

    sites: those of this pass, in order of execution. query_start: the first new position of the target; 0 without a cache.
    """

    waits = True  # reads numbers within the pass: on a CPU they are there at once

    def __init__(self, sites: Sequence[Site], rows: Sequence[Row], query_start: int = 0) -> None:
        self.sites, self.rows, self.query_start = sites, rows, query_start
        self.seen = 0
        self.kept: list[list[Attention]] = [[] for _ in rows]
        self._native: dict[int, tuple[Tensor, np.ndarray]] = {}
        self._triangle: dict[int, bool] = {}
        self._bias: dict[int, tuple[Tensor, np.ndarray]] = {}
        self.unchanged = not any(row.request.intervention.kinds for row in rows)

    def attend(self, call: AttentionCall) -> tuple[Tensor, Tensor | None]:
        """Run one attention as the requests ask: output [batch, query, head, d], and the weights where they were computed.

        Raises MaskError where a mask leaves a row no key to look at, ModelFileError for more attentions than the dry run saw.
        """
        site = self._next_site()
        stored = [self._stored(site, row.request) for row in self.rows]
        if self.unchanged and not any(stored):
            return self._unwatched(call)
        start = 0 if site.stream is Stream.ENCODER else self.query_start
        found = [self._strongest(call, n, *self._allowed(site, call, n, start)) for n in range(len(self.rows))]
        allowed, changed = [array for array, _ in found], any(changes for _, changes in found)
        mask = self._mask(call, allowed) if changed else call.mask
        temperature = self._temperature(call)
        ways = self._ways(call, stored)
        kernel = choose_kernel(call, ways, temperature is not None)
        causal = kernel in (Kernel.FUSED, Kernel.CODED) and not changed and self._is_triangle(call)
        done = compute(kernel, call, mask, causal, 1.0 if temperature is None else temperature, any(ways))
        for n, how in enumerate(ways):
            if how:
                self.kept[n].append(self._keep(site, call, n, how, allowed[n], done, start))
        return self._ablate(site, done.output), done.weights

    def _unwatched(self, call: AttentionCall) -> tuple[Tensor, Tensor | None]:
        """The attention of a model as it was trained, of which nothing is kept."""
        if call.fused is None:
            return call.owner(call.mask)
        return call.fused(call.mask, self._is_triangle(call)), None

    def close(self) -> None:
        """Called once, when the pass is over."""

    def receive(self, row: int, attention: Attention) -> None:
        """Keep an attention of one request as a model itself returned it, where nothing else is known of it."""
        self.kept[row].append(attention)

    def collect(self, row: int) -> tuple[Attention, ...]:
        """What was kept for one request, in order of execution."""
        return tuple(self.kept[row])

    def _next_site(self) -> Site:
        if self.seen >= len(self.sites):
            raise ModelFileError(
                f"{len(self.sites)} attentions in a pass",
                "one more",
                "This family changes its depth; it cannot be watched",
            )
        self.seen += 1
        return self.sites[self.seen - 1]

    def _temperature(self, call: AttentionCall) -> Tensor | None:
        """The temperature of each request, float32 [batch, 1, 1, 1]; None where it is 1 for all."""
        temperatures = [row.request.intervention.temperature for row in self.rows]
        if all(temperature == 1.0 for temperature in temperatures):
            return None
        return torch.tensor(temperatures, dtype=torch.float32, device=call.query.device).reshape(-1, 1, 1, 1)

    def _stored(self, site: Site, request: Request) -> str | None:
        """How a request keeps this site's pattern: "float32", "u8", "lazy" (what is needed to compute it), or None."""
        if not request.keep & {"pattern", "scores", "qkv"} or (
            request.layers is not None and site.layer not in request.layers
        ):
            return None
        return request.capture if "pattern" in request.keep else "lazy"

    def _ways(self, call: AttentionCall, stored: list[str | None]) -> list[str | None]:
        """How the pattern of each request is kept from this call on."""
        return stored

    def _allowed(self, site: Site, call: AttentionCall, n: int, start: int) -> tuple[np.ndarray, bool]:
        """The mask of one request, bool [1 or head, query, key] cut to its own lengths, and whether the request changed it."""
        row = self.rows[n]
        queries, keys = self._lengths(site, call, row)
        native = self._native_mask(call)
        native = np.broadcast_to(native[min(n, len(native) - 1)], (len(native[0]), *call_shape(call)))[
            :, :queries, :keys
        ]
        change = row.request.intervention
        if not concerns(change, site):
            return native, False
        return resolve(site, native[0], change, row.padding(site.stream)[:keys], start), True

    def _strongest(self, call: AttentionCall, n: int, allowed: np.ndarray, changed: bool) -> tuple[np.ndarray, bool]:
        """The mask `allowed` with only the request's `top_k` largest scores of every row left, and whether it is now changed.

        Of equal scores the first stay. The mask has the shape [head, query, key] where a key may be left out.
        """
        most, (queries, keys) = self.rows[n].request.intervention.top_k, allowed.shape[-2:]
        if most is None or most >= keys:
            return allowed, changed
        scores = scores_of(call, slice(n, n + 1))[0, :, :queries, :keys]
        may = torch.from_numpy(np.array(allowed)).to(scores.device)
        order = scores.masked_fill(~may, -torch.inf).argsort(dim=-1, descending=True, stable=True)
        kept = torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, order[..., :most], True) & may
        return kept.cpu().numpy(), True

    def _lengths(self, site: Site, call: AttentionCall, row: Row) -> tuple[int, int]:
        queries, keys = call_shape(call)
        own = len(row.source_pad) if site.stream is Stream.ENCODER else len(row.target_pad) - self.query_start
        seen = len(row.target_pad) if site.stream is Stream.DECODER else len(row.source_pad)
        return min(queries, own), min(keys, seen)

    def _native_mask(self, call: AttentionCall) -> np.ndarray:
        """The family's own mask as bool [batch or 1, 1 or head, query, key]; each mask tensor of a pass is read once."""
        if call.mask is None:
            return np.broadcast_to(True, (1, 1, *call_shape(call)))
        if id(call.mask) not in self._native:
            # we keep the tensor beside its array: while it lives, no other tensor can get the same id
            self._native[id(call.mask)] = call.mask, booleans(call.mask).cpu().numpy()
        return self._native[id(call.mask)][1]

    def _is_triangle(self, call: AttentionCall) -> bool:
        """Whether the family's own mask is the plain causal one. Each mask tensor of a pass is compared once."""
        if call.mask is None or call.query.shape[-2] != call.key.shape[-2]:
            return False
        if id(call.mask) not in self._triangle:
            native = self._native_mask(call)
            self._triangle[id(call.mask)] = bool((native == np.tri(native.shape[-1], dtype=bool)).all())
        return self._triangle[id(call.mask)]

    def _mask(self, call: AttentionCall, allowed: list[np.ndarray]) -> Tensor:
        """All rows' masks as one tensor in the family's own form: bool for ours, additive for theirs."""
        queries, keys = call_shape(call)
        heads = max(len(array) for array in allowed)
        full = np.zeros((len(allowed), heads, queries, keys), dtype=bool)
        for n, array in enumerate(allowed):
            full[n, :, : array.shape[1], : array.shape[2]] = array
            # nobody reads the rows beyond a shorter text, but some kernels would give NaN for an empty row
            full[n, :, array.shape[1] :, 0] = True
        mask = torch.from_numpy(full).to(call.query.device)
        return mask if call.additive is None else additive(mask, call.additive)

    def _keep(
        self, site: Site, call: AttentionCall, n: int, how: str, allowed: np.ndarray, done: Computed, start: int
    ) -> Attention:
        """What is kept of one attention for the n-th request, cut to its own lengths. how: the answer of `_stored`."""
        request = self.rows[n].request
        queries, keys = allowed.shape[-2:]
        bias = self._bias_of(call, n, queries, keys)
        computes = bool(request.keep & {"scores", "qkv"})
        recipe = codes = pattern = None
        if how == "lazy" or computes or (how == "u8" and done.weights is None and done.codes is None):
            recipe = self._recipe(call, n, queries, keys, bias)
        if how == "u8":
            codes = codes_of(done, n, allowed, recipe, site.heads)
        elif how == "float32":
            assert done.weights is not None
            pattern = as_array(done.weights[n, :, :queries, :keys])
        return Attention(
            site,
            readonly(allowed) if allowed.flags.owndata else allowed,
            keeps=request.keep,
            scaling=call.scaling,
            kv_heads=call.key.shape[1],
            softcap=call.softcap,
            bias=bias,
            pattern=pattern,
            codes=codes,
            sink=None if done.sink_weight is None else as_array(done.sink_weight[n, :, :queries]),
            value=as_array(call.value[n, :, :keys], copy=True) if "qkv" in request.keep else None,
            recipe=recipe if how != "u8" or computes else None,  # once the codes are made, they need no recipe
            ablated=silenced(request, site),
            query_start=start,
            temperature=request.intervention.temperature,
        )

    def _recipe(self, call: AttentionCall, n: int, queries: int, keys: int, bias: np.ndarray | None) -> Recipe:
        """The arrays of the n-th request from which the pattern of any head can be computed later."""
        return Recipe(
            as_array(call.query[n, :, :queries], copy=True),
            as_array(call.key[n, :, :keys], copy=True),
            call.scaling,
            call.softcap,
            bias,
            None if call.sink is None else as_array(call.sink),
            self.rows[n].request.intervention.temperature,
        )

    def _bias_of(self, call: AttentionCall, n: int, queries: int, keys: int) -> np.ndarray | None:
        """The n-th request's bias [head, query, key]. A bias that all layers share is converted and stored once."""
        bias = call.bias
        if bias is None:
            return None
        if id(bias) not in self._bias:
            self._bias[id(bias)] = bias, as_array(bias, copy=True)
        return self._bias[id(bias)][1][min(n, len(bias) - 1), :, :queries, :keys]

    def _ablate(self, site: Site, output: Tensor) -> Tensor:
        """Silence heads before W_O by zero, or by their mean over this run's positions. Of several ablations of one head, the
        last one counts."""
        whole = output
        for n, row in enumerate(self.rows):
            for head, how in {a.head: a.how for a in row.request.intervention.ablated}.items():
                if (head.stream, head.layer) != (site.stream, site.layer):
                    continue
                own = len(row.source_pad) if site.stream is Stream.ENCODER else len(row.target_pad) - self.query_start
                output = output.clone() if output is whole else output
                output[n, :own, head.head] = 0 if how == "zero" else whole[n, :own, head.head].mean(dim=0, keepdim=True)
        return output


def silenced(request: Request, site: Site) -> tuple[int, ...]:
    """The heads of a site that a request ablates."""
    ablated = request.intervention.ablated
    return tuple(sorted({a.head.head for a in ablated if (a.head.stream, a.head.layer) == (site.stream, site.layer)}))


def concerns(change: Intervention, site: Site) -> bool:
    """Whether one of the changes is another mask or a cut at this site."""
    rules = (r.stream is site.stream and (r.layers is None or site.layer in r.layers) for r in change.masks)
    return any(rules) or any((cut.head.stream, cut.head.layer) == (site.stream, site.layer) for cut in change.cuts)


def codes_of(done: Computed, n: int, allowed: np.ndarray, recipe: Recipe | None, heads: int) -> np.ndarray:
    """The n-th request's pattern as 8-bit codes [head, query, key], made from the kernel's codes, its weights, or the recipe.

    One head at a time, so that the float32 maps of a whole layer never exist.
    """
    queries, keys = allowed.shape[-2:]
    if done.codes is not None:
        return readonly(done.codes[n, :, :queries, :keys].cpu().numpy())
    codes = np.empty((heads, queries, keys), dtype=np.uint8)
    for head in range(heads):
        if done.weights is not None:
            pattern = as_array(done.weights[n, head, :queries, :keys])
        else:
            assert recipe is not None
            pattern = recipe.pattern(head, allowed[head if len(allowed) > 1 else 0])[0]
        codes[head] = encode_u8(pattern)
    return readonly(codes)


def as_array(tensor: Tensor, copy: bool = False) -> np.ndarray:
    """A tensor as a read-only float32 array of the same shape. copy: the array gets memory of its own, so that a larger tensor
    behind a view can be freed."""
    tensor = tensor.detach().to("cpu", torch.float32)
    if copy:
        tensor = tensor.clone(memory_format=torch.contiguous_format)
    return readonly(tensor.numpy())
