"""Self-attention by hand: the plane one drags arrows in, what is said about it, and what is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from core.analysis.hand import plane as planes
from core.analysis.hand.plane import Plane, Weighed, read_plane, weigh
from core.figures.labels import percent
from core.figures.payloads import hand as hand_payload
from core.ui.hand.parameters import PLANE
from core.ui.kit import charts, lesson
from core.ui.kit.component import component
from core.ui.kit.turns import turns
from core.ui.session import state

KEY, CAT, SLEEPS = "plane-desk", 1, 2
IDEA = (
    "Each word holds three arrows. Its <b>query</b> says what it looks for, its <b>key</b> what it can be found by, its "
    "<b>value</b> what it has to give. Their <b>dot product</b>, q·k (multiply first by first, second by second, and add), is "
    "large where query and key point the same way and are long. It is divided by the square root of how many numbers an arrow "
    "has, here √2: the <b>attention score</b>. The <b>softmax</b> turns a row of scores into shares that add up to 1, the "
    "<b>attention weights</b>. The output is each value times its weight, put end to end. All words do this at once. In a model, "
    "learnt tables make the three arrows out of each word’s numbers, and one more mixes the outputs of all heads (a head is one "
    "attention like this one); that is all there is to it."
)
GESTURES = (
    "<b>Drag</b> the tip of an arrow. By keys: <b>Tab</b> to one, <b>arrow keys</b> move it by a tenth (Shift: five), digits "
    "choose the word that looks. A key’s disc is coloured by its weight. The dashed line is the key’s <b>shadow</b> on the query: "
    "the shadow’s length times the query’s length is q·k, negative where it falls behind the origin."
)


@dataclass(slots=True)
class Desk:
    """One visitor's plane: as it was opened, as it stands, and how many have been opened before it."""

    opened: Plane = planes.START
    now: Plane = planes.START
    version: int = 0

    def open(self, plane: Plane) -> None:
        """Lay out another plane."""
        self.opened = self.now = plane
        self.version += 1
        state.choose(plane=None if plane == planes.START else plane)


def desk() -> Desk:
    """This visitor's plane, kept while they visit other pages; a link may have brought another one."""
    it = st.session_state.setdefault(KEY, Desk())
    linked = state.chosen()[PLANE]
    if linked is not None and linked != it.now:
        it.open(linked)
    return it


def read_moved(raw: Any, version: str) -> Plane | None:
    """What a browser sent about the plane of this version; None for anything else, whatever it is."""
    if type(raw) is not dict or raw.get("version") != version:
        return None
    return read_plane({name: value for name, value in raw.items() if name != "version"})


def drawing() -> Plane:
    """Draw the plane and return it as it stands. When an arrow is let go, the browser sends where it points."""
    it = desk()
    state.publish()
    version = str(it.version)

    def moved(message: dict[str, Any]) -> Plane | None:
        found = read_moved(message, version)
        if found is not None:
            it.now = found
            state.choose(plane=found)
        return found

    taken = turns("hand")
    data = {**hand_payload.payload(it.opened, it.now, version), "turns": taken.shows(it.now)}
    _hand(key="hand", data={**data, "theme": st.context.theme.type}, on_moved_change=taken.hears("moved", moved))
    charts.words(GESTURES)
    return it.now


def cosines(plane: Plane) -> np.ndarray:
    """The cosine of the angle between each query and each key: float64 [query, key]."""
    query, key, _ = plane.vectors
    return (query @ key.T) / np.outer(np.linalg.norm(query, axis=1), np.linalg.norm(key, axis=1))


def _masked_moves() -> float:
    """By how much the causal mask changes a weight of NEIGHBOUR below its first row, at most."""
    masked = weigh(replace(planes.NEIGHBOUR, causal=True)).weight
    return float(np.abs(masked - weigh(planes.NEIGHBOUR).weight)[1:].max())


def presets() -> None:
    """Planes to begin with."""
    sunk = cosines(planes.SINK)[:, 0]
    low, high = float(sunk.min()), float(sunk.max())

    def preset(label: str, plane: Plane, look: str) -> lesson.Preset:
        return lesson.Preset(label, look, lambda: desk().open(plane))

    lesson.presets([
        preset("Start again", planes.START, "Three words, nothing special: move anything."),
        preset(
            "Look at your neighbour", planes.NEIGHBOUR,
            "Each query points where its left neighbour’s key points (the first has none and takes its right neighbour’s): the "
            "matrix is a diagonal, moved by one. Many trained models have such heads (Clark et al. 2019). Switch on the causal "
            f"mask: the first row changes wholly, no other weight by more than {percent(_masked_moves())}.",
        ),
        preset(
            "Everyone alike: uniform", planes.ALIKE,
            "Three equal keys: whatever the query, all products are the same, so every weight is 1 divided by the number of words. "
            "Move the query: no weight changes. Move one key towards the query: all three do.",
        ),
        preset(
            "One key for all: a sink", planes.SINK,
            "The first key is the shortest and yet wins every row: all queries point its way. Their <b>cosines</b> with it (of the "
            f"angle between two arrows: 1 for the same direction, 0 at right angles) are {low:.2f} to {high:.2f}, with the other "
            "keys below 0. Many trained models do this with their first token (Gu et al. 2024): a row’s weights must add up to 1, "
            "also where it needs none of the tokens.",
        ),
        preset(
            "Orthogonal: no preference", planes.ORTHOGONAL,
            "Each query stands at a right angle to every key: all products are 0, and e⁰ = 1 for all. Equal weights again. Move "
            "the tip of a query a little to the right, and the key that reaches farthest to the right gains most; to the left, the "
            "only key that lies there.",
        ),
    ])  # fmt: skip


