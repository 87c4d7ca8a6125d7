"""From RNN to attention: three memory machines on one exercise, run live, with what each keeps of it."""

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
from core.figures.strip import strip
from core.figures.theme import Theme
from core.ui.kit import charts, trouble
from core.ui.rnn.game import DELAYS as DELAYS
from core.ui.rnn.game import TASKS as TASKS
from core.ui.rnn.game import Game, play
from core.ui.rnn.parameters import EXERCISE, ROUNDS, SHORT
from core.ui.running.runs import shared
from core.ui.running.waiting import work
from core.ui.session import state
from core.ui.session.state import heard, held

KINDS = ("gru", "attention", "transformer")
TITLES = {"gru": "GRU", "attention": "GRU with attention", "transformer": "Transformer"}
SAYS = {
    "gru": "One list of numbers, its <b>state</b>, is all it keeps of what it has read: after every symbol a new list is made from "
    "the old one and the symbol.",
    "attention": "The same kind of network, but it kept its state after every symbol and <b>looks back</b> at them: a row of "
    "<b>attention weights</b> says how much at each.",
    "transformer": "No state is handed from symbol to symbol: every symbol looks at all of them, itself too, and each answer looks "
    "back at all of them.",
}
NAMES = {"recall": "Recall", "copy": "Copy"}
RULES = {
    "recall": "The game: read pairs like <b>a3 b7 c1</b>, then answer “which digit came with <b>b</b>?”. One of the first two "
    "pairs is asked for. The delay is made of further pairs; in training any pair was asked for, so nothing may be thrown away. ",
    "copy": "The game: read some symbols, then say them again in order. Each symbol has to be kept for as many steps as there are "
    "symbols: that is its delay. ",
}
PLAYERS = (
    "Three small networks learnt it from the same exercises: a recurrent network (<b>RNN</b>) of the kind called <b>GRU</b> "
    "(gated recurrent unit), a GRU with attention, and a transformer."
)
ROWS = {
    "recall": "row “→” is its look for the answer; the row above it was made before the question was read, so that it cannot know "
    "yet what to look for.",
    "copy": "each row is its look for one answer, named by the symbol said just before.",
}


@dataclass(frozen=True, slots=True)
class Exercise:
    """A source like "a3b7c1"; given: the part of its target that the machine reads; at: the places of it after
    which the machine answers; wanted: the symbols that are right there."""

    source: str
    given: str
    at: tuple[int, ...]
    wanted: str

    @property
    def asked(self) -> str:
        """The key that is asked; "" where all is to be copied."""
        return "" if len(self.wanted) > 1 or self.given[0] == "→" else self.given[0]


def recalling(source: str, asked: str, value: str) -> Exercise:
    """Which digit came with `asked`?"""
    return Exercise(source, f"{asked}→", (1,), value)


def copying(source: str) -> Exercise:
    """Say it again."""
    return Exercise(source, f"→{source[:-1]}", tuple(range(len(source))), source)


def machine(kind: str, task: str = "recall") -> Any:
    """A shipped machine, loaded once for all visitors."""

    def load() -> Any:
        from core.model import memory

        return memory.load_machine(kind, task=task)

    return work(("memory", task, kind), load, f"Loading {TITLES[kind]}.")


def exercise(task: str, delay: int, seed: int) -> Exercise:
    """A held-out exercise with this delay; the same for the same seed."""

    def make() -> Exercise:
        from core.model import exercises

        found = exercises.exercises(exercises.TASKS[task], 1, delay, np.random.default_rng([seed, delay, 5]), unseen=True)
        source, given, wanted = ("".join(exercises.SYMBOLS[i] for i in part[0].tolist() if i >= 0) for part in found)
        return copying(source) if task == "copy" else recalling(source, given[0], wanted[0])

    return shared.ask(("memory", "exercise", task, delay, seed), make).result()


