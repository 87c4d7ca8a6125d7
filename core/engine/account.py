"""A decoder of ours from the inside: what each sublayer adds to the stream, and how far it pushes the piece that is written.

Pure: recomputed from a request by the model's own modules, as it was trained; nothing hooked.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.engine.inside import FOREIGN, admitted, kept, ours
from core.engine.lens import Lens
from core.inside import Account
from core.model.decoder_steps import decoder_steps
from core.request import Request

TOP = 7  # candidates kept at each position


def account(lens: Lens, request: Request) -> Account:
    """The decoder of a lens on the target of a request (and its source), as the model was trained.

    Raises UnsupportedModelError where `accountable` gives a reason.
    """
    model = admitted(lens, accountable(lens), "a decoder of our own", "Classroom, Writer or a translator")
    device = lens.info.device
    assert request.target is not None and isinstance(model.decoder_norm, nn.LayerNorm)
    with torch.inference_mode():
        source = None if request.source is None else torch.tensor(request.source, device=device)
        target = torch.tensor(request.target, device=device)
        begin, layers, end = decoder_steps(model, target, source)
        flat = [(layer, name, part) for layer, parts in enumerate(layers) for name, part in parts.items()]
        added = torch.stack([begin["leave"], *(part["added"] for _, _, part in flat)])
        stream = torch.stack([begin["leave"], *(part["leave"] for _, _, part in flat)])
        chances = end["logits"].softmax(dim=-1)
        written = torch.cat([target[1:], chances[-1:].argmax(dim=-1)])
        aim, deviation, offset = _aim(model.decoder_norm, model.embedding.weight, written, stream[-1])
        glimpse, glimpse_id, here = _glimpses(model, stream, written)
        top = chances.topk(TOP, dim=-1)
        logits = end["logits"]
        height = logits.gather(1, written[:, None])[:, 0] - logits.mean(dim=-1)
    arrays = {
        "added": added, "stream": stream, "aim": aim, "deviation": deviation, "offset": offset, "height": height,
        "glimpse": glimpse, "chance": here, "top": top.values, "normed": end["normed"],
    }  # fmt: skip
    whole = {"written": written, "glimpse_id": glimpse_id, "top_id": top.indices}
    return Account(
        request=request,
        source=None if request.source is None else lens.tokens(request.source),
        target=lens.tokens(request.target),
        parts=tuple((layer, name) for layer, name, _ in flat),
        begin=kept(begin),
        inside=tuple(kept(part) for _, _, part in flat),
        **kept(arrays),
        **{name: value.cpu().numpy() for name, value in whole.items()},
    )


def accountable(lens: Lens) -> str:
    """Why the inside of a lens's decoder cannot be told, as the end of a sentence; "" where it can."""
    if (model := ours(lens)) is None:
        return FOREIGN
    config = model.config
    if not config.writes:
        return "which has no decoder: it only reads"
    if config.norm != "pre":
        return "whose stream is normed after each addition, so that what was added is not kept"
    return ""


def _aim(norm: nn.LayerNorm, table: Tensor, written: Tensor, last: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The final norm and the output layer as one direction a position: aim [position, d_model] = γ ⊙ (E_w − mean of E);
    deviation [position]: what the norm divides by; offset [position]: β · (E_w − mean of E)."""
    above = table[written] - table.mean(dim=0)
    deviation = (last.var(dim=-1, unbiased=False) + norm.eps).sqrt()
    return above * norm.weight, deviation, above @ norm.bias


def _glimpses(model: nn.Module, stream: Tensor, written: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The logit lens (nostalgebraist 2020): the final norm and output layer put on the stream of every depth. The likeliest
    piece's probability and id, and the written piece's probability, each [depth, position]."""
    best, ids, here = [], [], []
    for depth in stream:
        chances = model.predict(model.decoder_norm(depth)[None], None)[0].softmax(dim=-1)  # type: ignore[operator]
        top = chances.max(dim=-1)
        best.append(top.values)
        ids.append(top.indices)
        here.append(chances.gather(1, written[:, None])[:, 0])
    return torch.stack(best), torch.stack(ids), torch.stack(here)
