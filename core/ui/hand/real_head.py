"""A head of a real run in the plane: how much of it two dimensions keep, and what it looks like beside the head itself."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from core.analysis import focus_on, texts
from core.analysis.patterns import sink
from core.analysis.projection import Flat, flatten
from core.figures.labels import labels, percent
from core.figures.payloads import hand as hand_payload
from core.figures.payloads.account import number
from core.request import Stream
from core.trace import Attention
from core.ui.kit import charts, controls, lesson
from core.ui.kit.component import component
from core.ui.running.runs import shared
from core.ui.running.scene import UNTOLD, Scene, said
from core.ui.session import state

MOST, FEW = 16, 3  # tokens of a text that the plane has room for; that always fit, since three points lie in a plane
LONGER = {"text": "the little girl reads a new book", "target": None, "stream": Stream.ENCODER, "layer": 0, "head": 0}
SAYS = (
    "A real head works in dozens of dimensions; here it is brought down to two. The query and key arrows are those whose dot "
    "products come nearest to the head’s own attention scores (q·k ÷ √d; each row’s mean is taken off, for the softmax sees "
    "differences only): the squares of what is missing add up to least. What the softmax makes of them stands beside what the head "
    "really does. The values are cast into a plane of their own, and their sum, the output, is taken by the head’s own weights. "
    "Click a token, or a row of a map, to make it the one that looks; digits do the same."
)


def flat_of(view: Scene) -> Flat:
    """The head in view, brought down to the plane."""
    choice = view.choice
    assert choice.stream is not None  # the choice of a scene is settled
    stream = choice.stream
    trace = view.run(choice.mask, ("pattern", "qkv"))
    key = (view.info.id, "flat", trace.request, stream, choice.layer, choice.head)
    return shared.ask(key, lambda: flatten(trace.at(stream, choice.layer), choice.head)).result()


def real_head(view: Scene) -> None:
    """Everything below the bar: which head, what the plane keeps, the picture."""
    choice = view.choice
    assert choice.stream is not None  # settled
    if view.info.reason:
        charts.words(f"{UNTOLD} The plane needs them: choose another model in the bar.")
        return
    controls.site_picker(view)
    trace = view.run(choice.mask, ("pattern", "qkv"))
    queries, keys = texts(trace, choice.stream)
    if max(len(queries), len(keys)) > MOST:
        charts.words(
            f"The plane has room for {MOST} tokens; here are {max(len(queries), len(keys))}. Choose a shorter text; Attention "
            "shows long ones."
        )
        return
    flat = flat_of(view)
    short = min(flat.score.shape) <= FEW and view.info.at(Stream.ENCODER)
    if short and st.button("Take a longer text", key="longer", on_click=state.choose, kwargs=LONGER):
        lesson.whole_page()  # the text stands in the bar
    st.html(f'<p class="how kept">{kept_says(flat, said(choice.stream, choice.layer, choice.head))}</p>')
    if sentence := sink_says(trace.at(choice.stream, choice.layer), choice.head, labels(keys)):
        charts.words(sentence)
    query = choice.cell[0] if choice.cell and choice.cell[0] < len(queries) else focus_on(flat.true, queries.special)[0]
    version = f"{abs(hash((trace.request, choice.stream, choice.layer, choice.head))):x}"
    data = hand_payload.real(flat, labels(queries), labels(keys), choice.stream, query, version)
    _head(key="real-head", data={**data, "says": SAYS, "theme": st.context.theme.type})


def kept_says(flat: Flat, name: str) -> str:
    """How faithful the plane is, in numbers."""
    few = min(flat.score.shape)
    why = f" With {few} tokens that says little: so few always fit. Take a longer text." if few <= FEW else ""
    off = percent(round(float(flat.off.mean()), 5))
    hidden = "" if flat.allowed.all() else " (those that the mask hides counted too)"
    return (
        f"<b>{name}</b> has {flat.d} dimensions: that many numbers in each query and key. The best two directions for it keep "
        f"<b>{percent(flat.kept)}</b> of the variance of its scores{hidden} and <b>{percent(flat.value_kept)}</b> of that of its "
        f"values (variance: how much numbers differ, the mean square of how far each is from the mean, for scores that of the "
        f"row); on average <b>{off}</b> of a row’s attention stands elsewhere than in the head itself.{why}"
    )


def sink_says(attention: Attention, head: int, names: Sequence[str]) -> str:
    """Where a head has a sink: which token, and whether its key is long or only lies in the direction of the queries."""
    kv = attention.kv_of(head)
    allowed = attention.allowed[head]
    found = sink(attention.pattern[head], allowed, attention.query[head], attention.key[kv])
    if found is None:
        return ""
    long = "shorter than" if found.length < 0.95 else "longer than" if found.length > 1.05 else "about as long as"
    return (
        f"<b>A sink</b>: “{escape(names[found.key])}” gets <b>{percent(found.share)}</b> of the attention of a row that may look "
        f"at it, on average. Its key is {long} the others’ ({found.length:.2f} times their mean length); the mean cosine of the "
        f"queries with it is <b>{number(found.cosine)}</b>, with the other keys {number(found.others)}."
    )


_head = component("hand/real_head", sheets=("hand/hand",))
