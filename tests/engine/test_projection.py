"""W_O of every family: what all heads bring, added up, is what the output projection really gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import core
from core.analysis import brought
from core.errors import NoSuchHeadError
from core.request import Stream
from tests.families import EVERY
from tests.oracles import W_O


@pytest.mark.parametrize("name", [*EVERY, "classroom", "writer", "filler"])
def test_the_heads_results_through_w_o_are_what_the_layer_gives(name, lens_of, ask):
    shipped = name in ("classroom", "writer", "filler")
    lens = core.load(name) if shipped else lens_of(name)
    model, seen = lens.backend.model, []

    def note(module, args, output):
        bias = module.bias if getattr(module, "bias", None) is not None else 0
        seen.append((output - bias)[0].numpy())

    hooks = [module.register_forward_hook(note) for path, module in model.named_modules() if W_O.search(path)]
    try:
        if shipped:
            target = {"target": "and the"} if lens.info.kind == "encoder-decoder" else {}
            request = lens.request("the cat sits", keep=("pattern", "qkv"), **target)
        else:
            request = ask(name, keep=("pattern", "qkv"))
        with torch.inference_mode():
            trace = lens.run(request)
    finally:
        for hook in hooks:
            hook.remove()
    assert len(seen) == len(trace.attention)
    for attention, given in zip(trace.attention, seen, strict=True):
        projection = lens.projection(attention.site.stream, attention.site.layer)
        assert projection is not None and projection.dtype == np.float32
        heads, queries, _ = attention.shape
        total = np.zeros((queries, projection.shape[-1]))
        for head in range(heads):
            value = attention.value[attention.kv_of(head)]
            total += attention.head(head).astype(np.float64) @ value @ projection[head]
            norms = brought(attention.head(head), value, projection[head])
            assert norms[0, 0] == pytest.approx(attention.head(head)[0, 0] * np.linalg.norm(value[0] @ projection[head]), abs=1e-6)
        np.testing.assert_allclose(total, given, atol=2e-5)


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(NoSuchHeadError):
        core.load("writer").projection(Stream.CROSS, 0)
    with pytest.raises(NoSuchHeadError):
        core.load("writer").projection(Stream.DECODER, 99)
