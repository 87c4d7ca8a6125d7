"""Our own models from the inside: every value between the ends that a Trace shows, of an encoder and of a decoder.

Nothing is hooked and nothing kept: a request is computed once more by the model's own modules, with its interventions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from core.engine.admission import admit
from core.engine.backend import at_depths
from core.engine.batching import places
from core.engine.lens import Lens
from core.engine.ours import OurBackend
from core.engine.probe import Probe, Row, as_array
from core.engine.text import text_of_token
from core.errors import RequestError, UnsupportedModelError
from core.inside import Account, Inner, Near
from core.model.decoder_steps import decoder_steps, without_each_sublayer
from core.model.encoder_steps import encoder_steps
from core.model.multihead import PLAIN, AttentionCall, Pass
from core.model.transformer import Transformer
from core.request import Request, Site, Stream

FOREIGN = "whose inside belongs to another library"
TOP = 7  # candidates kept at each position of a decoder


def inner(lens: Lens, request: Request) -> Inner:
    """The encoder of a lens on the source of a request, step by step, with the request's interventions.

    Raises UnsupportedModelError where `walkable` gives a reason, RequestError without residual connections, and what `run`
    raises for such a request.
    """
    model = _admitted(lens, walkable(lens), "one of our own encoders", "Choose Classroom, a translator or the filler")
    asked = _whole(lens, request)
    assert asked.source is not None
    source, run = torch.tensor(asked.source, device=lens.info.device), _passing(lens, asked, Stream.ENCODER)
    with torch.inference_mode():
        begin, layers, final = encoder_steps(model, source, run, asked.intervention.depth)
    whole = as_array(final, copy=True)
    return Inner(request, lens.tokens(asked.source), _kept(begin), tuple(map(_kept, layers)), whole)


def walkable(lens: Lens) -> str:
    """Why the inside of a lens's encoder cannot be walked, as the end of a sentence; "" where it can."""
    if (model := _ours(lens)) is None:
        return FOREIGN
    config = model.config
    if not config.reads:
        return "which has no encoder: it only writes"
    if config.norm != "pre" or not config.d_ff or config.positions == "rotary":
        return "which is built in another order than the picture"
    return ""


def nearest_tokens(lens: Lens, ids: tuple[int, ...], k: int = 6) -> tuple[tuple[Near, ...], ...]:
    """For each id the k tokens of the vocabulary whose embedding has the largest cosine, u·v / (|u| |v|), with its own; itself
    left out. Empty tuples where the model gives no table of embeddings."""
    table = lens.backend.embeddings()
    if table is None:
        return ((),) * len(ids)
    with torch.inference_mode():
        unit = torch.nn.functional.normalize(table.float(), dim=-1)
        cosine = unit[list(ids)] @ unit.T
        cosine[torch.arange(len(ids)), list(ids)] = -2.0
        top = cosine.topk(min(k, len(table) - 1), dim=-1)
    token = text_of_token(lens.text)
    return tuple(
        tuple(Near(int(i), token(int(i)), float(c)) for c, i in zip(values, places, strict=True))
        for values, places in zip(top.values.tolist(), top.indices.tolist(), strict=True)
    )


def account(lens: Lens, request: Request) -> Account:
    """The decoder of a lens on the target of a request (and its source), with the request's interventions.

    Raises UnsupportedModelError where `accountable` gives a reason, RequestError without residual connections, and what `run`
    raises for such a request.
    """
    model = _admitted(lens, accountable(lens), "a decoder of our own", "Choose Classroom, Writer or a translator")
    asked = _whole(lens, request)
    assert asked.target is not None and isinstance(model.decoder_norm, nn.LayerNorm)
    with torch.inference_mode():
        memory = _memory(lens, model, asked)
        target = torch.tensor(asked.target, device=lens.info.device)
        begin, layers, end = decoder_steps(model, target, memory, _passing(lens, asked, Stream.DECODER))
        flat = [(layer, name, part) for layer, parts in enumerate(layers) for name, part in parts.items()]
        added = torch.stack([begin["leave"], *(part["added"] for _, _, part in flat)])
        residual = torch.stack([begin["leave"], *(part["leave"] for _, _, part in flat)])
        logits = end["logits"]
        chances = logits.softmax(dim=-1)
        written = torch.cat([target[1:], chances[-1:].argmax(dim=-1)])
        direction, deviation, offset = _direction(model.decoder_norm, model.embedding.weight, written, residual[-1])
        lens_top, lens_top_id, lens_written = _logit_lens(model, residual, written)
        top = chances.topk(TOP, dim=-1)
        above_mean_logit = _above_mean(logits, written)
        again = _passing(lens, asked.keeping(), Stream.DECODER)
        without = _above_mean(without_each_sublayer(model, target, memory, again), written)
    arrays = {
        "added": added, "residual": residual, "direction": direction, "deviation": deviation, "offset": offset,
        "above_mean_logit": above_mean_logit, "without": without, "lens_top": lens_top, "lens_written": lens_written,
        "top": top.values, "normed": end["normed"],
    }  # fmt: skip
    whole = {"written": written, "lens_top_id": lens_top_id, "top_id": top.indices}
    return Account(
        request=request,
        source=None if asked.source is None else lens.tokens(asked.source),
        target=lens.tokens(asked.target),
        parts=tuple((layer, name) for layer, name, _ in flat),
        begin=_kept(begin),
        inside=tuple(_kept(part) for _, _, part in flat),
        **_kept(arrays),
        **{name: value.cpu().numpy() for name, value in whole.items()},
    )


