"""Goal 10: from cold to loaded, each in a process of its own, its imports left out on both sides; then one pass of each."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

from tests.bench.measure import line, pairs

OURS = """
import sys, time, torch
import core.engine.loading.loader
torch.set_num_threads(1)
if sys.argv[2] == "theirs": import core.engine.huggingface
begin = time.process_time()
core.engine.loading.loader.load(sys.argv[1])
print(time.process_time() - begin)
"""
# tokenizer, site discovery and the check at load are no part of from_pretrained, so they are timed and taken off ours
LENS = """
import sys, time, torch
import core.engine.loading.loader as loading
from core.engine.loading import discovery, verification
from core.engine.files import find_local
torch.set_num_threads(1)
spent = 0.0
def timed(work):
    def run(*args, **options):
        global spent
        begin = time.process_time()
        try:
            return work(*args, **options)
        finally:
            spent += time.process_time() - begin
    return run
loading.tokenizer_of = timed(loading.tokenizer_of)
discovery.discover = timed(discovery.discover)
verification.check = timed(verification.check)
import transformers.models.llama.modeling_llama, transformers.models.gpt2.modeling_gpt2
begin = time.process_time()
loading.load(sys.argv[1])
print(time.process_time() - begin - spent)
"""
PLAIN = """
import sys, time, torch
from transformers import AutoModelForCausalLM
import transformers.models.llama.modeling_llama, transformers.models.gpt2.modeling_gpt2
torch.set_num_threads(1)
begin = time.process_time()
AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
print(time.process_time() - begin)
"""


def seconds(code: str, *words: str) -> float:
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def report() -> Iterator[str]:
    from core.engine import shipped
    from tests.real.packages import smollm2

    for name in shipped():
        took = statistics.median(seconds(OURS, name, "ours") for _ in range(5))
        what = f"{name}: cold to loaded, seconds of CPU"
        yield line("10", what, f"{took:.2f} s", "1.00 s", took, "≤ 1 s", took <= 1)
    folder = str(smollm2())
    times = [(seconds(LENS, folder), seconds(PLAIN, folder)) for _ in range(5)]
    ratio = statistics.median(a / b for a, b in times)
    ours, theirs = (statistics.median(side) for side in zip(*times, strict=True))
    what = "SmolLM2-135M: our load / from_pretrained(float32)"
    yield line("10", what, f"{ours:.2f} s", f"{theirs:.2f} s", ratio, "≤ 1.5", ratio <= 1.5)
    yield from sixteen(folder)


def sixteen(folder: str) -> Iterator[str]:
    """One pass over 16 tokens with every pattern kept (16 read and 16 written by a model that does both), beside SmolLM2."""
    from dataclasses import replace

    from core import load
    from core.engine import shipped

    other = load(folder)
    ids = tuple(range(100, 116))
    theirs = replace(other.request("x"), target=ids)
    for name in shipped():
        lens = load(name)
        sides = {"encoder": ("source",), "decoder": ("target",)}.get(lens.info.kind, ("source", "target"))
        ours = replace(lens.request("x"), **dict.fromkeys(sides, ids))
        pair = pairs(lambda lens=lens, ours=ours: lens.run(ours), lambda: other.run(theirs), 9)
        what = f"{name}: one pass of 16 tokens / SmolLM2's"
        yield line("10", what, f"{1000 * pair.ours:.1f} ms", f"{1000 * pair.other:.0f} ms", pair.ratio, "≤ 30 ms",
                   pair.ours <= 0.03, pair.spread)  # fmt: skip
