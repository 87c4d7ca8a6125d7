"""The entry script of every session: style, navigation, the page, and the last door for errors."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import streamlit as st

from core import __version__
from core.paths import ASSETS
from core.ui.kit import charts, frame, trouble
from core.ui.session import state
from core.ui.shell.menu import PAGES, Page, groups, parameters

MARK = ASSETS / "mark.svg"
CAVEAT = "Attention is a look, not a proof: a weight says where a head looked, not why the model answered."


def page_of(page: Page) -> Any:
    """A page of the menu; the first one opens on the bare address."""
    first = page is PAGES[0]
    return st.Page(page.file, title=page.title, url_path="" if first else page.name, default=first)


def main() -> None:
    """Run one page."""
    st.set_page_config(page_title="Lookback", page_icon=str(MARK), layout="wide", menu_items={"About": f"Lookback {__version__}"})
    charts.style()
    page = st.navigation({group: [page_of(page) for page in pages] for group, pages in groups().items()}, expanded=True)
    st.logo(str(MARK), size="large")
    with st.sidebar:
        st.html(f'<p class="caveat">{CAVEAT}</p>')
        frame.mend()
    parameters()
    with trouble.guarded():
        state.arrive(page.url_path)
        with suppress(trouble.PageEnds):
            page.run()
        state.drawn()


main()
