"""Hugging Face models as a backend of the engine, by one function that we register with their attention interface.

The probe travels down as a keyword argument of the forward pass. The family's own eager function stays the formula that counts.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from inspect import isfunction, signature, unwrap
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache, EncoderDecoderCache, PreTrainedModel
from transformers.cache_utils import (
    DYNAMIC_LAYER_TYPE_MAPPING,
    Cache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionAndSlidingWindowAttentionLayer,
    get_layer_types_and_kwargs,
)
from transformers.masking_utils import causal_mask_function, eager_mask, sdpa_mask
from transformers.modeling_outputs import BaseModelOutput

from core.answer import Answers
from core.engine.answers import logits_of
from core.engine.backend import Batch, Result, at_depths
from core.engine.device.spreading import weight_of
from core.engine.device.transfer import put
from core.engine.kernels import fused_attention
from core.errors import UnsupportedModelError
from core.model.marks import Mark, mark
from core.model.multihead import AttentionCall, ProbeLike
from core.request import Stream

NAME = "lookback"
WORKING = "GPT-2, Llama, Mistral, Qwen, Gemma-2, Phi, OPT, GPT-NeoX, BERT, RoBERTa, ModernBERT, T5, BART or Marian"

# Attentions that ran without a probe: some families (GPT-2's cross-attention) hand no arguments on. The dry run at load, one at a
# time, empties this list and refuses to watch a model that adds to it.
UNSEEN: list[str] = []


@lru_cache(maxsize=1024)
def own_function(cls: type[nn.Module]) -> Any:
    """The eager function that an attention module calls: the one its own code names, where a family has several (TIPS v2)."""
    forward = unwrap(cls.forward)
    named = [name for name in forward.__code__.co_names if name.endswith("eager_attention_forward")]
    if len(named) == 1 and named[0] in forward.__globals__:
        return forward.__globals__[named[0]]
    return sys.modules[cls.__module__].eager_attention_forward


def lookback_attention(
    module: nn.Module,
    query: Tensor,  # [batch, head, query, d]
    key: Tensor,  # [batch, kv head, key, d]
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    probe: ProbeLike | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """The function that a Hugging Face attention module calls instead of its eager function: output [batch, query, head, d]."""
    eager = own_function(cast("Hashable", type(module)))
    bias, softcap, sink = kwargs.get("position_bias"), kwargs.get("softcap"), kwargs.get("s_aux")

    def owner(mask: Tensor | None) -> tuple[Tensor, Tensor]:
        return eager(module, query, key, value, mask, scaling=scaling, dropout=dropout, **kwargs)

    if probe is None:
        UNSEEN.append(type(module).__name__)
        return owner(attention_mask)
    number = query.shape[-1] ** -0.5 if scaling is None else float(scaling)

    def fused(mask: Tensor | None, causal: bool) -> Tensor:
        return fused_attention(query, key, value, mask, number, bias, causal)

    plain = softcap is None and sink is None
    call = AttentionCall(
        query, key, value, number, attention_mask, owner, fused if plain else None, query.dtype, bias, softcap, sink
    )
    return probe.attend(call)


def lookback_mask(*, mask_function: Any = causal_mask_function, **asked: Any) -> Tensor | None:
    """The additive mask of the eager functions, made as they ask for it, and marked with what it says (core.model.marks).

    Only rules that look at places alone can be told without the tensor: a window, a chunk, the future.
    """
    padding = asked.get("attention_mask")
    if padding is not None and padding.device.type != "cpu":
        # whether anything is padding would be read, to leave the mask out: a device would be waited for
        asked["allow_is_bidirectional_skip"] = False
    mask = eager_mask(mask_function=mask_function, **asked)
    if mask is None or not looks_at_places(mask_function):
        return mask
    places = {name: asked[name] for name in ("q_length", "kv_length", "q_offset", "kv_offset") if name in asked}

    def draw() -> Tensor:
        more = {"allow_is_causal_skip": False, "use_vmap": asked.get("use_vmap", False), "device": "cpu"}
        drawn = sdpa_mask(batch_size=1, mask_function=mask_function, **places, **more)
        assert drawn is not None
        return drawn[0, 0]

    square = places["q_length"] == places["kv_length"] and not (places.get("q_offset") or places.get("kv_offset"))
    return mark(mask, Mark(square and mask_function is causal_mask_function, draw))


def looks_at_places(function: Any) -> bool:
    """Whether a rule of transformers' masks depends on nothing but the places of query and key: it holds numbers and other such
    rules, and no tensor."""
    if isinstance(function, (tuple, list)):
        return all(map(looks_at_places, function))
    if function is None or isinstance(function, (bool, int, float)):
        return True
    cells = getattr(function, "__closure__", None) or ()
    return isfunction(function) and all(looks_at_places(cell.cell_contents) for cell in cells)


# the mask function must be registered too, or the causal mask silently vanishes
AttentionInterface.register(NAME, lookback_attention)
AttentionMaskInterface.register(NAME, lookback_mask)


@dataclass(slots=True)
class Kept:
    """The state that a step passes to the next one. The cache grows in place, so only the loop that made it may use it."""

    cache: Any
    encoded: Any
    source_allowed: Tensor | None


class HuggingFaceBackend:
    """Runs a transformers model whose attention goes through `lookback_attention`."""

    config = None

    def __init__(self, model: PreTrainedModel, kind: str, can_predict: bool, answers: Answers | None = None) -> None:
        self.model, self.kind, self.can_predict, self.answers = model, kind, can_predict, answers
        # a pair of two models hands its decoder only what carries its name
        self.probes = ("probe", "decoder_probe") if model.config.model_type == "encoder-decoder" else ("probe",)
        self.picks_positions = "logits_to_keep" in signature(model.forward).parameters
        self.types = takes_types(model)
        self.last_is_normed: dict[Stream, bool] = {}
        self.heads: list[int] = []
        # for each site W_O, the linear module that reads its result, or None; the dry run finds them
        self.outputs: list[Any] = []
        self.encoder_end: nn.Module | None = None  # what the encoder applies after its last layer; None where unknown
        self.cached = layers_of(model.config) if kind == "decoder" else []
        # whether every layer keeps keys and values: where the check at load has no time to try, a step then reuses them
        self.caches = True
        self.reason = ""  # why nothing in it can be changed; "" where it can
        # families that count their positions from the start at every step are told where a step stands
        self.gives_positions = False
        # entered by every pass; a lock where a family keeps numbers of a pass in its modules
        self.alone: AbstractContextManager[Any] = nullcontext()

    def forward(
        self,
        batch: Batch,
        probe: ProbeLike,
        *,
        at: Tensor | None = None,
        state: Kept | None = None,
        keep_state: bool = False,
        residual: bool = False,
        predict: bool = True,
    ) -> Result:
        cache = state.cache if state is not None else self._new_cache() if keep_state else None
        inputs = {**dict.fromkeys(self.probes, probe), **self._texts(batch, probe, state, cache, residual)}
        at = self._narrowed(at, inputs)
        # the head of an encoder or a classifier is left out where nobody asks for predictions
        leaves = not predict and (self.kind == "encoder" or self.answers is not None)
        runs = self.model.base_model if leaves else self.model
        with self.alone:
            output = runs(**inputs, output_hidden_states=residual, return_dict=True)
        logits = getattr(output, "logits", None) if self.can_predict and predict else None
        if logits is not None and at is not None:
            logits = logits[torch.arange(len(at), device=logits.device), put(at, logits.device)][:, None]
        kept = Kept(cache, _encoded(output), batch.source_allowed) if keep_state and state is None else state
        answer = logits_of(output, self.answers) if self.answers is not None and predict else None
        return Result(logits, self._residual(output) if residual else {}, kept, answer)

    def _new_cache(self) -> Any:
        if self.kind == "encoder-decoder":
            return EncoderDecoderCache(DynamicCache(), DynamicCache())
        if self.kind == "encoder":
            return None
        return Cache(layers=[layer(**how) for layer, how in self.cached]) if self.cached else DynamicCache()

    def _texts(self, batch: Batch, probe: ProbeLike, state: Kept | None, cache: Any, residual: bool) -> dict[str, Any]:
        """The inputs of a batch, under the argument names that this kind of model uses."""
        if self.kind == "encoder":
            told = batch.source_types is not None and self.types
            typed = {"token_type_ids": batch.source_types} if told else {}
            return {"input_ids": batch.source, "attention_mask": _mask(batch.source_allowed), **typed}
        # T5's reader of answers names past_key_values itself, and takes none from us
        caching: dict[str, Any] = {"use_cache": False} if cache is None else {"past_key_values": cache, "use_cache": True}
        if self.kind == "decoder":
            if state is not None and self.gives_positions:
                caching["position_ids"] = _places(cache.get_seq_length(), batch.target)
            allowed = batch.target_allowed
            if allowed is None and batch.target is not None and cache is None and not getattr(probe, "waits", True):
                # without one transformers looks through the positions for several texts in a row, and waits for the answer
                allowed = torch.ones_like(batch.target, dtype=torch.bool)
            return {"input_ids": batch.target, "attention_mask": _mask(allowed), **caching}
        encoded = state.encoded if state is not None else None
        if state is None and batch.depths is not None:
            encoded = self._read(batch, probe)
        elif state is None and cache is not None:
            # as transformers' own loop does: some encoders take no cache, and a pass over both parts would hand it to them
            encoded = self._encode(batch, probe, residual)
        return {
            "input_ids": None if encoded is not None else batch.source,
            "attention_mask": _mask(state.source_allowed if state is not None else batch.source_allowed),
            "encoder_outputs": encoded,
            "decoder_input_ids": batch.target,
            "decoder_attention_mask": _mask(batch.target_allowed),
            **caching,
        }

    def _narrowed(self, at: Tensor | None, inputs: dict[str, Any]) -> Tensor | None:
        """Let the model predict at the positions `at` [batch] alone, where its family can do that; changes `inputs`.

        Gives for each row the place of its own position among the positions that the model predicts at.
        """
        if at is None or not self.picks_positions:
            return at
        if len(at) == 1:  # a single row predicts at its last position
            inputs["logits_to_keep"] = 1
            return torch.zeros_like(at)
        if self.can_predict:  # all rows share one list of positions, so each row picks its own among the distinct ones
            kept, at = torch.unique(at, return_inverse=True)
            inputs["logits_to_keep"] = put(kept, self.model.device)
        return at

    def _read(self, batch: Batch, probe: ProbeLike) -> Any:
        """Run the encoder by itself, and take each request's memory at the depth that it asks for."""
        assert self.encoder_end is not None and batch.depths is not None
        output = self._encode(batch, probe, True)
        memory = self.encoder_end(at_depths(output.hidden_states, batch.depths))
        return Memory(last_hidden_state=memory, hidden_states=output.hidden_states)

    def _encode(self, batch: Batch, probe: ProbeLike, residual: bool) -> Any:
        """What the encoder alone gives for the sources of a batch."""
        return self.model.get_encoder()(
            input_ids=batch.source, attention_mask=_mask(batch.source_allowed), probe=probe,
            output_hidden_states=residual, return_dict=True,
        )  # fmt: skip

    def pick(self, state: Kept, rows: Sequence[int]) -> Kept:
        at = put(torch.tensor(rows, device="cpu"), self.model.device)
        state.cache.reorder_cache(at)
        allowed = None if state.source_allowed is None else state.source_allowed[at]
        return Kept(
            state.cache, _memory(None if state.encoded is None else state.encoded.last_hidden_state[at]), allowed
        )

    def state_bytes(self, state: Kept) -> int:
        names = ("self_attention_cache", "cross_attention_cache")
        caches = [getattr(state.cache, name) for name in names if hasattr(state.cache, name)]
        total = 0
        for cache in caches or [state.cache]:
            for layer in cache.layers:
                total += sum(t.numel() * t.element_size() for t in _tensors(vars(layer).values()))
        return total

    def projection(self, index: int) -> Tensor | None:
        module = self.outputs[index] if index < len(self.outputs) else None
        if module is None:
            return None
        weight = weight_of(module) if type(module).__name__ == "Conv1D" else weight_of(module).T  # [heads · d, d_model]
        return weight.unflatten(0, (self.heads[index], -1))

    def positions(self, count: int) -> Tensor | None:
        return None

    def embeddings(self) -> Tensor | None:
        table = self.model.get_input_embeddings()
        weight = weight_of(table) if hasattr(table, "weight") else None
        return weight if isinstance(weight, Tensor) and weight.dim() == 2 else None

    def _residual(self, output: Any) -> dict[Stream, list[Tensor]]:
        own = Stream.ENCODER if self.kind == "encoder" else Stream.DECODER
        found = {own: getattr(output, "hidden_states", None)}
        if self.kind == "encoder-decoder":
            found = {Stream.ENCODER: output.encoder_hidden_states, Stream.DECODER: output.decoder_hidden_states}
        # some families norm their last hidden state in any case: it is not the residual stream, so we leave it out
        return {
            stream: list(states[:-1] if self.last_is_normed.get(stream, True) else states)
            for stream, states in found.items()
            if states is not None
        }


