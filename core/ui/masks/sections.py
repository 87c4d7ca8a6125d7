"""The Masks page's parts: the gallery, the mask that can be painted with what it does, and the way to keep it."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import numpy as np
import streamlit as st

from core.analysis import changes, cost, kl, logits_of, moved_share
from core.errors import LensError, MaskError
from core.figures import heatmap, markup, mask_words
from core.figures.labels import divergence, label, percent
from core.request import MASKS, MaskRule, Stream
from core.trace import Trace
from core.ui.kit import charts, controls, trouble
from core.ui.masks.files import fits_file, read_file, write_file
from core.ui.masks.gallery import Card, mask_gallery
from core.ui.masks.painter import LONGEST, mask_painter
from core.ui.masks.parameters import WIDTHS
from core.ui.masks.strokes import History, Mask, painted, read_strokes, rules_of, sheet
from core.ui.running.focus import Focus, focus_of
from core.ui.running.runs import COSTLY
from core.ui.running.scene import Scene, sentence_under, silent
from core.ui.session import state


def split(mask: Mask, stream: Stream) -> tuple[Mask, Mask]:
    """The rules of one stream, and those of the others."""
    return tuple(rule for rule in mask if rule.stream is stream), tuple(rule for rule in mask if rule.stream is not stream)


def open_focus(view: Scene) -> Focus | None:
    """The run under the visitor's mask. Where that mask cannot be, a sentence says why, a button takes it off: None."""
    try:
        with st.container(key="waiting"):  # its words must not push away the map that someone is painting on
            it = focus_of(view)
    except LensError as error:
        if not view.choice.mask:
            raise
        trouble.show(error)
        st.button("Take the mask off", key="mask-off", on_click=state.choose, kwargs={"mask": ()})
        return None
    history().follow(it.native.request, it.choice.mask)
    return it


def history() -> History:
    """The masks this visitor went through."""
    return st.session_state.setdefault("mask-history", History())


def lead(it: Focus) -> None:
    """What the mask does, as a sentence of its numbers."""
    native, allowed = allowed_of(it.native, it), allowed_of(it.now, it)
    st.html(markup.sentence(mask_words.sentence(native, allowed, it.rows, it.columns, it.changed) + it.next_words()))


def allowed_of(trace: Trace, it: Focus) -> np.ndarray:
    """What the head in view may look at: bool [query, key]."""
    return trace.at(it.stream, it.choice.layer).allowed[it.choice.head]


def same_mask(one: Trace, other: Trace, stream: Stream) -> bool:
    """Whether every head of a stream may look at the same in both runs."""
    ours, theirs = sheet(one, stream), sheet(other, stream)
    return all(np.array_equal(ours[layer], theirs[layer]) for layer in ours)


def widths(it: Focus) -> dict[str, int]:
    """How wide each card's mask is: as adopted, else as this visitor last set it."""
    mine, _ = split(it.choice.mask, it.stream)
    adopted = {mine[0].name: mine[0].width} if len(mine) == 1 and mine[0].width else {}
    usual = {name: kind.width for name, kind in MASKS.items() if kind.width is not None}
    return {**usual, **dict(it.choice[WIDTHS]), **adopted}


def offered(it: Focus) -> dict[str, MaskRule | None]:
    """The gallery's masks by name; None is the model as trained."""
    wide = widths(it)
    rules: dict[str, MaskRule | None] = {"native": None}
    for name, kind in MASKS.items():
        more = kind.shown(it.stream, len(it.keys), wide.get(name))
        if more is not None:
            rules[name] = MaskRule(it.stream, name, **more)
    return rules


