"""Generate, for a model that only reads: hide a word, and it says what fits there and where the mask looks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from core.errors import LensError
from core.figures import markup
from core.figures.payloads import fill as fill_payload
from core.trace import Tokens, Trace
from core.ui.generate import tabs
from core.ui.generate.parameters import PART
from core.ui.kit import charts, component, trouble
from core.ui.kit.turns import read_numbers, turns
from core.ui.running.branches import fitting
from core.ui.running.scene import Scene
from core.ui.running.scene import masked as under
from core.ui.running.writing import version_of
from core.ui.session import state

MOST = 20  # words hidden at once


def hidden(tokens: Tokens, numbers: tuple[int, ...] | None) -> list[int]:
    """Which words are hidden, of those that are there; the last one where nobody has chosen yet."""
    words = fill_payload.words_of(tokens)
    if numbers is None:
        spoken = [word for word, places in words.items() if any(char.isalnum() for p in places for char in tokens.text[p])]
        return spoken[-1:] or list(words)[-1:]
    return [word for word in dict.fromkeys(numbers) if word in words][:MOST]


def masked(view: Scene, places: list[int], mask: int) -> Trace:
    """The trace of the text with its tokens at `places` behind the mask."""
    source = tuple(mask if place in places else id for place, id in enumerate(view.request.source or ()))
    request = replace(view.request, source=source)
    return view.trace(under(request.keeping("pattern"), fitting(view.choice.mask, request)))


def fill_mask(view: Scene, top: Any) -> None:
    """The text to click, what fits at the mask, and where it looks."""
    lens = view.lens
    if not view.info.can_predict or lens.mask is None:
        charts.words("This model reads a text but came without what fills in a hidden word. Its attention is all there.")
        st.page_link("../../pages/attention.py", label="Open Attention", icon=":material/arrow_forward:")
        return
    tokens = lens.tokens(view.request.source or ())
    words = fill_payload.words_of(tokens)
    name, numbers = tabs.read(state.chosen()[PART])
    chosen = hidden(tokens, numbers if name == "fill" else None)
    places = sorted(place for word in chosen for place in words[word])
    try:
        trace = masked(view, places, lens.mask)
    except LensError as error:
        trouble.show(error)
        return
    version = version_of(trace.request)

    def toggled(message: dict[str, Any]) -> None:
        told = read_numbers(message, version, ("word",))
        if told is not None and told["word"] in words:
            word = told["word"]
            rest = [one for one in chosen if one != word]
            tabs.go("fill", *(rest if word in chosen else [*rest, word]))

    def put(message: dict[str, Any]) -> None:
        told = read_numbers(message, version, ("place", "id"))
        if told is not None and told["place"] in places and told["id"] < view.info.vocab:
            source = view.request.source or ()
            text = lens.decode((*source[: told["place"]], told["id"], *source[told["place"] + 1 :])).strip()
            if text:
                state.choose(text=text, part="fill" + "".join(f".{word}" for word in chosen))

    data = fill_payload.payload(tokens, trace, places, words[chosen[-1]][0] if chosen else -1, version)
    top.html(markup.sentence(lead(data["places"][data["focus"] : data["focus"] + 1])))
    data["theme"], taken = st.context.theme.type, turns("fill")
    _fill(key="fill", data=data, on_word_change=taken.hears("word", toggled), on_put_change=taken.hears("put", put))


def lead(places: list[dict[str, Any]]) -> list[str | tuple[str]]:
    """What the model would put at a mask."""
    if not places:
        return ["No word is hidden: click one, and the model says what fits in its place."]
    place = places[0]
    best = place["candidates"][0]
    parted: list[str | tuple[str]] = [
        "In place of “", (place["was"],), "” the model would put “", (best["text"],), "” (", (best["said"],), ")",
    ]  # fmt: skip
    if best["was"]:
        return [*parted, ": it finds the word that was hidden."]
    return [*parted, "; the hidden word itself is its choice number ", (f"{place['rank']:,}",), " (", (place["said"],), ")."]


_fill = component.component("fill")
