"""The probe: handed down one forward pass as an argument, it sees every attention, changes what its requests ask to be
changed, keeps what they ask to be kept, and is thrown away. No hooks, no state on any module, nothing shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.attention import encode_u8, readonly
from core.engine.masking import resolve
from core.errors import ModelFileError
from core.model.attention import AttentionCall
from core.request import Request, Site, Stream
from core.trace import Attention, Recipe

CODED_CELLS = 1_000_000  # cells whose float32 weights exist at once while they are being coded


@dataclass(frozen=True, slots=True)
class Row:
    """One request within a batch: its own lengths, and which of its ids are padding."""

    request: Request
    source_pad: np.ndarray  # bool [source]
    target_pad: np.ndarray  # bool [target so far]

    def padding(self, stream: Stream) -> np.ndarray:
        """Which keys of a stream are padding: bool [key]."""
        return self.target_pad if stream is Stream.DECODER else self.source_pad


def repeat_heads(x: Tensor, heads: int) -> Tensor:
    """[batch, kv head, position, d] → [batch, head, position, d]: each key/value head serves a group of query heads."""
    return x if x.shape[1] == heads else x.repeat_interleave(heads // x.shape[1], dim=1)


def reference(
    call: AttentionCall,
    allowed: Tensor | None,  # bool, broadcasts to [batch, head, query, key]
    temperature: Tensor | float = 1.0,  # a number, or [batch, 1, 1, 1]
) -> tuple[Tensor, Tensor, Tensor | None]:
    """softmax(cap(scaling · q·k) + bias + mask ⊕ sink) · v, the one formula every family's own must equal.

    Gives the output [batch, query, head, d], the weights [batch, head, query, key] and the sink's share [batch, head, query].
    """
    heads = call.query.shape[1]
    key, value = repeat_heads(call.key, heads), repeat_heads(call.value, heads)
    scores = (call.query @ key.transpose(-2, -1)).float() * call.scaling
    if call.softcap is not None:
        scores = call.softcap * torch.tanh(scores / call.softcap)
    if call.bias is not None:
        scores = scores + call.bias
    scores = scores / temperature
    if allowed is not None:
        scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
    if call.sink is None:
        weights, taken = scores.softmax(dim=-1), None
    else:
        sink = call.sink.float().reshape(1, -1, 1, 1).expand(*scores.shape[:-1], 1)
        every = torch.cat([scores, sink], dim=-1).softmax(dim=-1)
        weights, taken = every[..., :-1], every[..., -1]
    weights = weights.to(value.dtype)
    return (weights @ value).transpose(1, 2), weights, taken


def weigh(call: AttentionCall, mask: Tensor | None, heads: slice = slice(None)) -> Tensor:
    """softmax(scaling · q·k + mask) of some heads, [batch, head, query, key]: the eager functions' own steps in their order,
    done in place, which gives the same bits with a third of the memory traffic. For calls where `is_plain` holds.
    """
    key = repeat_heads(call.key, call.query.shape[1])[:, heads]
    scores = call.query[:, heads] @ key.transpose(-2, -1)
    scores *= call.scaling
    if mask is not None:
        mask = mask if mask.shape[1] == 1 else mask[:, heads]
        scores = scores.masked_fill_(~mask, -torch.inf) if mask.dtype == torch.bool else scores.add_(mask)
    return scores.softmax(dim=-1)


def is_plain(call: AttentionCall) -> bool:
    """Whether nothing but scaling and mask stands between q·k and the softmax, in float32."""
    return (call.bias, call.softcap, call.sink) == (None, None, None) and call.query.dtype == torch.float32


class Probe:
    """Watches one forward pass over a batch of requests; `collect(row)` gives each its Attention tuple afterwards.

    sites: those of this pass, in order of execution. query_start: the target's first new position (0 without a cache).
    """

    def __init__(self, sites: Sequence[Site], rows: Sequence[Row], query_start: int = 0) -> None:
        self.sites, self.rows, self.query_start = sites, rows, query_start
        self.seen = 0
        self.kept: list[list[Attention]] = [[] for _ in rows]
        self._native: dict[int, tuple[Tensor, np.ndarray]] = {}
        self._triangle: dict[int, bool] = {}
        self._bias: dict[int, tuple[Tensor, np.ndarray]] = {}

    def attend(self, call: AttentionCall) -> tuple[Tensor, Tensor | None]:
        """Run one attention as its requests want it. Output [batch, query, head, d], and weights where computed.

        Raises MaskError where a mask leaves a row nothing to look at, ModelFileError for more attentions than the dry run saw.
        """
        if self.seen >= len(self.sites):
            raise ModelFileError(
                f"{len(self.sites)} attentions in a pass",
                "one more",
                "This family changes its depth; it cannot be watched",
            )
        site = self.sites[self.seen]
        self.seen += 1
        start = 0 if site.stream is Stream.ENCODER else self.query_start
        allowed = [self._allowed(site, call, n, start) for n in range(len(self.rows))]
        allowed = [self._strongest(call, n, *found) for n, found in enumerate(allowed)]
        changed = any(changes for _, changes in allowed)
        mask = self._mask(call, [array for array, _ in allowed]) if changed else call.mask
        hot = any(row.request.intervention.temperature != 1.0 for row in self.rows)
        wants = [self._wants(site, row.request) for row in self.rows]
        weights = taken = codes = None
        if hot:
            temperatures = torch.tensor(
                [row.request.intervention.temperature for row in self.rows],
                dtype=torch.float32,
                device=call.query.device,
            )
            output, weights, taken = reference(call, as_bool(mask), temperatures.reshape(-1, 1, 1, 1))
        elif "float32" in wants and is_plain(call):
            weights = weigh(call, mask)
            output = (weights @ repeat_heads(call.value, site.heads)).transpose(1, 2).contiguous()
        elif "u8" in wants and is_plain(call):
            output, codes = self._coded(call, mask)
        elif call.fused is None or "float32" in wants:
            output, weights = call.owner(mask)
            if call.sink is not None and any(wants):
                _, _, taken = reference(call, as_bool(mask))
        else:
            output = call.fused(mask, not changed and self._is_triangle(call))
        for n, want in enumerate(wants):
            if want:
                self.kept[n].append(self._keep(site, call, n, want, allowed[n][0], weights, taken, start, codes))
        return self._ablate(site, output), weights

    def _coded(self, call: AttentionCall, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Output and 8-bit codes of the square root [batch, head, query, key], a few heads at a time: the float32 maps of a
        whole layer never exist."""
        batch, heads, queries, _ = call.query.shape
        keys, value = call.key.shape[-2], repeat_heads(call.value, heads)
        codes = torch.empty(batch, heads, queries, keys, dtype=torch.uint8, device=call.query.device)
        output = torch.empty(batch, queries, heads, value.shape[-1], dtype=value.dtype, device=value.device)
        step = max(1, CODED_CELLS // (batch * queries * keys))
        for begin in range(0, heads, step):
            some = slice(begin, begin + step)
            weights = weigh(call, mask, some)
            output[:, :, some] = (weights @ value[:, some]).transpose(1, 2)
            codes[:, some] = weights.sqrt_().mul_(255).add_(0.5)
        return output, codes

    def collect(self, row: int) -> tuple[Attention, ...]:
        """What was kept for one request, in order of execution."""
        return tuple(self.kept[row])

    def _wants(self, site: Site, request: Request) -> str | None:
        """How this site's arrays are stored for a request: None where nothing of it is kept."""
        if not request.keep & {"pattern", "scores", "qkv"} or (
            request.layers is not None and site.layer not in request.layers
        ):
            return None
        return request.capture if "pattern" in request.keep else "lazy"

    def _allowed(self, site: Site, call: AttentionCall, n: int, start: int) -> tuple[np.ndarray, bool]:
        """What one request's heads may look at, bool [1 or head, query, key] over its own lengths; and whether that differs
        from the model's own mask."""
        row = self.rows[n]
        queries, keys = self._lengths(site, call, row)
        native = self._native_mask(call)
        native = np.broadcast_to(native[min(n, len(native) - 1)], (len(native[0]), *call_shape(call)))[
            :, :queries, :keys
        ]
        change = row.request.intervention
        concerned = any(
            rule.stream is site.stream and (rule.layers is None or site.layer in rule.layers) for rule in change.masks
        )
        concerned = concerned or any(
            cut.head.stream is site.stream and cut.head.layer == site.layer for cut in change.cuts
        )
        if not concerned:
            return native, False
        return resolve(site, native[0], change, row.padding(site.stream)[:keys], start), True

    def _strongest(self, call: AttentionCall, n: int, allowed: np.ndarray, changed: bool) -> tuple[np.ndarray, bool]:
        """What `_allowed` gave, with only the request's `top_k` largest scores of every row left, the first of equals; and
        whether that differs from the model's own mask. Gives bool [head, query, key] where something is to be left out."""
        most, (queries, keys) = self.rows[n].request.intervention.top_k, allowed.shape[-2:]
        if most is None or most >= keys:
            return allowed, changed
        heads = call.query.shape[1]
        key = repeat_heads(call.key, heads)[n, :, :keys]
        scores = (call.query[n, :, :queries] @ key.transpose(-2, -1)).float() * call.scaling
        if call.softcap is not None:
            scores = call.softcap * torch.tanh(scores / call.softcap)
        if call.bias is not None:
            scores = scores + call.bias[min(n, len(call.bias) - 1), :, :queries, :keys]
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
            # the tensor is kept beside its picture, so that its id cannot be given to another one meanwhile
            self._native[id(call.mask)] = call.mask, booleans(call.mask).cpu().numpy()
        return self._native[id(call.mask)][1]

    def _is_triangle(self, call: AttentionCall) -> bool:
        """Whether the family's own mask is the plain causal one; each mask tensor of a pass is looked at once."""
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
            # rows beyond a shorter text are read by no one, but an empty row would be NaN in some kernels
            full[n, :, array.shape[1] :, 0] = True
        mask = torch.from_numpy(full).to(call.query.device)
        return mask if call.additive is None else additive(mask, call.additive)

    def _keep(
        self,
        site: Site,
        call: AttentionCall,
        n: int,
        want: str,
        allowed: np.ndarray,
        weights: Tensor | None,
        taken: Tensor | None,
        start: int,
        coded: Tensor | None,
    ) -> Attention:
        request = self.rows[n].request
        queries, keys = allowed.shape[-2:]
        bias = None if call.bias is None else self._bias_of(call.bias)
        bias = None if bias is None else bias[min(n, len(bias) - 1), :, :queries, :keys]
        recipe = codes = pattern = None
        if want == "lazy" or request.keep & {"scores", "qkv"} or (want == "u8" and weights is None and coded is None):
            recipe = Recipe(
                as_array(call.query[n, :, :queries], copy=True),
                as_array(call.key[n, :, :keys], copy=True),
                call.scaling,
                call.softcap,
                bias,
                None if call.sink is None else as_array(call.sink),
                request.intervention.temperature,
            )
        if want == "u8" and coded is not None:
            codes = readonly(coded[n, :, :queries, :keys].cpu().numpy())
        elif want == "u8":
            codes = np.empty((site.heads, queries, keys), dtype=np.uint8)
            for head in range(site.heads):  # one head at a time: the float32 maps of a whole layer never exist
                if weights is not None:
                    codes[head] = encode_u8(as_array(weights[n, head, :queries, :keys]))
                else:
                    assert recipe is not None
                    codes[head] = encode_u8(recipe.pattern(head, allowed[head if len(allowed) > 1 else 0])[0])
            readonly(codes)
            if not request.keep & {"scores", "qkv"}:
                recipe = None
        elif want == "float32":
            assert weights is not None
            pattern = as_array(weights[n, :, :queries, :keys])
        silenced = sorted(
            {
                a.head.head
                for a in request.intervention.ablated
                if (a.head.stream, a.head.layer) == (site.stream, site.layer)
            }
        )
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
            sink=None if taken is None else as_array(taken[n, :, :queries]),
            value=as_array(call.value[n, :, :keys], copy=True) if "qkv" in request.keep else None,
            recipe=recipe,
            ablated=tuple(silenced),
            query_start=start,
            temperature=request.intervention.temperature,
        )

    def _bias_of(self, bias: Tensor) -> np.ndarray:
        """A bias as NumPy; one that all layers share is converted, and stored, once."""
        if id(bias) not in self._bias:
            self._bias[id(bias)] = bias, as_array(bias, copy=True)
        return self._bias[id(bias)][1]

    def _ablate(self, site: Site, output: Tensor) -> Tensor:
        """Silence heads before W_O: by zero, or by their mean over this run's positions. The last word on a head counts."""
        whole = output
        for n, row in enumerate(self.rows):
            for head, how in {a.head: a.how for a in row.request.intervention.ablated}.items():
                if (head.stream, head.layer) != (site.stream, site.layer):
                    continue
                own = len(row.source_pad) if site.stream is Stream.ENCODER else len(row.target_pad) - self.query_start
                output = output.clone() if output is whole else output
                output[n, :own, head.head] = 0 if how == "zero" else whole[n, :own, head.head].mean(dim=0, keepdim=True)
        return output


