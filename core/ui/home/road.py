"""The road on Home: every page in its order, what one does there, and what this visitor has done already."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import streamlit as st

from core.ui.kit import charts
from core.ui.session import state
from core.ui.shell import menu

ROW = 5  # stops in a row, where there is room; every second row runs back


@dataclass(frozen=True, slots=True)
class Stop:
    """A page on the road. says: its line; group: the group that begins here, "" elsewhere. right of asked questions are solved;
    asked is 0 where the page asks none, or has not been opened."""

    name: str
    title: str
    says: str
    group: str
    opened: bool
    right: int
    asked: int

    @property
    def done(self) -> bool:
        """Opened, and nothing left to answer."""
        return self.opened and self.right >= self.asked

    @property
    def status(self) -> str:
        """What this visitor did there."""
        if not self.opened:
            return "not opened yet"
        return f"{self.right} of {self.asked} answered" if self.asked else "opened"


def stops() -> list[Stop]:
    """All pages after Home, in order."""
    known, found = state.session(), []
    for before, page in pairwise(menu.PAGES):
        right = sum(name == page.name for name, _ in known.solved)
        begins = page.group if page.group != before.group else ""
        opened, asked = page.name in known.opened, known.asked.get(page.name, 0)
        found.append(Stop(page.name, page.title, page.says, begins, opened, right, asked))
    return found


def so_far(found: list[Stop]) -> str:
    """The visitor's way in one line."""
    opened, right = sum(stop.opened for stop in found), sum(stop.right for stop in found)
    if not opened:
        return f"{len(found)} pages, best walked in this order; yours are marked as you go"
    answers = f", {right} {'question' if right == 1 else 'questions'} answered" if right else ""
    return f"{opened} of {len(found)} pages opened{answers}"


def road() -> None:
    """The map: a stop a page, along one road."""
    found = stops()
    charts.heading("The road", so_far(found))
    st.html(f"<style>{_laid(len(found))}</style>")
    with st.container(key="road"):
        for number, stop in enumerate(found):
            with st.container(key=f"stop-{number}", gap=None):
                kind = "done" if stop.done else "opened" if stop.opened else ""
                group = f"<span>{stop.group}</span>" if stop.group else ""
                sign = "✓" if stop.done else str(number + 1)
                st.html(f'<p class="dot {kind}"><b aria-hidden="true">{sign}</b>{group}</p>')
                st.page_link(f"../../pages/{stop.name}.py", label=stop.title)
                st.html(f'<p class="stop">{stop.says}<br><span>{stop.status}</span></p>')


def onward() -> None:
    """The way to the first page on the road that was not opened yet."""
    ahead = next((stop for stop in stops() if not stop.opened), None)
    if ahead is not None:
        charts.words(f"Or walk the road below, one idea after the other. {ahead.says}")
        st.page_link(f"../../pages/{ahead.name}.py", label=f"Next: {ahead.title}", icon=":material/arrow_forward:")


def _laid(count: int) -> str:
    """Where each stop stands and which way its stretch of road runs, as a style sheet for wide screens."""
    rules = []
    for number in range(count):
        row, place = divmod(number, ROW)
        back = row % 2 == 1
        rules.append(
            f".st-key-road > :nth-child({number + 1}){{grid-row:{row + 1};grid-column:{ROW - place if back else place + 1}}}"
        )
        if number == count - 1:  # the road ends at the last stop's sign
            rules.append(f".st-key-stop-{number}::before{{{'left:0' if back else 'display:none'}}}")
        elif place == ROW - 1:
            side = "left" if back else "right"
            rules.append(
                f".st-key-stop-{number}::after{{content:'';{side}:-1.25rem;border:.5rem solid var(--rule);"
                f"border-{'right' if back else 'left'}:0;border-top-{side}-radius:2rem;border-bottom-{side}-radius:2rem}}"
            )
    return "@media (min-width: 1100px){" + "".join(rules) + "}"
