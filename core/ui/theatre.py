"""The encoder–decoder theatre on a page: a whole translation is computed, sent once, and played in the browser."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import streamlit as st

from core.errors import LensError
from core.figures import theatre_payload
from core.figures.labels import label
from core.figures.theme import DARK, LIGHT
from core.request import Request, Sampling
from core.trace import Trace
from core.ui import charts, models, state, trouble
from core.ui.runs import shared
from core.ui.scene import Scene, lens_of, wait

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "components" / "theatre"
LONGEST = 64  # pieces written at most
ROOM = 96  # pieces of source or target that the maps can show


def base_of(view: Scene) -> Request:
    """The request before anything was grown: the source, and the target that the visitor typed, if any."""
    grown = view.grown.ids if view.grown is not None else ()
    target = view.request.target or ()
    return replace(view.request, target=target[: len(target) - len(grown)])


def written_on(view: Scene, forced: tuple[int, ...]) -> tuple[int, ...]:
    """The ids that the model writes greedily after the base request and `forced`, up to LONGEST, the end left out."""
    lens, request = lens_of(view.model), base_of(view)
    request = request.append(*forced) if forced else request
    for rule in view.choice.mask:
        request = request.with_mask(rule)

    def compute() -> tuple[int, ...]:
        ids: list[int] = []
        ends = lens.text.ends if lens.text is not None else ()
        with models.shelf.lease(view.model, lens):
            for step in lens.generate(request.keeping(), Sampling(temperature=0.0), LONGEST):
                if step.choice.id in ends:
                    break
                ids.append(step.choice.id)
        return tuple(ids)

    ticket = shared.ask((view.info.id, "theatre", request), compute)
    wait(ticket.settled, lambda: f"Writing, piece by piece. {ticket.seconds:.0f} s")
    return ticket.result()


def whole(view: Scene, forced: tuple[int, ...]) -> Trace:
    """The trace of source and whole target: each row of the decoder is one step."""
    ids = (*forced, *written_on(view, forced))
    request = base_of(view)
    view = replace(view, request=request.append(*ids) if ids else request)
    return view.run(view.choice.mask, ("pattern", "predictions"))


def theatre(view: Scene) -> None:
    """The stage: both sentences, ribbons, maps, and the way through the steps."""
    forced = state.chosen().forced
    try:
        trace = whole(view, forced)
    except LensError as error:
        trouble.show(error)
        st.button("Forget the branch", key="branch-off", on_click=lambda: state.choose(forced=()))
        return
    assert trace.source is not None and trace.target is not None
    if max(len(trace.source), len(trace.target)) > ROOM:
        charts.words(
            f"The theatre shows texts of up to {ROOM} pieces; here are {len(trace.source)} and {len(trace.target)}. "
            "Attention shows longer ones."
        )
        return
    given = len(base_of(view).target or ()) - 1 + len(forced)
    version = f"{abs(hash((trace.request, len(forced)))):x}"

    def branched() -> None:
        told = (st.session_state.get("theatre") or {}).get("branch")
        made = read_branch(told, version, trace, len(base_of(view).target or ()))
        if made is not None:
            state.choose(forced=made)

    data = theatre_payload.payload(trace, given, version, max(0, given - 1) if forced else 0)
    _theatre(key="theatre", data={**data, "theme": st.context.theme.type}, on_branch_change=branched)
    if forced:
        free = lens_of(view.model).decode(list(written_on(view, ()))).strip()
        here = lens_of(view.model).decode(list(trace.target.ids[len(base_of(view).target or ()) :])).strip()
        charts.heading("Two branches")
        st.table({"": ["as it writes on its own", "with your piece"], "text": [label(free, 200), label(here, 200)]})
        st.button("Forget the branch", key="branch-off", on_click=lambda: state.choose(forced=()))


def read_branch(raw: Any, version: str, trace: Trace, base: int) -> tuple[int, ...] | None:
    """What a browser sent, as the ids forced after the base target; None for anything else, whatever it is."""
    if type(raw) is not dict or set(raw) != {"version", "step", "id"} or raw["version"] != version:
        return None
    step, id = raw["step"], raw["id"]
    assert trace.target is not None and trace.predictions is not None
    if type(step) is not int or type(id) is not int or not base - 1 <= step < len(trace.target):
        return None
    if id not in trace.predictions.top_ids[step][: theatre_payload.SHOWN].tolist():
        return None
    return (*(int(one) for one in trace.target.ids[base : step + 1]), id)


def _script() -> str:
    themes = json.dumps({theme.name: asdict(theme) for theme in (LIGHT, DARK)})
    return f"const THEMES = {themes};\n" + (FOLDER / "theatre.js").read_text("utf-8")


_theatre = st.components.v2.component(
    "lookback_theatre", js=_script(), css=(FOLDER / "theatre.css").read_text("utf-8"), isolate_styles=True
)
