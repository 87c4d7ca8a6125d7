"""What the decoder's account draws: for every step the boxes in order, what each adds and pushes, and the values inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.analysis.decoder import lengths, pushes, shares
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
    held: Account, facts: Mapping[str, Any], token: Any, ends: frozenset[int], version: str, step: int
) -> dict[str, Any]:
    """facts: d, heads, ff, vocab and causal of the model; token: id → text; step: shown first, counted over the whole target."""
    count = len(held.target)
    first = max(0, count - STEPS)
    share, push, long = shares(held), pushes(held), (lengths(held.added), lengths(held.stream))
    names = [_named(int(id), token, ends) for id in held.written]
    boxes = [{"part": "piece", "layer": 0, "title": "Embedding + position"}]
    boxes += [{"part": part, "layer": layer + 1, "title": title(part, facts["causal"])} for layer, part in held.parts]
    boxes.append({"part": "output", "layer": 0, "title": "Norm + output"})
    steps = []
    for p in range(first, count):
        rows: list[dict[str, Any]] = []
        for depth in range(len(held.parts) + 1):
            rows.append({
                "adds": number(float(long[0][depth, p]), 1), "after": number(float(long[1][depth, p]), 1),
                "share": float(share[depth, p]), "shareSaid": f"{share[depth, p]:.0%}".replace("%", "\u00a0%"),
                "push": float(push[depth, p]), "pushSaid": signed(float(push[depth, p])),
                "guess": _named(int(held.glimpse_id[depth, p]), token, ends), "guessSaid": percent(float(held.glimpse[depth, p])),
                "right": int(held.glimpse_id[depth, p]) == int(held.written[p]), "chance": percent(float(held.chance[depth, p])),
                **_inside(held, depth, p, facts),
            })  # fmt: skip
        rows.append(_output(held, p, facts, token, ends))
        reads = label(held.target.text[p], 16)
        steps.append({"reads": reads, "writes": names[p], "height": number(float(held.height[p])),
                      "offset": signed(float(held.offset[p])), "rows": rows, "free": p == count - 1})  # fmt: skip
    return {
        "version": version, "boxes": boxes, "steps": steps, "step": min(max(step - first, 0), len(steps) - 1), "left": first,
    }  # fmt: skip


def _inside(held: Account, depth: int, p: int, facts: Mapping[str, Any]) -> dict[str, Any]:
    d, heads = facts["d"], facts["heads"]
    reads = label(held.target.text[p], 16)
    if depth == 0:
        stages = [
            _stage("the token’s own vector", f"{d}", held.begin["embedding"][p]),
            _stage("the vector of its place in the row", f"{d}", held.begin["place"][p]),
            _stage("their sum: the stream begins", f"{d}", held.stream[0, p]),
        ]
        if not held.begin["place"].any():
            stages.pop(1)
        says = (
            f"“{reads}”, the last token read, becomes a row of {d} numbers: its row in a table of {facts['vocab']:,} tokens "
            f"times √{d}"
            + (
                ", plus a row that says where it stands."
                if len(stages) == 3
                else ". Where it stands is told to the attention."
            )
        )
        return {"stages": stages, "says": says, "map": None}
    (_, part), values = held.parts[depth - 1], held.inside[depth - 1]
    before = _stage("the stream as it comes in", f"{d}", held.stream[depth - 1, p])
    normed = _stage("normalised: the copy this box reads", f"{d}", values["normed"][p])
    added = _stage("what is added to the stream", f"{d}", values["added"][p])
    if part == "ff":
        fired = values["fired"][p]
        stages = [before, normed, _stage("neurons after max(0, ·)", f"{len(fired)}", fired), added]
        says = (
            f"No looking around: this box sees “{reads}” alone. Of its {len(fired)} neurons {int((fired > 0).sum())} fire "
            f"(are above 0); together they are turned back into {d} numbers."
        )
        return {"stages": stages, "says": says, "map": None}
    keys = held.source if part == "cross" and held.source is not None else held.target
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


def _output(held: Account, p: int, facts: Mapping[str, Any], token: Any, ends: frozenset[int]) -> dict[str, Any]:
    rows = [
        {
            "text": _named(id, token, ends), "share": share, "said": percent(share), "here": id == int(held.written[p]),
        }
        for id, share in zip(held.top_id[p].tolist(), held.top[p].tolist(), strict=True)
    ]  # fmt: skip
    stages = [
        _stage("the stream after the last box", f"{facts['d']}", held.stream[-1, p]),
        _stage("normalised once more", f"{facts['d']}", held.normed[p]),
        ("a logit, a score, for every token", f"{facts['vocab']:,}", []),
        ("softmax: probabilities that add up to 100 %", f"{facts['vocab']:,}", [row["said"] for row in rows[:SHOWN]]),
    ]
    says = (
        f"The last row of {facts['d']} numbers is compared with the vector of each of {facts['vocab']:,} tokens; the closer, "
        f"the higher its score. The likeliest is “{rows[0]['text']}”."
    )
    return {"stages": [list(stage) for stage in stages], "says": says, "map": None, "candidates": rows}


def _stage(name: str, shape: str, vector: np.ndarray) -> list[Any]:
    return [name, shape, [number(float(v)) for v in vector[:SHOWN]]]


def _named(id: int, token: Any, ends: frozenset[int]) -> str:
    return "(end)" if id in ends else label(token(id), 16)


def strongest_push(held: Account, step: int) -> tuple[int, float]:
    """Which addition lifts the written token most at a step: its depth, and by how much."""
    column = pushes(held)[:, step]
    depth = int(column.argmax())
    return depth, float(column[depth])
