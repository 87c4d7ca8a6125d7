"""Branches of one text beside each other: where they part, and what the model thinks of each."""

from __future__ import annotations

import math
from html import escape

import streamlit as st

from core.figures import markup
from core.figures.labels import line
from core.request import Sampling
from core.trace import Trace
from core.ui.kit import charts
from core.ui.running.branches import BRANCHES, KEPT
from core.ui.running.scene import Scene
from core.ui.running.writing import Writing, given, turn, writing
from core.ui.session import state


def branch_to(made: tuple[int, ...]) -> None:
    """Go to another branch, keeping the one in view for comparison; the oldest goes when there are too many."""
    choice = state.chosen()
    kept = [branch for branch in (*choice[BRANCHES], choice.forced) if branch and branch != made]
    state.choose(forced=made, branches=tuple(dict.fromkeys(kept))[-KEPT :])


def forget(branch: tuple[int, ...]) -> None:
    """Drop a branch; where it was in view, the text as it grows by itself is shown."""
    choice = state.chosen()
    rest = tuple(one for one in choice[BRANCHES] if one != branch)
    state.choose(branches=rest, forced=() if branch == choice.forced else choice.forced)


def price(prompt: Trace, forced: int) -> list[float]:
    """ln p of the last `forced` tokens of a prompt, one by one, each given all before it. Needs predictions."""
    assert prompt.predictions is not None and prompt.target is not None
    last = len(prompt.target) - 1
    return [float(nats) for nats in prompt.predictions.actual_logprob[last - forced : last]]


def parting(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many tokens two texts have in common at their beginning."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def compare(view: Scene, text: Writing, prompt: Trace, sampling: Sampling, wanted: int) -> bool:
    """All branches, each a row; whether one of them is still being written."""
    choice = state.chosen()
    known = tuple(dict.fromkeys(((), *choice[BRANCHES], choice.forced)))
    if len(known) < 2:
        return False
    busy, rows = False, []
    told = st.container()  # what is told while waiting must not shift the place of what stands below
    for branch in known:
        with told:
            here = text if branch == choice.forced else writing(view, branch, sampling)
            busy = turn(view, here, branch, sampling, wanted) or busy
            trace = prompt if branch == choice.forced else given(view, branch)
        nats = [*price(trace, len(branch)), *here.logprobs]
        rows.append((branch, (*branch, *here.ids), nats))
    charts.heading("Branches side by side", "the same model, the same seed")
    free = rows[0][1]
    lens = view.lens
    for number, (branch, ids, nats) in enumerate(rows):
        shared = parting(ids, free) if branch else len(ids)
        with st.container(horizontal=True, key=f"branch-{number}", gap="small", vertical_alignment="center"):
            st.html(row(lens, ids, shared, len(branch), nats, branch == choice.forced))
            if branch != choice.forced:
                st.button("Open", key=f"branch-open-{number}", on_click=branch_to, args=(branch,))
            if branch:
                st.button("Forget", key=f"branch-forget-{number}", on_click=forget, args=(branch,))
    charts.words(
        "<b>Grey</b>: as it grows by itself. <b>Bold</b>: the first token that differs. <b>log p</b>: the natural logarithm of the "
        "probability of all tokens together, in nats; nearer to 0 is likelier. A text only gets less likely as it grows: where one "
        "is longer, compare the number for each token."
    )
    return busy


def row(lens: object, ids: tuple[int, ...], shared: int, forced: int, nats: list[float], here: bool) -> str:
    """One branch: its text in three parts, what it costs."""
    decode = lens.decode  # type: ignore[attr-defined]
    before, turned, after = (decode(ids[:shared]), decode(ids[: shared + 1]), decode(ids))
    parts = [before, turned[len(before) :], after[len(turned) :]]
    common, first, rest = (escape(line(part, 160)) for part in parts)
    name = ("By itself" if not forced else "Branch") + (", in view" if here else "")
    mean = sum(nats) / max(1, len(nats))
    return (
        f'<div class="branch{" here" if here else ""}"><span class="branch-name">{name}</span>'
        f'<bdi class="common">{common}</bdi> <bdi class="turn">{first}</bdi> <bdi>{rest}</bdi>'
        f'<span class="branch-says">log p <b>{markup.nats(sum(nats))}</b> over {len(nats)} tokens, {markup.nats(mean)} each '
        f"({-mean / math.log(2):.2f} bits)</span></div>"
    )