def read_own(text: str, task: str = "recall") -> Exercise:
    """A visitor's own exercise: "a3 b7 c1 → a", or symbols to copy. Raises InputError in words."""
    if task == "copy":
        source = "".join(text.split())
        if not 2 <= len(source) <= 28 or set(source) - set("abcdefghijklmnop0123456789"):
            raise InputError("2 to 28 letters a–p and digits", f"“{text[:40]}”", "For example: gen1ai2go")
        return copying(source)
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
    return recalling(source, asked, next(pair[1] for pair in pairs if pair[0] == asked))


def seen(task: str, kind: str, what: Exercise) -> Any:
    """One pass of one machine over an exercise: what core.model.memory shows of it."""
    found = machine(kind, task)  # before the run: a run may not wait for another
    return shared.ask(
        ("memory", "seen", task, kind, what), lambda: found.look(found.encode(what.source), found.encode(what.given))
    ).result()


def gradient(task: str, kind: str, what: Exercise, number: int) -> np.ndarray:
    """[source]: how strongly the log-probability of the right answer `number` hangs on each source symbol."""
    found = machine(kind, task)

    def compute() -> np.ndarray:
        from core.model.exercises import PLACE

        source, given = found.encode(what.source), found.encode(what.given)
        return found.gradient(source, given, what.at[number], PLACE[what.wanted[number]])

    return shared.ask(("memory", "gradient", task, kind, what, number), compute).result()


def answers(look: Any, what: Exercise) -> list[tuple[str, float]]:
    """What a machine says at each asked place, and how sure it is."""
    from core.model.exercises import SYMBOLS

    rows = [look.chances[place] for place in what.at]
    return [(SYMBOLS[int(row.argmax())], float(row.max())) for row in rows]


def measured(task: str) -> dict[str, dict[int, float]]:
    """Accuracy over delay as it was measured after training: machine → delay → share of right answers."""

    def read() -> Any:
        from core.model import memory

        return memory.results(task=task)

    rows = shared.ask(("memory", "results", task), read).result()
    return {kind: {row["delay"]: row["accuracy"] for row in rows if row["machine"] == kind} for kind in KINDS}


def nearest(task: str, delay: int) -> int:
    """The measured delay next to the one on the slider."""
    return min(measured(task)["gru"], key=lambda at: (abs(at - delay), at))


def colours(theme: Theme) -> dict[str, str]:
    """One colour a machine: the plain one grey, the two with attention in the accents of what they use."""
    return {TITLES["gru"]: theme.ink3, TITLES["attention"]: theme.cross, TITLES["transformer"]: theme.encoder}


# --- the parts of the page ------------------------------------------------------------------------------------------


def curve(task: str, delay: int) -> None:
    """Right answers over the delay, as measured."""
    from core.model.memory import ROWS

    theme = charts.theme()
    lines = {TITLES[kind]: list(found.items()) for kind, found in measured(task).items()}
    charts.heading("Right answers over the delay", f"{ROWS} exercises never trained on, at each")
    spec = curves.curves(lines, colours(theme), theme, "delay in symbols", "share right", 190, top=1.0, at=float(delay))
    charts.curve(spec, "accuracy", curves.said(lines, "share of right answers"))


def choose(it: Game) -> Exercise:
    """The exercise in view: a held-out one, or the visitor's own."""
    key, own = f"own-{it.task}", state.chosen()[EXERCISE]

    def typed(text: str) -> None:
        play(exercise=text.strip())

    hint = "a3 b7 c1 → b" if it.task == "recall" else "gen1ai2go"
    st.text_input(
        "Or type your own", key=held(key, own), on_change=heard(key, typed), placeholder=hint, max_chars=SHORT, autocomplete="off"
    )
    if own:
        try:
            return read_own(own, it.task)
        except LensError as error:
            trouble.show(error)  # and the page goes on with an exercise of ours
    st.button("Another exercise", key="another", on_click=play, kwargs={"number": (it.number + 1) % ROUNDS})
    return exercise(it.task, it.delay, it.number)


