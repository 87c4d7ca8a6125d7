"""Take it with you: the head in view as a figure, the trace as numbers, the request, and the lines that compute it again."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core import export
from core.figures.labels import label
from core.ui import charts
from core.ui.look import Look
from core.ui.scene import Scene

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "components" / "png_button"
CELLS = 96 * 96  # of a figure: larger maps go as numbers
BUTTON = """button { font: 400 1rem/1.6 "Source Sans", sans-serif; padding: .25rem .75rem; min-height: 2.5rem; border-radius: .5rem;
cursor: pointer; color: var(--st-text-color); background: transparent; border: 1px solid var(--st-border-color); }
button:focus-visible { outline: 2px solid currentColor; }"""


def figure(view: Scene, it: Look) -> str:
    """The head in view as SVG, titled with model, layer, head and text."""
    theme = charts.theme()
    text = " → ".join(
        part for part in (label(it.choice.text, 70), label(it.scene.written, 50) if it.scene.written else "") if part
    )
    mask = ", with a mask" if it.changed else ""
    return export.svg(
        it.pattern, it.allowed, it.rows, it.columns, f"{view.info.name}: {it.name}{mask}", text, theme.weights, theme.ink, theme.bg,
        theme.ink2,
    )  # fmt: skip


def stem(view: Scene, it: Look) -> str:
    """The files' name without its ending."""
    model = "".join(char for char in view.info.name.lower() if char.isascii() and char.isalnum()) or "model"
    return f"lookback-{model}-{it.stream.value}-{it.choice.layer + 1}-{it.choice.head + 1}"


def take(view: Scene, it: Look) -> None:
    """The downloads; built when the box is open."""
    opened = st.expander("Take it with you: figure, numbers, Python", key="take", on_change="rerun")
    if not opened.open:
        return
    with opened:
        name = stem(view, it)
        with st.container(horizontal=True, key="downloads", gap="small"):
            if it.pattern.size <= CELLS:
                drawn = figure(view, it)
                _png(key="png", data={"svg": drawn, "name": name})
                st.download_button("SVG", drawn, f"{name}.svg", "image/svg+xml", on_click="ignore", key="take-svg")
            layer = (it.now.at(it.stream, it.choice.layer),)
            st.download_button(
                "CSV of this layer", lambda: export.csv_table(it.now, layer), f"{name}.csv", "text/csv", on_click="ignore",
                key="take-csv",
            )  # fmt: skip
            st.download_button(
                "NPZ of all heads", lambda: export.npz(it.now), f"{name}.npz", "application/octet-stream", on_click="ignore",
                key="take-npz",
            )  # fmt: skip
            st.download_button(
                "Request as JSON", export.request_to_json(it.now.request), f"{name}.json", "application/json",
                on_click="ignore", key="take-json",
            )  # fmt: skip
        charts.words("The same numbers from Python, run beside Lookback’s folder <b>core</b>:")
        model = it.choice.model.partition(":")[2] if ":" in it.choice.model else it.choice.model
        st.code(
            export.python_lines(it.now.request, model, it.stream, it.choice.layer, it.choice.head), language="python"
        )
        st.download_button(
            "These lines as a file", export.python_lines(it.now.request, model, it.stream, it.choice.layer, it.choice.head),
            f"{name}.py", "text/x-python", on_click="ignore", key="take-py",
        )  # fmt: skip


_png = st.components.v2.component(
    "lookback_png", js=(FOLDER / "png.js").read_text("utf-8"), css=BUTTON, isolate_styles=True
)
