"""From RNN to attention: what length costs each machine, measured on this computer beside the paper's Table 1."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from core.analysis.growth import exponent, exponent_interval
from core.figures import curves
from core.ui.kit import charts
from core.ui.rnn import machines
from core.ui.running.waiting import work

KEPT = "Transformer, map kept"
NAMES = {**machines.TITLES, "transformer, map kept": KEPT}
ORDERS = {  # Vaswani et al. 2017, Table 1, and what stands beside it for additive attention over n states
    "gru": ("n", "n", "n"),
    "attention": ("n²", "n", "1"),
    "transformer": ("n²", "1", "1"),
    "transformer, map kept": ("n²", "1", "1"),
}


def measure_all() -> list[Any]:
    """All costs, each measured once on this server and then kept; its progress is shown, and leaving the page stops it."""
    from core.model import costs

    # in the lane of costly runs: one at a time, so that clocks do not disturb each other
    def ask(key: tuple[Any, ...], compute: Any) -> Any:
        return work(("memory", "cost", *key), compute, "Measuring.", weights=1 << 40, soon=600.0)

    race = ask(("race",), partial(costs.Race, costs.LENGTHS))
    bar, counted, rounds = st.progress(0.0, "Measuring"), [], []
    steps = len(race.runs) + costs.REPEATS
    for number, (kind, length) in enumerate(race.runs):
        bar.progress(number / steps, f"Counting {NAMES[kind]} over {length:,} symbols")
        counted.append(ask((kind, length), partial(race.count, kind, length)))
    for number in range(costs.REPEATS):
        bar.progress((len(counted) + number) / steps, f"Timing all of them, round {number + 1} of {costs.REPEATS}")
        rounds.append(ask(("round", number), race.round))
    bar.empty()
    return costs.timed(counted, rounds)


def growth_of(found: list[Any], what: str) -> dict[str, list[tuple[float, float]]]:
    """Cost over length, machine by machine: "seconds" (the median, in ms), "multiplications", "bytes" or "chain"."""
    lines: dict[str, list[tuple[float, float]]] = {name: [] for name in NAMES.values()}
    for cost in found:
        value = 1000 * float(np.median(cost.seconds)) if what == "seconds" else float(getattr(cost, what))
        lines[NAMES[cost.kind]].append((float(cost.length), value))
    return lines


def section() -> None:
    """Four curves, their exponents, and the paper's table."""
    charts.heading("What length costs", "the same machines, n symbols read and n answers predicted, measured on this computer")
    if not st.session_state.get("costs-measured"):
        st.button("Measure here", key="measure", on_click=st.session_state.update, args=({"costs-measured": True},))
        charts.words(
            "Time, multiplications, memory and steps that must wait for each other, for 128 to 1,024 symbols. It takes about "
            "half a minute of one core, and shows its progress."
        )
        return
    found = measure_all()
    theme = charts.theme()
    paint = {**machines.colours(theme), KEPT: theme.decoder}
    st.html(legend(paint))
    spans: dict[str, list[tuple[float, float, float]]] = {name: [] for name in NAMES.values()}
    for cost in found:
        low, high = np.quantile(cost.seconds, (0.25, 0.75))
        spans[NAMES[cost.kind]].append((float(cost.length), 1000 * float(low), 1000 * float(high)))
    shown = (
        ("seconds", "Time", "milliseconds", f"processor time, median of {len(found[0].seconds)} rounds; upright: its middle half"),
        ("chain", "Steps one after the other", "matrix products in a row", "each waits for the one before"),
        ("multiplications", "Work", "multiplications", "those of matrix products"),
        ("bytes", "Memory at once", "bytes", "the most held at a time during the pass"),
    )
    left, right = st.columns(2, gap="large")
    for number, (what, title, up, qualifier) in enumerate(shown):
        lines = growth_of(found, what)
        with (left, right)[number % 2]:
            charts.heading(title, qualifier)
            spec = curves.growth(lines, spans if what == "seconds" else {}, paint, theme, up)
            charts.curve(spec, f"cost-{what}", curves.said(lines, up))
    st.html(table(found))
    charts.words(
        "The exponent is the slope of these very points on logarithmic axes, where equal steps multiply: 1 means twice the text "
        "costs twice as much, 2 four times, 0 nothing more. The transformer’s work lies between 1 and 2: part of it is per symbol, "
        "part per pair of symbols, and the second wins as texts grow. <b>Steps in a row</b>: here, as in training, the right "
        "answers so far are given (<b>teacher forcing</b>), so the transformer predicts all n at once, and a machine with many "
        "cores does it at once: that is what the paper gained. When it <b>writes by itself</b>, each symbol waits for the one "
        "before, n times, like a recurrent network. Its map of n × n weights grows with the square only if someone keeps it (“map "
        "kept”); computed piece by piece and thrown away at once, in what is called a fused kernel, it never stands there as a "
        "whole. Time is what the processor spent, not what the clock says, and every round times all machines in turn: so a busy "
        "computer slows none of them alone."
    )


def legend(paint: dict[str, str]) -> str:
    """The names with their colours; the colours are ours."""
    return '<p class="legend">' + "".join(f'<span><i style="background:{c}"></i>{n}</span>' for n, c in paint.items()) + "</p>"


def table(found: list[Any]) -> str:
    """Measured exponents beside the orders of the paper."""
    from core.model.costs import LENGTHS

    kinds = ("multiplications", "chain", "seconds", "bytes")
    rows = []
    for kind, name in NAMES.items():
        slopes = []
        for what in kinds:
            points = growth_of(found, what)[name]
            slopes.append(exponent([x for x, _ in points], [y for _, y in points]))
        work, steps, way = ORDERS[kind]
        times = [cost for cost in found if NAMES[cost.kind] == name]
        low, high = exponent_interval([cost.length for cost in times], [cost.seconds for cost in times])
        time = f"{slopes[2]:.2f} ({low:.2f} to {high:.2f})"
        cells = (work, f"{slopes[0]:.2f}", steps, f"{slopes[1]:.2f}", way, time, f"{slopes[3]:.2f}")
        rows.append(f'<tr><th scope="row">{name}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    heads = ("", "work, in theory", "measured", "steps in a row, in theory", "measured", "longest way, in theory", "time, measured",
             "memory, measured")  # fmt: skip
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    caption = (
        f"<caption>Powers of n between {LENGTHS[0]} and {LENGTHS[-1]:,} symbols. In theory: Table 1 of Vaswani et al. 2017, for "
        "one layer whose inputs are all given, its width d held fixed; for additive attention the same count by us. Longest way: "
        "how many steps a signal takes from the first symbol to the last answer. Behind a time: where nine in ten exponents fall "
        "if the same measurements are drawn again.</caption>"
    )
    return f'<div class="sum orders"><table>{caption}<thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
