"""Nothing inside a pass waits for a device. The `meta` device stands in for one: its tensors hold no numbers, so that whatever asks
for one fails."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from core.engine.device.boxes import Store
from core.engine.device.probe import DeviceProbe
from core.engine.huggingface import looks_at_places
from core.engine.lens import Lens
from core.model.marks import mark_of
from core.request import MaskRule
from tests.engine.device.passes import QUIET, asked_for, one_pass
from tests.families import ENCODERS, ask

WRITERS = [name for name in QUIET if name not in ENCODERS and name != "ours_encoder"]


@pytest.fixture(scope="module")
def numberless(lens_of: Callable[[str], Lens]) -> Callable[[str], Lens]:
    """The lens on a tiny model whose weights are on the device that holds no numbers."""

    def moved(name: str) -> Lens:
        lens = copy.copy(lens_of(name))
        lens.backend = copy.copy(lens.backend)
        lens.backend.model = copy.deepcopy(lens.backend.model).to("meta")
        lens.info, lens.store = replace(lens.info, device="meta"), Store()
        return lens

    return moved


@pytest.mark.parametrize("name", QUIET)
def test_no_pass_asks_for_a_number(name, numberless, lens_of):
    lens, here = numberless(name), lens_of(name)
    for requests in asked_for(here):
        kept, _ = one_pass(lens, requests)
        assert all(len(row) == (len(here.info.sites) if request.keep else 0) for row, request in zip(kept, requests, strict=True))


@pytest.mark.parametrize("name", WRITERS)
def test_no_step_of_writing_asks_for_a_number(name, numberless, lens_of):
    lens, request = numberless(name), ask(lens_of(name), 9, 8)
    _, state = one_pass(lens, [request], keep_state=True)
    longer = request.append(7)
    (kept,), _ = one_pass(lens, [longer], new=8 if request.source is not None else 9, state=state)
    assert all(one.query_start and "weights" in one.parts for one in kept if one.site.stream.value == "decoder")


def test_a_pass_that_asked_for_a_number_would_be_seen(numberless, lens_of, monkeypatch):
    lens, request = numberless("llama"), ask(lens_of("llama"))
    monkeypatch.setattr("core.engine.device.probe.mark_of", lambda mask: None)
    one_pass(lens, [request])  # a mask that nobody marked is kept as it is
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        one_pass(lens, [request.with_mask(MaskRule(request.sites[0].stream, "window", width=2))])
    monkeypatch.undo()
    monkeypatch.setattr(DeviceProbe, "waits", True)  # transformers itself then looks through the positions
    with pytest.raises(RuntimeError, match="meta"):
        one_pass(lens, [request])


@pytest.mark.parametrize("name", ["llama", "gemma2", "bert", "t5", "ours", "ours_decoder", "modernbert"])
def test_a_mark_says_what_its_mask_says(name, lens_of, there_of, monkeypatch):
    """Marks drawn in the host's memory, beside the masks themselves; alone and with padding."""
    from core.engine.kernels import booleans

    seen, lens = [], there_of(name)
    attend = DeviceProbe.attend

    def noting(probe, call):
        seen.append((call.mask, [len(row.target_pad) or len(row.source_pad) for row in probe.rows]))
        return attend(probe, call)

    monkeypatch.setattr(DeviceProbe, "attend", noting)
    for requests in ([ask(lens, 12, 11)], [ask(lens, 12, 11), ask(lens, 10, 9, 1)]):
        lens.run_many(requests)
        lens.run_many([requests[0]])
    marked = [(mask, lengths) for mask, lengths in seen if mask is not None and mark_of(mask) is not None]
    assert marked
    for mask, lengths in marked:
        drawn, whole = mark_of(mask).draw(), booleans(mask)
        most = whole.shape[-1]
        if len(lengths) == 1:
            assert torch.equal(whole[0, 0], drawn[: whole.shape[-2], :most].expand_as(whole[0, 0]))
            assert mark_of(mask).triangle == torch.equal(whole[0, 0], torch.ones_like(whole[0, 0]).tril())


def test_only_rules_about_places_are_told_without_the_tensor():
    from transformers import masking_utils as theirs

    for rule in (
        theirs.causal_mask_function,
        theirs.sliding_window_causal_mask_function(4),
        theirs.and_masks(theirs.bidirectional_mask_function, theirs.sliding_window_bidirectional_overlay(3)),
    ):
        assert looks_at_places(rule)
    for rule in (
        theirs.padding_mask_function(torch.ones(1, 4)),
        theirs.and_masks(theirs.causal_mask_function, theirs.packed_sequence_mask_function(torch.zeros(1, 4))),
        theirs.chunked_causal_mask_function(4, torch.zeros(1)),
        object(),
    ):
        assert not looks_at_places(rule)
