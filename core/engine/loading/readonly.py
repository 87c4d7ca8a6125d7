"""Models that are read and never changed: their own code runs untouched, and the patterns are those that it returns.

Families beside transformers' attention interface give their attention weights (`output_attentions=True`) and nothing else: no
queries, keys, values or scores. What such a model does not tell stays unknown here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from inspect import signature
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedConfig

from core.answer import Answers
from core.attention import Attention, encode_u8, readonly
from core.engine.answers import logits_of
from core.engine.backend import Batch, Result
from core.engine.huggingface import WORKING, takes_types
from core.engine.loading.discovery import Discovered, _watch_last_layers
from core.engine.loading.kinds import max_tokens_of
from core.engine.probe import as_array
from core.errors import ModelFileError, UnsupportedModelError
from core.request import Request, Site, Stream

# families whose maps are no square of queries by keys with rows that add up to 1: refused before their weights are read
OTHER_MAPS = frozenset({
    "canine", "cpmant", "fnet", "funnel", "led", "longformer", "mra", "nystromformer", "prophetnet", "reformer", "rwkv",
    "squeezebert", "yoso",
})  # fmt: skip
LENGTHS = ((3, 2), (21, 19))  # tokens of source and target in the trial runs


def own_code(family: str) -> str:
    """Why a family beside the attention interface is read only: one sentence."""
    return (
        f"The family {family} computes attention in code of its own: Lookback shows the maps that it returns, and can change "
        "nothing in it."
    )


def check_squares(config: Any) -> None:
    """Raise UnsupportedModelError for families known to give something else than a row of weights for each token."""
    sparse = getattr(config, "attention_type", None) == "block_sparse"  # BigBird
    if sparse or config.model_type in OTHER_MAPS:
        raise UnsupportedModelError(
            "maps of queries by keys, one row for each token",
            f"{config.model_type}, which makes others",
            f"Choose {WORKING}",
        )


class ReadOnlyBackend:
    """Runs a transformers model as it is, and hands on the patterns that it returns.

    Each text runs by itself, without padding and without a cache, so that every number is the one that the model gives for this
    text alone. reason: why the model cannot be changed, one sentence.
    """

    config = None

    def __init__(self, model: Any, kind: str, can_predict: bool, reason: str) -> None:
        self.model, self.kind, self.can_predict, self.reason = model, kind, can_predict, reason
        names = signature(model.forward).parameters
        self.picks_positions = "logits_to_keep" in names
        self.has_cache = "use_cache" in names
        self.types = takes_types(model)
        self.sites: tuple[Site, ...] = ()
        self.causal = False
        self.answers: Answers | None = None  # what a classifier answers; None where it has no such head
        self.last_is_normed = dict.fromkeys(Stream, False)

    def forward(
        self,
        batch: Batch,
        probe: Any,
        *,
        at: Tensor | None = None,
        state: Any = None,
        keep_state: bool = False,
        residual: bool = False,
        predict: bool = True,
    ) -> Result:
        answers = self.answers if predict else None
        predict = predict and self.can_predict
        logits, said, streams = [], [], []
        for n, (source, target) in enumerate(_texts(batch)):
            types = None if batch.source_types is None or source is None else batch.source_types[n : n + 1, : source.shape[1]]
            output = self.run(source, target, residual, predict or answers is not None, last=at is not None, types=types)
            patterns = self.patterns(output, source, target)
            for site, pattern in zip(self.sites, patterns, strict=True):
                if (kept := attention_of(site, pattern, probe.rows[n].request)) is not None:
                    probe.receive(n, kept)
            if predict:
                logits.append(output.logits[0, -1:] if at is not None else output.logits[0])
            if answers is not None:
                said.append(logits_of(output, answers)[0])
            streams.append(self.residual(output) if residual else {})
        joined = pad_sequence(logits, batch_first=True) if logits else None
        answer = pad_sequence(said, batch_first=True) if said else None
        states = {stream: _side_by_side([row[stream] for row in streams]) for stream in streams[0]}
        return Result(joined, states, answer=answer)

    def run(
        self, source: Tensor | None, target: Tensor | None, residual: bool, predict: bool, last: bool = False,
        types: Tensor | None = None,
    ) -> Any:  # fmt: skip
        """The model's own output for one text, int64 [1, position] each. last: logits at the last position are enough. types: to
        which of two sentences each token of the source belongs."""
        inputs = {"input_ids": target if self.kind == "decoder" else source}
        if self.kind == "encoder-decoder":
            inputs["decoder_input_ids"] = target
        # with a cache some families (FSMT) expect one new token and leave their causal mask out
        more: dict[str, Any] = {"use_cache": False} if self.has_cache else {}
        if types is not None and self.types:
            more["token_type_ids"] = types
        if last and predict and self.picks_positions:
            more["logits_to_keep"] = 1
        runs = self.model.base_model if self.kind == "encoder" and not predict else self.model
        return runs(**inputs, **more, output_attentions=True, output_hidden_states=residual, return_dict=True)

    def patterns(self, output: Any, source: Tensor | None, target: Tensor | None) -> list[Tensor]:
        """The patterns of one text in the order of the sites, [head, query, key] each.

        Raises UnsupportedModelError for maps of another kind: the next text must not show what the trial runs did not.
        """
        found = _returned(output, self.kind)
        if self.sites and len(found) != len(self.sites):
            raise _no_pattern(self.model, f"{len(found)} maps instead of {len(self.sites)}")
        sizes = [0 if ids is None else ids.shape[1] for ids in (source, target)]
        for stream, pattern in found:
            queries, keys = _size(stream, *sizes)
            if fault := _fault(pattern, queries, keys, self.causal and stream is Stream.DECODER):
                raise _no_pattern(self.model, fault)
        return [pattern[0] for _, pattern in found]

    def residual(self, output: Any) -> dict[Stream, list[Tensor]]:
        """The hidden states of one text as the model returns them, [position, d_model] for each depth. A last one that is already
        normed is left out."""
        own = Stream.ENCODER if self.kind == "encoder" else Stream.DECODER
        found = {own: getattr(output, "hidden_states", None)}
        if self.kind == "encoder-decoder":
            found = {Stream.ENCODER: output.encoder_hidden_states, Stream.DECODER: output.decoder_hidden_states}
        return {
            stream: [depth[0] for depth in (states[:-1] if self.last_is_normed[stream] else states)]
            for stream, states in found.items()
            if states is not None
        }

    def pick(self, state: Any, rows: Sequence[int]) -> Any:
        raise AssertionError("a model that is read only keeps no state")  # `forward` gives none

    def state_bytes(self, state: Any) -> int:
        return 0

    def projection(self, index: int) -> Tensor | None:
        return None

    def positions(self, count: int) -> Tensor | None:
        return None

    def embeddings(self) -> Tensor | None:
        weight = getattr(self.model.get_input_embeddings(), "weight", None)
        return weight if isinstance(weight, Tensor) and weight.dim() == 2 else None


def attention_of(site: Site, pattern: Tensor, request: Request) -> Attention | None:
    """A returned pattern [head, query, key] as the request keeps it: float32, or 8-bit codes. None where it keeps none.

    Without queries and keys nothing can be computed later, so "lazy" keeps float32, too. A key counts as allowed where some head
    gives it weight: more is not known of the model's own mask.
    """
    if "pattern" not in request.keep or (request.layers is not None and site.layer not in request.layers):
        return None
    weights = as_array(pattern)
    allowed = (weights != 0).any(axis=0, keepdims=True)
    if pattern.dtype == torch.float16:  # small weights become 0 there, so that a 0 does not tell of a mask
        earlier = np.tri(*weights.shape[1:]) > 0 if site.stream is Stream.DECODER else True
        allowed = np.broadcast_to(allowed | earlier, allowed.shape)
    coded = request.capture == "u8"
    return Attention(
        site,
        readonly(np.array(allowed)),
        keeps=request.keep,
        scaling=None,
        kv_heads=site.heads,
        pattern=None if coded else weights,
        codes=readonly(encode_u8(weights)) if coded else None,
    )


def read_only(
    model: Any, kind: str, can_predict: bool, reason: str, start: int = 0, answers: Answers | None = None
) -> tuple[ReadOnlyBackend, Discovered]:
    """A backend that reads a model's own patterns, and what two trial runs found: a short text and a longer one.

    reason: why the model is not changed, one sentence; the lens says it (`LensInfo.reason`). start: the id that a decoder begins
    with. answers: what a classifier's head gives. A "decoder" that looks ahead is read as an encoder: what it says at a token is
    that token, not the next one.
    At load only, before threads share the model. Raises UnsupportedModelError where the model returns no maps, or maps that are no
    square of queries by keys whose rows add up to 1; ModelFileError where its weights give NaN or infinity.
    """
    _untouch(model)
    backend = ReadOnlyBackend(model, kind, can_predict, reason)
    found: list[tuple[Stream, Tensor]] = []
    for source, target in _trials(model, kind, start):
        output = _trial(backend, source, target)
        found = _returned(output, kind)
        patterns = backend.patterns(output, source, target)
        if not patterns:
            raise _no_pattern(model, "none")
    own = [pattern for stream, pattern in found if stream is Stream.DECODER]
    causal = bool(own) and all(not bool(pattern.triu(1).any()) for pattern in own)
    if kind == "decoder" and not causal:
        return read_only(model, "encoder", can_predict and _fills_in(model), reason, start, answers)
    backend.sites, backend.causal, backend.answers = _sites(found), causal, answers
    return backend, Discovered(backend.sites, backend.sites[0].heads, causal)


def _untouch(model: Any) -> None:
    """Put a model back to its own eager attention, without gradients."""
    for module in model.modules():
        if isinstance(config := getattr(module, "config", None), PreTrainedConfig):
            config._attn_implementation_internal = "eager"
            config.tie_last_hidden_states = False  # the last hidden state is then the one before the final norm
    model.eval().requires_grad_(False)


def _trials(model: Any, kind: str, start: int) -> Iterator[tuple[Tensor | None, Tensor | None]]:
    """The texts of the trial runs: source and target as int64 [1, position], None where this kind of model has none."""
    vocab, pad = len(model.get_input_embeddings().weight), getattr(model.config, "pad_token_id", None)
    ids = list(islice((token for token in range(vocab) if token != pad), 40)) or [0]
    most = max_tokens_of(model, model.config, None)
    for read, written in LENGTHS:
        source, target = ([ids[n % len(ids)] for n in range(min(count, most))] for count in (read, written))
        if kind == "encoder-decoder":
            target[0] = start
        tensors = [torch.tensor([text], device=model.device) for text in (source, target)]
        yield (None if kind == "decoder" else tensors[0]), (None if kind == "encoder" else tensors[1])


def _trial(backend: ReadOnlyBackend, source: Tensor | None, target: Tensor | None) -> Any:
    """The output of one trial run; notes which hidden states end after a norm."""
    family = backend.model.config.model_type
    hooks, last = _watch_last_layers(backend.model)
    try:
        with torch.inference_mode():
            output = backend.run(source, target, residual=True, predict=backend.can_predict)
    except Exception as error:  # where a family's code fails in its very first run, we cannot use it
        # some families mix formats, and run in float32 alone
        half = any(weight.dtype in (torch.bfloat16, torch.float16) for weight in backend.model.parameters())
        raise UnsupportedModelError(
            "a model that runs on a short text",
            f"{family}, whose first run failed: {error}",
            'Use dtype="float32", or choose another model' if half else "Choose another model",
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    logits = getattr(output, "logits", None)
    if logits is not None and not bool(torch.isfinite(logits).all()):
        raise ModelFileError(
            f"weights of {family} that give numbers in {str(backend.model.dtype).removeprefix('torch.')}",
            "NaN or infinity on the first tokens",
            'The file is damaged, or needs dtype="float32"',
        )
    backend.last_is_normed = dict.fromkeys(Stream, False)
    for stream, states in backend.residual(output).items():
        backend.last_is_normed[stream] = not any(
            out.shape[1:] == states[-1].shape and torch.equal(states[-1], out[0].to(states[-1].device)) for out in last
        )
    return output


def _texts(batch: Batch) -> Iterator[tuple[Tensor | None, Tensor | None]]:
    """Each text of a batch by itself, without padding: source and target, int64 [1, position] or None."""
    pairs = ((batch.source, batch.source_allowed), (batch.target, batch.target_allowed))
    count = next(len(ids) for ids, _ in pairs if ids is not None)
    for n in range(count):
        source, target = (
            None if ids is None else ids[n : n + 1] if allowed is None else ids[n : n + 1, allowed[n]]
            for ids, allowed in pairs
        )
        yield source, target


def _returned(output: Any, kind: str) -> list[tuple[Stream, Tensor]]:
    """The maps in an output, in order of execution: the encoder's, then for each layer of the decoder its own and the cross."""

    def held(name: str) -> tuple[Tensor, ...]:
        return tuple(getattr(output, name, None) or ())

    if kind != "encoder-decoder":
        return [(Stream.ENCODER if kind == "encoder" else Stream.DECODER, pattern) for pattern in held("attentions")]
    both = zip(held("decoder_attentions"), held("cross_attentions"), strict=False)
    pairs = [
        (stream, pattern) for pair in both for stream, pattern in zip((Stream.DECODER, Stream.CROSS), pair, strict=True)
    ]
    return [*((Stream.ENCODER, pattern) for pattern in held("encoder_attentions")), *pairs]


