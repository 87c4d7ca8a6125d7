"""The words of the page Transductive learning: two senses of one word, the formulas with this board's numbers, the questions."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from core.analysis.transductive import inductive, transduction
from core.analysis.transductive.board import Board
from core.analysis.transductive.fourways import Answers
from core.analysis.transductive.pointsets import PointSet
from core.ui.kit import charts, lesson
from core.ui.transductive.boards import put

SENSES = (
    (
        "Transductive learning",
        "the sense of this page",
        "A few examples carry a label (“this text is about school”), many carry none. You want labels for <b>exactly "
        "those</b> and for no others, so you may look at them while you learn. What comes out is a list of answers. "
        "<i>Inductive</i> learning makes a rule that answers for anything, also for what comes tomorrow; on this page it makes it "
        "from the labelled ones alone.",
    ),
    (
        "Sequence transduction",
        "the sense of “Attention Is All You Need”",
        "A <i>transducer</i> leads one thing across into another: speech into text, English into Portuguese. A sequence "
        "transduction model turns one sequence into another. The paper’s first sentence means this one. It says nothing about "
        "labels: the Transformer was trained on millions of sentence pairs, every one with its translation.",
    ),
)
IDEA = (
    "Let every point <b>look</b> at all points, most at the nearest. In <b>label propagation</b> that is attention, with nearness "
    "as the attention score; <b>label spreading</b> divides in another way, and its looks do not add up to 1. A label travels "
    "along these looks from neighbour to neighbour, until every point holds a mixture; the largest part wins. So the crowd of "
    "points without a label shows the way: along a moon, not across the gap. It works where neighbours are alike, and only there."
)


def senses() -> None:
    """The two senses side by side, and the usual mix-up put right."""
    charts.heading("Two senses of one word", "which are easily taken for each other")
    for column, (title, sense, says) in zip(st.columns(2, gap="large"), SENSES, strict=True):
        with column:
            st.html(f'<p class="sense"><b>{title}</b> <span>{sense}</span></p>')
            charts.words(says)
    charts.words(
        "Both words come from the same Latin verb, to lead across. A Transformer does the second; it is not a transductive "
        "learner in the first sense. Yet the two meet: a pass of label propagation, a tool of the first, is a step of attention "
        "(open Maths below)."
    )


def pair(found: Answers) -> tuple[int, int]:
    """The points whose numbers the formulas show: the first unlabelled one, and the other that it looks at most."""
    rest = np.flatnonzero(found.labels == transduction.NONE)
    i = int(rest[0]) if len(rest) else 0
    row = found.matrices[0][i].copy()
    row[i] = -1.0
    return i, int(row.argmax())


def maths(board: Board, points: PointSet, found: Answers) -> None:
    """The two matrices, for one pair of this board."""
    i, j = pair(found)
    apart = transduction.distances(points.x)[i, j]
    w = transduction.weights(points.x, board.gamma)
    own, symmetric = found.matrices
    here, there = w[i].sum() - 1, w[j].sum() - 1
    a, b = rf"{i + 1}", rf"{j + 1}"
    lesson.formula(
        rf"w_{{{a},{b}}} = e^{{-\gamma\lVert x_{{{a}}}-x_{{{b}}}\rVert^2}} = "
        rf"e^{{-{board.gamma:g}\cdot {apart:.5f}}} = {w[i, j]:.5f}",
        f"How alike points {a} and {b} are, whose places are x<sub>{a}</sub> and x<sub>{b}</sub>: 1 for the same place, near 0 far "
        "away. ‖ ‖² is the squared distance; γ says how fast likeness falls with it. W is the table of all these w, a row and a "
        "column for each point; D holds the sums of its rows.",
    )
    lesson.formula(
        rf"(D^{{-1}}W)_{{{a},{b}}} = \frac{{w_{{{a},{b}}}}}{{\sum_k w_{{{a},k}}}} = \frac{{{w[i, j]:.5f}}}{{{w[i].sum():.5f}}} = "
        rf"{own[i, j]:.5f} = \mathrm{{softmax}}_k\left(-\gamma\lVert x_{{{a}}}-x_k\rVert^2\right)_{{{b}}}",
        "<b>Label propagation.</b> e (2.718…) to the power of a score, over the sum of its row (k: each point in turn): that is "
        "the softmax of attention, with −γ‖x−y‖² as the attention score. Because −γ‖x−y‖² = 2γ x·y − γ‖y‖² − γ‖x‖², and the last "
        "term is the same in the whole row and cancels, it is q·k with q = x, k = y, scaling 2γ, and a bias −γ‖y‖² on each key. "
        "Every row sums to 1. One pass, F ← D⁻¹W F, is one step of attention whose values are the labels; the labelled points then "
        "get theirs back unchanged (a <i>hard clamp</i>). This is the form of Zhu, Ghahramani and Lafferty 2003; the first report, "
        "of 2002, divides by the sums of the columns before those of the rows.",
    )
    lesson.formula(
        rf"S_{{{a},{b}}} = \frac{{w_{{{a},{b}}}}}{{\sqrt{{d_{{{a}}}}}\sqrt{{d_{{{b}}}}}}} = \frac{{{w[i, j]:.5f}}}"
        rf"{{\sqrt{{{here:.5f}}}\cdot\sqrt{{{there:.5f}}}}} = {symmetric[i, j]:.5f}",
        f"<b>Label spreading.</b> No point looks at itself (d is the row’s sum without its own w), and it is divided for both "
        f"ends, so the matrix is symmetric and its rows need not sum to 1: here they sum to {symmetric.sum(1).min():.3f} … "
        f"{symmetric.sum(1).max():.3f}. So this one is no attention.",
    )
    lesson.formula(
        rf"F \leftarrow \alpha S F + (1-\alpha)\,Y = {board.alpha:g}\,S F + {1 - board.alpha:.3g}\,Y",
        "The arrow: F becomes what stands behind it. Y holds the labels given, F what each point has heard so far: a row for each "
        "point, a column for each class. A labelled point listens too, so its label may be overruled (a <i>soft clamp</i>). It "
        "ends at F = (1 − α)(I − αS)⁻¹Y, the F that one more pass leaves as it is (I: the table with 1 on its diagonal and 0 "
        "elsewhere; ⁻¹: the inverse, the table that undoes the multiplication by another). The factor 1 − α changes no decision, "
        "so the paper leaves it out.",
    )


CODE: tuple[Any, ...] = (
    transduction.propagation, transduction.spreading, transduction.propagate, transduction.spread, transduction.reach,
    inductive.nearest, inductive.logistic,
)  # fmt: skip


def presets() -> None:
    """Things to try, each a board set up before the page is drawn."""

    def board(name: str, gamma: int, alpha: float) -> None:
        put(Board(name, 0, gamma, alpha))

    offered = (
        ("One label a moon", "moons", 40, 0.99, "Press Play: watch the two labels walk along the moons, pass by pass. Then choose "
         "Logistic regression: a straight line cannot follow."),
        ("Rings", "rings", 40, 0.9, "No straight line parts a ring from what is inside it. Where do the two inductive ways go "
         "wrong?"),
        ("A blunt look", "moons", 1, 0.9, "With a small γ every point looks at nearly all others alike: the matrices turn even, "
         "and the labels no longer know where to go."),
        ("Across the grain", "across", 40, 0.9, "Each long cloud holds both classes. Labels run along the clouds, and that is just "
         "wrong here: look at the curve."),
    )  # fmt: skip
    lesson.presets([lesson.Preset(label, look, partial(board, name, gamma, alpha)) for label, name, gamma, alpha, look in offered])


def questions(found: Answers, board: bool) -> None:
    """Checked as they are answered. board: whether one stands above, with its matrices."""
    first = "Point" if board else "Open Points, above. There point"
    here = found.right("spreading"), found.right("logistic")
    worse = here[0] is not None and here[1] is not None and here[0] < here[1]
    lesson.questions([
        lesson.Number(
            f"{first} at a few rows of the propagation matrix. What does every one of them sum to?",
            float(found.matrices[0].sum(1).mean()), 0.01,
            "It is a softmax, so each row is shared out whole. The spreading matrix beside it is not.",
            "Rest the pointer on the left matrix, or go to a point with the arrow keys, and read the line under it.",
        ),
        lesson.Act(
            "Make label spreading lose: place labels, on any set, so that logistic regression gets more of the others right.",
            worse, "Seeing the unlabelled points helps only where neighbours are alike.",
            "Try the set Across the grain, or the three clouds with unlucky labels.",
        ),
        lesson.Pick(
            "“Attention Is All You Need” calls the Transformer a sequence transduction model. What does that mean?",
            ("It turns one sequence into another", "It learns from few labels and many texts without"),
            "It turns one sequence into another",
            "The other one is transductive learning: a sense of its own.", "Look again at the two senses.",
        ),
    ])  # fmt: skip
