"""One weight by hand: from query and key to the number in the map, by the family's own steps and no others.

softmax(cap(scaling · q·k) + bias over the allowed keys and the sink) (Vaswani et al. 2017, eq. 1; soft-cap as in Gemma 2,
sinks as in gpt-oss, position bias as in T5). Computed in float64 from what entered the model's product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.trace import Attention


@dataclass(frozen=True, slots=True)
class Cell:
    """The sum behind one weight. query, key, products float64 [d]; None where the family has no such step.

    raw is q·k; scaled, capped, biased and warmed are the score after each step; score is what enters the softmax; top the
    row's largest (subtracted before e^x, which changes nothing); total the denominator, `sunk` its part for the sink.
    weight is the result, model the model's own value.
    """

    query: np.ndarray
    key: np.ndarray
    raw: float
    scaling: float
    scaled: float
    softcap: float | None
    capped: float | None
    bias: float | None
    biased: float | None
    temperature: float | None
    score: float
    allowed: bool
    top: float
    exponential: float
    total: float
    sunk: float | None
    weight: float
    model: float

    @property
    def products(self) -> np.ndarray:
        """q_i · k_i for each dimension: [d]."""
        return self.query * self.key

    @property
    def difference(self) -> float:
        """How far the sum is from the model's own value."""
        return abs(self.weight - self.model)


def stages(attention: Attention, head: int) -> dict[str, np.ndarray]:
    """The maps a head goes through, in order, float64 [query, key]; only the steps its family has.

    "product" q·k; "scaled"; "capped"; "biased"; "warmed" (divided by a temperature); "masked" (−∞ where looking is
    forbidden); "weights" (softmax); "values": weight times the length of the value it fetches. Needs qkv kept.
    """
    query, key = vectors(attention, head)
    maps = {"product": query @ key.T}
    score = maps["product"]
    if attention.scaling != 1:
        score = maps["scaled"] = score * attention.scaling
    if attention.softcap is not None:
        score = maps["capped"] = attention.softcap * np.tanh(score / attention.softcap)
    if attention.bias is not None:
        score = maps["biased"] = score + np.asarray(attention.bias[head if len(attention.bias) > 1 else 0], np.float64)
    if attention.temperature != 1:
        score = maps["warmed"] = score / attention.temperature
    maps["masked"] = np.where(attention.allowed[head], score, -np.inf)
    sink = attention.sink_logit(head)
    top = maps["masked"].max(axis=-1, keepdims=True)
    top = top if sink is None else np.maximum(top, sink)
    grown = np.exp(maps["masked"] - top)
    total = grown.sum(axis=-1, keepdims=True) + (0.0 if sink is None else np.exp(sink - top))
    maps["weights"] = grown / total
    length = np.linalg.norm(np.asarray(attention.value[attention.kv_of(head)], np.float64), axis=-1)
    maps["values"] = maps["weights"] * length
    return maps


def vectors(attention: Attention, head: int) -> tuple[np.ndarray, np.ndarray]:
    """The head's queries and keys as they enter the product: float64 [query, d] and [key, d]."""
    query = np.asarray(attention.query[head], np.float64)
    return query, np.asarray(attention.key[attention.kv_of(head)], np.float64)


def cell(attention: Attention, head: int, query: int, key: int) -> Cell:
    """The sum behind the weight from `query` to `key`. Raises NotKeptError where the trace did not keep "qkv"."""
    queries, keys = vectors(attention, head)
    assert attention.scaling is not None  # it is known where queries and keys are
    maps = stages(attention, head)
    here = {name: float(found[query, key]) for name, found in maps.items()}
    score = here.get("warmed", here.get("biased", here.get("capped", here.get("scaled", here["product"]))))
    sink = attention.sink_logit(head)
    row = maps["masked"][query]
    top = float(row.max() if sink is None else max(row.max(), sink))
    sunk = None if sink is None else float(np.exp(sink - top))
    total = float(np.exp(row - top).sum()) + (sunk or 0.0)
    bias = None if attention.bias is None else float(attention.bias[head if len(attention.bias) > 1 else 0][query, key])
    return Cell(
        queries[query], keys[key], here["product"], attention.scaling, here.get("scaled", here["product"]), attention.softcap,
        here.get("capped"), bias, here.get("biased"), None if attention.temperature == 1 else attention.temperature, score,
        bool(attention.allowed[head, query, key]), top, float(np.exp(row[key] - top)), total, sunk, here["weights"],
        float(attention.head(head)[query, key]),
    )  # fmt: skip


def scaling_name(scaling: float, d: int, biased: bool) -> str:
    """What to call a family's scaling: "1/√d" where it is that, else what it does instead."""
    if abs(scaling - d**-0.5) < 1e-6:
        return f"1/√{d}"
    if scaling == 1:
        return "none" if biased else "already in q"
    return f"{scaling:.6g}, set by the model"
