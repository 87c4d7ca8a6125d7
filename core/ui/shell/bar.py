"""The bar on top of every page: which model, which text, what the decoder has written, examples, a link to share."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from core.engine.backend import LensInfo
from core.errors import InputError, LensError, TooLongError
from core.figures.labels import label
from core.ui.kit import trouble
from core.ui.running import models
from core.ui.running.scene import Scene, asked, lens_of, open_scene
from core.ui.session import state
from core.ui.session.giving import CHAT, PAIR, READS, WRITES
from core.ui.session.links import Parameter
from core.ui.session.state import heard, held
from core.ui.shell import menu
from core.ui.shell.facts import facts
from core.ui.shell.starters import Starter, head_of, proven, starters


def bar() -> tuple[st.delta_generator.DeltaGenerator, st.delta_generator.DeltaGenerator]:
    """Draw the bar; returns the places where the decoder's target and the facts on the model go once the model is loaded."""
    choice = state.chosen()
    with st.container(key="bar", horizontal=True, vertical_alignment="center", gap=None):
        told = _model(choice)
        _text_field("Text", "bar-text", choice.text, "text", "Type a sentence and press Enter")
        target = st.container(key="bar-target", gap=None)
        _examples(choice)
        _share()
    return target, told


def open_page(title: str = "") -> Scene:
    """Title, bar, notes and scene of a page; where there is no scene, a sentence says why and the page ends here.

    title: what stands on top, where that is not the page's title in the menu.
    """
    places = bar()
    st.title(title or menu.here().title, anchor=False)
    scene = _open(*places)
    if scene is None:
        raise trouble.PageEnds
    return scene


def open_part() -> Scene | None:
    """Bar, notes and scene in the middle of a page that has more to show: None, and a sentence, where there is no scene."""
    return _open(*bar())


def _open(target: st.delta_generator.DeltaGenerator, told: st.delta_generator.DeltaGenerator) -> Scene | None:
    scene = None
    with st.container():  # what is told here, now or while waiting, must not shift the place of what stands below
        try:
            scene = _pointed(open_scene(state.chosen()))
        except TooLongError as error:
            trouble.show(error)
            st.button("Keep as much of its beginning as fits", key="shorten", on_click=_shorten)
        except LensError as error:
            trouble.show(error)
        _target(target, scene)
        for sentence in facts(scene.info) if scene is not None else ():
            told.caption(plain(sentence))
        for note in state.take_notes():
            trouble.tell(note, "note")
    state.publish()
    return scene


def _shorten() -> None:
    """Take words off the end of the text, then of the target, until the model can read them."""
    choice = state.chosen()
    lens = lens_of(choice.model)
    both = lens.info.kind == "encoder-decoder"

    def fits(text: str, target: str, pair: str = "") -> bool:
        try:
            asked(lens, choice.but(pair=pair), text, target if both else None)
        except TooLongError:
            return False
        except InputError:  # empty, for one: not too long
            return True
        return True

    text = beginning(choice.text, lambda part: fits(part, ""), lens.room)
    changes = {"text": text} if text != choice.text else {}
    if both and choice.target:
        changes["target"] = beginning(choice.target, lambda part: fits(text, part), lens.room)
    if lens.info.pairs and choice[PAIR]:
        changes["pair"] = beginning(choice[PAIR], lambda part: fits(text, "", part), lens.room)
    state.choose(**changes)


def beginning(text: str, fits: Callable[[str], bool], most: int) -> str:
    """The longest beginning that fits: whole words, or letters where the first word alone is too long.

    most: characters above which nothing fits. Beginnings are tried from the shortest on, each twice as long as the one before,
    so that no text is tried that is much longer than the one that is kept.
    """
    if len(text) <= most and fits(text):
        return text
    words = text[: most + 1].split(" ")
    units, between = (words, " ") if fits(words[0]) else (list(words[0]), "")

    def fit(count: int) -> bool:
        return fits(between.join(units[:count]))

    high = 1
    while high < len(units) and fit(high):
        high *= 2
    low, high = high // 2, min(high, len(units))
    count = low + bisect_left(range(low + 1, high), True, key=lambda count: not fit(count))
    return between.join(units[:count])


def _text_field(name: str, key: str, value: str, field: str, placeholder: str) -> None:
    def changed(text: str) -> None:
        state.choose(**{field: text})

    with st.container(key=f"{key}-box", gap=None):
        st.text_input(name, key=held(key, value), placeholder=placeholder, on_change=heard(key, changed), autocomplete="off")


def _giving(info: LensInfo | None) -> None:
    """How the text is given to the model: a second sentence, the languages, the chat template, each where the model has it."""
    choice = state.chosen()
    if (info is None and choice[PAIR]) or (info is not None and info.pairs):
        _text_field("Second sentence", "bar-pair", choice[PAIR], "pair", "none")
    if info is None:
        return
    if info.languages:
        with st.popover("Languages", key="bar-languages"):
            for row, label in ((READS, "It reads"), (WRITES, "It writes")):
                _language(row, label, info.languages)
    if info.chats:
        st.toggle(
            "As a message", key=held("bar-chat", choice[CHAT]), on_change=heard("bar-chat", lambda on: state.choose(chat=on)),
            help="The text is put into the model’s own chat template, as a user’s message that it is to answer.",
        )  # fmt: skip


