"""Who tells more of the unlabelled points right as the labels grow in number: measured when asked, number by number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from core.analysis.transductive import fewlabels
from core.analysis.transductive.fewlabels import Measured
from core.analysis.transductive.pointsets import PointSet
from core.analysis.transductive.transduction import NONE
from core.figures import curves
from core.figures.digit_strip import strip
from core.figures.labels import percent
from core.figures.theme import Theme
from core.ui.kit import charts
from core.ui.running.waiting import work
from core.ui.transductive import datasets

SHOWN = 20  # digits of a kind
TITLES = {"spreading": "Label spreading", "nearest": "Nearest labelled point", "logistic": "Logistic regression"}


@dataclass(frozen=True, slots=True)
class Course:
    """What is measured: which points, how they look at each other, and how many labels a class in turn."""

    name: str
    gamma: float
    alpha: float
    each: tuple[int, ...]

    @property
    def moving(self) -> bool:
        """Whether each seed draws other points too, or other labels only."""
        return self.name in datasets.SAID


def sets(course: Course, points: PointSet) -> list[PointSet]:
    """The points of each seed."""
    return [datasets.plane(course.name, seed) if course.moving else points for seed in range(fewlabels.SEEDS)]


def reached(course: Course, points: PointSet) -> list[np.ndarray]:
    """Where spreading ends on the points of each seed; waited for, with its progress shown."""
    drawn = sets(course, points)
    key = ("transductive", course.name, course.gamma, course.alpha, "ends")
    says = f"{len(points.classes)} points look at each other."
    return work(key, lambda: fewlabels.ends(drawn, course.gamma, course.alpha), says)


def measured(course: Course, points: PointSet, number: int) -> Measured:
    """The answer for one number of labels, from the shared ones or computed now, with its progress shown."""
    at = course.each.index(number)
    base = ("transductive", course.name, course.gamma, course.alpha)
    drawn, ends = sets(course, points), reached(course, points)
    says = f"{fewlabels.SEEDS} draws of {number * points.count} labels: {at + 1} of {len(course.each)}."
    return work((*base, number), lambda: fewlabels.measure(drawn, ends, number), says)


def curve(course: Course, points: PointSet) -> list[Measured]:
    """The whole course, its picture and its table."""
    theme = charts.theme()
    drawn = "other points and other labels" if course.moving else "the same points, other labels"
    charts.heading("Over the number of labels", f"{fewlabels.SEEDS} draws at each: {drawn} every time")
    found = _in_turn(course, points)
    if not found:
        return found
    lines = {title: [(one.labels, one.mean(way)) for one in found] for way, title in TITLES.items()}
    bands = {title: [(one.labels, *one.interval(way)) for one in found] for way, title in TITLES.items()}
    low = min(min(a for _, a, _ in span) for span in bands.values())
    spec = curves.curves(
        lines, colours(theme), theme, "labelled points", "share of the others right", 230, top=1.0,
        bands={name: [(x, a, min(1.0, b)) for x, a, b in span] for name, span in bands.items()},
        low=max(0.0, int(low * 10) / 10), what="way",
    )  # fmt: skip
    left, right = st.columns([400, 590], gap="medium")
    with left:
        charts.curve(spec, f"curve-{course.name}", curves.said(lines, "share right"))
    with right:
        st.html(table(found, course))
        charts.words(verdict(found))
    return found


def _in_turn(course: Course, points: PointSet) -> list[Measured]:
    """One number of labels after the other. A visitor may stop between two, and go on later."""
    known = st.session_state.setdefault("curve-measured", {}).setdefault(course, [])
    stopped = f"stopped-{course.name}"
    if st.session_state.get(stopped):
        st.button("Measure the rest", key=f"go-on-{course.name}", on_click=st.session_state.pop, args=(stopped, None))
        return [measured(course, points, number) for number in known]
    place = st.empty()
    if not course.moving and len(known) < len(course.each):
        place.button("Stop", key=f"stop-{course.name}", on_click=st.session_state.update, args=({stopped: True},))
    found = []
    for number in course.each:
        found.append(measured(course, points, number))
        if number not in known:
            known.append(number)
    place.empty()
    return found


def digits(course: Course, points: PointSet, each: int) -> None:
    """What the first draw gave, picture by picture."""
    labels, spread, near = fewlabels.one_draw(points, reached(course, points)[0], each)
    rest = labels == NONE
    right, close = spread == points.classes, near == points.classes
    groups = (
        (f"The {int((~rest).sum())} labelled ones of the first draw", np.flatnonzero(~rest), lambda n: f"{labels[n]}"),
        (f"{int((rest & right & ~close).sum())} that spreading gets right and the nearest labelled point does not; "
         f"the first {SHOWN}",
         np.flatnonzero(rest & right & ~close)[:SHOWN], lambda n: f"{spread[n]}, not {near[n]}"),
        (f"{int((rest & close & ~right).sum())} the other way round",
         np.flatnonzero(rest & close & ~right)[:SHOWN], lambda n: f"{near[n]}, not {spread[n]}"),
    )  # fmt: skip
    for title, chosen, says in groups:
        charts.heading(title)
        images = [points.x[n].reshape(8, 8) for n in chosen]
        st.html(strip(title, images, [says(n) for n in chosen], charts.theme()))


def colours(theme: Theme) -> dict[str, str]:
    """Violet for what travels along attention weights, greys for the two rules."""
    return {TITLES["spreading"]: theme.weights[5], TITLES["nearest"]: theme.ink, TITLES["logistic"]: theme.ink3}


def table(found: list[Measured], course: Course) -> str:
    """Means and 95 % intervals as an HTML table."""
    heads = "".join(f'<th scope="col">{title}</th>' for title in TITLES.values())
    rows = []
    for one in found:
        cells = "".join(f"<td><b>{percent(one.mean(way))}</b> {_span(*one.interval(way))}</td>" for way in TITLES)
        ahead, low, high = one.lead()
        rows.append(
            f'<tr><th scope="row">{one.labels}</th>{cells}<td class="result">{_points(ahead)} '
            f"<span>{_points(low)} … {_points(high)}</span></td></tr>"
        )
    caption = (
        f"Share right of the points without a label: the mean of {fewlabels.SEEDS} draws. Behind it, and as a band in the "
        f"picture, how far luck of the draw may have moved it (its 95 % interval: mean ± {fewlabels.T95:.2f} · s ÷ "
        f"√{fewlabels.SEEDS}; s, the standard deviation, says how far the draws lie from their mean, typically). Last column: by "
        "how many percentage points spreading is ahead of the better of the two others in the same draw; it is called ahead or "
        f"behind where that interval leaves 0 out. Spreading looks with γ = {course.gamma:g} and α = {course.alpha:g}, chosen by "
        "hand: a few labels cannot choose them."
    )
    return (
        f'<p class="how">{caption}</p><div class="sum few" tabindex="0" role="region" aria-label="The same as a table"><table>'
        f'<thead><tr><th scope="col">labels</th>{heads}<th scope="col" class="ahead">ahead</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def verdict(found: list[Measured]) -> str:
    """Where spreading is surely ahead, and where it is surely behind: where the interval of its lead leaves 0 out."""
    ahead = [str(one.labels) for one in found if one.lead()[1] > 0]
    behind = [str(one.labels) for one in found if one.lead()[2] < 0]
    open_ = [str(one.labels) for one in found if one.lead()[1] <= 0 <= one.lead()[2]]
    parts = []
    if ahead:
        parts.append(f"<b>On average spreading is ahead</b> of both rules with {_and(ahead)} labels")
    if behind:
        parts.append(f"<b>on average spreading is behind</b> the better rule with {_and(behind)} labels")
    if open_:
        parts.append(f"with {_and(open_)} labels these draws cannot tell them apart")
    text = "; ".join(parts)
    return f"{text[0].upper() if not text.startswith('<b>') else ''}{text[1:] if not text.startswith('<b>') else _capital(text)}."


def _capital(text: str) -> str:
    return f"<b>{text[3].upper()}{text[4:]}"


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _span(low: float, high: float) -> str:
    return f"<span>({100 * low:.1f} … {100 * high:.1f})</span>"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")
