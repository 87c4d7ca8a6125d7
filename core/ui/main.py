"""The entry script of every session: style, navigation, the page, and the last door for errors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from core.ui import charts, frame, state, trouble  # noqa: E402
from core.ui.menu import PAGES  # noqa: E402

MARK = ROOT / "assets" / "mark.svg"
CAVEAT = "Attention is a look, not a proof: a weight says where a head looked, not why the model answered."


def page_of(name: str, title: str) -> Any:
    """A page of the menu; Home is the one that opens on the bare address."""
    return st.Page(
        ROOT / "pages" / f"{name}.py", title=title, url_path="" if name == "home" else name, default=name == "home"
    )


def main() -> None:
    """Run one page."""
    st.set_page_config(page_title="Lookback", page_icon=str(MARK), layout="wide")
    charts.style()
    page = st.navigation({group: [page_of(*page) for page in pages] for group, pages in PAGES.items()}, expanded=True)
    st.logo(str(MARK), size="large")
    with st.sidebar:
        st.html(f'<p class="caveat">{CAVEAT}</p>')
        frame.mend()
    with trouble.guarded():
        state.arrive(page.url_path)
        page.run()


main()
