"""How the machines came to what they can do: right answers over the steps of their training, as its log has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from core.figures import curves
from core.figures.labels import percent
from core.ui.kit import charts
from core.ui.rnn import machines
from core.ui.rnn.machines import KINDS, TITLES
from core.ui.running.runs import shared

Log = Mapping[int, Sequence[tuple[int, float]]]  # delay → (step, share of right answers)
GOOD = 0.9
CLIMBS = 0.01  # more right answers in the last quarter than in the one before it: training stopped too early


def logged(task: str) -> dict[str, Log]:
    """The training log of each machine."""

    def read() -> Any:
        from core.model import memory

        return memory.logs(task=task)

    return shared.ask(("memory", "logs", task), read).result()


def steps(task: str) -> int:
    """The steps of training that every machine had."""
    return max(step for log in logged(task).values() for points in log.values() for step, _ in points)


def quarters(log: Log) -> tuple[float, float]:
    """The mean share over all delays of the log: in the third quarter of the steps, and in the last one."""
    mean = np.mean([[share for _, share in points] for points in log.values()], axis=0)
    third, last = np.array_split(mean, 4)[2:]
    return float(third.mean()), float(last.mean())


def reached(points: Sequence[tuple[int, float]], good: float = GOOD) -> int | None:
    """The first logged step from which on the share never fell below `good` again; None where there is none."""
    below = [place for place, (_, share) in enumerate(points) if share < good]
    first = below[-1] + 1 if below else 0
    return points[first][0] if first < len(points) else None


def section(task: str, delay: int) -> None:
    """The curve at the logged delay that is next to the chosen one, and what it says of the difference between the machines."""
    from core.model.memory import WATCHED  # with torch, which is loaded no earlier than a page needs it

    logs = logged(task)
    at = min(logs["gru"], key=lambda known: (abs(known - delay), known))
    theme = charts.theme()
    lines = {TITLES[kind]: list(logs[kind][at]) for kind in KINDS}
    left, right = st.columns([500, 460], gap="large")
    with left:
        charts.heading("Right answers while they learnt", f"after {at} symbols; {WATCHED} exercises, never trained on")
        spec = curves.curves(lines, machines.colours(theme), theme, "steps of training", "share right", 190, top=1.0)
        charts.curve(spec, "learning", curves.said(lines, "share of right answers"))
    with right:
        charts.heading("Slow to learn, or unable to hold it?")
        charts.words(" ".join([_slow(lines), *_unfinished(logs["gru"])]))


def _slow(lines: Mapping[str, Sequence[tuple[int, float]]]) -> str:
    told = []
    for name, points in lines.items():
        step = reached(points)
        told.append(f"{name} {'never' if step is None else f'from step {step:,} on'}")
    return f"Right in {percent(GOOD)} and more: {', '.join(told)}."


def _unfinished(log: Log) -> list[str]:
    third, last = quarters(log)
    if last - third < CLIMBS:
        return []
    return [
        f"The GRU was right in {percent(third)} over the third quarter of its training and in {percent(last)} over the last one, "
        "all delays together: <b>it was still getting better when training stopped</b>. So a part of what it lacks is training; "
        "how much its state can hold at most, these curves do not tell."
    ]
