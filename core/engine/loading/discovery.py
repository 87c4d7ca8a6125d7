"""The dry run: which attentions a Hugging Face model has, in which order, and whether each computes the formula we expect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from core.engine.backend import Batch, Result
from core.engine.huggingface import UNSEEN, WORKING, HuggingFaceBackend, refusal
from core.engine.kernels import as_bool, call_shape, reference
from core.engine.loading.kinds import text_parts
from core.errors import ModelFileError, UnsupportedModelError
from core.model.multihead import AttentionCall
from core.request import Site, Stream


class Discovery:
    """The probe of the dry run. It changes nothing, and compares every attention with the reference formula."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int, int, int]] = []  # heads, kv heads, queries, keys
        self.causal: list[bool] = []
        self.worst = 0.0
        self.finite = True
        self.results: list[Tensor] = []
        self.outputs: list[nn.Module | None] = []

    def attend(self, call: AttentionCall) -> tuple[Tensor, Tensor | None]:
        """Run the family's own code and compare its result with the reference formula. Gives the family's output [batch, query,
        head, d] and weights [batch, head, query, key]."""
        output, weights = call.owner(call.mask)
        self.finite &= bool(torch.isfinite(output).all())
        queries, keys = call_shape(call)
        allowed = as_bool(call.mask)
        self.calls.append((call.query.shape[1], call.key.shape[1], queries, keys))
        self.causal.append(allowed is not None and queries == keys and not bool(allowed[0, 0].triu(1).any()))
        self.results.append(output.flatten(-2))
        self.outputs.append(None)
        ours, pattern, _ = reference(call, allowed)
        if weights is not None and weights.shape == pattern.shape:
            self.worst = max(self.worst, float((weights.float() - pattern.float()).abs().max()))
        self.worst = max(
            self.worst, float((output.float() - ours.float()).abs().max() / (1 + ours.float().abs().max()))
        )
        return output, weights

    def enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """Called before each linear module. The first one that reads exactly the output of the last attention is its W_O."""
        if not self.results or self.outputs[-1] is not None or not args or not isinstance(args[0], Tensor):
            return
        if args[0].shape == self.results[-1].shape and torch.equal(args[0], self.results[-1].to(args[0].device)):
            self.outputs[-1] = module


@dataclass(frozen=True, slots=True)
class Discovered:
    """The facts that the dry run found."""

    sites: tuple[Site, ...]
    kv_heads: int
    causal: bool
    depths: int | None = None


def discover(backend: HuggingFaceBackend, family: str, pad: int | None, vocab: int, start: int) -> Discovered:
    """Run the model once, on a source of 3 tokens and a target of 2. The n-th call of attention is the n-th site, and the shape
    of its scores tells its stream. pad: the id of padding, which the run must not use; None where there is none.

    Raises UnsupportedModelError where the attention is not called through the interface or does not compute the reference
    formula, ModelFileError where the weights give NaN or infinity.
    """
    ids = list(islice((token for token in range(vocab) if token != pad), 3)) or [0]
    ids = (ids * 3)[:3]
    device = backend.model.device
    source = torch.tensor([ids], device=device) if backend.kind != "decoder" else None
    target = [start, ids[0]] if backend.kind == "encoder-decoder" else ids[:2]
    probe = Discovery()
    batch = Batch(source, torch.tensor([target], device=device) if backend.kind != "encoder" else None)
    result, last = _dry_run(backend, batch, probe, family)
    _check(backend, probe, result, family)
    backend.last_is_normed = {
        stream: not any(torch.equal(states[-1], out.to(states[-1].device)) for out in last)
        for stream, states in result.residual.items()
    }
    backend.heads, backend.outputs = [heads for heads, _, _, _ in probe.calls], probe.outputs
    if backend.kind == "decoder":
        backend.caches = len(probe.calls) >= int(
            getattr(text_parts(backend.model.config)[-1], "num_hidden_layers", 0) or 0
        )
    if backend.kind == "encoder" and not backend.can_predict and all(probe.causal):
        # the text part of a larger model, saved without an output head: nothing but its masks says that it is a decoder
        backend.kind = "decoder"
        return discover(backend, family, pad, vocab, start)
    sites = _sites(probe.calls, backend.kind, family)
    causal = any(c for (_, _, queries, _), c in zip(probe.calls, probe.causal, strict=True) if queries == 2)
    depths = sum(site.stream is Stream.ENCODER for site in sites)
    # a classifier's head reads the source itself, so that no other depth can be put in its place
    writes = backend.kind == "encoder-decoder" and backend.answers is None
    backend.encoder_end = _encoder_end(backend, batch, depths) if writes else None
    return Discovered(sites, probe.calls[0][1], causal, None if backend.encoder_end is None else depths)


