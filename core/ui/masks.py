"""The Masks page's parts: the gallery, the mask that can be painted, what it does, and the way to keep it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
import streamlit as st

from core.analysis import changes, kl, logits_of
from core.errors import InputError, LensError
from core.figures import mask_picture
from core.figures.distribution import Bar
from core.figures.labels import label, percent
from core.figures.plain_map import plain_map
from core.request import MaskRule, Stream
from core.trace import Trace
from core.ui import charts, state, trouble
from core.ui.look import Look
from core.ui.mask_painter import LONGEST, mask_painter
from core.ui.rules import LONGEST as LINK
from core.ui.rules import flips, read_rules, write_rules
from core.ui.scene import Scene, sentence_under
from core.ui.state import held

SAYS = {
    "causal": "Each piece sees itself and what came before.",
    "full": "Every piece sees every piece.",
    "prefix": "Causal, but the first {width} are open to all.",
    "window": "Only the nearest {width}.",
    "padding": "The last piece is treated as padding: nobody sees it.",
    "block": "Only one’s own block of {width}.",
    "yours": "What you painted.",
}
WIDTHS = {"prefix": 2, "window": 2, "block": 3}
SCOPES = ("head", "layer", "all")


@dataclass(frozen=True, slots=True)
class Card:
    """One mask of the gallery: its rule (None: as trained), what it allows in the head in view, and what it did."""

    name: str
    rule: MaskRule | None
    trace: Trace | None
    refused: str = ""


def stream_rules(mask: tuple[MaskRule, ...], stream: Stream) -> tuple[MaskRule, ...]:
    """The rules of one stream."""
    return tuple(rule for rule in mask if rule.stream is stream)


def cards(view: Scene, it: Look) -> list[Card]:
    """The gallery's masks on this stream, each run on the same weights."""
    others = tuple(rule for rule in it.choice.mask if rule.stream is not it.stream)
    keys, widths = len(it.keys), st.session_state.get("mask-widths", {})
    names = ("full", "padding") if it.stream is Stream.CROSS else ("causal", "full", "prefix", "window", "padding", "block")
    found = []
    for name in names:
        width = widths.get(name, WIDTHS.get(name))
        if name == "padding":
            rule = MaskRule(it.stream, name, edges=((None, keys - 1),)) if keys > 1 else None
        else:
            rule = MaskRule(it.stream, name, width=width)
        if rule is None:
            continue
        try:
            found.append(Card(name, rule, view.run((*others, rule))))
        except LensError as error:
            found.append(Card(name, rule, None, str(error)))
    mine = stream_rules(it.choice.mask, it.stream)
    if mine and not any(mine == (card.rule,) for card in found):
        found.append(Card("yours", mine[-1], it.now))
    return found


def adopted(card: Card, it: Look) -> bool:
    """Whether this card is the mask at work, the native one included where it looks the same."""
    mine = stream_rules(it.choice.mask, it.stream)
    if mine:
        return mine == (card.rule,) or card.name == "yours"
    return card.trace is not None and np.array_equal(allowed_of(card.trace, it), allowed_of(it.native, it))


def allowed_of(trace: Trace, it: Look) -> np.ndarray:
    """What the head in view may look at: bool [query, key]."""
    return trace.at(it.stream, it.choice.layer).allowed[it.choice.head]


def gallery(view: Scene, it: Look) -> None:
    """Six masks on the same weights; a click adopts one."""
    shown = cards(view, it)
    before = logits_of(it.native)
    distances = {}
    for card in shown:
        after = logits_of(card.trace) if card.trace is not None else None
        if before is not None and after is not None:
            distances[card.name] = kl(before, after)
    most = max(distances.values(), default=0.0)
    with st.container(horizontal=True, key="gallery", gap="small"):
        for card in shown:
            with st.container(key=f"card-{card.name}{'-on' * adopted(card, it)}", width=132, gap=None):
                _card(card, it, distances.get(card.name), most)


