"""What the generation loop draws: the prompt, and for each step the distribution, its cut, the choice, its looks, the cache."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from core.analysis.cache import WIDTHS, AttentionShape, layers_of, work
from core.analysis.sampling import Filtered, cuts, tempered
from core.figures.labels import label, others, percent, three
from core.figures.payloads.rows import looks, names
from core.request import Intervention, Sampling, Stream
from core.trace import Step, Trace

SHOWN = 10  # candidates of a step, by name


def bytes_said(count: int) -> str:
    """Bytes in words."""
    return f"{count} B" if count < 1000 else f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1e6:.1f} MB"


def count_said(count: int) -> str:
    """A large number in words, three digits of it."""
    for size, word in ((10**9, "billion"), (10**6, "million")):
        if count >= size:
            return f"{three(count / size)} {word}"
    return f"{count:,}"


def bits(nats: float) -> float:
    """Surprisal in bits: −log₂ p, from ln p."""
    return max(0.0, -float(nats) / math.log(2))


def surprisals(trace: Trace) -> list[float | None]:
    """−log₂ p of each token of the decoder's text, in bits; None for the first, which nothing announced. Needs predictions."""
    assert trace.target is not None and trace.predictions is not None
    return [None, *(bits(nats) for nats in trace.predictions.actual_logprob[: len(trace.target) - 1])]


def one_step(step: Step, sampling: Sampling, d_model: int, dtype: str, each: int | None = None) -> dict[str, Any]:
    """One turn of the loop. The step's trace kept "pattern", and "qkv" where there is a cache. d_model, dtype: the model's. each:
    multiplications that take one token through its decoder's layers (`core.analysis.cache.through_layers`), where known."""
    assert step.trace.next_logits is not None
    heat = tempered(step.trace.next_logits, sampling.temperature)
    listed = list(step.candidates[:SHOWN])
    if all(one.token.id != step.choice.id for one in listed):
        listed[-1] = next(one for one in step.candidates if one.token.id == step.choice.id)
    candidates = [
        {"id": one.token.id, "text": label(one.token.text, 16), "before": one.before, "after": one.after, "cut": one.cut_by or "",
         "said": _said(one.before, one.after, one.cut_by)}
        for one in listed
    ]  # fmt: skip
    written = {
        "text": label(step.choice.text, 18), "id": step.choice.id, "special": step.finished and not step.choice.text.strip(),
        "bits": bits(step.choice.logprob), "said": percent(step.choice.probability), "joins": False,
    }  # fmt: skip
    logits = step.trace.next_logits
    rank = int((logits > logits[step.choice.id]).sum()) + 1
    ranks = [one.token.id for one in step.candidates]
    spectrum = {
        "before": [one.before for one in step.candidates], "heat": [float(heat[id]) for id in ranks],
        "after": [one.after for one in step.candidates], "chosen": ranks.index(step.choice.id), "rank": rank,
        "cuts": [cut_said(cut, sampling, len(heat)) for cut in cuts(step.trace.next_logits, sampling)], "all": len(heat),
    }  # fmt: skip
    return {
        "written": written, "candidates": candidates, "spectrum": spectrum, "looks": looks(step.trace),
        "cache": cache_said(step, d_model, dtype, each), "finished": step.finished,
        "rest": others(len(heat) - len(listed), 1 - sum(one.before for one in listed)),
    }  # fmt: skip


def _said(before: float, after: float, cut_by: str | None) -> str:
    if cut_by == "greedy" or before == after:
        return percent(before)
    return f"{percent(before)} · cut" if cut_by else f"{percent(before)} → {percent(after)}"


def cut_said(cut: Filtered, sampling: Sampling, vocabulary: int) -> dict[str, Any]:
    """A filter's line through the distribution, and what it says."""
    asked = {"top-k": sampling.top_k, "top-p": sampling.top_p, "min-p": sampling.min_p}.get(cut.name)
    kept = f"{cut.kept:,} of {vocabulary:,} tokens"
    if cut.name == "greedy":
        said = f"greedy: only the likeliest of {vocabulary:,} tokens"
    elif cut.name == "min-p":
        said = f"min-p {asked:g}: at least {percent(cut.level or 0)}, leaves {kept}, together {percent(cut.mass)}"
    else:
        said = f"{cut.name} {asked:g}: leaves {kept}, together {percent(cut.mass)}"
    return {"name": f"{cut.name} {asked:g}" if asked is not None else cut.name, "kept": cut.kept, "said": said, "level": cut.level}