def _dry_run(backend: HuggingFaceBackend, batch: Batch, probe: Discovery, family: str) -> tuple[Result, list[Tensor]]:
    """The forward pass, and the result of the last module of each list of layers. It uses hooks, which is safe here, because
    no thread shares the model yet."""
    hooks, last = _watch_last_layers(backend.model)
    linear = (m for m in backend.model.modules() if isinstance(m, nn.Linear) or type(m).__name__ == "Conv1D")
    hooks += [module.register_forward_pre_hook(probe.enter) for module in linear]
    UNSEEN.clear()
    backend.last_is_normed = dict.fromkeys(Stream, False)  # not known yet: keep every depth for the comparison below
    try:
        return backend.forward(batch, probe, residual=True, predict=backend.answers is None), last
    except Exception as error:  # where a family's code fails in its very first run, we cannot use it
        raise UnsupportedModelError(
            f"a family whose attention can be watched ({WORKING})",
            f"{family}, whose first run failed: {error}",
            "Choose another model",
        ) from error
    finally:
        for hook in hooks:
            hook.remove()


def _check(backend: HuggingFaceBackend, probe: Discovery, result: Result, family: str) -> None:
    """Refuse a model that does not call our attention function, gives NaN or infinity, or computes another formula than ours."""
    if not probe.calls:
        raise refusal(family)
    if UNSEEN:
        raise UnsupportedModelError(
            "a family that lets every attention be watched",
            f"{family}, whose {UNSEEN[0]} is out of reach",
            f"Choose {WORKING}",
        )
    if not probe.finite or (result.logits is not None and bool(result.logits.isnan().any())):
        raise ModelFileError(
            f"weights of {family} that give numbers in {str(backend.model.dtype).removeprefix('torch.')}",
            "NaN or infinity on the first three tokens",
            'The file is damaged, or needs dtype="float32"',
        )
    tolerance = 1e-4 if backend.model.dtype == torch.float32 else 3e-2
    if not probe.worst <= tolerance:
        raise UnsupportedModelError(
            "attention that is softmax(scaling · q·k + bias + mask) · v",
            f"{family}, whose own differs by {probe.worst:.2g}",
            f"Choose a model of another family, such as {WORKING}",
        )


def _encoder_end(backend: HuggingFaceBackend, batch: Batch, layers: int) -> nn.Module | None:
    """The module that an encoder applies to its residual stream after the last layer: its final norm, or one that does nothing.

    None where we do not know it: it must turn the last hidden state into the encoder's result bit for bit, and there must be
    one hidden state for each layer.
    """
    encoder = backend.model.get_encoder()
    try:
        with torch.inference_mode():
            output = encoder(input_ids=batch.source, probe=Discovery(), output_hidden_states=True, return_dict=True)
            ends = [getattr(encoder, name, None) for name in ("final_layer_norm", "layer_norm")] + [nn.Identity()]
            for end in filter(None, ends):
                if torch.equal(end(output.hidden_states[-1]), output.last_hidden_state):
                    return end if len(output.hidden_states) == layers + 1 else None
    except Exception:  # an encoder that cannot run by itself offers no depths; the model works without them
        return None
    return None


def _sites(calls: Sequence[tuple[int, int, int, int]], kind: str, family: str) -> tuple[Site, ...]:
    only = {"encoder": {(3, 3): Stream.ENCODER}, "decoder": {(2, 2): Stream.DECODER}}
    both = {(3, 3): Stream.ENCODER, (2, 2): Stream.DECODER, (2, 3): Stream.CROSS}
    streams, layers = only.get(kind, both), dict.fromkeys(Stream, 0)
    sites = []
    for heads, _, queries, keys in calls:
        stream = streams.get((queries, keys))
        if stream is None:
            raise UnsupportedModelError(
                "maps of queries by keys, one row for each token",
                f"{family}, with a map of {queries} × {keys}",
                "Choose another family",
            )
        sites.append(Site(stream, layers[stream], heads))
        layers[stream] += 1
    return tuple(sites)


def _watch_last_layers(model: nn.Module) -> tuple[list[Any], list[Tensor]]:
    """Record the result of the last module of each list. It shows whether hidden states end before or after a final norm.

    This happens only in the dry run at load, before threads share the model.
    """
    seen: list[Tensor] = []

    def note(module: nn.Module, args: Any, output: Any) -> None:
        output = output[0] if isinstance(output, (tuple, list)) else output
        if isinstance(output, Tensor):
            seen.append(output)

    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module)]
    return [layers[-1].register_forward_hook(note) for layers in lists], seen
