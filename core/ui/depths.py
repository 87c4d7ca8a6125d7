"""The decoder lens: which encoder layer the decoder reads, and the sentence that each of them gives (Langedijk et al. 2023)."""

from __future__ import annotations

import streamlit as st

from core.errors import LensError
from core.figures.labels import line
from core.ui import charts, state, trouble
from core.ui.bar import plain
from core.ui.branches import asked, base_of, play
from core.ui.scene import Scene, lens_of
from core.ui.state import held

MANY = 8  # layers above which the sentences are computed only when asked for: a pass per piece and layer


def depths(view: Scene) -> None:
    """One line a depth: what the decoder writes when it reads the source as it stood there; a click plays it above."""
    most = view.info.depths
    charts.heading("Decoder lens", "let the decoder read an earlier layer of the encoder")
    if most is None:
        charts.words("This model’s encoder cannot be read layer by layer, so its decoder always reads the last one.")
        return
    charts.words(
        "The encoder changes each word’s vector layer by layer; the decoder was trained to read the last ones. Hand it earlier "
        "ones and see how much of the translation is already there. Choose a line: it plays above."
    )
    if most > MANY and not st.toggle(f"Write the {most + 1} sentences", key="depths-on"):
        return
    try:
        said = sentences(view)
    except LensError as error:
        trouble.show(error)
        return
    chosen = state.chosen().depth

    def picked() -> None:
        depth = st.session_state["depth"]
        state.choose(depth=None if depth == most else depth, forced=(), reads=())

    st.radio(
        "The decoder reads the encoder after", range(most + 1), key=held("depth", most if chosen is None else chosen),
        captions=[plain(line(text)) if text else "nothing: it ends at once" for text in said],
        format_func=lambda depth: named(depth, most), on_change=picked,
    )  # fmt: skip


def named(depth: int, most: int) -> str:
    """How a depth is called on screen."""
    if depth == 0:
        return "no layer: the embedded words"
    return f"layer {depth} of {most}" + (": the last, as it was trained" if depth == most else "")


def sentences(view: Scene) -> list[str]:
    """What the model writes greedily at each depth, from 0 to all its encoder's layers."""
    lens, base = lens_of(view.model), len(base_of(view).target or ())
    played = [play(view, asked(view, depth=depth)) for depth in range(view.info.depths + 1)]
    return [lens.decode((one.request.target or ())[base:]).strip() for one in played]