def _size(stream: Stream, source: int, target: int) -> tuple[int, int]:
    """How many queries and keys a map of this stream has."""
    return (source if stream is Stream.ENCODER else target), (target if stream is Stream.DECODER else source)


def _fault(pattern: Any, queries: int, keys: int, causal: bool) -> str:
    """What keeps a returned map [1, head, query, key] from being attention weights; "" for nothing."""
    if not isinstance(pattern, Tensor) or pattern.dim() != 4:
        return "a map without heads, queries and keys"
    if pattern.shape[0] != 1 or pattern.shape[2:] != (queries, keys):
        return f"a map of {pattern.shape[-2]} × {pattern.shape[-1]} for {queries} × {keys} tokens"
    slack = 1e-4 if pattern.dtype == torch.float32 else 2e-2
    off = float((pattern.float().sum(-1) - 1).abs().max())
    if not off <= slack or float(pattern.min()) < 0:  # written so that NaN is a fault, too
        return f"rows that are {off:.2g} away from adding up to 1"
    return "weights on tokens that come later" if causal and bool(pattern.triu(1).any()) else ""


def _no_pattern(model: Any, got: str) -> UnsupportedModelError:
    wanted = "maps of queries by keys, one row for each token, each adding up to 1"
    return UnsupportedModelError(wanted, f"{got} from {model.config.model_type}", f"Choose {WORKING}")


def _fills_in(model: Any) -> bool:
    """Whether a model's output layer was trained to fill in masked tokens."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING

    config = type(model.config)
    return config in MODEL_FOR_MASKED_LM_MAPPING and isinstance(model, MODEL_FOR_MASKED_LM_MAPPING[config])


def _sites(found: Sequence[tuple[Stream, Tensor]]) -> tuple[Site, ...]:
    layers = dict.fromkeys(Stream, 0)
    sites = []
    for stream, pattern in found:
        sites.append(Site(stream, layers[stream], pattern.shape[1]))
        layers[stream] += 1
    return tuple(sites)


def _side_by_side(rows: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """For each depth the rows' states [position, d_model] as one tensor [batch, position, d_model]."""
    return [pad_sequence(list(depth), batch_first=True) for depth in zip(*rows, strict=True)]
