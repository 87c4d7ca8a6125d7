"""The decoder lens: which encoder layer the decoder reads, the sentence that each gives, and how sure it is of each word
(Langedijk et al. 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from core.analysis.depths import Settling, settling
from core.errors import LensError
from core.figures import depth_table, markup
from core.figures.labels import label, line, percent
from core.figures.payloads.duet import odds
from core.request import Sampling
from core.ui.kit import charts, trouble
from core.ui.running.branches import DEPTH, LONGEST, Played, asked, play
from core.ui.running.scene import Scene
from core.ui.session import state
from core.ui.session.state import heard, held
from core.ui.shell.bar import plain
from core.ui.shell.starters import searched

if TYPE_CHECKING:
    from core.engine.lens import Lens

MANY = 8  # layers above which the sentences are computed only when asked for: a pass per token and layer


def depths(view: Scene) -> None:
    """One line a depth: what the decoder writes when it reads the source as it stood there; a click plays it above."""
    most = view.info.depths
    charts.heading("Decoder lens", "let the decoder read an earlier layer of the encoder")
    if most is None:
        charts.words("This model’s encoder cannot be read layer by layer, so its decoder always reads the last one.")
        return
    if most > MANY and not st.toggle(f"Write the {most + 1} sentences", key="depths-on"):
        return
    slot = st.container()  # what is told while waiting must not shift what stands below
    try:
        with slot:
            played = each(view)
            found = weighed(view, played[-1])
    except LensError as error:
        trouble.show(error)
        return
    said = sentences(view, played)
    if found.ids:
        slot.html(markup.sentence(lead(view, said, found), "says"))
    charts.words(
        "The encoder changes each word’s vector layer by layer; the decoder was trained to read what the last one leaves. Hand it "
        "what an earlier one left and see how much of the text it can already use; what it cannot may be there all the same. "
        "Choose a line: it plays above."
    )
    asked_for = state.chosen()[DEPTH]
    chosen = int(most if asked_for is None else asked_for)

    def picked(depth: int) -> None:
        state.choose(depth=None if depth == most else depth, forced=(), reads=())

    st.radio(
        "The decoder reads the encoder after", range(most + 1), key=held("depth", chosen),
        captions=[plain(line(text)) if text else "nothing: it ends at once" for text in said],
        format_func=lambda depth: named(depth, most), on_change=heard("depth", picked, range(most + 1)),
    )  # fmt: skip
    if found.ids:
        _table(view, found, chosen)
    finder(view)


def named(depth: int, most: int) -> str:
    """How a depth is called on screen."""
    if depth == 0:
        return "no layer: the embedded words"
    return f"layer {depth} of {most}" + (": the last, as it was trained" if depth == most else "")


def deepest(view: Scene) -> int:
    """How many layers the encoder has that the decoder may read after; 0 where it cannot be read layer by layer."""
    return view.info.depths or 0


def each(view: Scene) -> list[Played]:
    """What the model writes greedily at each depth, from 0 to all its encoder's layers."""
    return [play(view, asked(view, depth=depth)) for depth in range(deepest(view) + 1)]


def sentences(view: Scene, played: list[Played]) -> list[str]:
    """The same as texts, without what was given."""
    lens, base = view.lens, len(view.base.target or ())
    return [lens.decode((one.request.target or ())[base:]).strip() for one in played]


def weighed(view: Scene, last: Played) -> Settling:
    """How likely each token of the text that the last depth gives is at every depth."""
    traces = []
    for depth in range(deepest(view) + 1):
        # the last depth is the model as it was trained: the same request, whichever way it is asked
        request = last.request.with_depth(depth)
        traces.append(view.trace(request.keeping("predictions")))
    return settling(traces, len(view.base.target or ()), end_of(view, traces[-1]) if last.ended else None)


def end_of(view: Scene, trace: Any) -> int:
    """The id with which a text was ended: of those that end one, the likeliest."""
    return max(view.lens.ends, key=lambda id: (float(trace.next_logits[id]), -id))


