"""The inside of the shipped encoders: it ends where the trace of the same request ends."""

import numpy as np
import pytest

from core import Stream, load
from core.engine.inner import inner, nearest_pieces, walkable
from core.errors import UnsupportedModelError


@pytest.mark.parametrize("name", ["classroom", "translator", "filler"])
def test_the_walk_meets_the_trace_at_every_layer(name):
    lens = load(name)
    request = lens.request("the river bank and the money bank", **({} if lens.info.kind == "encoder" else {"target": ""}))
    walked = inner(lens, request)
    trace = lens.run(request.keeping("pattern", "residual", "qkv"))
    assert walked.tokens == trace.source
    assert np.abs(walked.residual() - trace.residual[Stream.ENCODER]).max() <= 1e-5
    for layer, steps in enumerate(walked.layers):
        site = trace.at(Stream.ENCODER, layer)
        assert np.abs(steps["pattern"] - site.pattern).max() <= 1e-5
        for part in ("query", "key", "value"):
            assert np.abs(steps[part] - getattr(site, part)).max() <= 1e-5
    assert not walked.final.flags.writeable


def test_nearest_pieces_are_those_of_the_whole_table():
    lens = load("classroom")
    ids = lens.encode("river bank")
    table = lens.backend.model.embedding.weight.detach().double().numpy()
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    for id, found in zip(ids, nearest_pieces(lens, ids, 5), strict=True):
        cosine = unit @ unit[id]
        cosine[id] = -2
        order = np.argsort(-cosine)[:5]
        assert [token.id for token in found] == order.tolist()
        assert np.allclose([token.cosine for token in found], cosine[order], atol=1e-5)


def test_a_model_without_an_encoder_of_ours_is_told_apart():
    lens = load("writer")
    assert "no encoder" in walkable(lens)
    with pytest.raises(UnsupportedModelError, match="only writes"):
        inner(lens, lens.request("gen ai is"))