def _language(row: Parameter[str], name: str, languages: tuple[str, ...]) -> None:
    """One language of a translator of many; "" is what it does by itself."""
    key, now = f"bar-{row.name}", state.chosen()[row]
    offered = ("", *languages)
    st.selectbox(
        name, offered, key=held(key, now if now in offered else "", offered), format_func=lambda one: one or "as usual",
        on_change=heard(key, lambda one: state.choose(**{row.name: one}), offered),
    )  # fmt: skip


def _target(place: Any, scene: Scene | None) -> None:
    """The decoder's text so far, where the model has one; typed by the visitor or grown by the model."""
    choice = state.chosen()
    with place:
        _giving(scene.info if scene is not None else None)
    if scene is None:
        if choice.target is not None:
            with place:
                _text_field("Target so far", "bar-target-text", choice.target, "target", "")
        return
    if scene.info.kind != "encoder-decoder" or scene.info.answers is not None:
        return
    text = choice.target if choice.target is not None else scene.grown.text if scene.grown else ""
    with place:
        _text_field("Target so far", "bar-target-text", text, "target", "nothing yet")
        if choice.target is not None:
            st.button("Let it write", key="write", on_click=state.choose, kwargs={"target": None}, type="tertiary")


def _model(choice: state.Choice) -> st.delta_generator.DeltaGenerator:
    """The menu of models; returns the place in it for the facts on the model that is chosen."""
    offers = models.offers()
    known = {offer.name: offer for offer in offers}
    title = known[choice.model].title if choice.model in known else choice.model.partition(":")[2] or choice.model
    names = list(known) if choice.model in known else [*known, choice.model]

    def picked(name: str) -> None:
        state.choose(model=name)

    def named(typed: str) -> None:
        name = typed.strip()
        if name:
            state.choose(model=name if name in known else f"hub:{name}")

    with st.popover(f"Model **{plain(label(title, 28))}**", key="bar-model-box"):
        told = st.container(key="bar-facts", gap=None)  # above the list, which may be long
        st.radio(
            "Model", names, key=held("bar-model", choice.model), on_change=heard("bar-model", picked, names),
            format_func=lambda name: plain(known[name].title if name in known else name.partition(":")[2]),
            captions=[plain(known[name].says if name in known else "from the hub") for name in names],
        )  # fmt: skip
        if models.hub_allowed():
            st.text_input(
                "Hugging Face name", key=held("bar-hub", choice.model.removeprefix("hub:") if ":" in choice.model else ""),
                placeholder="owner/name", on_change=heard("bar-hub", named),
                help="Fetched once, then kept on this machine. Safetensors only: no code is run.",
            )  # fmt: skip
        else:
            st.caption("This server offers the models above.")
    return told


def _examples(choice: state.Choice) -> None:
    """Six texts for this model; picking one points at the head that its line speaks of."""
    offered = {one.text: one for one in starters(choice.model, models.kind(choice.model))}

    def picked() -> None:
        text = st.session_state.get("bar-examples")
        if text in offered:
            start(offered[text], choice.model)

    st.menu_button("Examples", list(offered), key="bar-examples", on_click=picked, format_func=plain)


def start(one: Starter, model: str) -> None:
    """Show a starter: its text, and on the model it was written for also where to look, once the model has read it."""
    own = proven(model)
    changes: dict[str, Any] = {"text": one.text, "target": one.target if own else None}
    if own and one.at is not None:
        changes |= {"stream": one.at, "layer": 0, "head": 0, "view": "", "mask": ()}
        st.session_state["starter"] = one
    state.choose(**changes)
    state.session().notes = (one.look if own else one.ask,)


def _pointed(scene: Scene) -> Scene:
    """The scene with the head and cell in focus that a starter speaks of, where one was just picked."""
    one = st.session_state.pop("starter", None)
    if one is None or one.text != scene.choice.text:
        return scene
    layer, head = head_of(one, scene.run())
    state.choose(layer=layer, head=head, cell=one.sees[0][:2] if one.sees else None)
    return scene.renewed()


@trouble.block
def _share() -> None:
    """A block of its own that runs when it is opened: what was chosen since the page ran, in one of its blocks, is in the link."""
    choice = state.chosen()
    with st.popover("Share", key="bar-share", on_change="rerun"):
        st.markdown("This link opens the same view:")
        st.code(link(), language=None, wrap_lines=True)
        if len(choice.text) > state.LINKED:
            st.caption("The text is too long for a link and is left out.")
        if not state.linkable(choice.mask):
            st.caption("The mask is too intricate for a link and is left out; the page Masks saves it as a file.")
        if st.button("Start again", key="reset", on_click=state.reset):
            st.rerun()


def link() -> str:
    """The address that opens this view again."""
    return f"{(st.context.url or '').partition('?')[0]}?{urlencode(state.write(state.chosen()))}"


def plain(text: str) -> str:
    """A text that Markdown shows as it is: every sign that could mean something is escaped."""
    return "".join("\\" + char if char in "\\`*_{}[]()<>#+-.!|~:$&" else char for char in text)