def lead(view: Scene, said: list[str], found: Settling) -> list[str | tuple[str]]:
    """What the depths have in common and what they change, in numbers."""
    most, before, after = deepest(view), odds(float(found.whole[0])), odds(float(found.whole[-1]))
    names = _names(view, found.ids)
    others = [depth for depth in range(most) if said[depth] != said[-1]]
    if not others:
        token = int(np.argmax(np.abs(found.chance[-1] - found.chance[0])))
        return [
            "Each depth gives “", (line(said[-1], 80),), "”. What the layers change is how sure the decoder is of the whole: ",
            (before,), " where it reads the embedded words alone, ", (after,), " after the last layer. It changes most for “",
            (names[token],), "”: ", (percent(float(found.chance[0, token])),), " → ",
            (percent(float(found.chance[-1, token])),), ".",
        ]  # fmt: skip
    first = others[0]
    where = "Reading the embedded words alone" if first == 0 else f"Reading layer {first} of {most}"
    parts: list[str | tuple[str]] = [where, ", the decoder ends at once" if not said[first] else ", the decoder writes “"]
    parts += [(line(said[first], 80),), "”"] if said[first] else []
    parts += ["; after the last layer “", (line(said[-1], 80),), "”, whose probability goes from ", (before,), " to "]
    parts += [(after,), "."]
    layer = int(found.settled.max())
    if 0 < layer <= most:
        last = [name for name, settled in zip(names, found.settled, strict=True) if settled == layer]
        parts += [" Last to become the first choice for good: “", (last[0],), "”"]
        parts += [" and ", (f"{len(last) - 1} more",)] if len(last) > 1 else []
        parts += [f", after layer {layer}."]
    return parts


def _names(view: Scene, ids: tuple[int, ...]) -> list[str]:
    """Tokens by name; the end of a text has no letters."""
    lens = view.lens
    return ["(end)" if id in lens.ends else label(text, 14) for id, text in zip(ids, lens.tokens(ids).text, strict=True)]


def _table(view: Scene, found: Settling, chosen: int) -> None:
    most = deepest(view)
    charts.heading("How sure it is of each word", "the words before it being given, whichever layer is read")
    names = ["no layer"] + [f"layer {depth}" + (", the last" if depth == most else "") for depth in range(1, most + 1)]
    others = [_names(view, tuple(row.tolist())) for row in found.likeliest]
    st.html(depth_table.table(found, names, _names(view, found.ids), others, chosen))
    charts.words(
        "A cell: the probability of the token above it. <b>In italics</b>, where another token is likelier there: that one, and "
        "its probability. <b>Framed</b>: from this layer on the token is the first choice. <b>All together</b>: the row’s product."
    )


def finder(view: Scene) -> None:
    """A button that looks among other sentences for one where the depths part."""
    offered = searched(view.model, view.info.kind)
    choice = state.chosen()
    told = st.session_state.get("depth-found")
    if told is not None and told[:2] == (choice.model, choice.text):
        charts.words(
            f"Of {len(offered)} sentences tried, this is the one whose layers disagree most: at <b>{told[2]} of "
            f"{view.info.depths}</b> depths before the last the decoder writes something else."
        )
        return
    if told is not None and told[:2] == (choice.model, None):
        charts.words(f"In none of the {len(offered)} sentences tried do the layers disagree.")
    if not st.button("Find a sentence where the layers disagree", key="depth-find", icon=":material/search:"):
        return
    with trouble.guarded():
        text, count = disagreeing(view, offered)
        st.session_state["depth-found"] = (choice.model, text if count else None, count)
        if count:
            state.choose(text=text, target=None)
            st.rerun()
        charts.words(f"In none of the {len(offered)} sentences tried do the layers disagree.")


def disagreeing(view: Scene, texts: tuple[str, ...]) -> tuple[str, int]:
    """Of several texts the one at most of whose earlier depths another text is written, and at how many; among equals the one
    whose own text the model is surest of, then the first."""
    done = [0]

    def compute(lens: Lens) -> tuple[str, int]:
        found = []
        for place, text in enumerate(texts):
            try:
                one = weigh(lens, text)
            except LensError:  # this model cannot read it
                continue
            found.append(((one.differing, float(one.whole[-1]), -place), text))
            done[0] = place + 1
        (differing, *_), text = max(found, default=((0, 0.0, 0), texts[0]))
        return text, differing

    says = lambda: f"Weighing sentence {done[0] + 1} of {len(texts)} at every depth."  # noqa: E731
    return view.work(("disagreeing", texts), compute, says)


def weigh(lens: Lens, text: str) -> Settling:
    """A text's translation, written greedily as the model was trained, and how likely each token of it is at every depth."""
    start = lens.request(text, "")
    ids, end = [], None
    for step in lens.generate(start.keeping(), Sampling(temperature=0.0), LONGEST):
        if step.finished:
            end = step.choice.id
            break
        ids.append(step.choice.id)
    request = (start.append(*ids) if ids else start).keeping("predictions")
    traces = lens.run_many([request.with_depth(depth) for depth in range((lens.info.depths or 0) + 1)])
    return settling(traces, len(start.target or ()), end)
