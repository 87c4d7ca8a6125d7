"""From RNN to attention: three recall machines on one exercise, run live, with what each keeps of it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import streamlit as st

from core.errors import InputError, LensError
from core.figures import curves
from core.figures.labels import percent
from core.figures.plain_map import plain_map
from core.figures.theme import Theme
from core.ui import charts, lesson, trouble
from core.ui.runs import shared
from core.ui.scene import wait

KINDS = ("gru", "attention", "transformer")
TITLES = {"gru": "GRU", "attention": "GRU with attention", "transformer": "Transformer"}
SAYS = {
    "gru": "One state vector holds all it has read. Each further pair is written over the same numbers.",
    "attention": "The same kind of network, but it kept every state on the way and looks back at them: one row of weights.",
    "transformer": "No state at all: every symbol looks at every other, and the answer looks back at all of them.",
}
DELAYS = tuple(range(0, 29, 2))


@dataclass(frozen=True, slots=True)
class Exercise:
    """A source like "a3b7c1", the key that is asked, and its value."""

    source: str
    asked: str
    value: str


def machine(kind: str) -> Any:
    """A shipped recall machine, loaded once for all visitors."""

    def load() -> Any:
        from core.model import recall

        return recall.load_machine(kind)

    ticket = shared.ask(("recall", kind), load)
    wait(ticket.settled, lambda: f"Loading {TITLES[kind]}. {ticket.seconds:.0f} s")
    return ticket.result()


def exercise(delay: int, seed: int) -> Exercise:
    """A held-out exercise with this delay; the same for the same seed."""

    def make() -> Exercise:
        from core.model import recall

        source, given, wanted = recall.make(recall.TASK, 1, delay, np.random.default_rng([seed, delay, 5]), unseen=True)
        text = "".join(recall.SYMBOLS[i] for i in source[0].tolist())
        return Exercise(text, recall.SYMBOLS[int(given[0, 0])], recall.SYMBOLS[int(wanted[0, 1])])

    return shared.ask(("recall", "exercise", delay, seed), make).result()


def read_own(text: str) -> Exercise:
    """A visitor's own exercise: "a3 b7 c1 → a". Raises InputError in words."""
    source, arrow, asked = "".join(text.split()).replace("->", "→").partition("→")
    pairs = [source[i : i + 2] for i in range(0, len(source), 2)]
    fine = arrow and len(asked) == 1 and 1 <= len(pairs) <= 16
    fine = fine and all(len(p) == 2 and p[0] in "abcdefghijklmnop" and p[1] in "0123456789" for p in pairs)
    keys = [pair[0] for pair in pairs]
    if not fine or len(set(keys)) != len(keys) or asked not in keys:
        raise InputError(
            "up to 16 pairs of a letter a–p and a digit, no letter twice, then → and one of the letters", f"“{text[:40]}”",
            "For example: a3 b7 c1 → b",
        )  # fmt: skip
    return Exercise(source, asked, next(pair[1] for pair in pairs if pair[0] == asked))


def seen(kind: str, what: Exercise) -> tuple[Any, np.ndarray]:
    """One pass of one machine, and the gradient of its answer's log-probability with respect to each source symbol: what
    core.model.recall gives, as arrays."""

    def compute() -> tuple[Any, np.ndarray]:
        from core.model import recall

        found = machine(kind)
        source, target = found.encode(what.source), found.encode(f"{what.asked}→")
        return found.look(source, target), found.gradient(source, target, 1, recall.PLACE[what.value])

    return shared.ask(("recall", "seen", kind, what), compute).result()


def colours(theme: Theme) -> dict[str, str]:
    """One colour a machine: the plain one grey, the two with attention in the accents of what they use."""
    return {TITLES["gru"]: theme.ink3, TITLES["attention"]: theme.cross, TITLES["transformer"]: theme.encoder}


def game() -> None:
    """The whole page below the title."""
    from core.model import recall

    theme = charts.theme()
    charts.words(
        "Three small networks learnt the same game from the same exercises: read pairs like <b>a3 b7 c1</b>, then answer “which "
        "digit came with <b>b</b>?”. The delay is made of more such pairs, any of which could have been asked, so nothing may be "
        "thrown away."
    )
    delay = st.select_slider("Delay: symbols between the pair and the question", DELAYS, value=16, key="delay")
    table = recall.results()
    lines = {
        TITLES[kind]: [(row["delay"], row["accuracy"]) for row in table if row["machine"] == kind] for kind in KINDS
    }
    left, right = st.columns([520, 440], gap="large")
    with left:
        charts.heading("Right answers over the delay", "512 held-out exercises at each, as measured")
        spec = curves.curves(lines, colours(theme), theme, "delay in symbols", "share right", top=1.0, at=float(delay))
        st.vega_lite_chart(spec, theme=None, alt=curves.said(lines, "share of right answers"), key="accuracy")
    with right:
        what = _choose(int(delay))
        if what is None:
            return
        charts.heading("One exercise", "run now, in all three")
        st.html(_spelled(what))
        st.html(_answers(what))
    charts.rule()
    charts.heading("What each keeps of it")
    for kind, column in zip(KINDS, st.columns(3, gap="medium"), strict=True):
        with column:
            _memory(kind, what)
    charts.rule()
    _gradients(what)
    lesson.source(
        "Sutskever, Vinyals and Le 2014 (one state); Bahdanau, Cho and Bengio 2015, eq. 5–6 (looking back); Vaswani "
        "et al. 2017, eq. 1 (attention alone). Sizes differ by less than a tenth; each machine’s card tells its training."
    )


