"""What the decoder's account draws: for every step the boxes in order, what each adds, and the values inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.analysis.decoder import direct_logit_attribution, lengths, removal_effect, shares
from core.figures.labels import label, percent
from core.inside import Account

STEPS = 32  # steps sent at most, the last ones
SHOWN = 5  # numbers of a vector that are spelled out
TITLES = {"own": "Masked self-attention", "cross": "Cross-attention", "ff": "Feed-forward"}
OPEN = "Self-attention, no mask"  # of a decoder that was trained to see the future
Stage = tuple[str, str, list[str]]  # a name, its shape, its first numbers


def number(value: float, digits: int = 2) -> str:
    """A number with a true minus."""
    said = f"{value:.{digits}f}"
    return (said.lstrip("-") if float(said) == 0 else said).replace("-", "−")


def signed(value: float) -> str:
    """A number with its sign."""
    return f"+{number(value)}" if value > 0 else number(value)


def title(part: str, causal: bool) -> str:
    return OPEN if part == "own" and not causal else TITLES[part]


def payload(
    account: Account, facts: Mapping[str, Any], token: Any, ends: frozenset[int], version: str, step: int
) -> dict[str, Any]:
    """facts: d, heads, ff, vocab and causal of the model; token: id → text; step: shown first, counted over the whole target."""
    count = len(account.target)
    first = max(0, count - STEPS)
    share, attribution, effect = shares(account), direct_logit_attribution(account), removal_effect(account)
    long = lengths(account.added), lengths(account.residual)
    names = [_named(int(id), token, ends) for id in account.written]
    boxes = [{"part": "embedding", "layer": 0, "title": "Embedding + position"}]
    boxes += [{"part": part, "layer": layer + 1, "title": title(part, facts["causal"])} for layer, part in account.parts]
    boxes.append({"part": "output", "layer": 0, "title": "Norm + output"})
    steps = []
    for p in range(first, count):
        rows: list[dict[str, Any]] = []
        for depth in range(len(account.parts) + 1):
            rows.append({
                "adds": number(float(long[0][depth, p]), 1), "after": number(float(long[1][depth, p]), 1),
                "share": float(share[depth, p]), "shareSaid": f"{share[depth, p]:.0%}".replace("%", "\u00a0%"),
                "attribution": float(attribution[depth, p]), "attributionSaid": signed(float(attribution[depth, p])),
                # nothing can be written without the embedding: it is no box that can be left out
                "effect": float(effect[depth - 1, p]) if depth else None,
                "effectSaid": signed(float(effect[depth - 1, p])) if depth else "",
                "lens": _named(int(account.lens_top_id[depth, p]), token, ends),
                "lensSaid": percent(float(account.lens_top[depth, p])),
                "right": int(account.lens_top_id[depth, p]) == int(account.written[p]),
                "lensWritten": percent(float(account.lens_written[depth, p])),
                **_inside(account, depth, p, facts),
            })  # fmt: skip
        rows.append(_output(account, p, facts, token, ends))
        reads = label(account.target.text[p], 16)
        steps.append({"reads": reads, "writes": names[p], "aboveMean": number(float(account.above_mean_logit[p])),
                      "offset": signed(float(account.offset[p])), "rows": rows, "free": p == count - 1})  # fmt: skip
    return {
        "version": version, "boxes": boxes, "steps": steps, "step": min(max(step - first, 0), len(steps) - 1), "left": first,
    }  # fmt: skip


def _inside(account: Account, depth: int, p: int, facts: Mapping[str, Any]) -> dict[str, Any]:
    d, heads = facts["d"], facts["heads"]
    reads = label(account.target.text[p], 16)
    if depth == 0:
        stages = [
            _stage("the token’s own vector", f"{d}", account.begin["embedding"][p]),
            _stage("the vector of its position", f"{d}", account.begin["place"][p]),
            _stage("their sum: the residual stream begins", f"{d}", account.residual[0, p]),
        ]
        if not account.begin["place"].any():
            stages.pop(1)
        says = (
            f"“{reads}”, the last token read, becomes a vector of {d} numbers: its row in a table of {facts['vocab']:,} tokens "
            f"times √{d}"
            + (
                ", plus a vector that says where it stands."
                if len(stages) == 3
                else ". Its position comes in later, in the attention."
            )
        )
        return {"stages": stages, "says": says, "map": None}
    (_, part), values = account.parts[depth - 1], account.inside[depth - 1]
    before = _stage("the residual stream as it comes in", f"{d}", account.residual[depth - 1, p])
    normed = _stage("normalised: the copy this box reads", f"{d}", values["normed"][p])
    added = _stage("what is added to the residual stream", f"{d}", values["added"][p])
    if part == "ff":
        fired = values["fired"][p]
        stages = [before, normed, _stage("neurons after max(0, ·)", f"{len(fired)}", fired), added]
        says = (
            f"This box looks at no other token: it works on “{reads}” alone. Of its {len(fired)} neurons "
            f"{int((fired > 0).sum())} fire (are above 0); the network turns them back into {d} numbers."
        )
        return {"stages": stages, "says": says, "map": None}
    keys = account.source if part == "cross" and account.source is not None else account.target
    reach = p + 1 if part == "own" and facts["causal"] else len(keys)
    names = [label(text, 16) for text in keys.text[:reach]]
    pattern = values["pattern"][:, p, :reach].astype(np.float64)
    strongest = int(pattern.mean(axis=0).argmax())
    each, most = f"{heads} heads × {reach} tokens × {d // heads}", f"of “{names[strongest]}” in head 1"
    stages = [
        before, normed, _stage("query of head 1: what it asks", f"{heads} heads × {d // heads}", values["query"][0, p]),
        _stage(f"key {most}", each, values["key"][0, strongest]), _stage(f"value {most}", each, values["value"][0, strongest]),
        _stage("the heads’ results side by side", f"{heads} × {d // heads} = {d}", values["joined"][p]), added,
    ]  # fmt: skip
    looks = (
        f"Its heads look most at “{names[strongest]}”: {percent(float(pattern.mean(axis=0)[strongest]))} on average."
    )
    if part == "cross":
        says = f"“{reads}” asks the source. Queries come from the decoder, keys and values from the encoder’s output. {looks}"
    elif facts["causal"]:
        says = f"“{reads}” asks the tokens written so far, itself included. What comes later is hidden by the mask. {looks}"
    else:
        says = f"“{reads}” asks all tokens of the text, those that come later too. {looks}"
    return {"stages": stages, "says": says, "map": {"names": names, "weights": np.round(pattern, 4).tolist()}}


def _output(account: Account, p: int, facts: Mapping[str, Any], token: Any, ends: frozenset[int]) -> dict[str, Any]:
    rows = [
        {
            "text": _named(id, token, ends), "share": share, "said": percent(share), "here": id == int(account.written[p]),
        }
        for id, share in zip(account.top_id[p].tolist(), account.top[p].tolist(), strict=True)
    ]  # fmt: skip
    stages = [
        _stage("the residual stream after the last box", f"{facts['d']}", account.residual[-1, p]),
        _stage("normalised once more", f"{facts['d']}", account.normed[p]),
        ("a logit for every token", f"{facts['vocab']:,}", []),
        ("softmax: probabilities that add up to 100 %", f"{facts['vocab']:,}", [row["said"] for row in rows[:SHOWN]]),
    ]
    says = (
        f"The residual stream, {facts['d']} numbers, is normalised; its dot product with the vector of each of {facts['vocab']:,} "
        f"tokens is that token’s logit. The softmax makes probabilities of them; the likeliest is “{rows[0]['text']}”."
    )
    return {"stages": [list(stage) for stage in stages], "says": says, "map": None, "candidates": rows}


def _stage(name: str, shape: str, vector: np.ndarray) -> list[Any]:
    return [name, shape, [number(float(v)) for v in vector[:SHOWN]]]


def _named(id: int, token: Any, ends: frozenset[int]) -> str:
    return "(end)" if id in ends else label(token(id), 16)


def largest_attribution(account: Account, step: int) -> tuple[int, float]:
    """Which addition adds most to the written token's logit at a step: its depth, and how much."""
    column = direct_logit_attribution(account)[:, step]
    depth = int(column.argmax())
    return depth, float(column[depth])