def depth(plane: Plane) -> None:
    """The dial: the idea, eq. 1 with the numbers of the plane as it stands, and the model's own lines."""
    from core.model.multihead import attention

    lesson.dial(IDEA, lambda: maths(plane), [attention, weigh])


def maths(plane: Plane) -> None:
    """Eq. 1 with this plane's numbers, for the word that looks."""
    found = weigh(plane)
    for latex, says in steps(plane, found):
        lesson.formula(latex, says)


def steps(plane: Plane, found: Weighed) -> list[tuple[str, str]]:
    """(formula in LaTeX, what its letters are here) of each step of eq. 1 for the chosen word."""
    row, at = plane.chosen, int(np.argmax(found.weight[plane.chosen]))
    query, key, value = plane.vectors
    looks, seen = plane.words[row], plane.words[at]
    q, k, product = query[row], key[at], found.product[row, at]
    may = [j for j in range(len(plane.words)) if not plane.causal or j <= row]
    below = " + ".join(f"e^{{{found.score[row, j]:.2f}}}" for j in may)
    parts = [rf"{found.weight[row, j]:.2f}{_column(value[j])}" for j in may]
    # two terms a line where there are many, so that the sum fits its column
    vectors = r" \\ & + ".join(" + ".join(parts[at : at + 2]) for at in range(0, len(parts), 2))
    return [
        (
            rf"q \cdot k = {_signed(q[0])} \times {_signed(k[0])} + {_signed(q[1])} \times {_signed(k[1])} = {product:.2f}",
            f"q is the query of “{looks}”, k the key of “{seen}”, the one it looks at most.",
        ),
        (
            rf"\frac{{q \cdot k}}{{\sqrt{{d}}}} = \frac{{{product:.2f}}}{{\sqrt{{2}}}} = {found.score[row, at]:.2f}",
            "d is how many numbers an arrow has: 2 here, dozens in a model. With more numbers the sums grow, typically like √d: "
            "the division takes that out again.",
        ),
        (
            rf"\text{{weight}} = \frac{{e^{{{found.score[row, at]:.2f}}}}}{{{below}}} = {found.weight[row, at]:.3f}",
            "The softmax: e to the power of each score, divided by the sum over the row. "
            + ("Words after the one that looks are left out: the causal mask." if plane.causal else "No share is ever quite 0."),
        ),
        (
            rf"\begin{{aligned}} \text{{output}} = {{}} & {vectors} \\ = {{}} & {_column(found.output[row])} \end{{aligned}}",
            "Each value times its weight, added up.",
        ),
    ]  # fmt: skip


def _signed(value: float) -> str:
    return f"({value:.1f})" if value < 0 else f"{value:.1f}"


def _column(vector: np.ndarray) -> str:
    return rf"\begin{{pmatrix}} {vector[0]:.2f} \\ {vector[1]:.2f} \end{{pmatrix}}"


def won(it: Desk) -> bool:
    """Whether the key of “cat” was moved, and “sleeps” now gives it more than half."""
    if len(it.now.words) <= SLEEPS or it.now.arrows[CAT][1] == it.opened.arrows[CAT][1]:
        return False
    return float(weigh(it.now).weight[SLEEPS, CAT]) > 0.5


def asked(it: Desk, real: lesson.Question | None = None) -> list[lesson.Question]:
    """The questions of the page; their answers are computed. real: one about a real run, where there is one."""
    weight = float(weigh(it.now).weight[SLEEPS, CAT])
    example = Plane(planes.WORDS[:3], (((10, 0), (20, 10), (0, 0)), ((0, 0), (0, 0), (0, 0)), ((0, 0), (0, 0), (0, 0))))
    (product, *_), (score, *_) = weigh(example).product[0], weigh(example).score[0]
    equal = float(weigh(planes.ALIKE).weight[0, 0])
    return [
        lesson.Act(
            "Drag the key of “cat” until “sleeps” gives it more than half of its attention.", won(it),
            f"It gives {percent(weight)} now: the key of “cat” reaches farther the way the query of “sleeps” points.",
            f"Now “sleeps” gives “cat” {percent(weight)}. Turn the key towards the query, or make it longer.",
        ),
        lesson.Number(
            "A query (1, 0) meets a key (2, 1). What is q·k ÷ √2, to two decimals?", float(score), 0.011,
            f"1 × 2 + 0 × 1 = {product:g}, and {product:g} ÷ √2 = {score:.3f}.",
            "Multiply the first numbers, multiply the second ones, add; then divide by 1.414.",
        ),
        real or lesson.Pick(
            f"Three keys are exactly alike, so each gets {percent(equal)}. The query grows to twice its length. What happens?",
            ("Nothing", "The first key gains", "All weights grow"), "Nothing",
            "All three scores double, but they stay equal, and the softmax only sees differences.",
            "Try the preset “Everyone alike” and pull the query.",
        ),
    ]  # fmt: skip


_hand = component("hand")
