"""Our own models from the inside: every value between the ends that a Trace shows, of an encoder and of a decoder.

Nothing is hooked and nothing kept: a request is computed once more by the model's own modules, as it was trained.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from core.engine.lens import Lens
from core.engine.ours import OurBackend
from core.engine.probe import as_array
from core.engine.text import text_of_token
from core.errors import UnsupportedModelError
from core.inside import Account, Inner, Near
from core.model.decoder_steps import decoder_steps, without_each_sublayer
from core.model.encoder_steps import encoder_steps
from core.model.transformer import Transformer
from core.request import Request

FOREIGN = "whose inside belongs to another library"
TOP = 7  # candidates kept at each position of a decoder


def inner(lens: Lens, request: Request) -> Inner:
    """The encoder of a lens on the source of a request, step by step, as the model was trained (interventions do not count).

    Raises UnsupportedModelError where `walkable` gives a reason.
    """
    model = _admitted(lens, walkable(lens), "one of our own encoders", "Classroom, a translator or the filler")
    assert request.source is not None
    with torch.inference_mode():
        begin, layers, final = encoder_steps(model, torch.tensor(request.source, device=lens.info.device))
    whole = as_array(final, copy=True)
    return Inner(request, lens.tokens(request.source), _kept(begin), tuple(map(_kept, layers)), whole)


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
    """The decoder of a lens on the target of a request (and its source), as the model was trained.

    Raises UnsupportedModelError where `accountable` gives a reason.
    """
    model = _admitted(lens, accountable(lens), "a decoder of our own", "Classroom, Writer or a translator")
    device = lens.info.device
    assert request.target is not None and isinstance(model.decoder_norm, nn.LayerNorm)
    with torch.inference_mode():
        source = None if request.source is None else torch.tensor(request.source, device=device)
        target = torch.tensor(request.target, device=device)
        begin, layers, end = decoder_steps(model, target, source)
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
        without = _above_mean(without_each_sublayer(model, target, source), written)
    arrays = {
        "added": added, "residual": residual, "direction": direction, "deviation": deviation, "offset": offset,
        "above_mean_logit": above_mean_logit, "without": without, "lens_top": lens_top, "lens_written": lens_written,
        "top": top.values, "normed": end["normed"],
    }  # fmt: skip
    whole = {"written": written, "lens_top_id": lens_top_id, "top_id": top.indices}
    return Account(
        request=request,
        source=None if request.source is None else lens.tokens(request.source),
        target=lens.tokens(request.target),
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
        raise UnsupportedModelError(wanted, f"{lens.info.name}, {reason or FOREIGN}", f"Choose {instead}")
    return model


def _kept(values: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Values by name as read-only float32 arrays of the same shapes, each holding its own memory."""
    return {name: as_array(value, copy=True) for name, value in values.items()}
