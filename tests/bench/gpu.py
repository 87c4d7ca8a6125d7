"""What looking costs on a GPU: Llama shapes with random weights in bfloat16, each way of keeping beside the fused floor."""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core import Sampling, load
from core.engine.device.boxes import Store

COUNT = 15


@dataclass(frozen=True)
class Shape:
    """A Llama: its name, and its sizes as transformers calls them."""

    name: str
    sizes: dict[str, int]


def llama(name: str, width: int, inner: int, layers: int, heads: int, kv_heads: int, vocab: int) -> Shape:
    return Shape(name, {
        "hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": kv_heads, "vocab_size": vocab, "max_position_embeddings": 4096,
    })  # fmt: skip


ONE, EIGHT = llama("1 B", 2048, 8192, 16, 32, 8, 128_256), llama("8 B", 4096, 14_336, 32, 32, 8, 128_256)
SHAPES = ((ONE, (512, 1024)), (EIGHT, (1024,)))


def report() -> Iterator[str]:
    if not torch.cuda.is_available():
        yield "gpu: needs CUDA, and torch sees no such device here; nothing was measured"
        return
    yield f"gpu: {torch.cuda.get_device_name()}, bfloat16, one text, milliseconds of the clock, medians of {COUNT}"
    yield from table(SHAPES, "cuda", COUNT)


def table(shapes: Any, device: str, count: int, steps: int = 64) -> Iterator[str]:
    """The rows of all shapes, each at its lengths. shapes: pairs of a Shape and lengths in tokens."""
    for shape, lengths in shapes:
        lens, plain = pair(shape, device)
        for length in lengths:
            yield from told(f"{shape.name}, {length:,} tokens", measured(lens, plain, length, count))
        yield from writing(f"{shape.name}, {steps} tokens written", lens, plain, steps, count)
        del lens, plain
        gc.collect()


def pair(shape: Shape, device: str) -> tuple[Any, Any]:
    """Our lens, and the same weights as transformers runs them with its fused attention."""
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory(prefix="lookback-bench-") as folder:
        config = LlamaConfig(**shape.sizes, bos_token_id=1, eos_token_id=2, dtype=torch.bfloat16)
        with torch.device(device):
            LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(Path(folder))
        lens = load(folder, device=device, dtype="bfloat16")
        plain = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="sdpa", dtype=torch.bfloat16)
    if device == "cpu":
        lens.store = Store()  # as on a GPU
    return lens, plain.eval().to(device)


def measured(lens: Any, plain: Any, length: int, count: int) -> dict[str, float]:
    """Milliseconds of each way, by name."""
    ids = torch.randint(10, lens.info.vocab, (1, length), generator=torch.Generator().manual_seed(1))
    on = ids.to(plain.device)
    asked = {how: lens.request(ids=ids[0].tolist(), capture=how) for how in ("lazy", "float32", "u8")}

    def floor() -> None:
        with torch.inference_mode():
            plain(input_ids=on, use_cache=False, logits_to_keep=1).logits.float().cpu()

    def eager() -> None:
        with torch.inference_mode():
            output = plain(input_ids=on, use_cache=False, logits_to_keep=1, output_attentions=True)
            _ = [pattern.float().cpu() for pattern in output.attentions], output.logits.float().cpu()

    found = {"floor": clock(floor, count), "nothing kept": clock(lambda: lens.run(asked["lazy"].keeping()), count)}
    found |= {how: clock(lambda how=how: lens.run(asked[how]), count) for how in asked}
    few = max(3, count // 3)
    found["float32, all seen"] = clock(lambda: [one.pattern for one in lens.run(asked["float32"]).attention], few)
    found["u8, all seen"] = clock(lambda: [one.codes(0) for one in lens.run(asked["u8"]).attention], few)
    kept = lens.run(asked["lazy"]).attention
    found["one head after lazy"] = clock(lambda: kept[len(kept) // 2].head(3), count)
    plain.set_attn_implementation("eager")
    found["eager + copy"] = clock(eager, few)
    plain.set_attn_implementation("sdpa")
    return found


def told(what: str, found: dict[str, float]) -> Iterator[str]:
    """The row of one shape and length, and how it stands to the goals. What must come to the host counts with the way there."""
    yield f"{what}: " + " · ".join(f"{name} {milliseconds:.1f}" for name, milliseconds in found.items())
    floor, looked = found["floor"], found["float32, all seen"]
    for name, ratio, goal in (
        ("nothing kept / floor", found["nothing kept"] / floor, 1.10),
        ("lazy / floor", found["lazy"] / floor, 1.20),
        ("float32, all seen / eager + copy", looked / found["eager + copy"], 0.5),
        ("u8, all seen / float32, all seen", found["u8, all seen"] / looked, 1.0),
        ("one head after lazy / 3 ms", found["one head after lazy"] / 3, 1.0),
    ):
        yield f"   {name:<48} {ratio:8.3f}  goal ≤ {goal:.2f}  {'holds' if ratio <= goal else 'MISSED'}"


def writing(what: str, lens: Any, plain: Any, steps: int, count: int) -> Iterator[str]:
    """Generation with every row kept, beside the model's own `generate` that keeps nothing."""
    prompt = torch.randint(10, lens.info.vocab, (1, 32), generator=torch.Generator().manual_seed(3))
    request, on = lens.request(ids=prompt[0].tolist()), prompt.to(plain.device)

    def ours() -> int:
        return sum(1 for _ in lens.generate(request, Sampling(temperature=0.0), steps))

    def own() -> None:
        plain.generate(
            on, attention_mask=torch.ones_like(on), max_new_tokens=steps, min_new_tokens=steps, do_sample=False, num_beams=1
        )

    assert ours() == steps, "the seeded weights must not end the text early"
    few = max(3, count // 3)
    a, b = clock(ours, few), clock(own, few)
    ratio = a / b
    mark = "holds" if ratio <= 1.15 else "MISSED"
    yield f"{what}: with every row {a:.1f} · the model's own generate {b:.1f}"
    yield f"   {'with every row / own generate':<48} {ratio:8.3f}  goal ≤ 1.15  {mark}"


def clock(work: Callable[[], object], count: int) -> float:
    """Milliseconds of the clock that one run takes, all of its work on the device done: the median of some, after two others."""
    times = []
    for _ in range(count + 2):
        settle()
        begin = time.perf_counter()
        work()
        settle()
        times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times[2:])


def settle() -> None:
    """Wait until the device has done what it was asked."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
