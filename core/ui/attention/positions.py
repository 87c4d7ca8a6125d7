"""Embeddings and positions: what a text is before the first layer, and what the head in view does when positions are moved."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.analysis import changes, moved_share
from core.figures.labels import label, labels, percent
from core.figures.plain_map import plain_map
from core.figures.strip import strip
from core.request import PositionRule, Stream
from core.trace import Tokens, Trace
from core.ui.attention.boxes import box
from core.ui.attention.parameters import OPEN, ORDERS, POSITIONS, SHIFTS
from core.ui.kit import charts
from core.ui.running.focus import Focus
from core.ui.running.scene import Scene
from core.ui.session import state
from core.ui.session.state import heard, held

LONGEST = 64  # tokens up to which positions are drawn
HOW = {"off": "Off", "shuffled": "Shuffled", "shifted": "Shifted"}
BEGINS = {"off": 0, "shuffled": 1, "shifted": 10}
SAYS = {
    "off": "No token is told where it stands. ",
    "shuffled": "Each token keeps its word but is told the place of another.",
    "shifted": "Each token is told that it stands further on in the text.",
}
ORDERLESS = "The model sees the words of the text, not their order."
MASKED = (
    "The mask still tells something of their order: a token’s vector is made of it and those before it alone (Haviv et al. 2022)."
)


def positions_panel(view: Scene, it: Focus) -> None:
    """Opened on demand: the vectors that enter the first layer, and the position lab."""
    opened = box("Embeddings and positions: off, shuffled, shifted", "places")
    if not opened.open:
        return
    with opened:
        text, tokens = _text(it)
        if len(tokens) > LONGEST:
            charts.words(f"Drawn for texts of up to {LONGEST} tokens; this one has {len(tokens)}.")
            return
        _strips(view, it, text, labels(tokens))
        if view.info.can_move_tokens:
            _lab(view, it, text)
        else:
            charts.words(
                "Positions can be moved in the models that came along with Lookback; this one’s are inside its own code."
            )


def _strips(view: Scene, it: Focus, text: Stream, rows: list[str]) -> None:
    residual = view.run(it.choice.mask, ("pattern", "residual")).residual
    first = None if residual is None else residual.get(text)
    if first is None or not len(first):
        charts.words("This family does not show what enters its first layer.")
        return
    entered = first[0]
    added = view.lens.positions(len(rows))
    theme = charts.theme()
    end = float(np.ceil(4 * np.percentile(np.abs(entered), 99))) / 4 or 0.25
    if added is None:
        charts.heading("What enters the first layer", f"{len(rows)} tokens, {entered.shape[1]} numbers each")
        charts.plot(
            strip(entered, rows, theme, end, 620),
            "strip-sum",
            f"The vectors of {len(rows)} tokens as they enter the first layer.",
        )
        if view.lens.config is None:
            charts.words("One row a token. Whether positions are already in these numbers is inside the model’s own code.")
            return
        charts.words(
            "One row a token. No vector is added for positions: this model turns queries and keys by an angle that grows with the "
            "place (rotary positions, Su et al. 2021), or counts distances inside each head."
        )
        return
    parts = (
        ("Word", "which token it is", entered - added),
        ("+ Position", "where it stands", added),
        ("= Sum", "what enters layer 1", entered),
    )
    for place, (column, (name, what, values)) in enumerate(
        zip(st.columns([356, 310, 310], gap="small"), parts, strict=True)
    ):
        with column:
            charts.heading(name, what)
            alt = f"{name}, {what}: {len(rows)} rows of {values.shape[1]} numbers."
            charts.plot(strip(values, rows, theme, end, 250, place == 0), f"strip-{place}", alt)
    charts.words(
        "One row a token, one thin column for each of its numbers; violet is above 0, ochre below. A word has the same first "
        "picture wherever it stands; a place has the same second picture whatever stands there (Vaswani et al. 2017, §3.5)."
    )


def _lab(view: Scene, it: Focus, text: Stream) -> None:
    charts.heading(
        "Position lab", f"{'the decoder’s text' if text is Stream.DECODER else 'the text that is read'}, same weights"
    )
    with st.container(horizontal=True, key="place-lab", gap="small", vertical_alignment="bottom"):
        how, amount = it.choice[POSITIONS]
        st.segmented_control(
            "Positions", list(HOW), key=held("place-how", how), format_func=HOW.__getitem__, required=True,
            on_change=heard("place-how", _moved, HOW), label_visibility="collapsed",
        )  # fmt: skip
        if how == "shifted":
            st.number_input(
                "Places further on", 1, SHIFTS, key=held("place-by", amount), on_change=heard("place-by", _by), width=150
            )
        elif how == "shuffled":
            st.number_input(
                "Order number", 1, ORDERS, key=held("place-seed", amount), on_change=heard("place-seed", _by), width=150,
                help="Each number is another order.",
            )  # fmt: skip
    hides = text is Stream.DECODER and view.info.causal
    charts.words(SAYS[how] + (MASKED if hides else ORDERLESS) * (how == "off"))
    now = view.run(it.choice.mask, ("pattern",), (PositionRule(text, how, amount),))
    before = it.now.at(it.stream, it.choice.layer)
    attention = now.at(it.stream, it.choice.layer)
    head = it.choice.head
    st.text(told(it, now, float(moved_share(before.head(head), attention.head(head)).mean())))
    theme = charts.theme()
    maps = (
        ("As it stands", "weight", it.pattern, False),
        (f"Positions {how}", "weight", attention.head(head), False),
        ("What changed", "less or more", attention.head(head) - it.pattern, True),
    )
    columns = st.columns(3, gap="small")
    for place, (column, (name, unit, values, signed)) in enumerate(zip(columns, maps, strict=True)):
        with column:
            charts.heading(name, it.name)
            shown = np.where(it.allowed, values, np.nan)
            figure = plain_map(
                shown, it.rows, it.columns, theme, unit, signed, (it.query, it.key), 210, 34, None if signed else 1.0, signed
            )
            charts.plot(figure, f"place-map-{place}", f"{name}: {it.name}, every query and key.")


def _moved(how: str) -> None:
    state.choose(positions=(how, BEGINS[how]))


def _by(amount: int) -> None:
    state.choose(positions=(state.chosen()[POSITIONS][0], amount))


def rule_of(view: Scene, it: Focus) -> PositionRule | None:
    """How the position lab moves the text while its box is open; None where it shows nothing."""
    text, tokens = _text(it)
    if "places" not in it.choice[OPEN] or len(tokens) > LONGEST or not view.info.can_move_tokens:
        return None
    return PositionRule(text, *it.choice[POSITIONS])


def _text(it: Focus) -> tuple[Stream, Tokens]:
    """The text whose positions are drawn and moved."""
    text = Stream.DECODER if it.stream is Stream.DECODER or it.now.source is None else Stream.ENCODER
    tokens = it.now.target if text is Stream.DECODER else it.now.source
    assert tokens is not None
    return text, tokens


def told(it: Focus, now: Trace, share: float) -> str:
    """What moving the positions did to this head, and to the next token, in numbers: ½ Σ |Δα|, averaged over the rows."""
    said = f"{percent(share)} of a row’s attention moves elsewhere in this head, on average (½ Σ |Δα|)."
    if it.now.next_logits is None:
        return said
    was, turned = changes(it.now, k=1)[0], changes(now, it.now, 1)[0]
    if was.id == turned.id:
        return f"{said} The next token stays “{label(was.text)}” ({percent(was.now)} → {percent(turned.now)})."
    return f"{said} The next token turns from “{label(was.text)}” to “{label(turned.text)}”."
