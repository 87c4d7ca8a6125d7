"""Transductive learning: a few labels, many points that have none, and which way finds theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from core.analysis.embedding import plane
from core.analysis.transductive import fourways, pointsets, transduction
from core.analysis.transductive.board import ALPHAS, GAMMAS, PLANE, SEEDS, Board, opens
from core.analysis.transductive.fourways import Answers
from core.analysis.transductive.pointsets import PointSet
from core.figures.labels import percent
from core.figures.payloads import board as board_payload
from core.ui.kit import charts
from core.ui.kit.turns import turns
from core.ui.running.runs import shared
from core.ui.running.waiting import work
from core.ui.session import state
from core.ui.transductive import datasets, drawing
from core.ui.transductive.parameters import BOARD

WAYS = ("spreading", "propagation", "nearest", "logistic")


def start(points: PointSet, seed: int, each: int = 1) -> np.ndarray:
    """The labels one begins with: `each` a class, by seed."""
    return pointsets.some_labels(points.classes, each, np.random.default_rng([seed, each]))


def chosen() -> Board:
    """What this visitor has on the board; a link may have brought it."""
    return state.chosen()[BOARD] or Board()


def put(board: Board) -> None:
    """Lay something else on the board; each set keeps the labels it was given."""
    st.session_state.setdefault("boards", {})[board.version] = board
    state.choose(board=None if board == Board() else board)


def go(name: str, seed: int = 0) -> None:
    """Lay other points on the board, as this visitor left them; sets in the plane take γ and α along."""
    now, there = chosen(), opens(name)
    if name in PLANE:
        there = replace(there, seed=seed)
    there = st.session_state.get("boards", {}).get(there.version, there)
    if {now.kind, there.kind} == {"plane"}:
        there = replace(there, gamma=now.gamma, alpha=now.alpha)
    put(there)


def give(board: Board, points: PointSet, labels: str) -> None:
    """Other labels for the board; those one begins with are not written down."""
    put(replace(board, labels=None if labels == board_payload.signs(start(points, board.seed)) else labels))


def labels_of(board: Board, points: PointSet) -> str:
    """The labels on the board as signs."""
    return board_payload.signs(start(points, board.seed)) if board.labels is None else board.labels


def solved(board: Board, points: PointSet, labels: str) -> Answers:
    """The four ways' answers. Who looks at whom is worked out once for all visitors; what follows from one's own labels takes
    milliseconds and is not kept."""
    key = ("transductive", board.version, board.gamma, board.alpha, "graph")
    says = f"{len(points.classes)} points look at each other."
    graph = work(key, lambda: fourways.graph(points, board.gamma, board.alpha), says)
    given = board_payload.read_signs(labels, points.count)
    return fourways.answers(points, given, board.gamma, board.alpha, graph)


def table(board: Board, points: PointSet, found: Answers, texts: tuple[str, ...]) -> None:
    """The points themselves, to be labelled."""

    def labelled(labels: np.ndarray) -> tuple[str, str] | None:
        if chosen().version != board.version:
            return None  # other points were laid there in the same moment
        signs = board_payload.signs(labels)
        give(chosen(), points, signs)
        return board.version, signs

    ways = {
        way: board_payload.Decided(found.decided[way], found.right(way), found.passes.get(way, ()), found.regions.get(way))
        for way in WAYS
    }
    places = points.x
    if found.field is None:
        places = shared.ask(("transductive", "plane", board.version), lambda: plane(points.x)).result()
    taken = turns(drawing.KEY).shows((board.version, labels_of(board, points)))
    data = board_payload.payload(
        points, places, found.labels, ways, found.matrices, board.version, taken, charts.theme().name, texts, found.field
    )  # fmt: skip
    drawing.labelling(data, board.version, len(points.classes), points.count, labelled)


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


def controls(board: Board) -> None:
    """How sharply points look, and how far labels travel."""

    def into(name: str) -> Callable[[Any], None]:
        return lambda value: put(replace(chosen(), **{name: value}))

    with st.container(key="sliders"):
        left, right = st.columns(2, gap="large")
    among = GAMMAS[board.kind]
    left.select_slider(
        "γ, how sharp a look is: large sees only the nearest",
        among,
        key=state.held("gamma", board.gamma, among),
        on_change=state.heard("gamma", into("gamma"), among),
    )
    right.select_slider(
        "α, in label spreading: how much a point listens to its neighbours", ALPHAS, key=state.held("alpha", board.alpha),
        on_change=state.heard("alpha", into("alpha"), ALPHAS),
    )  # fmt: skip


def on_points() -> tuple[Board, PointSet, Answers]:
    """The sets in the plane."""
    board = chosen()
    points = datasets.plane(board.name, board.seed)
    with st.container(horizontal=True, key="set-bar", gap="small", vertical_alignment="bottom"):
        st.segmented_control(
            "Points",
            list(datasets.SAID),
            key=state.held("points-set", board.name),
            format_func=lambda one: datasets.SAID[one],
            required=True,
            label_visibility="collapsed",
            on_change=state.heard("points-set", lambda name: go(name, chosen().seed), datasets.SAID),
        )
        st.button("Other points", key="other-points", on_click=go, args=(board.name, (board.seed + 1) % SEEDS))
        labels_buttons(board, points)
    controls(board)
    return _laid(board, points)


def labels_buttons(board: Board, points: PointSet) -> None:
    """Back to the labels one begins with, or to none."""
    st.button("Start labels", key="start-labels", on_click=lambda: put(replace(board, labels=None)))
    st.button("No labels", key="no-labels", on_click=lambda: give(board, points, "." * len(points.classes)))


def on_texts() -> tuple[Board, PointSet, Answers, tuple[str, ...]]:
    """Short texts, as our encoder sees them."""
    board = chosen()
    found, points = datasets.texts()
    with st.container(horizontal=True, key="set-bar", gap="small", vertical_alignment="bottom"):
        labels_buttons(board, points)
    controls(board)
    return *_laid(board, points), found


def opening() -> tuple[Board, PointSet, Answers]:
    """The two moons as they are found at first: what the formulas speak of where nothing is on the board."""
    board = Board()
    points = datasets.plane(board.name, board.seed)
    return board, points, solved(board, points, board_payload.signs(start(points, board.seed)))


def _laid(board: Board, points: PointSet) -> tuple[Board, PointSet, Answers]:
    return board, points, solved(board, points, labels_of(board, points))
