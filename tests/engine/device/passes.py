"""Passes on a device, and what they are compared with; families that differ in what an attention is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from core.engine.device.attention import DeviceAttention
from core.engine.device.probe import DeviceProbe
from core.engine.lens import Lens
from core.request import HeadRef, MaskRule, Request
from core.trace import Trace
from tests.families import ask

CAPTURES = ("float32", "lazy", "u8")
# plain, bias, grouped queries, soft-caps and windows, sinks, shared bias, cross-attention, encoders with and without windows
KINDS = ("ours", "ours_encoder", "gpt2", "llama", "gemma2", "gpt_oss", "t5", "bart", "bert", "modernbert")
# without those whose own code reads within a pass: which expert gets which token
QUIET = tuple(name for name in KINDS if name != "gpt_oss")


def asked_for(lens: Lens) -> Iterator[list[Request]]:
    """Requests of every kind that a pass can be asked, those of one pass together."""
    stream, heads = lens.info.sites[-1].stream, lens.info.sites[-1].heads
    plain = ask(lens, 9, 8)
    changed = plain.with_mask(MaskRule(stream, "custom", heads=(heads - 1,), edges=[(3, 1)]))
    yield [plain.keeping()]
    for capture in CAPTURES:
        yield [replace(plain, capture=capture)]
    yield [replace(plain, keep=frozenset({"pattern", "scores", "qkv"}), capture="lazy"), ask(lens, 7, 6, 1)]
    yield [changed.with_ablation(HeadRef(stream, 0, 0), how="mean").with_temperature(2.0)]
    yield [plain.with_top_k(3)]


def one_pass(lens: Lens, requests: list[Request], new: int = 0, state: object = None, keep_state: bool = False):
    """One pass, without what comes after it: the attentions of each request, and the state of the pass."""
    rows = [lens.row(request) for request in requests]
    sites = [site for site in lens.info.sites if state is None or site.stream.value != "encoder"]
    probe = DeviceProbe(sites, rows, new, lens.store)
    encoder = lens.info.kind == "encoder"
    at = None if encoder else torch.tensor([len(request.target) - new - 1 for request in requests])
    with torch.inference_mode():
        batch = lens._batch(requests, new, read=state is not None)
        result = lens.backend.forward(batch, probe, at=at, state=state, keep_state=keep_state, residual=True)
    probe.close()
    return [probe.collect(n) for n in range(len(rows))], result.state


def same(there: Trace, here: Trace, capture: str, off: float = 2e-6) -> None:
    """Two traces of one request, number by number: one kept on a device, one of a CPU. off: how far patterns may be apart."""
    close, codes = (max(off, 0.012), 1 + int(off * 3e4)) if capture == "u8" else (off, 1 + int(off * 3e4))
    for a, b in zip(there.attention, here.attention, strict=True):
        assert isinstance(a, DeviceAttention) and not isinstance(b, DeviceAttention)
        assert (a.site, a.shape, a.ablated, a.query_start) == (b.site, b.shape, b.ablated, b.query_start)
        assert a.approximate == b.approximate and repr(a) == repr(b)
        last = a.site.heads - 1
        assert np.abs(a.head(last) - b.head(last)).max() <= close
        assert np.abs(a.codes(last).astype(int) - b.codes(last).astype(int)).max() <= codes
        assert np.array_equal(a.allowed, b.allowed)
        assert np.abs(a.pattern - b.pattern).max() <= close and a.pattern.dtype == np.float32
        for name in ("sink", "bias"):
            one, other = getattr(a, name), getattr(b, name)
            assert (one is None) == (other is None) and (one is None or np.allclose(one, other, atol=off))
        for name in ("query", "key", "value", "scores"):
            if a.keeps & {"qkv", "scores"} == {"qkv", "scores"}:
                assert np.allclose(getattr(a, name), getattr(b, name), atol=max(1e-5, off))
        assert not any(array.flags.writeable for array in (a.pattern, a.allowed, a.head(0), a.codes(0)))
    assert (there.next_logits is None) == (here.next_logits is None)
    assert here.next_logits is None or np.allclose(there.next_logits, here.next_logits, atol=max(1e-5, off))
    assert (there.residual or {}).keys() == (here.residual or {}).keys()
    for stream, depths in (here.residual or {}).items():
        assert np.allclose(there.residual[stream], depths, atol=max(1e-5, off))
    if here.predictions is not None:
        assert np.allclose(there.predictions.top_logprob, here.predictions.top_logprob, atol=max(1e-5, off))
