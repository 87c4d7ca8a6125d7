"""run_many against the loop, at 16 requests that differ in what they ablate; and with texts of different lengths."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from core import HeadRef, load
from core.engine import shipped
from tests.bench.measure import line, pairs


def report() -> Iterator[str]:
    from tests.bench.models import saved

    for name, lens in [*((name, load(name)) for name in shipped()), ("gpt2", load(str(saved("gpt2"))))]:
        site = lens.info.sites[0]
        ids = torch.randint(10, min(5000, lens.info.vocab), (20,), generator=torch.Generator().manual_seed(4)).tolist()
        target = {"target_ids": ids[:8]} if lens.info.kind == "encoder-decoder" else {}
        base = lens.request(ids=ids[:16], **target)
        heads = [HeadRef(site.stream, layer, head) for layer in range(lens.info.layers) for head in range(site.heads)]
        same = [base, *(base.with_ablation(head) for head in (heads * 16)[:15])]
        mixed = [lens.request(ids=ids[: 12 + n % 8], **target) for n in range(16)]
        for what, requests, goal in (("one text, 16 ablations", same, 1.3), ("texts of 12 to 19 tokens", mixed, 1.3)):
            result = pairs(
                lambda lens=lens, requests=requests: [lens.run(request) for request in requests],
                lambda lens=lens, requests=requests: lens.run_many(requests),
                count=7,
            )
            label = f"{name}: the loop / run_many, {what}"
            fine = result.ratio >= goal
            ours, loop = f"{result.other:.3f} s", f"{result.ours:.3f} s"
            yield line("5", label, ours, loop, result.ratio, f"≥ {goal}", fine, result.spread)
