"""The peers in environments of their own (.bench/NAME): each a worker that does one thing whenever it is told to."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
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
import json, sys, time, numpy, torch
from bertviz import head_view
print("ready", flush=True)
for text in sys.stdin:
    ask = json.loads(text)
    maps = tuple(torch.from_numpy(layer)[None] for layer in numpy.load(ask["file"]))
    begin = time.process_time()
    page = head_view(maps, ask["tokens"], html_action="return")
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
    """What the heads of one stream weigh as the attention view's first message, as BertViz's page of the very same numbers, and
    as one Plotly heatmap a head; what building each costs; and what we have sent once every head was visited."""
    from core.request import Stream
    from tests.bench.models import saved

    peer = Worker("bertviz", BERTVIZ)
    causal = load(str(saved("gpt2")))
    for tokens in (64, TOKENS):
        ids = torch.randint(10, 50000, (tokens,), generator=torch.Generator().manual_seed(6)).tolist()
        trace = causal.run(causal.request(ids=ids, capture="float32"))
        yield from _weighed(peer, "144 causal heads", trace, Stream.DECODER, tokens == TOKENS)
    translator = load("translator")
    for tokens in (32, translator.info.max_tokens):
        ids = torch.randint(10, 5000, (tokens,), generator=torch.Generator().manual_seed(7)).tolist()
        trace = translator.run(translator.request(ids=ids, target_ids=ids[:8], capture="float32"))
        # the goals are for 144 heads of 256 tokens; the translator has 12 a stream and takes 128
        yield from _weighed(peer, "translator, 12 encoder heads", trace, Stream.ENCODER, False)
    peer.close()


def _weighed(peer: Worker, name: str, trace: Any, stream: Any, held: bool) -> Iterator[str]:
    """held: whether this size is the one that the goals are for."""
    from core.analysis import texts
    from core.figures.payloads import attention_view as payload

    sites = [attention for attention in trace.attention if attention.site.stream is stream]
    tokens_shown = list(texts(trace, stream)[0].text)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "patterns.npy"
        np.save(file, np.stack([site.pattern for site in sites]))
        page = peer.ask(file=str(file), tokens=tokens_shown)
    begin = time.process_time()
    message = payload.overview(trace, stream)
    took = time.process_time() - begin
    plotly = sum(len(go.Figure(go.Heatmap(z=head)).to_json()) for site in sites for head in site.pattern)
    whole = payload.header_of(message)["codes"]["whole"]
    layers = [] if whole else [payload.layer(trace, stream, site.site.layer) or b"" for site in sites]
    each = [
        payload.heads(trace, stream, ((site.site.layer, head),), 0) for site in sites for head in range(site.site.heads)
    ]
    total = len(message) + sum(map(len, layers)) + sum(map(len, each))
    size = f"{name}, {len(tokens_shown)} tokens"
    # what a page sends before anyone does anything: all heads at a glance, the layer in focus whole, its head in float32
    first = len(message) + sum(map(len, layers[:1])) + len(each[0])
    for what, theirs, goal in (("BertViz’s page", page["bytes"], 0.01), ("Plotly heatmaps", plotly, 1 / 30)):
        ratio = first / theirs
        wanted, fine = (f"≤ {goal:.3g}", ratio <= goal) if held else ("(shown)", True)
        yield line("6", f"{size}: first messages / {what}", megabytes(first), megabytes(theirs), ratio, wanted, fine)
        ours = megabytes(total)
        yield line(
            "6", f"{size}: every head visited / {what}", ours, megabytes(theirs), total / theirs, "(shown)", True
        )
    ratio = took / page["seconds"]
    wanted, fine = ("≤ 0.02", ratio <= 0.02) if held and len(each) > 100 else ("(shown)", True)
    what = f"{size}: seconds of CPU to build it / BertViz’s"
    yield line("6", what, f"{took:.2f} s", f"{page['seconds']:.2f} s", ratio, wanted, fine)


def megabytes(count: int) -> str:
    return f"{count / 1e6:.2f} MB"