def _card(card: Card, it: Look, distance: float | None, most: float) -> None:
    others = tuple(rule for rule in it.choice.mask if rule.stream is not it.stream)
    rule = card.rule
    native = allowed_of(it.native, it)
    title = {"yours": "Yours", "window": "Sliding window", "block": "Block-diagonal"}.get(card.name, card.name.capitalize())
    if card.trace is None:
        st.html(f'<p class="how"><b>{escape(title)}</b><br>{escape(card.refused)}</p>')
        return
    allowed = allowed_of(card.trace, it)
    same = card.name != "yours" and np.array_equal(allowed, native)
    said = ""
    if (best := changes(card.trace, k=1)) and not it.fills:
        was = changes(it.native, k=1)[0].id
        said = f'<span class="{"turned" if best[0].id != was else ""}"><bdi>{escape(label(best[0].text))}</bdi></span> '
        said += percent(best[0].now)
    alt = f"{title}: {int(allowed.sum())} of {allowed.size} cells open"
    picture = mask_picture.picture(allowed, it.stream, alt, charts.theme())
    st.html(mask_picture.card(picture, title, said, distance, most, native=same))
    words = SAYS[card.name].format(width=rule.width if rule is not None else "")

    def adopt() -> None:
        keep = () if same or rule is None or card.name == "yours" else (rule,)
        state.choose(mask=it.choice.mask if card.name == "yours" else (*others, *keep))

    st.button("Use it", key=f"adopt-{card.name}", on_click=adopt, help=words, disabled=adopted(card, it))
    if card.name in WIDTHS and rule is not None:
        _width(card.name, rule, others)


def _width(name: str, rule: MaskRule, others: tuple[MaskRule, ...]) -> None:
    def changed() -> None:
        widths = dict(st.session_state.get("mask-widths", {}))
        widths[name] = int(st.session_state[f"width-{name}"])
        st.session_state["mask-widths"] = widths
        mine = stream_rules(state.chosen().mask, rule.stream)
        if mine == (rule,):
            state.choose(mask=(*others, replace(rule, width=widths[name])))

    st.number_input(
        "Pieces", 1, 999, key=held(f"width-{name}", int(rule.width or 1)), on_change=changed, label_visibility="collapsed"
    )  # fmt: skip


def painter(view: Scene, it: Look) -> None:
    """The mask of the head in view, to paint on."""
    charts.heading("The mask", f"of {it.name}")
    queries, keys = len(it.queries), len(it.keys)
    if max(queries, keys) > LONGEST:
        charts.words(f"A mask can be painted for texts of up to {LONGEST} pieces; this one has {max(queries, keys)}.")
        return
    scope = st.segmented_control(
        "What you paint holds for", SCOPES, default="all", key="paint-scope", required=True,
        format_func=lambda name: {"head": "This head", "layer": "This layer", "all": "All"}[name],
    )  # fmt: skip
    native, allowed = allowed_of(it.native, it), allowed_of(it.now, it)

    def painted(made: np.ndarray) -> None:
        layer, head = it.choice.layer, it.choice.head
        state.choose(mask=repainted(state.chosen().mask, it.stream, layer, head, str(scope), flips(native, made)))

    native_request = it.native.request  # the text and where one looks, but not the mask: undo must outlive a stroke
    said = hash((native_request, it.stream, it.choice.layer, it.choice.head))
    version = f"{it.stream.value}-{queries}-{keys}-{said & 0xFFFFFFFF:x}"
    closed = int((native & ~allowed).sum())
    opened = int((allowed & ~native).sum())
    says = f"As trained: {int(native.sum())} of {native.size} cells open."
    if closed or opened:
        says = f"{closed} cells closed, {opened} opened against the model as trained."
    mask_painter(allowed, native, it.rows, it.columns, it.stream, version, says, painted)
    charts.words(
        "<b>Drag</b> over cells to forbid or allow them; the model runs again when you let go. <b>Double-click</b> a word on "
        "top to hide it from everyone. Keys: arrows move, <b>Space</b> changes a cell, <b>C</b> hides a column, "
        "<b>Ctrl+Z</b> takes back. A dot marks what differs from training."
    )


