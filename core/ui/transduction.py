"""Transductive learning: a few labels, many points that have none, and who tells them right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from core.analysis import fourways, pointsets, transduction
from core.analysis.embedding import plane
from core.analysis.fourways import Answers
from core.analysis.pointsets import PointSet
from core.figures import points_payload
from core.figures.labels import percent
from core.ui import charts, labelling, matter
from core.ui.runs import shared
from core.ui.scene import wait

GAMMAS = {"plane": (1, 2, 5, 10, 20, 40, 80), "texts": (1, 2, 5, 10, 20, 40)}
ALPHAS = (0.2, 0.5, 0.8, 0.9, 0.99)
GAMMA = {"plane": 40, "texts": 10}
ALPHA = {"plane": 0.99, "texts": 0.9}
WAYS = ("spreading", "propagation", "nearest", "logistic")


@dataclass(frozen=True, slots=True)
class Board:
    """What lies on the table: which points (`name`, and the seed they were drawn with), how sharply they look at each other
    (gamma), how far labels travel (alpha), and the labels so far with the number of the browser's last message."""

    name: str
    seed: int
    gamma: float
    alpha: float
    labels: str
    serial: int

    @property
    def version(self) -> str:
        return f"{self.name}-{self.seed}"


def start(points: PointSet, seed: int, each: int = 1) -> np.ndarray:
    """The labels one begins with: `each` a class, by seed."""
    return pointsets.some_labels(points.classes, each, np.random.default_rng([seed, each]))


def labels_of(version: str, points: PointSet, seed: int) -> tuple[str, int]:
    """This visitor's labels of some points, as signs, and the number of the message they came with."""
    kept = st.session_state.setdefault("labelled", {})
    if version not in kept:
        kept[version] = points_payload.signs(start(points, seed)), 0
    return kept[version]


def keep_labels(version: str, labels: str, serial: int | None = None) -> None:
    """Remember a visitor's labels; serial None: they did not come from the browser, which must take them over."""
    kept = st.session_state.setdefault("labelled", {})
    before = kept.get(version, ("", 0))[1]
    kept[version] = labels, before + 1 if serial is None else serial


def solved(board: Board, points: PointSet) -> Answers:
    """The four ways' answers. Who looks at whom is worked out once for all visitors; what follows from one's own labels takes
    milliseconds and is not kept."""
    key = ("transductive", board.version, board.gamma, board.alpha, "graph")
    ticket = shared.ask(key, lambda: fourways.graph(points, board.gamma, board.alpha))
    wait(ticket.settled, lambda: f"{len(points.classes)} points look at each other. {ticket.seconds:.0f} s")
    labels = points_payload.read_signs(board.labels, points.count)
    return fourways.answers(points, labels, board.gamma, board.alpha, ticket.result())


def table(board: Board, points: PointSet, found: Answers, texts: tuple[str, ...]) -> None:
    """The points themselves, to be labelled."""

    def labelled(labels: np.ndarray, serial: int) -> None:
        keep_labels(board.version, points_payload.signs(labels), serial)

    ways = {
        way: points_payload.Told(found.told[way], found.right(way), found.passes.get(way, ()), found.regions.get(way))
        for way in WAYS
    }
    places = points.x
    if found.field is None:
        places = shared.ask(("transductive", "plane", board.version), lambda: plane(points.x)).result()
    data = points_payload.payload(
        points, places, found.labels, ways, found.matrices, board.version, board.serial, charts.theme().name, texts, found.field
    )  # fmt: skip
    labelling.labelling(data, board.version, len(points.classes), points.count, labelled)


def lead(found: Answers) -> str:
    """What one sees, in numbers."""
    given = int((found.labels != transduction.NONE).sum())
    rest = len(found.labels) - given
    right = {way: found.right(way) for way in WAYS}
    if right["spreading"] is None:
        return "Label a point and leave others without: <b>label spreading</b> passes the labels on."
    best = max(("nearest", "logistic"), key=lambda way: right[way] or 0.0)
    says = "the nearest labelled point" if best == "nearest" else "logistic regression"
    return (
        f"From <b>{given}</b> labelled points, <b>label spreading</b>, which sees the other <b>{rest}</b> too, gets "
        f"<b>{percent(right['spreading'])}</b> of them right; {says}, learnt from the labelled ones alone, "
        f"<b>{percent(right[best] or 0.0)}</b>."
    )


def controls(kind: str) -> tuple[float, float]:
    """How sharply points look, and how far labels travel."""
    with st.container(key="sliders"):
        left, right = st.columns(2, gap="large")
    near = settled(f"gamma-{kind}", GAMMA[kind])
    gamma = left.select_slider("γ, how sharp a look is: large sees only the nearest", GAMMAS[kind], key=near)
    alpha = right.select_slider("α, how much a point listens to its neighbours", ALPHAS, key=settled(f"alpha-{kind}", ALPHA[kind]))
    return float(gamma), float(alpha)


def on_points() -> tuple[Board, PointSet, Answers]:
    """The sets in the plane."""
    with st.container(horizontal=True, key="set-bar", gap="small", vertical_alignment="bottom"):
        name = st.segmented_control(
            "Points", list(matter.SAID), key=settled("points-set", "moons"), format_func=lambda one: matter.SAID[one],
            required=True, label_visibility="collapsed",
        )
        seed = st.session_state.setdefault("points-seed", 0)
        st.button("Other points", key="other-points", on_click=lambda: st.session_state.update({"points-seed": seed + 1}))
        points = matter.plane(name, seed)
        version = f"{name}-{seed}"
        st.button("Start labels", key="start-labels", on_click=_restart, args=(version, points, seed))
        st.button("No labels", key="no-labels", on_click=lambda: keep_labels(version, "." * len(points.classes)))
    gamma, alpha = controls("plane")
    return _board(name, seed, gamma, alpha, points)


def on_texts() -> tuple[Board, PointSet, Answers, tuple[str, ...]]:
    """Short texts, as our encoder sees them."""
    found, points = matter.texts()
    gamma, alpha = controls("texts")
    return *_board("texts", 0, gamma, alpha, points), found


def opening() -> tuple[Board, PointSet, Answers]:
    """The two moons as they are found at first: what the formulas speak of where nothing is on the board."""
    return _board("moons", 0, GAMMA["plane"], ALPHA["plane"], matter.plane("moons", 0))


def _board(name: str, seed: int, gamma: float, alpha: float, points: PointSet) -> tuple[Board, PointSet, Answers]:
    labels, serial = labels_of(f"{name}-{seed}", points, seed)
    board = Board(name, seed, gamma, alpha, labels, serial)
    return board, points, solved(board, points)


def _restart(version: str, points: PointSet, seed: int) -> None:
    keep_labels(version, points_payload.signs(start(points, seed)))


def settled(key: str, value: Any) -> str:
    """A widget's key, its first value set once: so that a preset may set it too."""
    st.session_state.setdefault(key, value)
    return key