def gallery(view: Scene, it: Focus) -> None:
    """Masks on the same weights, each one run; a click adopts one."""
    mine, others = split(it.choice.mask, it.stream)
    rules = offered(it)
    request = it.native.request
    price = cost(view.info.sites, len(request.source or ()), len(request.target or ()))
    if price.weights > COSTLY and st.session_state.get("mask-price") != request:
        words = f"Run {len(rules) - 1} masks beside each other"
        st.button(words, key="mask-runs", on_click=st.session_state.update, args=({"mask-price": request},))
        charts.words(f"A long text: each of them costs {escape(str(price))}.")
        return
    asked = {name: (*others, *([rule] if rule else [])) for name, rule in rules.items()}
    runs = {name: answer for name, answer in zip(asked, view.run_each(tuple(asked.values())), strict=True)}
    base = runs["native"]
    if isinstance(base, LensError):
        raise base
    plain = [name for name, rule in rules.items() if rule is not None and rule.width is None and not rule.edges]
    twin = next((n for n in plain if isinstance(run := runs[n], Trace) and same_mask(run, base, it.stream)), None)
    if twin is not None:  # the model as trained has a name: it is told on that card, which comes first
        runs = {twin: base, **{name: run for name, run in runs.items() if name not in ("native", twin)}}
    home = twin or "native"
    on = home if not mine else next((name for name in runs if mine == (rules[name],)), "yours")
    shown: dict[str, Trace | LensError] = {**runs, **({"yours": it.now} if on == "yours" else {})}
    before = logits_of(it.native)
    distances = {
        name: kl(before, after) for name, run in shown.items()
        if before is not None and isinstance(run, Trace) and (after := logits_of(run)) is not None
    }  # fmt: skip
    most = max(distances.values(), default=0.0)
    native = allowed_of(base, it)

    def card(name: str, run: Trace | LensError) -> Card:
        rule = rules.get(name)
        width = rule.width if rule is not None else None
        if isinstance(run, LensError):
            return Card(name, mask_words.title(name), "", str(run), None, width=width)
        allowed = allowed_of(run, it)
        best = [] if it.fills else changes(run, k=1)
        was = changes(it.native, k=1)
        share, distance = (percent(best[0].now) if best else ""), distances.get(name)
        own = {home: "native", "yours": mask_words.counted(native, allowed)}
        note = own.get(name) or mask_words.note(name, it.columns[-1])
        return Card(
            name, mask_words.title(name), note, mask_words.says(name, width, it.stream), allowed,
            label(best[0].text) if best else "", share, bool(best) and best[0].id != was[0].id,
            "" if distance is None else divergence(distance), distance / most if distance and most else 0.0, width, name == on,
        )  # fmt: skip

    cards = [card(name, run) for name, run in shown.items()]
    if on != "yours":
        cards.append(Card("yours", "Yours", "", "Paint one below: it will stand here.", None))

    def picked(name: str, width: int | None) -> None:
        ours, kept = split(state.chosen().mask, it.stream)
        rule = rules.get(name)
        if width is not None and rule is not None and rule.width is not None:
            known = {**dict(state.chosen()[WIDTHS]), name: width}
            own = {"mask": (*kept, replace(rule, width=width))} if ours == (rule,) else {}
            state.choose(widths=tuple(sorted(known.items())), **own)
        elif width is None and name != "yours":
            state.choose(mask=kept if name == home or rule is None else (*kept, rule))

    mask_gallery(cards, it.stream, picked)


def painter(view: Scene, it: Focus) -> None:
    """The pattern of the head in view with its mask to paint on; the next token before and after; how the pattern moved."""
    native, allowed = allowed_of(it.native, it), allowed_of(it.now, it)
    before = it.native.at(it.stream, it.choice.layer).head(it.choice.head)
    if max(native.shape) > LONGEST:
        long(view, it, max(native.shape))
        return
    past = history()
    spot = hash((it.native.request, it.stream, it.choice.layer, it.choice.head))
    version = f"{it.stream.value}-{native.shape[0]}-{native.shape[1]}-{spot & 0xFFFFFFFF:x}"
    shift = moved_share(before, it.pattern)
    most = np.unravel_index(int(np.abs(it.pattern - before).argmax()), native.shape)
    title, where = it.next_title()
    sites = [site for site in view.info.sites if site.stream is it.stream]
    header: dict[str, Any] = {
        "rows": it.rows, "columns": it.columns, "stream": it.stream.value, "version": version, "name": it.name,
        "one": it.stream is not Stream.CROSS, "heads": [1, sites[it.choice.layer].heads, sum(site.heads for site in sites)],
        "undo": len(past.past), "redo": len(past.future), "seen": past.seen, "refused": past.refused,
        "says": mask_words.cells(native, allowed), "changed": it.changed, "focus": [it.query, it.key],
        "title": title, "where": where, "silent": "" if it.says else silent(view.info),
        "next": [[one.label, one.share, one.before, percent(one.share), percent(one.before or 0.0)] for one in it.next_bars()]
        if it.says else [],
        "kl": it.divergence(), "shift": mask_words.rows_moved(float(shift.sum())),
        "most": [it.rows[most[0]], it.columns[most[1]], mask_words.points(float((it.pattern - before)[most]))],
    }  # fmt: skip

    past.refused = ""  # told once

    def on_paint(raw: Any) -> None:
        known = history()
        known.refused = ""
        # the mask as last drawn, not the one of the link: a browser that paints fast still sends the link of before
        if known.text != it.native.request:
            known.follow(it.native.request, state.chosen().mask)
        for stroke in read_strokes(raw, native.shape, version):
            if stroke.number <= known.seen:
                continue
            known.seen = stroke.number
            if stroke.act in ("undo", "redo"):
                known.step(stroke.act == "undo")
                continue
            _, others = split(known.now, it.stream)
            base = sheet(it.native, it.stream)
            try:
                made = painted(sheet(view.run(known.now), it.stream), base, stroke, it.choice.layer, it.choice.head)
                known.follow(it.native.request, (*others, *rules_of(it.stream, made, base)))
            except MaskError as error:
                known.refused = str(error)
        # also where nothing was new: a message that was sent twice comes with the link of before, too
        state.choose(mask=known.now)

    mask_painter(header, it.pattern, before, allowed, native, on_paint)