def spelled(what: Exercise) -> None:
    """The exercise in symbols."""
    if what.asked:
        pairs = [what.source[i : i + 2] for i in range(0, len(what.source), 2)]
        said = " ".join(f"<b>{escape(pair)}</b>" if pair[0] == what.asked else escape(pair) for pair in pairs)
        st.html(f'<p class="exercise">{said} <span>→ {escape(what.asked)} ?</span></p>')
    else:
        st.html(f'<p class="exercise"><b>{escape(what.source)}</b> <span>→ say it again</span></p>')


def verdicts(task: str, what: Exercise) -> None:
    """What the three machines answer, now."""
    rows = []
    for kind in KINDS:
        said = answers(seen(task, kind, what), what)
        signs = "".join(
            escape(sign) if sign == right else f'<i class="wrong">{escape(sign)}</i>'
            for (sign, _), right in zip(said, what.wanted, strict=True)
        )
        sure = percent(float(np.mean([chance for _, chance in said])))
        right = sum(sign == wanted for (sign, _), wanted in zip(said, what.wanted, strict=True))
        if len(said) == 1:
            verdict = "right" if right else f"wrong: it was {escape(what.wanted)}"
        else:
            verdict = f"{right} of {len(said)} right"
        rows.append(
            f'<tr><th scope="row">{TITLES[kind]}</th><td class="said">{signs}</td><td>{sure}</td><td>{verdict}</td></tr>'
        )
    head = '<thead><tr><td></td><th scope="col">says</th><th scope="col">how sure</th><th scope="col"></th></tr></thead>'
    st.html(f'<div class="sum answers"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>')
    if len(what.wanted) > 1:
        charts.words("Underlined: wrong. Each symbol is asked for with the right ones before it given; “how sure” is the mean.")


def memory(task: str, kind: str, what: Exercise) -> None:
    """What one machine keeps of the exercise."""
    charts.heading(TITLES[kind])
    charts.words(SAYS[kind])
    look, theme, names = seen(task, kind, what), charts.theme(), list(what.source)
    if kind == "gru":
        state = np.asarray(look.reader[-1], dtype=np.float64)
        wide = 11
        shown = np.pad(state, (0, -len(state) % wide), constant_values=np.nan).reshape(-1, wide)
        figure = plain_map(shown, [""] * len(shown), [""] * wide, theme, "", True, None, 250)
        charts.plot(figure, "state-map", f"The GRU's state after the last symbol: {len(state)} numbers.", bare=True)
        charts.words(
            f"{len(state)} numbers, one a square, ochre below 0 and violet above: all it knows when the question comes, however "
            "long the text was. Nothing in it says which number belongs to which symbol."
        )
        _states(kind, look, names, "Every state it had, a row after each symbol, a column a number. All but the last row are gone.")
        return
    rows = [f"{place + 1}: {sign}" if len(what.at) > 1 else sign for place, sign in enumerate(what.given)]
    if kind == "attention":
        alignment = np.asarray(look.alignment, dtype=np.float64)
        best = int(alignment[what.at[0]].argmax()) + 1
        figure = plain_map(alignment, rows, names, theme, "weight", False, None, 250, top=1.0)
        charts.plot(figure, "alignment-map", f"Where each answer looks; the first one most at symbol {best}.", bare=True)
        charts.words(
            f"{alignment.shape[0]} × {alignment.shape[1]} weights, drawn as in Figure 3 of Bahdanau et al. The columns are what it "
            f"read; {ROWS[task]} The stronger the colour, the more it looks there; a row adds up to 1."
        )
        _states(kind, look, names, "What it looks back at: every state it had, a row after each symbol. All rows are kept.")
    else:
        own = np.asarray(look.own[-1], dtype=np.float64).mean(0)
        figure = plain_map(own, names, names, theme, "weight", False, None, 250, top=1.0)
        charts.plot(figure, "own-map", "The reader: every symbol over every symbol, mean of its heads.", bare=True)
        size = f"{own.shape[0]} × {own.shape[1]} weights, the mean of {len(look.own[-1])} <b>heads</b> (attentions side by side)."
        charts.words(f"While reading: {size} Rows look, columns are looked at.")
        cross = np.asarray(look.cross[-1], dtype=np.float64).mean(0)
        figure = plain_map(cross, rows, names, theme, "weight", False, None, 250, top=1.0)
        charts.plot(figure, "cross-map", "Where each answer of the transformer looks, mean of its heads.", bare=True)
        charts.words(
            f"While answering: {cross.shape[0]} × {cross.shape[1]} weights on what was read, mean of the heads. "
            + handed(what, own, cross)
        )


