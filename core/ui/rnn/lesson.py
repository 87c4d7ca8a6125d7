"""From RNN to attention: the lesson around the machines: the game, the dial from idea to code, questions, presets."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import streamlit as st

from core.figures.labels import percent
from core.ui.kit import charts, lesson, trouble
from core.ui.rnn import cost, game, machines, training
from core.ui.session import state
from core.ui.session.state import heard, held


def opened() -> None:
    """The whole page below the title."""
    top = st.container()
    for note in state.take_notes():
        trouble.tell(note, "note")
    it = game.game()
    state.publish()
    _controls(it)
    task, delay = it.task, it.delay
    at = machines.nearest(task, delay)
    share = {kind: percent(found[at]) for kind, found in machines.measured(task).items()}
    with top:
        _first_line(task, at, share)
    charts.words(machines.RULES[task] + machines.PLAYERS)
    lesson.presets(_presets())
    left, right = st.columns([500, 460], gap="large")
    with left:
        machines.curve(task, delay)
    with right:
        charts.heading("One exercise", "run now, in all three")
        place = st.container()
        what = machines.choose(it)
        with place:
            machines.spelled(what)
            machines.verdicts(task, what)
    training.section(task, delay)
    charts.rule()
    charts.heading("What each keeps of it")
    for kind, column in zip(machines.KINDS, st.columns(3, gap="medium"), strict=True):
        with column:
            machines.memory(task, kind, what)
    charts.rule()
    machines.gradients(task, what, it.answer)
    charts.rule()
    cost.section()
    charts.rule()
    _dial(task, what)
    lesson.questions(_questions(task, delay, what))
    lesson.source(
        "Cho et al. 2014 (the GRU); Sutskever, Vinyals and Le 2014 (one state); Bengio, Simard and Frasconi 1994 (why a gradient "
        "fades over many steps), Pascanu et al. 2013 (or explodes); Bahdanau, Cho and Bengio 2015, eq. 5–6, §A.1.2 and Figure 3 "
        "(looking back); Vaswani et al. 2017, eq. 1 and Table 1 (attention alone). The machines’ sizes differ by less than a "
        "tenth; each one’s card tells its training."
    )


def _first_line(task: str, at: int, share: dict[str, str]) -> None:
    asked = f"Asked after {at} more symbols" if task == "recall" else f"Told to repeat {at} symbols"
    lesson.sentence(
        f"{asked}, a recurrent network that was trained for {training.steps(task):,} steps is right <b>{share['gru']}</b> of the "
        f"time; let it look back, and after as many steps it is right <b>{share['attention']}</b>. The transformer, which only "
        f"looks back: <b>{share['transformer']}</b>."
    )


def _controls(it: game.Game) -> None:
    key = f"delay-{it.task}"

    def picked(task: str) -> None:
        game.play(task=task)

    def delayed(delay: int) -> None:
        game.play(delay=delay)

    left, right = st.columns([200, 760], gap="large")
    with left:
        st.segmented_control(
            "Game", machines.TASKS, key=held("task", it.task), format_func=machines.NAMES.__getitem__, required=True,
            on_change=heard("task", picked, machines.TASKS),
        )  # fmt: skip
    with right:
        label = "Delay: symbols read after the first two pairs" if it.task == "recall" else "Delay: symbols to copy"
        delays = machines.DELAYS[it.task]
        st.select_slider(label, delays, key=held(key, it.delay), on_change=heard(key, delayed, delays))


def _set(task: str, delay: int, own: str = "") -> None:
    game.play(task=task, delay=delay, exercise=own)


def _presets() -> list[lesson.Preset]:
    return [
        lesson.Preset(
            "No delay",
            "Two pairs, then the question: one note is enough. See how near to 1 each curve begins.",
            lambda: _set("recall", 0),
        ),
        lesson.Preset(
            "The longest delay",
            "See the row “→” in the map of the GRU with attention: does one cell still stand out, and is it the digit asked for? "
            "The state of the plain GRU has no such place.",
            lambda: _set("recall", 28),
        ),
        lesson.Preset(
            "Copy 28 symbols",
            "The alignment becomes a diagonal: to say symbol n, look at symbol n. Which machine loses its way, and where?",
            lambda: _set("copy", 28),
        ),
        lesson.Preset(
            "One letter, over and over",
            "Contents do not tell these symbols apart, only places do. Which machine loses the thread?",
            lambda: _set("copy", 12, "a" * 12),
        ),
    ]


def _dial(task: str, what: machines.Exercise) -> None:
    from core.model.multihead import attention
    from core.model.recurrent import GRU, AdditiveAttention

    def maths() -> None:
        lesson.formula(
            r"h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}",
            f"The recurrent network: the state h after symbol t is a mix of the old state and something new, n, made from the "
            f"symbol and the old state; z, from 0 to 1, says for each number how much stays (⊙: multiplied number by number). Here "
            f"h is {len(machines.seen(task, 'gru', what).reader[-1])} numbers and t runs from 1 to {len(what.source)}.",
        )
        far = len(what.source) - 1
        lesson.formula(
            r"\frac{\partial a}{\partial x_1} = \frac{\partial a}{\partial h_T} \cdot \frac{\partial h_T}{\partial h_{T-1}} \cdots "
            r"\frac{\partial h_2}{\partial h_1} \cdot \frac{\partial h_1}{\partial x_1} \qquad "
            rf"0.9^{{{far}}} = {0.9**far:.3f}",
            f"∂a/∂x₁ is how fast the answer a changes with the first symbol’s numbers x₁; T = {len(what.source)} is the last "
            f"symbol read. It is a product with one factor, a table of numbers, for each of the {far} steps from state to state. "
            "If each let nine tenths through, this is what would arrive: then the gradient fades over distance, and what is far is "
            "hard to learn (Bengio, Simard and Frasconi 1994); factors above 1 make it explode instead (Pascanu, Mikolov and "
            "Bengio 2013). Where a GRU’s z is near 1, the old number stays and its factor is near 1. Looking back is one step, "
            "however far.",
        )
        look = machines.seen(task, "attention", what)
        place = what.at[0]
        row = np.asarray(look.alignment[place], dtype=np.float64)
        best = int(row.argmax())
        lesson.formula(
            r"e_{j} = v^\top \tanh(W s + U h_j) \qquad \alpha_j = \frac{\exp(e_j)}{\sum_k \exp(e_k)} \qquad c = \sum_j \alpha_j "
            r"h_j",
            "Looking back: every kept state h<sub>j</sub> is compared with the writer’s state s, by way of the learnt v, W and "
            "U (tanh brings any number between −1 and 1; v<sup>⊤</sup> multiplies number by number and adds up). That is its score "
            "e<sub>j</sub>. exp takes Euler’s number 2.718… to the power of it; divided by the sum of all, that is its weight "
            "α<sub>j</sub>. The weighted sum c joins the answer. "
            f"For the first answer here the largest weight is α<sub>{best + 1}</sub> = <b>{row[best]:.4f}</b>, at "
            f"“{escape(what.source[best])}”; all {len(row)} add up to <b>{row.sum():.4f}</b>.",
        )
        own = np.asarray(machines.seen(task, "transformer", what).own[-1])
        lesson.formula(
            r"\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d_k}}\right) V",
            f"The transformer: all symbols (queries Q) are compared with all (keys K) at once; d<sub>k</sub> is how many numbers a "
            f"key has (K<sup>⊤</sup>: K turned on its side, so that each query meets each key). The softmax makes weights of them "
            f"as above, exp over the sum, and the weights mix the values V. Here that is {own.shape[1]} × {own.shape[2]} = "
            f"{own[0].size:,} weights in each of {own.shape[0]} heads, and no symbol waits for another.",
        )

    lesson.dial(
        "A <b>recurrent network</b> reads like someone who may keep one small note: after each symbol the note is written anew, "
        "and what no longer fits is lost. <b>Attention</b> keeps all notes and looks back at the ones that matter. The "
        "<b>transformer</b> went further: if looking back is what helps, drop the note. “Attention Is All You Need.”",
        maths,
        [GRU.step, AdditiveAttention.forward, attention],
    )


def _questions(task: str, delay: int, what: machines.Exercise) -> list[Any]:
    table = machines.measured(task)
    lost = next((at for at, share in sorted(table["gru"].items()) if share < 0.75), max(table["gru"]))
    row = np.asarray(machines.seen(task, "attention", what).alignment[what.at[0]])
    best = int(row.argmax()) + 1
    longest = max(machines.DELAYS[task])
    return [
        lesson.Number(
            "Each dot on the grey curve was measured. What is the delay of the first dot where the GRU is right in less than 75 % "
            "of the exercises?",
            lost, 0.5, f"{percent(table['gru'][lost])} at {lost}.", "Find 0.75 on the left, then the first grey dot below it.",
        ),
        lesson.Number(
            "In the map of the GRU with attention: the first answer is given after the symbol “→”. Which symbol read, counted from "
            "1, does it look at most?",
            best, 0.01, f"Symbol {best}, “{escape(what.source[best - 1])}”, with a weight of {row[best - 1]:.2f}.",
            "Find the row “→” and the cell that stands out most; count the columns, or rest the pointer on it.",
        ),
        lesson.Act(
            f"Set the delay to {longest} and find out which machines still answer.", delay == longest,
            f"After {longest} symbols: " + ", ".join(f"{machines.TITLES[k]} {percent(f[longest])}" for k, f in table.items()) + ".",
            "Use the slider on top, and read the three curves there.",
        ),
    ]  # fmt: skip