def accountable(lens: Lens) -> str:
    """Why the inside of a lens's decoder cannot be shown, as the end of a sentence; "" where it can."""
    if (model := _ours(lens)) is None:
        return FOREIGN
    config = model.config
    if not config.writes:
        return "which has no decoder: it only reads"
    if config.norm != "pre":
        return "whose residual stream is normalised after each addition, so that what was added is not kept"
    return ""


def _above_mean(logits: Tensor, written: Tensor) -> Tensor:
    """The logit of the token written at each position less the mean logit: [..., position, vocab] → [..., position]."""
    return logits.gather(-1, written[:, None].expand(*logits.shape[:-1], 1))[..., 0] - logits.mean(dim=-1)


def _direction(norm: nn.LayerNorm, table: Tensor, written: Tensor, last: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The final norm and the output layer as one direction for each position: direction [position, d_model] =
    γ ⊙ (E_w − mean of E); deviation [position]: what the norm divides by; offset [position]: β · (E_w − mean of E)."""
    above = table[written] - table.mean(dim=0)
    deviation = (last.var(dim=-1, unbiased=False) + norm.eps).sqrt()
    return above * norm.weight, deviation, above @ norm.bias


def _logit_lens(model: Transformer, residual: Tensor, written: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The logit lens (nostalgebraist 2020): the final norm and output layer put on the residual stream of every
    depth. The likeliest token's probability and id, and the written token's probability, each [depth, position]."""
    best, ids, right = [], [], []
    for depth in residual:
        chances = model.predict(model.decoder_norm(depth)[None], None)[0].softmax(dim=-1)
        top = chances.max(dim=-1)
        best.append(top.values)
        ids.append(top.indices)
        right.append(chances.gather(1, written[:, None])[:, 0])
    return torch.stack(best), torch.stack(ids), torch.stack(right)


def _ours(lens: Lens) -> Transformer | None:
    """The transformer of a lens where it is one of our own."""
    return lens.backend.model if isinstance(lens.backend, OurBackend) else None


def _admitted(lens: Lens, reason: str, wanted: str, instead: str) -> Transformer:
    """The transformer of a lens that may be looked into. Raises UnsupportedModelError where there is a reason why not."""
    model = _ours(lens)
    if reason or model is None:
        raise UnsupportedModelError(wanted, f"{lens.info.name}, {reason or FOREIGN}", instead)
    return model


class _Asked:
    """The probe of a walk: it changes each attention of a stack as one request asks, for as many rows as the batch has."""

    def __init__(self, sites: Sequence[Site], row: Row) -> None:
        self.sites, self.row = iter(sites), row

    def attend(self, call: AttentionCall) -> tuple[Tensor, Tensor | None]:
        return Probe((next(self.sites),), (self.row,) * len(call.query)).attend(call)


def _whole(lens: Lens, request: Request) -> Request:
    """The request, checked against the model, keeping the weights of every attention."""
    if not request.intervention.residual:
        raise RequestError(
            "a request with residual connections, of which the inside of a model tells what each adds",
            "one without_residual()", "Ask lens.run(…) for its attention",
        )  # fmt: skip
    kept = Request(request.lens, request.source, request.target, request.intervention, capture="float32")
    return admit(lens.info, kept)


def _passing(lens: Lens, request: Request, side: Stream) -> Pass:
    """How the encoder (ENCODER) or the decoder (DECODER) runs for a request that `_whole` made."""
    if not request.intervention:
        return PLAIN
    ids = request.source if side is Stream.ENCODER else request.target
    given = torch.tensor([ids], device=lens.info.device)
    sites = [site for site in lens.info.sites if (site.stream is Stream.ENCODER) == (side is Stream.ENCODER)]
    return Pass(_Asked(sites, lens.row(request)), places=places([request], side, given, 0))


def _memory(lens: Lens, model: Transformer, request: Request) -> Tensor | None:
    """What the decoder reads of the encoder for a request that `_whole` made: [source, d_model]; None for a decoder alone."""
    if request.source is None:
        return None
    source = torch.tensor([request.source], device=lens.info.device)
    _, stream = model.encode(source, None, _passing(lens, request.keeping(), Stream.ENCODER))
    return model.encoder_norm(at_depths(stream, [request.intervention.depth]))[0]


def _kept(values: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Values by name as read-only float32 arrays of the same shapes, each holding its own memory."""
    return {name: as_array(value, copy=True) for name, value in values.items()}
