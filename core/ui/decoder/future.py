"""The decoder's mask, on and off on the same weights: what the future gives away, and what became of one trained without."""

from __future__ import annotations

import math
from html import escape

import numpy as np
import streamlit as st

from core import paths
from core.analysis.decoder import Future, future
from core.analysis.surprisal import surprisal
from core.errors import LensError
from core.figures.distribution import Bar
from core.figures.heatmap import describe, heatmap
from core.figures.labels import labels, percent
from core.figures.payloads.account import number
from core.request import MaskRule, Stream
from core.ui.kit import charts, trouble
from core.ui.running.runs import shared
from core.ui.running.scene import Scene, switch_rule
from core.ui.session import state
from core.ui.session.state import heard, held

MOST = 24  # steps drawn


def moved(view: Scene) -> bool:
    """Whether the visitor turned the decoder's mask."""
    rule = switch_rule(view.info, Stream.DECODER)
    return any(
        one.stream is Stream.DECODER and rule is not None and one.name == rule.name for one in state.chosen().mask
    )


def _turn(rule: MaskRule, turned: bool) -> None:
    others = tuple(one for one in state.chosen().mask if one.stream is not Stream.DECODER)
    state.choose(mask=(*others, rule) if turned else others)


def future_shown(view: Scene) -> None:
    """The switch, the map, and the probability of each next token with the mask on and off."""
    rule = switch_rule(view.info, Stream.DECODER)
    assert rule is not None
    trained = "on" if view.info.causal else "off"
    charts.heading("The mask", f"this model was trained with it {trained}")
    if view.info.reason:
        st.toggle("Mask on: no token sees what comes later" if view.info.causal else "Mask off: each token sees the whole target",
                  view.info.causal, key="decoder-mask-fixed", disabled=True, help=view.info.reason)  # fmt: skip
        charts.words(escape(view.info.reason))
        pair()
        return
    count = len(view.request.target or ())
    if count < 3:
        charts.words("The target is too short: nothing comes later. Type a longer one in the bar above, or try a preset.")
        return
    turned = moved(view)

    def switched(hides: bool) -> None:
        _turn(rule, hides != view.info.causal)

    hides = view.info.causal != turned
    st.toggle("Mask on: no token sees what comes later" if hides else "Mask off: each token sees the whole target",
              key=held("decoder-mask", hides), on_change=heard("decoder-mask", switched))  # fmt: skip
    try:
        native = view.run((), ("pattern", "predictions"))
        other = view.run((rule,), ("pattern", "predictions"))
    except LensError as error:
        trouble.show(error)
        return
    on, off = (native, other) if view.info.causal else (other, native)
    seen = future(on, off)
    shown = on if hides else off
    assert shown.target is not None
    names = labels(shown.target)
    first = max(0, count - 1 - MOST)
    left, right = st.columns([500, 460], gap="large")
    with left:
        charts.heading("Decoder self-attention, layer 1", "mean of its heads; rows look, columns are looked at")
        site = shown.at(Stream.DECODER, 0)
        mean, allowed = site.pattern.mean(axis=0)[first:, first:], np.any(site.allowed, axis=0)[first:, first:]
        opened = off.at(Stream.DECODER, 0).pattern.mean(axis=0)[first:, first:]
        looks, at = (int(place) for place in np.unravel_index(np.triu(opened, 1).argmax(), opened.shape))
        shown_names = names[first:]
        figure = heatmap(
            mean, allowed, shown_names, shown_names, Stream.DECODER, (looks, at), charts.theme(), margins=False
        )
        charts.plot(
            figure, "future-map", describe(shown_names, shown_names, mean, "Decoder, layer 1, mean of heads"), bare=True
        )
        charts.words(
            "<b>Hatched</b>: may not look. Above the diagonal lies the future; with the mask off it fills up. <b>Framed</b>: "
            f"the strongest look ahead, from “{escape(shown_names[looks])}” to “{escape(shown_names[at])}”, "
            f"{percent(float(opened[looks, at]))} with the mask off."
        )
    with right:
        now, before = (seen.on, None) if hides else (seen.off, seen.on)
        charts.heading("Probability of the token that comes next", "mask on" if hides else "mask off; tick: mask on")
        rows = [
            Bar(shown.target.text[p + 1], float(now[p]), None if before is None else float(before[p]))
            for p in range(first, count - 1)
        ]  # fmt: skip
        charts.bars(rows, charts.theme().decoder, "Next tokens", "future-bars", 420, equal=True)
        charts.words(said(seen, view))
    pair()


def said(seen: Future, view: Scene) -> str:
    """What the future gave away, in numbers, with the caveat that belongs to it."""
    on, off = (float(np.mean([surprisal(float(p)) for p in side])) for side in (seen.on, seen.off))
    up = int((seen.off > seen.on).sum())
    ahead = percent(float(seen.ahead.mean()))
    steps = len(seen.on)
    caveat = (
        "<b>A caveat</b>: these weights were trained with the mask on. They never saw a future and do not know what to do "
        "with it, so opening the mask can help or confuse. What it would be worth to a model trained without it, the pair "
        "below shows."
        if view.info.causal
        else "<b>A caveat</b>: these weights were trained with the mask off, with the answer in view."
    )
    return (
        f"Mask off: <b>{up} of {steps}</b> next tokens become likelier, and <b>{ahead}</b> of the attention goes to what "
        f"comes later (mean of steps, heads and layers). Surprise per token: <b>{number(on)} bits</b> with the mask, "
        f"<b>{number(off)} bits</b> without. {caveat}"
    )


def pair() -> None:
    """Two shipped models, one trained with the mask and one without: the last line of each one's scores."""
    charts.heading("Trained without a mask", "two small models, one task: repeat what was said")
    rows = []
    for name, says in (("induction", "mask on in training"), ("induction-peek", "mask off in training")):
        last = scores(name)
        rows.append(
            f'<tr><th scope="row">{says}</th><td>{loss_said(last["loss"])}</td><td>{loss_said(last["first_loss"])}</td>'
            f'<td class="result">{percent(last["generation"])}</td></tr>'
        )
    head = (
        '<tr><th></th><th scope="col">loss (nats), repeated half</th><th scope="col">loss (nats), random half</th>'
        '<th scope="col">right when it writes freely</th></tr>'
    )
    st.html(f'<div class="sum tally"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>')
    first, second = scores("induction"), scores("induction-peek")
    charts.words(
        f"Loss is the surprise per token on sequences never trained on (in nats: 1 nat is {number(1 / math.log(2))} bits). "
        f"Without the mask it is <b>{loss_said(second['first_loss'])}</b> even on random characters, which nobody can foresee; the "
        f"model with the mask has <b>{loss_said(first['first_loss'])}</b> there. The answer was in view. But when it must write by "
        f"itself there is no future to copy, and only <b>{percent(second['generation'])}</b> comes out right, against "
        f"<b>{percent(first['generation'])}</b>. That is what the mask is for."
    )


def loss_said(nats: float) -> str:
    """A loss in three decimals; one too small for them is not called 0."""
    return number(nats, 3) if nats >= 0.0005 else "less than 0.001"


def scores(name: str) -> dict[str, float]:
    """The last line of a shipped model's scores, measured when it was trained: its loss, first_loss and generation among others"""

    def read() -> dict[str, float]:
        from core.model.weights import read_rows

        row = read_rows(paths.WEIGHTS / name / "scores.csv")[-1]
        return {key: float(value) for key, value in row.items()}

    return shared.ask(("scores", name), read).result()
