"""The encoder–decoder theatre on a page: a whole translation is computed, sent once, and played in the browser."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from core.errors import LensError
from core.figures.labels import line
from core.figures.payloads import theatre as theatre_payload
from core.request import Request
from core.trace import Trace
from core.ui.kit import charts, trouble
from core.ui.kit.component import component
from core.ui.kit.turns import turns
from core.ui.running.branches import (
    DEPTH,
    LONGEST,
    READS,
    Played,
    asked,
    closed,
    fitting,
    play,
    read_branch,
    trace_of,
)
from core.ui.running.scene import Scene
from core.ui.session import state

ROOM = 96  # tokens of source or target that the maps can show, where all heads of the model fit one message


def theatre(view: Scene) -> None:
    """The stage: both sentences, ribbons, maps, and the way through the steps."""
    choice = view.choice
    try:
        request = asked(view, choice.forced, choice[READS], choice[DEPTH])
        played = play(view, request)
        trace = trace_of(view, played.request)
    except LensError as error:
        trouble.show(error)
        if choice[READS] or choice.forced:
            st.button("Forget the branch", key="branch-off", on_click=_forget)
        return
    if not _fits(view, trace):
        if choice.forced:
            st.button("Forget the branch", key="branch-off", on_click=_forget)
        return
    _stage(view, played, trace)
    if not played.ended:
        charts.words(f"It was stopped after {LONGEST} tokens, or where the model takes no more; it had not ended its text.")
    if choice[READS] or choice.forced:
        _branches(view, request, trace)


def _fits(view: Scene, trace: Trace) -> bool:
    """Whether the text can be shown; else a sentence says why not."""
    assert trace.source is not None and trace.target is not None
    most = min(ROOM, theatre_payload.room(view.info.sites))
    if max(len(trace.source), len(trace.target)) <= most:
        return True
    charts.words(
        f"For this model the theatre shows texts of up to {most} tokens; here are {len(trace.source)} and "
        f"{len(trace.target)}. Attention shows longer ones."
    )
    return False


def _stage(view: Scene, played: Played, trace: Trace) -> None:
    choice, base = view.choice, len(view.base.target or ())
    version = f"{abs(hash((trace.request, played.given, choice[READS]))):x}"

    def branched(message: dict[str, Any]) -> None:
        try:
            made = read_branch(message, version, trace, base, choice[READS], view.lens)
        except LensError as error:
            state.session().notes = (str(error),)
            return
        if made is not None and made[1] and view.info.reason:
            state.session().notes = (view.info.reason,)
        elif made is not None:
            state.choose(forced=made[0], reads=made[1])

    confined = choice[READS][-1][0] if choice[READS] else -1
    at = played.given if confined == played.given else played.given - 1
    data = theatre_payload.payload(
        trace, played.given, version, max(0, at) if choice[READS] or choice.forced else 0,
        ends=view.lens.ends, note=_note(view, trace.request), only=dict(choice[READS]),
        fixed=bool(view.info.reason),
    )  # fmt: skip
    data["theme"] = st.context.theme.type
    _theatre(key="theatre", data=data, on_branch_change=turns("theatre").hears("branch", branched))


def _note(view: Scene, request: Request) -> str:
    """What else differs from the model as it was trained."""
    depth, said = request.intervention.depth, [view.info.reason] if view.info.reason else []
    if depth is not None and depth < (view.info.depths or 0):
        after = f"layer {depth} of {view.info.depths}" if depth else "no layer at all: the embedded words alone"
        said.append(f"The decoder reads the encoder after {after}.")
    if view.choice.mask:
        cells = sum(len(rule.edges) for rule in view.choice.mask)
        said.append("Your mask from the page Masks applies here too.")
        if cells > sum(len(rule.edges) for rule in fitting(view.choice.mask, view.base)):
            said.append("Its cells in rows that were not written yet do not.")
    return " ".join(said)


def _branches(view: Scene, request: Request, trace: Trace) -> None:
    """The branch beside what the model writes by itself."""
    assert trace.source is not None and trace.target is not None
    choice, lens, base = view.choice, view.lens, len(view.base.target or ())
    alone = play(view, asked(view, depth=choice[DEPTH]))
    free = lens.decode((alone.request.target or ())[base:]).strip()
    here = lens.decode(trace.target.ids[base:]).strip()
    charts.heading("Two branches")
    rows = [("as it writes by itself", free), ("with your changes", here)]
    body = "".join(f"<tr><th>{name}</th><td><bdi>{escape(line(text))}</bdi></td></tr>" for name, text in rows)
    st.html(f'<div class="branches"><table>{body}</table></div>')
    count = len(closed(choice[READS], len(trace.source)))
    if count:
        steps = "One step reads" if len(choice[READS]) == 1 else f"{len(choice[READS])} steps read"
        cells = "one cell of the cross-attention is" if count == 1 else f"{count} cells of the cross-attention are"
        charts.words(
            f"{steps} only the words you left: {cells} shut in every head before the weights are made, so what is left of "
            "a row still adds up to 100 %."
        )
    st.button("Forget the branch", key="branch-off", on_click=_forget)


def _forget() -> None:
    state.choose(forced=(), reads=())


_theatre = component("theatre")