def call_shape(call: AttentionCall) -> tuple[int, int]:
    """(queries, keys) of a call."""
    return call.query.shape[-2], call.key.shape[-2]


def as_bool(mask: Tensor | None) -> Tensor | None:
    """A mask as bool of the same shape, True = may look. Additive masks forbid with the least number of their type, or −∞."""
    return None if mask is None else booleans(mask)


def booleans(mask: Tensor) -> Tensor:
    """`as_bool` of a mask that is there."""
    return mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A boolean mask as Hugging Face's eager functions add it, of the same shape: 0 where one may look, else the least number."""
    zero = torch.zeros((), dtype=dtype, device=mask.device)
    return torch.where(mask, zero, torch.finfo(dtype).min)


def as_array(tensor: Tensor, copy: bool = False) -> np.ndarray:
    """A tensor as a read-only float32 array of the same shape; `copy` where it is a view of something larger that need not
    live on."""
    tensor = tensor.detach().to("cpu", torch.float32)
    if copy:
        tensor = tensor.clone(memory_format=torch.contiguous_format)
    return readonly(tensor.numpy())


def fused_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scaling: float,
    bias: Tensor | None = None,
    causal: bool = False,
) -> Tensor:
    """PyTorch's fused kernel, which keeps no weights: output [batch, query, head, d]. mask: additive or bool or None."""
    heads = query.shape[1]
    causal = causal and bias is None
    if bias is not None:
        mask = bias if mask is None else bias + mask
    output = F.scaled_dot_product_attention(
        query,
        repeat_heads(key, heads),
        repeat_heads(value, heads),
        None if causal else mask,
        is_causal=causal,
        scale=scaling,
    )
    return output.transpose(1, 2)
