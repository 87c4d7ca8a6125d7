"""Every kernel computes the same attention, and the choice among them is the one that is written down."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.engine.kernels import Kernel, choose_kernel, compute
from core.model.multihead import AttentionCall, our_call


def call_of(causal: bool = True) -> AttentionCall:
    """Two texts of 6 tokens, 4 heads of 8 features, seen as our own transformer hands them over."""
    query, key, value = torch.randn(3, 2, 4, 6, 8, generator=torch.Generator().manual_seed(1))
    return our_call(query, key, value, torch.ones(1, 1, 6, 6).tril().bool() if causal else None)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kernel", Kernel)
def test_all_kernels_give_what_the_owner_gives(kernel: Kernel, causal: bool) -> None:
    call = call_of(causal)
    output, weights = call.owner(call.mask)
    done = compute(kernel, call, call.mask, causal, 1.0, sink=True)
    torch.testing.assert_close(done.output, output, atol=1e-6, rtol=1e-5)
    assert (done.weights is None) == (kernel in (Kernel.FUSED, Kernel.CODED))
    if done.weights is not None:
        torch.testing.assert_close(done.weights, weights, atol=1e-6, rtol=1e-5)
    assert (done.codes is not None) == (kernel is Kernel.CODED)
    if done.codes is not None:
        assert ((done.codes / 255.0) ** 2 - weights).abs().max() <= 1 / 255


def test_a_temperature_flattens_each_text_by_its_own() -> None:
    call = call_of()
    done = compute(Kernel.REFERENCE, call, call.mask, True, torch.tensor([1.0, 4.0]).reshape(2, 1, 1, 1), sink=False)
    cooler = replace(call, query=call.query / 4)
    assert done.weights is not None
    torch.testing.assert_close(done.weights[0], call.owner(call.mask)[1][0], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(done.weights[1], our_call(cooler.query, call.key, call.value, None).owner(call.mask)[1][1])


@pytest.mark.parametrize(
    ("stored", "with_temperature", "change", "wanted"),
    [
        ((None, None), False, {}, Kernel.FUSED),
        (("lazy", None), False, {}, Kernel.FUSED),
        (("float32", None), False, {}, Kernel.IN_PLACE),
        (("u8", None), False, {}, Kernel.CODED),
        (("u8", "float32"), False, {}, Kernel.IN_PLACE),
        (("float32",), False, {"softcap": 30.0}, Kernel.OWNER),
        (("u8",), False, {"bias": torch.zeros(1, 4, 6, 6)}, Kernel.FUSED),
        ((None,), False, {"fused": None}, Kernel.OWNER),
        ((None,), True, {}, Kernel.REFERENCE),
        (("float32",), True, {}, Kernel.REFERENCE),
    ],
)
def test_the_kernel_is_the_fastest_that_gives_what_is_kept(stored, with_temperature, change, wanted) -> None:
    assert choose_kernel(replace(call_of(), **change), stored, with_temperature) is wanted


def test_a_key_that_several_heads_share_may_be_read_once(monkeypatch):
    """As on a GPU, where the fused kernel takes fewer keys than queries; with a mask they are repeated as ever."""
    from core.engine import kernels

    query, key, value = torch.randn(2, 6, 5, 8), torch.randn(2, 2, 5, 8), torch.randn(2, 2, 5, 8)
    triangle = torch.ones(5, 5, dtype=torch.bool).tril()[None, None]
    for mask, causal in ((None, False), (triangle, True), (triangle, False)):
        plain = kernels.fused_attention(query, key, value, mask, 0.3, causal=causal)
        with monkeypatch.context() as there:
            there.setattr(kernels, "GROUPING", frozenset({"cpu"}))
            assert torch.allclose(kernels.fused_attention(query, key, value, mask, 0.3, causal=causal), plain, atol=1e-6)
