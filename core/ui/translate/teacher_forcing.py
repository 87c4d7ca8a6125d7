"""Teacher forcing beside free running: a text that the visitor gives, read step by step beside the model's own."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.errors import LensError
from core.figures.payloads import duet as duet_payload
from core.figures.payloads.theatre import room
from core.request import Request
from core.ui.kit import charts, trouble
from core.ui.kit.component import component
from core.ui.running.branches import DEPTH, asked, encoded, play, trace_of
from core.ui.running.scene import Scene
from core.ui.session import state
from core.ui.session.state import heard, held
from core.ui.translate.parameters import TEACHER
from core.ui.translate.theatre import ROOM


def teacher(view: Scene) -> None:
    """The field for the text, and both runs where there is one."""
    charts.heading("Teacher forcing beside free running", "your translation against its own")
    charts.words(
        "In training a model is not left to itself: at each step a teacher hands it the right words so far, whatever it would have "
        "written (<b>teacher forcing</b>). Alone, it reads its own words (<b>free running</b>). Give a translation, or change a "
        "word of its own, and see where the two part. A text’s probability is the product of its tokens’, each given those before "
        "it."
    )
    given = state.chosen()[TEACHER]

    def changed(text: str) -> None:
        state.choose(teacher=text.strip() or None)

    st.text_input(
        "Your translation", key=held("teacher", given or ""), max_chars=400, autocomplete="off",
        on_change=heard("teacher", changed),
        placeholder="Type a translation and press Enter",
    )  # fmt: skip
    if not given:
        with trouble.guarded():
            st.button("Begin with its own words", key="teacher-own", on_click=state.choose, kwargs={"teacher": own(view)})
        return
    with trouble.guarded():
        duet(view, given, view.choice[DEPTH])


def own(view: Scene) -> str:
    """What the model writes by itself, as a text to begin from."""
    bare = _bare(view)
    return view.lens.decode(play(bare, asked(bare, depth=view.choice[DEPTH])).written).strip()


def _bare(view: Scene) -> Scene:
    """The same with an empty target: what the visitor typed there is not the teacher's."""
    base = replace(view.base, target=(view.base.target or ())[:1])
    return replace(view, base=base, request=base, grown=None)


def runs(view: Scene, text: str, depth: int | None) -> tuple[Request, Request, bool]:
    """Both requests, each with its whole target: the text given and the model's own; and whether the model ended its own.

    Raises InputError or TooLongError for a text that the model cannot take.
    """
    bare = _bare(view)
    played = play(bare, asked(bare, depth=depth))
    given = asked(bare, encoded(view.lens, bare.base.source or (), text), depth=depth)
    return given, played.request, played.ended


def duet(view: Scene, text: str, depth: int | None) -> None:
    """Both runs, played by one cursor."""
    try:
        given, free, ended = runs(view, text, depth)
        traces = trace_of(view, given), trace_of(view, free)
    except LensError as error:
        trouble.show(error)
        return
    longest = max(len(request.target or ()) for request in (given, free))
    most = min(ROOM, room(view.info.sites))
    if max(longest, len(given.source or ())) > most:
        charts.words(f"For this model the two runs show texts of up to {most} tokens; here are {longest}.")
        return
    version = f"{abs(hash((given, free))):x}"
    data = duet_payload.payload(*traces, ended, view.lens.ends, version)
    _duet(key="duet", data={**data, "theme": st.context.theme.type})


_duet = component("duet")
