"""The worksheet on the page: its words and numbers, another one on request, and the file to print."""

from __future__ import annotations

from html import escape

import streamlit as st

from core.analysis.hand.worksheet import LAST, exercise
from core.export.worksheet import vector, worksheet
from core.ui.hand.parameters import SHEET
from core.ui.kit import charts
from core.ui.session import state


def sheet() -> None:
    """Which sheet, what it gives, and the file; the key is its second page."""
    charts.heading("With pencil and paper", "a worksheet to print, with its key")

    def chosen(number: int) -> None:
        state.choose(sheet=number - 1)

    def another() -> None:
        state.choose(sheet=(state.chosen()[SHEET] + 1) % LAST)

    left, right = st.columns([400, 560], gap="large")
    with left:
        number = state.chosen()[SHEET] + 1
        st.number_input("Sheet", 1, LAST, key=state.held("sheet", number), on_change=state.heard("sheet", chosen), width=220)
        it = exercise(number)
        state.publish()
        with st.container(horizontal=True, gap="small"):
            st.button("Another sheet", key="sheet-next", on_click=another)
            st.download_button(
                "Download to print", worksheet(it), f"lookback-worksheet-{it.number}.html", "text/html", on_click="ignore",
                key="take-sheet",
            )  # fmt: skip
        charts.words(
            "Three words, whole numbers, √d = 2: dot products, softmax and outputs to fill in. One file, two A4 pages in black and "
            "white: open it and print. The second page is the key; the same sheet number gives the same sheet to everyone."
        )
    with right:
        rows = ""
        for n, word in enumerate(it.words):
            cells = "".join(f"<td>{vector(part[n])}</td>" for part in (it.query, it.key, it.value))
            rows += f'<tr><th scope="row">{escape(word)}</th>{cells}</tr>'
        head = "".join(f'<th scope="col">{name}</th>' for name in (f"sheet {it.number}", "query", "key", "value"))
        st.html(f'<div class="sum sheet"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>')