def cache_said(step: Step, d_model: int, dtype: str, each: int | None = None) -> dict[str, Any]:
    """What was reused and what is new, in rows of a table, with the formulas they come from.

    Where the model keeps less than one key and value for each token and layer (a window, a state), only the bytes it holds
    are told; nothing where it keeps none.
    """
    reused, new = step.cache.reused, step.cache.new
    if not step.cache.bytes:
        return {"reused": reused, "new": new, "held": "", "anew": "", "rows": [], "formulas": []}
    layers, size = layers_of(step), WIDTHS.get(dtype, 0)
    told: dict[str, Any] = {"reused": reused, "new": new, "held": bytes_said(step.cache.bytes), "anew": anew_said(step), "rows": []}
    done = work(layers, reused, d_model, size)
    told["formulas"] = []
    if done.bytes_reused + done.bytes_new != step.cache.bytes:
        return told
    told["rows"] = [
        ["tokens written and read", f"{reused:,}", f"{new:,}"],
        ["bytes of keys and values", f"{done.bytes_reused:,}", f"{done.bytes_new:,}"],
        ["multiplications to make these keys and values", f"{count_said(done.making_reused)} spared", count_said(done.making_new)],
        ["multiplications to look: q·k and weights·v", f"{count_said(done.looking_without - done.looking)} spared",
         count_said(done.looking)],
    ]  # fmt: skip
    if each is not None:
        # without a cache a token's keys and values of layer 2 need its result of layer 1: all layers would run again
        told["rows"].append(
            [
                "multiplications through all decoder layers, looks and source apart",
                f"{count_said(each * reused)} spared",
                count_said(each * new),
            ]
        )
    told["formulas"] = formulas(layers, d_model, size)
    return told


def anew_said(step: Step) -> str:
    """Why a step could reuse nothing, as the beginning of a sentence; "" where it could, or had nothing to reuse."""
    if not step.recomputed:
        return ""
    own = step.request.intervention == Intervention()
    return "In this model a new token changes the old ones" if own else "A mask lets old tokens see new ones"


def formulas(layers: Sequence[AttentionShape], d_model: int, size: int) -> list[str]:
    """How the numbers of the table come about, with this step's shapes."""
    found = []
    for stream, name in ((Stream.DECODER, "a token"), (Stream.CROSS, "a token of the source, once")):
        mine = [layer for layer in layers if layer.stream is stream]
        if not mine or len({(one.stored, one.width, one.heads, one.keys) for one in mine}) > 1:
            continue
        one, count = mine[0], len(mine)
        each = 2 * count * one.stored * one.width
        found.append(
            f"{name}: 2 (key, value) × {count} layers × {one.stored} heads × {one.width} numbers × {size} bytes = "
            f"{each * size:,} bytes, made by × {d_model} = {count_said(each * d_model)} multiplications"
        )
        found.append(
            f"looking{' at the source' if stream is Stream.CROSS else ''}: 2 (q·k, weights·v) × {count} layers × "
            f"{one.heads} heads × {one.width} numbers × {one.queries} new × {one.keys} keys = "
            f"{count_said(2 * count * one.heads * one.width * one.queries * one.keys)}"
        )
    return found


def payload(prompt: Trace, steps: Sequence[dict[str, Any]], forced: int, version: str, sampling: Sampling) -> dict[str, Any]:
    """The whole loop. prompt: the trace of what was given, its predictions kept; its last `forced` tokens are a branch's."""
    assert prompt.target is not None
    shown, surprise = names(prompt.target), surprisals(prompt)
    given = [
        {**one, "bits": bit, "forced": place >= len(shown) - forced}
        for place, (one, bit) in enumerate(zip(shown, surprise, strict=True))
    ]
    return {
        "prompt": given, "source": names(prompt.source), "steps": list(steps), "version": version,
        "greedy": sampling.temperature == 0, "heated": sampling.temperature not in (0, 1),
    }  # fmt: skip