def _states(kind: str, look: Any, names: list[str], says: str) -> None:
    """Every state of a reader, one below the other."""
    states = np.asarray(look.reader, dtype=np.float64)
    figure = strip(states, names, charts.theme(), 1.0, 226, most=250)
    alt = f"{TITLES[kind]}: {len(states)} states of {states.shape[1]} numbers, one after each symbol read."
    charts.plot(figure, f"{kind}-states", alt, bare=True)
    charts.words(says)


def handed(what: Exercise, own: np.ndarray, cross: np.ndarray) -> str:
    """Where the transformer's first answer looks, and where that symbol had looked if it is not the answer itself. own, cross:
    weights [symbol, symbol] of the reader and [place, symbol] of the answers, mean of the heads."""
    row = cross[what.at[0]]
    best = int(row.argmax())
    said = f"The first answer looks most at symbol {best + 1}, “{escape(what.source[best])}” ({percent(float(row[best]))})"
    via = int(own[best].argmax())
    if what.source[best] == what.wanted[0] or what.source[via] != what.wanted[0]:
        return f"{said}."
    return (
        f"{said}. That one, in the map above, looked most at symbol {via + 1}, “{escape(what.source[via])}” "
        f"({percent(float(own[best, via]))}): so it can hand it on."
    )


def shares(gradient: np.ndarray) -> np.ndarray:
    """A gradient's lengths divided by their sum; zeros where there is none."""
    total = float(gradient.sum())
    return gradient / total if total > 0 else gradient


def gradients(task: str, what: Exercise, answer: int) -> None:
    """What the answer hangs on, over the distance to each symbol."""
    theme = charts.theme()
    charts.heading(
        "What the answer hangs on",
        "how fast the logarithm of the right answer’s probability changes when a symbol’s numbers change a little",
    )
    last = len(what.wanted) - 1
    number = min(answer, last)

    def turned(number: int) -> None:
        play(answer=number - 1)

    if last:
        places = range(1, last + 2)
        st.select_slider(
            "Answer number", places, key=held("answer-number", number + 1, len(places)),
            on_change=heard("answer-number", turned, places),
        )  # fmt: skip
    found = {TITLES[kind]: shares(gradient(task, kind, what, number)) for kind in KINDS}
    lines = {name: list(enumerate(part.tolist())) for name, part in found.items()}
    spec = curves.curves(lines, colours(theme), theme, "symbol read", "share of the speed", 200, marks=list(what.source))
    charts.curve(spec, "gradients", curves.said(lines, "gradient"))
    charts.words(
        "The speed of change is called the <b>gradient</b>: it tells what a very small change would do, not what the symbol is "
        "worth as a whole. Drawn are each symbol’s shares of it, which add up to 1 for each machine: one that is sure changes "
        "little anywhere. " + resting(what, number, found)
    )


def resting(what: Exercise, number: int, found: dict[str, np.ndarray]) -> str:
    """How much of each machine's gradient, as shares [symbol], lies on the symbols that hold answer `number`."""
    if what.asked:
        first = 2 * what.source[::2].index(what.asked)
        places, name = [first, first + 1], f"“{escape(what.source[first : first + 2])}”, the pair asked for,"
    else:
        places, name = [number], f"symbol {number + 1}, “{escape(what.source[number])}”, the one to say,"
    said = ", ".join(f"{kind} <b>{percent(float(part[places].sum()))}</b>" for kind, part in found.items())
    return f"On {name} lie: {said}. Shared out evenly it would be {percent(len(places) / len(what.source))}."