def takes_types(model: PreTrainedModel) -> bool:
    """Whether a model is told to which of two sentences each token belongs."""
    return "token_type_ids" in signature(model.forward).parameters and getattr(model.config, "type_vocab_size", 2) > 1


def _mask(allowed: Tensor | None) -> Tensor | None:
    return None if allowed is None else allowed.long()


def _places(start: int, ids: Tensor | None) -> Tensor:
    """The positions of some tokens [batch, position], of which the first stands at `start`."""
    assert ids is not None
    return torch.arange(start, start + ids.shape[1], device=ids.device).expand_as(ids)


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among some values and in the dictionaries among them."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, dict):
            yield from _tensors(value.values())


class Memory(BaseModelOutput):
    """What the decoder reads of an encoder. A family's code may ask for more (router logits, for a loss): it gets None."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__") or name == "to":  # whoever moves it between devices then moves what it holds
            raise AttributeError(name)


def _encoded(output: Any) -> Any:
    return _memory(getattr(output, "encoder_last_hidden_state", None))


def _memory(memory: Tensor | None) -> Any:
    return None if memory is None else Memory(last_hidden_state=memory)


def refusal(family: str) -> UnsupportedModelError:
    """The error for families that do not hand their attention to the interface, and return no maps either."""
    return UnsupportedModelError(
        "a family that hands its attention to transformers' attention interface",
        f"{family}, which does not",
        f"Choose another family, such as {WORKING}",
    )


def layers_of(config: Any) -> list[tuple[Any, dict[str, Any]]]:
    """What a cache for this model consists of, layer by layer: classes and their arguments. [] where keys and values are all.

    A window's layer would drop the keys that a new token cannot see; it is replaced by one that keeps them, so that a pattern
    always has a column for each token.
    """
    whole = {
        DynamicSlidingWindowLayer: DynamicLayer,
        LinearAttentionAndSlidingWindowAttentionLayer: LinearAttentionAndFullAttentionLayer,
    }
    kinds, settings = get_layer_types_and_kwargs(config.get_text_config(decoder=True))
    named = [DYNAMIC_LAYER_TYPE_MAPPING.get(kind) for kind in kinds]
    layers = [(whole.get(layer, layer), how) for layer, how in zip(named, settings, strict=True)]
    return [] if None in named or all(layer is DynamicLayer for layer, _ in layers) else layers
