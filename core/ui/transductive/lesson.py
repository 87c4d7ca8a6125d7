"""The page Transductive learning, put together: what to label, the board, the curve, the words."""

from __future__ import annotations

import streamlit as st

from core.figures.labels import percent
from core.ui.kit import charts, lesson, trouble
from core.ui.session import state
from core.ui.transductive import boards, curve, datasets, words
from core.ui.transductive.curve import Course

MATTER = {"plane": "Points", "texts": "Short texts", "digits": "Digits"}  # by the kind of a board
OPENS = {"plane": "moons", "texts": "texts", "digits": "digits"}
EACH = {"plane": (1, 2, 4, 8), "texts": (1, 2, 5, 10, 20), "digits": (1, 2, 3, 5, 10)}
DIGITS = (4.0, 0.99)  # γ over pixels brought to 0 … 1, and α
SOURCE = (
    "Zhu and Ghahramani 2002, eq. 1, and Zhu, Ghahramani and Lafferty 2003, eq. 5 (label propagation); Zhou, Bousquet, Lal, "
    "Weston and Schölkopf 2004, steps 1 to 4 and eq. 3 (label spreading); Vapnik 1998 (transductive inference); Vaswani et al. "
    "2017, eq. 1 (attention) and abstract (“sequence transduction”). Digits: Alpaydin and Kaynak 1998, as scikit-learn carries "
    "them."
)
WAYS = (
    " Two ways see all points: label spreading and label propagation hand the labels on from point to point. Two see the labelled "
    "ones only: one gives each point the class of the <b>nearest</b> of them, the other, <b>logistic regression</b>, parts the "
    "classes by straight cuts."
)
TASK = (
    "Every point belongs to a class, but only the large ones with a number tell it: they carry a <b>label</b>. The others’ classes "
    "are to be found." + WAYS
)


def page() -> None:
    """Everything below the title."""
    state.publish()
    for note in state.take_notes():
        trouble.tell(note, "note")
    slot = st.container()
    words.presets()
    what = MATTER[boards.chosen().kind]

    def turned(matter: str) -> None:
        state.session().tried.pop("transductive", None)
        boards.go(next(name for kind, name in OPENS.items() if MATTER[kind] == matter))

    st.segmented_control(
        "What is to be labelled", list(MATTER.values()), key=state.held("matter", what), required=True,
        label_visibility="collapsed", on_change=state.heard("matter", turned, MATTER.values()),
    )  # fmt: skip
    if what == "Digits":
        _digits(slot)
        board, points, found = boards.opening()
    elif what == "Short texts":
        board, points, found, texts = boards.on_texts()
        slot.html(f'<p class="lead">{boards.lead(found)}</p>')
        charts.words(
            f"{len(texts)} short statements that our own grammar wrote and no model was trained on, {datasets.EACH} a topic. "
            "The encoder Filler reads each; the vectors of its tokens after the last layer, averaged and brought to length 1, are "
            f"the text’s place. Drawn are the two directions in which the places differ most; distances are measured in all "
            f"{points.x.shape[1]} numbers." + WAYS
        )
        boards.table(board, points, found, texts)
        curve.curve(Course("texts", board.gamma, board.alpha, EACH["texts"]), points)
    else:
        board, points, found = boards.on_points()
        slot.html(f'<p class="lead">{boards.lead(found)}</p>')
        charts.words(TASK)
        boards.table(board, points, found, ())
        curve.curve(Course(board.name, board.gamma, board.alpha, EACH["plane"]), points)
    charts.rule()
    words.senses()
    charts.rule()
    if what == "Digits":
        charts.words(
            "The formulas speak of the two moons; for digits they are the same, with 64 pixels in place of 2 numbers."
        )
    lesson.dial(words.IDEA, lambda: words.maths(board, points, found), words.CODE)
    words.questions(found, what != MATTER["digits"])
    lesson.source(SOURCE)


def _digits(slot: st.delta_generator.DeltaGenerator) -> None:
    """scikit-learn's digits: measured when this is opened, with its progress, once for all visitors."""
    said = slot.empty()
    said.html('<p class="lead">1,797 handwritten digits, and only a few of them come with their name.</p>')
    points = datasets.digits()
    course = Course("digits", *DIGITS, EACH["digits"])
    found = curve.curve(course, points)
    one = next((each for each in found if each.labels == 20), None)
    if one is None:
        return
    curve.digits(course, points, 2)
    best = max(("nearest", "logistic"), key=one.mean)
    ahead, low, high = (100 * share for share in one.lead())
    said.html(
        f'<p class="lead">With <b>{one.labels}</b> of {len(points.classes):,} handwritten digits labelled, label spreading gets '
        f"<b>{percent(one.mean('spreading'))}</b> of the others right, {curve.TITLES[best].lower()} "
        f"<b>{percent(one.mean(best))}</b>: ahead by <b>{ahead:.1f}</b> percentage points (95 %: {low:.1f} to {high:.1f}).</p>"
    )