def repainted(
    mask: tuple[MaskRule, ...], stream: Stream, layer: int, head: int, scope: str, edges: tuple[Any, ...]
) -> tuple[MaskRule, ...]:
    """The visitor's rules after painting: the new one replaces those that speak of nothing else. No edges: as trained."""
    layers = None if scope == "all" else (layer,)
    heads = (head,) if scope == "head" else None

    def covered(rule: MaskRule) -> bool:
        if rule.stream is not stream:
            return False
        return scope == "all" or (rule.layers == layers and (scope == "layer" or rule.heads == heads))

    kept = tuple(rule for rule in mask if not covered(rule))
    if edges:
        return (*kept, MaskRule(stream, "custom", layers, heads, edges=edges))
    if any(rule.stream is stream for rule in kept):  # a wider rule would show again: back to training takes a rule, too
        raise InputError("a change against the model as trained", "none", "Take the wider mask off first")
    return kept


def effect(view: Scene, it: Look) -> None:
    """What the mask did: the next piece before and after, the pattern's difference, the sentence before and after."""
    title, where = it.next_title()
    if view.writes or it.fills:
        charts.heading(title, where)
        rows = [Bar(change.text, change.now, change.before) for change in it.next()]
        charts.bars(rows, charts.theme().encoder if it.fills else charts.theme().decoder, title, "next", 300)
    if (distance := it.divergence()) is not None:
        charts.words(f"KL from native <b>{distance} nats</b>. A tick on a bar: before.")
    if not it.changed:
        charts.words("Choose a mask on the left or paint one: before and after stand here.")
        return
    if view.writes:
        old, new = sentence_under(view, ()), sentence_under(view, it.choice.mask)
        charts.heading("Written on", "greedily")
        st.html(
            f'<p class="how"><b>Before</b> <bdi>{escape(old)}</bdi></p><p class="how"><b>After</b> <bdi>{escape(new)}</bdi></p>'
            if new != old else f'<p class="how">The same with and without the mask: <bdi>{escape(old or "it ends here")}</bdi></p>'
        )  # fmt: skip


def difference(it: Look) -> None:
    """The pattern of the head in view, now less before."""
    if not it.changed:
        return
    charts.heading("What moved in the map", f"{it.name}, now less before")
    attention = it.native.at(it.stream, it.choice.layer)
    moved = it.pattern.astype(np.float64) - attention.head(it.choice.head)
    figure = plain_map(moved, it.rows, it.columns, charts.theme(), "of the row", True, (it.query, it.key), 420)
    most = np.unravel_index(int(np.abs(moved).argmax()), moved.shape)
    at = f"“{it.rows[most[0]]}” on “{it.columns[most[1]]}” by {moved[most]:+.3f}"
    charts.plot(figure, "difference", f"The difference of the pattern; it moved most for {at}.")
    charts.words(f"Violet: more than before, ochre: less. It moved most for {escape(at)}.")


def keep(it: Look) -> None:
    """Save the mask to a file, load one, take it off."""
    with st.container(horizontal=True, key="keep-mask", gap="small"):
        others = tuple(rule for rule in it.choice.mask if rule.stream is not it.stream)
        st.button(
            "As trained", key="mask-off", disabled=not stream_rules(it.choice.mask, it.stream),
            on_click=lambda: state.choose(mask=others),
        )  # fmt: skip
        content = json.dumps({"lookback": "mask", "mask": write_rules(it.choice.mask)}, indent=1)
        st.download_button(
            "Save mask", content, "mask.json", "application/json", disabled=not it.choice.mask, on_click="ignore"
        )  # fmt: skip
        with st.popover("Load mask"):
            sent = st.file_uploader("A mask saved here", type="json", key="mask-file")
            if sent is not None and st.button("Use this file", key="mask-load"):
                try:
                    state.choose(mask=read_file(sent.getvalue()))
                    st.rerun()
                except LensError as error:
                    trouble.show(error)


def read_file(content: bytes) -> tuple[MaskRule, ...]:
    """The rules of a saved mask. Raises InputError for any other file."""
    try:
        said = json.loads(content[: 4 * LINK].decode("utf-8"))
        if said["lookback"] != "mask" or len(content) > 4 * LINK:
            raise ValueError
        return read_rules(said["mask"]) if said["mask"] else ()
    except (ValueError, KeyError, TypeError, RecursionError, LensError):
        raise InputError("a mask saved by Lookback", "another file", "Save one with “Save mask” first") from None