def _choose(delay: int) -> Exercise | None:
    own = st.text_input("Or your own exercise", key="own-exercise", placeholder="a3 b7 c1 → b")
    if own.strip():
        try:
            return read_own(own)
        except LensError as error:
            trouble.show(error)
            return None

    def other() -> None:
        st.session_state["exercise"] = st.session_state.get("exercise", 0) + 1

    st.button("Another exercise", key="another", on_click=other)
    return exercise(delay, st.session_state.get("exercise", 0))


def _spelled(what: Exercise) -> str:
    pairs = [what.source[i : i + 2] for i in range(0, len(what.source), 2)]
    said = " ".join(f"<b>{escape(pair)}</b>" if pair[0] == what.asked else escape(pair) for pair in pairs)
    return f'<p class="exercise">{said} <span>→ {escape(what.asked)} ?</span></p>'


def _answers(what: Exercise) -> str:
    rows = []
    for kind in KINDS:
        from core.model import recall

        look, _ = seen(kind, what)
        chances = look.chances[-1]
        best = int(np.argmax(chances))
        right = recall.SYMBOLS[best] == what.value
        rows.append(
            f'<tr><th scope="row">{TITLES[kind]}</th><td class="result">{escape(recall.SYMBOLS[best])}</td>'
            f"<td>{percent(float(chances[best]))}</td><td>{'right' if right else f'wrong: it was {escape(what.value)}'}</td></tr>"
        )
    head = "<caption>answer, how sure, and whether it is right</caption>"
    return f'<div class="sum"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>'


def _memory(kind: str, what: Exercise) -> None:
    charts.heading(TITLES[kind])
    charts.words(SAYS[kind])
    look, _ = seen(kind, what)
    theme, names = charts.theme(), list(what.source)
    if kind == "gru":
        state = np.asarray(look.reader[-1], dtype=np.float64)
        wide = 11
        shown = np.pad(state, (0, -len(state) % wide), constant_values=np.nan).reshape(-1, wide)
        figure = plain_map(shown, [""] * len(shown), [""] * wide, theme, "of the state", True, None, 250)
        charts.plot(figure, "state-map", f"The GRU's state after the last symbol: {len(state)} numbers.", bare=True)
        charts.words(f"{len(state)} numbers: everything it knows when the question comes.")
    elif kind == "attention":
        row = np.asarray(look.alignment[-1:], dtype=np.float64).T
        figure = plain_map(row, names, [what.asked], theme, "weight", False, None, 30, 15)
        charts.plot(
            figure, "alignment-map", f"Where the answer looks: most at symbol {int(row.argmax()) + 1}.", bare=True
        )
    else:
        own = np.asarray(look.own[-1], dtype=np.float64).mean(0)
        figure = plain_map(own, names, names, theme, "weight", False, None, 250)
        charts.plot(
            figure,
            "own-map",
            "The transformer's encoder: every symbol over every symbol, mean of its heads.",
            bare=True,
        )
        charts.words("The reader’s own map, mean of its heads. Rows look, columns are looked at.")


def shares(gradient: np.ndarray) -> np.ndarray:
    """A gradient's lengths divided by their sum; zeros where there is none."""
    total = float(gradient.sum())
    return gradient / total if total > 0 else gradient


def _gradients(what: Exercise) -> None:
    theme = charts.theme()
    charts.heading(
        "What the answer hangs on", "length of the gradient of log p(right answer) with respect to each symbol"
    )
    lines = {TITLES[kind]: [(i, float(v)) for i, v in enumerate(seen(kind, what)[1])] for kind in KINDS}
    spec = curves.curves(lines, colours(theme), theme, "symbol read", "gradient", 200, marks=list(what.source))
    st.vega_lite_chart(spec, theme=None, alt=curves.said(lines, "gradient"), key="gradients")
    charts.words(
        "High where a change of that symbol would change the answer most. A network that remembers has its peak at the "
        "asked pair; in one that forgets, what came last weighs as much."
    )
