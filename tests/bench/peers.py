"""The peers in environments of their own (.bench/NAME): each a worker that does one thing whenever it is told to."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from core import load
from tests.bench.measure import cpu, line

ROOT = Path(__file__).resolve().parents[2]
TOKENS = 256

TRANSFORMER_LENS = """
import json, sys, time, torch
from transformer_lens import HookedTransformer, HookedTransformerConfig
torch.set_num_threads(1); torch.set_grad_enabled(False)
model = HookedTransformer(HookedTransformerConfig(n_layers=12, d_model=768, n_ctx=1024, d_head=64, n_heads=12, d_mlp=3072,
    d_vocab=50257, act_fn="gelu_new", normalization_type="LNPre", seed=0, device="cpu"))
print("ready", flush=True)
for text in sys.stdin:
    ask = json.loads(text)
    ids = torch.tensor([ask["ids"]])
    names = (lambda name: name.endswith("hook_pattern")) if ask["what"] == "patterns" else None
    begin = time.process_time()
    _, cache = model.run_with_cache(ids, names_filter=names)
    took = time.process_time() - begin
    print(json.dumps({"seconds": took, "kept": len(cache)}), flush=True)
"""
BERTVIZ = """
import json, sys, time, torch
from bertviz import head_view
print("ready", flush=True)
for text in sys.stdin:
    ask = json.loads(text)
    n = ask["tokens"]
    maps = tuple(torch.softmax(torch.randn(1, 12, n, n, generator=torch.Generator().manual_seed(layer)), -1) for layer in range(12))
    begin = time.process_time()
    page = head_view(maps, ["word"] * n, html_action="return")
    print(json.dumps({"seconds": time.process_time() - begin, "bytes": len(page.data.encode())}), flush=True)
"""


class Worker:
    """A peer in its own environment, answering one JSON line to one JSON line."""

    def __init__(self, name: str, code: str) -> None:
        home = ROOT / ".bench" / name
        python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if not python.exists():
            raise SystemExit(
                f"Expected {name} in .bench/{name}, but got nothing there. Run make bench, which installs it."
            )
        env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        self.process = subprocess.Popen(
            [str(python), "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=env,
        )
        while "ready" not in (text := self._read()):
            if not text:
                raise SystemExit(f"Expected {name} to start, but it ended with {self.process.wait()}.")

    def ask(self, **words: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return json.loads(self._read())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


def report() -> Iterator[str]:
    yield from transformer_lens()
    yield from bertviz()


def transformer_lens(count: int = 9) -> Iterator[str]:
    """The same shape, the same ids: all patterns kept by each, in turn."""
    from tests.bench.models import pair

    lens, _ = pair("gpt2")
    peer = Worker("transformer-lens", TRANSFORMER_LENS)
    for tokens in (16, 64, TOKENS):
        ids = torch.randint(10, 50000, (tokens,), generator=torch.Generator().manual_seed(5)).tolist()
        request = lens.request(ids=ids)
        lens.run(request), peer.ask(ids=ids, what="patterns")
        ours, theirs = [], []
        for _ in range(count):
            ours.append(cpu(lambda request=request: lens.run(request)))
            theirs.append(peer.ask(ids=ids, what="patterns")["seconds"])
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        a, b = statistics.median(ours), statistics.median(theirs)
        what = f"GPT-2 small, {tokens} tokens, all patterns / TransformerLens 2"
        yield line("1", what, f"{a * 1e3:.0f} ms", f"{b * 1e3:.0f} ms", ratio, "(shown)", True)
    peer.close()


def bertviz() -> Iterator[str]:
    """What 144 causal heads weigh as the attention view's first message and as BertViz's page, and what building each costs."""
    from core.figures.attention_payload import overview
    from core.request import Stream
    from tests.bench.models import saved

    peer = Worker("bertviz", BERTVIZ)
    lens = load(str(saved("gpt2")))
    for tokens in (64, TOKENS):
        page = peer.ask(tokens=tokens)
        ids = torch.randint(10, 50000, (tokens,), generator=torch.Generator().manual_seed(6)).tolist()
        trace = lens.run(lens.request(ids=ids, capture="float32"))
        begin = time.process_time()
        message = overview(trace, Stream.DECODER)
        took = time.process_time() - begin
        ratio, bar = len(message) / page["bytes"], 0.01
        what = f"144 heads, {tokens} tokens, bytes of the first message / BertViz's page"
        ours, theirs = f"{len(message) / 1e6:.2f} MB", f"{page['bytes'] / 1e6:.1f} MB"
        wanted, fine = ("≤ 0.01", ratio <= bar) if tokens == TOKENS else ("(shown)", True)
        yield line("6", what, ours, theirs, ratio, wanted, fine)
        ratio = took / page["seconds"]
        what = f"144 heads, {tokens} tokens, seconds of CPU to build it / BertViz's"
        wanted, fine = ("≤ 0.02", ratio <= 0.02) if tokens == TOKENS else ("(shown)", True)
        yield line("6", what, f"{took:.2f} s", f"{page['seconds']:.2f} s", ratio, wanted, fine)
    peer.close()
