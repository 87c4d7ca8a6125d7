"""Goals 1 to 3: what it costs to keep attention, in time and in memory, and what a click costs afterwards."""

from __future__ import annotations

import copy
import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from tests.bench.measure import cpu, line, pairs


def report() -> Iterator[str]:
    from tests.bench.models import pair

    lens, floor = pair("gpt2")
    ids = torch.randint(10, 50000, (1, 256), generator=torch.Generator().manual_seed(1))
    request = lens.request(ids=ids[0].tolist())

    def plain() -> None:
        with torch.inference_mode():
            floor(input_ids=ids, use_cache=False, logits_to_keep=1)

    for name, asked, goal in (
        ("keep nothing", request.keeping(), 1.02),
        ("keep all heads, lazily", request.keeping("pattern", capture="lazy"), 1.05),
        ("keep all heads, float32", request.keeping("pattern", capture="float32"), 1.05),
        ("keep all heads, 8-bit codes", request.keeping("pattern", capture="u8"), 1.05),
    ):
        result = pairs(lambda asked=asked: lens.run(asked), plain, count=15)
        what = f"GPT-2 small, 256 tokens, {name} / fused floor"
        ok = result.ratio <= goal
        yield line(
            "1", what, f"{result.ours:.3f} s", f"{result.other:.3f} s", result.ratio, f"≤ {goal}", ok, result.spread
        )
    from transformers import AutoModelForCausalLM

    # a copy: transformers writes the attention's name into the configuration it is given
    config = copy.deepcopy(lens.backend.model.config)
    eager = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()

    def hugging_face() -> None:
        with torch.inference_mode():
            eager(input_ids=ids, use_cache=False, logits_to_keep=1, output_attentions=True)

    result = pairs(lambda: lens.run(request), hugging_face, count=15)
    what = "the default (float32) / Hugging Face eager with attentions"
    yield line("1", what, f"{result.ours:.3f} s", f"{result.other:.3f} s", result.ratio, "(shown)", True, result.spread)
    yield from memory()
    long = torch.randint(10, 50000, (1, 1024), generator=torch.Generator().manual_seed(2))
    trace = lens.run(lens.request(ids=long[0].tolist(), capture="lazy"))

    def eager_pass() -> None:
        with torch.inference_mode():
            eager(input_ids=long, use_cache=False, logits_to_keep=1, output_attentions=True)

    whole = min(cpu(eager_pass) for _ in range(3))
    attention = trace.attention[5]
    click = float(np.median([cpu(lambda: attention.head(3)) for _ in range(20)]))
    layer = float(np.median([cpu(lambda: attention.pattern) for _ in range(7)]))
    for what, ours, goal in (
        ("one head after a lazy capture", click, 300),
        ("a whole layer after a lazy capture", layer, 40),
    ):
        ratio = whole / ours
        label = f"1,024 tokens, eager pass / {what}"
        yield (line("3", label, f"{ours * 1e3:.1f} ms", f"{whole:.2f} s", ratio, f"≥ {goal}", ratio >= goal))


def memory() -> Iterator[str]:
    """Goal 2, each way in a process of its own: peak resident memory over a pass that keeps nothing, a cell."""
    peaks = {}
    # every large block mapped alone and given back at once: bytes are counted, not the allocator's luck with holes
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "262144"}
    for way in ("none", "lazy", "u8", "eager"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.capture", way], capture_output=True, text=True, check=True, env=env
        )
        peaks[way] = float(done.stdout.split()[-1])
    cells = 12 * 12 * 1024**2
    for way, goal in (("u8", 1.25), ("lazy", 0.75)):
        each = (peaks[way] - peaks["none"]) / cells
        theirs = (peaks["eager"] - peaks["none"]) / cells
        what = f"1,024 tokens, peak bytes a cell over the floor, {way} / eager"
        yield (line("2", what, f"{each:.2f} B", f"{theirs:.2f} B", each / theirs, f"≤ {goal} B", each <= goal))


def peak(way: str) -> None:
    """Print by how many bytes one pass of 1,024 tokens that keeps attention in that way raises this process's memory."""
    from tests.bench.models import pair

    lens, plain = pair("gpt2", "eager" if way == "eager" else "sdpa")
    ids = torch.randint(10, 50000, (1, 1024), generator=torch.Generator().manual_seed(2))
    keep, capture = ((), None) if way in ("none", "eager") else (("pattern",), way)
    asked = lens.request(ids=ids[0].tolist(), keep=keep, capture=capture)
    with torch.inference_mode():
        plain(input_ids=ids[:, :8], use_cache=False, logits_to_keep=1)
        lens.run(lens.request(ids=ids[0, :8].tolist()))
        # what loading left behind goes back to the system, or the pass would live in it unseen
        ctypes.CDLL(None).malloc_trim(0)
        before = resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        if way == "eager":
            kept = plain(input_ids=ids, use_cache=False, logits_to_keep=1, output_attentions=True)
        else:
            kept = lens.run(asked)
    print(type(kept).__name__, resident("VmHWM") - before)


def resident(name: str) -> int:
    """Resident bytes of this process now (VmRSS) or at most (VmHWM), as Linux counts them."""
    for row in Path("/proc/self/status").read_text().splitlines():
        if row.startswith(name + ":"):
            return 1024 * int(row.split()[1])
    raise SystemExit(f"Expected {name} in /proc/self/status, but got none. Goal 2 is measured on Linux.")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    if len(sys.argv) > 1:
        peak(sys.argv[1])
    else:
        for row in report():
            print(row, flush=True)
