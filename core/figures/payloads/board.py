"""Points, their labels and what four ways make of them, packed for the labelling component.

Layout: u32 length of the header (little endian) | header, JSON in UTF-8 | zeros up to a multiple of 4 | float32 [n, n] of label
propagation | float32 [n, n] of label spreading. A class is written as its digit, "." where there is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.analysis.transductive.pointsets import PointSet
from core.figures.labels import percent

TITLES = {
    "spreading": ("Label spreading", "transductive: labels travel over all points"),
    "propagation": ("Label propagation", "transductive: they travel by attention"),
    "nearest": ("Nearest labelled point", "inductive: copies its label"),
    "logistic": ("Logistic regression", "inductive: draws a straight border"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decided:
    """One way's classes of all points, int [n], and the share of the unlabelled ones that are right, None where all are labelled.

    passes: (number of the pass, classes) as the labels travel; empty for an inductive way. region: classes over the drawn field,
    int [side, side], row 0 at the bottom; None where the points do not live in a plane.
    """

    classes: np.ndarray
    right: float | None
    passes: Sequence[tuple[int, np.ndarray]] = field(default=())
    region: np.ndarray | None = None


def signs(classes: np.ndarray) -> str:
    """Classes as text: one digit a point, "." for none."""
    return "".join("." if one < 0 else str(int(one)) for one in np.asarray(classes).reshape(-1))


def read_signs(text: str, classes: int) -> np.ndarray:
    """The same back, int64 [n]. Raises ValueError for anything else."""
    digits = "0123456789"[:classes]
    if set(text) - {".", *digits}:
        raise ValueError("something that is no class")
    return np.array([-1 if sign == "." else int(sign) for sign in text], dtype=np.int64)


def payload(
    points: PointSet, places: np.ndarray, labels: np.ndarray, ways: Mapping[str, Decided], matrices: tuple[np.ndarray, np.ndarray],
    version: str, turns: Mapping[str, int], theme: str, texts: Sequence[str] = (),
    field_of: tuple[float, float, float, float] | None = None,
) -> bytes:  # fmt: skip
    """places float [n, 2]: where each point is drawn. matrices: propagation's and spreading's. turns: which gesture this
    answers (core.ui.kit.turns). texts: what each point is, where it is more than a place. field_of: the left, right, bottom
    and top of the regions."""
    own, symmetric = (np.ascontiguousarray(matrix, dtype=np.float32) for matrix in matrices)
    header = {
        "version": version, "turns": dict(turns), "theme": theme, "names": list(points.names), "texts": list(texts),
        "places": [[round(float(a), 4), round(float(b), 4)] for a, b in places],
        "truth": signs(points.classes), "labels": signs(labels), "field": field_of,
        "ways": [_way(name, decided) for name, decided in ways.items()],
        "sums": [[round(float(v), 4) for v in matrix.astype(np.float64).sum(1)] for matrix in (own, symmetric)],
        "tops": [_top(matrix) for matrix in (own, symmetric)],
    }  # fmt: skip
    head = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    start = len(head).to_bytes(4, "little") + head
    return start + bytes(-len(start) % 4) + own.tobytes() + symmetric.tobytes()


def _top(matrix: np.ndarray) -> float:
    """The largest look at another point: where the colours end."""
    return float((matrix - np.diag(np.diag(matrix))).max()) or 1.0


def _way(name: str, decided: Decided) -> dict[str, object]:
    title, kind = TITLES[name]
    return {
        "key": name, "title": title, "kind": kind, "decided": signs(decided.classes), "share": decided.right,
        "said": "–" if decided.right is None else percent(decided.right),
        "passes": [{"number": number, "decided": signs(classes)} for number, classes in decided.passes],
        "region": None if decided.region is None else signs(decided.region),
    }  # fmt: skip