def fixed(view: Scene, it: Focus) -> None:
    """The mask of a model in which nothing can be changed: the map of the head in view, and what comes next."""
    left, right = st.columns([500, 460], gap="medium")
    with left:
        charts.heading(it.name, "as trained")
        pattern, allowed, rows, columns, stream, focus = it.drawn()
        figure = heatmap.heatmap(pattern, allowed, rows, columns, stream, focus, charts.theme(), margins=not it.pooled)
        charts.plot(figure, "map", heatmap.describe(it.rows, it.columns, it.pattern, it.name), controls.clicked_cell)
        charts.words("<b>Hatched</b>: no head of this layer gives it any weight.")
    with right:
        _next(view, it)


def long(view: Scene, it: Focus, tokens: int) -> None:
    """What a mask does on a text too long to paint on: the next token before and after."""
    charts.words(
        f"A mask can be painted on texts of up to {LONGEST} tokens; this one has {tokens}. The cards and the switch work on it."
    )
    _next(view, it)
    if (distance := it.divergence()) is not None:
        charts.words(f"KL(native ‖ this), next token: <b>{distance} nats</b>. A tick on a bar: as trained.")


def _next(view: Scene, it: Focus) -> None:
    if it.says:
        title, where = it.next_title()
        charts.heading(title, where)
        charts.bars(it.next_bars(), charts.theme().decoder if view.writes else charts.theme().encoder, title, "next", 420)


def writing(view: Scene, it: Focus) -> None:
    """The whole sentence, greedily, before and after."""
    if not view.writes or not it.changed:
        return
    # cells of rows that were written after the beginning have to be there when the writing begins
    again = view.grown is not None and not any(rule.edges and rule.stream is not Stream.ENCODER for rule in it.choice.mask)
    old, new = (sentence_under(view, mask, again) for mask in ((), it.choice.mask))
    charts.heading("The whole sentence" if again else "Written on", "greedy: always the likeliest token")
    begin = view.written if not again and view.written else ""
    st.html(mask_words.sentences(f"{begin} {old}".strip(), f"{begin} {new}".strip()))


def keep(it: Focus) -> None:
    """Save the mask to a file, load one, take it off."""
    mine, others = split(it.choice.mask, it.stream)
    with st.container(horizontal=True, key="keep-mask", gap="small"):
        st.button("As trained", key="mask-off", disabled=not mine, on_click=state.choose, kwargs={"mask": others})
        st.download_button(
            "Save mask", write_file(it.choice.mask), "mask.json", "application/json",
            disabled=not it.choice.mask or not fits_file(it.choice.mask), on_click="ignore",
        )  # fmt: skip
        with st.popover("Load mask"):
            sent = st.file_uploader("A mask saved here", type="json", key="mask-file")
            if sent is not None and st.button("Use this file", key="mask-load"):
                try:
                    state.choose(mask=read_file(sent.getvalue()))
                    st.rerun()
                except LensError as error:
                    trouble.show(error)
    if it.choice.mask and not state.linkable(it.choice.mask):
        file = fits_file(it.choice.mask)
        way = "save it as a file to share it" if file else "and for a file; paint fewer cells, or the same for more heads"
        charts.words(f"<b>This mask is too intricate for a link</b>{':' if file else ''} {way}.")
