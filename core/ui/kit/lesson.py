"""The frame of every lesson: what one will see, a dial from idea to maths to code, checked questions, presets, the source."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.paths import ROOT
from core.ui.kit import charts
from core.ui.kit.answers import readings
from core.ui.kit.parameters import DEPTHS, DIAL
from core.ui.session import state

DIGITS = 30  # characters of a number that is typed


@dataclass(frozen=True, slots=True)
class Number:
    """A question whose answer is a number to be read off, or worked out from, the picture.

    answer: as the model computed it. slack: how far from it still counts, for people read off rounded numbers.
    right, hint: HTML in our own words; what a model or a visitor wrote is escaped by whoever makes the question.
    """

    ask: str
    answer: float
    slack: float
    right: str
    hint: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Pick:
    """A question with a few answers to choose from; `answer` is one of `options`."""

    ask: str
    options: tuple[str, ...]
    answer: str
    right: str
    hint: str


@dataclass(frozen=True, slots=True)
class Act:
    """A thing to do on this page: `done` tells whether the page stands as asked."""

    ask: str
    done: bool
    right: str
    hint: str


Question = Number | Pick | Act


@dataclass(frozen=True, slots=True)
class Preset:
    """Something to try: `apply` sets it up (a callback, so that it runs before the page is drawn), `look` says what to watch."""

    label: str
    look: str
    apply: Callable[[], None]


def sentence(html: str) -> None:
    """What one will see, in a sentence under the title."""
    st.html(f'<p class="lead">{html}</p>')


def dial(idea: str, maths: Callable[[], None], code: Sequence[Any]) -> None:
    """How deep to look, kept from page to page and in the link: the idea in words, the formula with this example's numbers, or the
    lines that compute it. code: functions or classes of ours, shown as they stand in their files."""

    def turned(depth: str) -> None:
        state.choose(dial=depth)

    with st.container(key="dial"):
        depth = st.segmented_control(
            "How deep", DEPTHS, key=state.held("depth", state.chosen()[DIAL]), required=True,
            on_change=state.heard("depth", turned, DEPTHS),
            label_visibility="collapsed",
        )  # fmt: skip
        state.publish()
        if depth == "Maths":
            maths()
        elif depth == "Code":
            for thing in code:
                _source(thing)
        else:
            charts.words(idea)


def formula(latex: str, says: str = "") -> None:
    """One formula, drawn by KaTeX, and what its letters are here."""
    st.latex(latex)
    charts.words(says)


def presets(offered: Sequence[Preset]) -> None:
    """Things to try, one click each; the one that was clicked says what to watch. They belong beside the live thing, where one
    sees what they do."""
    known = state.session()
    page = known.page

    def tried(preset: Preset) -> None:
        known.tried[page] = f"<b>{escape(preset.label)}</b> · {preset.look}"
        preset.apply()

    with st.container(key="presets", horizontal=True, gap="small", vertical_alignment="center"):
        charts.heading("Try this")
        pressed = [
            st.button(preset.label, key=f"try-{page}-{number}", on_click=tried, args=(preset,))
            for number, preset in enumerate(offered)
        ]
    if any(pressed):
        whole_page()
    if page in known.tried:
        st.html(f'<p class="note" role="status">{known.tried[page]}</p>')


def whole_page() -> None:
    """Run the whole page, where only a block of it runs now: what was just set up may stand in the bar above the block."""
    context = get_script_run_ctx()
    if context is not None and context.fragment_ids_this_run:
        st.rerun()


def questions(asked: Sequence[Question]) -> None:
    """Questions that want a number or an action; each is checked as soon as it is answered, and remembered once right. Home
    counts them as those of the page in view."""
    charts.heading("Check yourself", "the answers are on this page")
    known = state.session()
    page, solved = known.page, known.solved
    known.asked[page] = len(asked)
    with st.container(key="questions"):
        for number, question in enumerate(asked):
            key = f"ask-{page}-{number}"
            with st.container(key=f"question-{number}", gap="small"):
                st.html(f'<p class="ask"><b>{number + 1}</b> {question.ask}</p>')
                right = _answered(question, key, (page, number) in solved)
                if right:
                    solved.add((page, number))
                if _outdated(question, key, right):
                    charts.words("The example has changed since you answered. Look again.")
                elif right:
                    st.html(f'<p class="verdict right" role="status">Right. {question.right}</p>')
                elif right is None and (page, number) in solved:
                    again = "" if isinstance(question, Act) else " The example may be another now: answer again if you like."
                    st.html(f'<p class="verdict right" role="status">Solved.{again}</p>')
                elif right is False:
                    st.html(f'<p class="verdict" role="status">Not yet. {question.hint}</p>')


def source(html: str) -> None:
    """Where it comes from: paper and equation."""
    st.html(f'<p class="source">Source: {html}</p>')


def _answered(question: Question, key: str, solved: bool) -> bool | None:
    """Whether the answer that stands there is right; None where there is none yet. solved: it was right once."""
    if isinstance(question, Act):
        if not question.done and not solved:
            charts.words(question.hint)
        return True if question.done else None
    if isinstance(question, Pick):
        chosen = st.segmented_control(question.ask, question.options, key=key, label_visibility="collapsed")
        return None if chosen is None else chosen == question.answer
    return _number(question, key)


def _outdated(question: Question, key: str, right: bool | None) -> bool:
    """Whether what stands there was said of another example: what was right then would be called wrong now."""
    if isinstance(question, Act) or right is None:
        return False
    now = st.session_state.get(key), question.answer
    before = st.session_state.setdefault(f"{key}-was", now)
    if right is False and before[0] == now[0] and before[1] != now[1]:
        return True
    st.session_state[f"{key}-was"] = now
    return False


def _number(question: Number, key: str) -> bool | None:
    """A number's field, its judgement, and a word where what stands there is no number."""
    unit = f" ({question.unit})" if question.unit else ""
    given = st.text_input(f"Your number{unit}", key=key, placeholder="a number", width=220, max_chars=DIGITS) or ""
    given = given[:DIGITS]  # a browser can be told to send more than its field takes
    meant = readings(given, question.unit)
    if given.strip() and not meant:
        st.html(
            f'<p class="verdict" role="status">“{escape(given)}” is not a number. Write it in digits, such as 2.5 or 2,5.</p>'
        )
    return any(abs(one - question.answer) <= question.slack for one in meant) if meant else None


def _source(thing: Any) -> None:
    """The lines of a function or class, and where they stand."""
    lines, first = inspect.getsourcelines(thing)
    place = Path(inspect.getsourcefile(thing) or "").resolve().relative_to(ROOT).as_posix()
    name = escape(getattr(thing, "__qualname__", getattr(thing, "__name__", "")))
    charts.words(f"<b>{name}</b> · {place}, from line {first}")
    st.code(textwrap.dedent("".join(lines)).rstrip(), language="python")
