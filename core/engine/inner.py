"""What happens inside an encoder of ours, between the ends that a Trace shows. Pure: recomputed from a request, nothing hooked."""

from __future__ import annotations

import torch

from core.engine.inside import FOREIGN, admitted, kept, ours
from core.engine.lens import Lens
from core.engine.probe import as_array
from core.inside import Inner, Near
from core.model.encoder_steps import encoder_steps
from core.request import Request


def inner(lens: Lens, request: Request) -> Inner:
    """The encoder of a lens on the source of a request, step by step, as the model was trained (interventions do not count).

    Raises UnsupportedModelError where `walkable` gives a reason.
    """
    model = admitted(lens, walkable(lens), "one of our own encoders", "Classroom, a translator or the filler")
    assert request.source is not None
    with torch.inference_mode():
        begin, layers, final = encoder_steps(model, torch.tensor(request.source, device=lens.info.device))
    whole = as_array(final, copy=True)
    return Inner(request, lens.tokens(request.source), kept(begin), tuple(map(kept, layers)), whole)


def walkable(lens: Lens) -> str:
    """Why the inside of a lens's encoder cannot be walked, as the end of a sentence; "" where it can."""
    if (model := ours(lens)) is None:
        return FOREIGN
    config = model.config
    if not config.reads:
        return "which has no encoder: it only writes"
    if config.norm != "pre" or not config.d_ff or config.positions == "rotary":
        return "which is built in another order than the picture"
    return ""


def nearest_pieces(lens: Lens, ids: tuple[int, ...], k: int = 6) -> tuple[tuple[Near, ...], ...]:
    """For each id the k pieces of the vocabulary whose embedding has the largest cosine, u·v / (|u| |v|), with its own; itself
    left out. Empty tuples where the model gives no table of embeddings."""
    table = _table(lens)
    if table is None:
        return ((),) * len(ids)
    with torch.inference_mode():
        unit = torch.nn.functional.normalize(table.float(), dim=-1)
        cosine = unit[list(ids)] @ unit.T
        cosine[torch.arange(len(ids)), list(ids)] = -2.0
        top = cosine.topk(min(k, len(table) - 1), dim=-1)
    piece = lens.text.piece if lens.text is not None else str
    return tuple(
        tuple(Near(int(i), piece(int(i)), float(c)) for c, i in zip(values, places, strict=True))
        for values, places in zip(top.values.tolist(), top.indices.tolist(), strict=True)
    )


def _table(lens: Lens) -> torch.Tensor | None:
    if (model := ours(lens)) is not None:
        return model.embedding.weight
    layer = getattr(getattr(lens.backend, "model", None), "get_input_embeddings", lambda: None)()
    weight = getattr(layer, "weight", None)
    return weight if isinstance(weight, torch.Tensor) and weight.dim() == 2 else None
