"""The pages there are, in the order of the road. A further page or lesson is one row here and its file in pages/.

The menu, the road on Home, the title on top of the page and its address follow the row. A lesson is a page of the group Learn:
what it asks is registered by `lesson.questions` when it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import streamlit as st

from core.paths import PAGES as FOLDER
from core.paths import ROOT
from core.ui.session import state


@dataclass(frozen=True, slots=True)
class Page:
    """A page. name: of its file in pages/, and its address. group: the heading it stands under in the menu. says: its line on
    the road; Home, which holds the road, has none."""

    name: str
    group: str
    title: str
    says: str = ""

    @property
    def file(self) -> Path:
        """Where it is written."""
        return FOLDER / f"{self.name}.py"


PAGES = (
    Page("home", "Start", "Home"),
    Page("sequence", "Learn", "Sequence modelling", "Predict the next token, again and again: so a language model writes."),
    Page("rnn", "Learn", "From RNN to attention", "One memory for all that was read, or a look back at each part of it."),
    Page("hand", "Learn", "Self-attention by hand", "Drag queries, keys and values, and watch the weights follow."),
    Page("encoder", "Learn", "The encoder", "From a text to vectors: two steps a layer, every number in view."),
    Page("decoder", "Learn", "The decoder", "Box by box to the next token, the future hidden by a mask."),
    Page("transductive", "Learn", "Transductive learning", "A few labels, many points without: who names the rest?"),
    Page("attention", "Explore", "Attention", "All heads of any model, and one of them large."),
    Page("masks", "Explore", "Masks", "Change what may be looked at, and nothing the model learnt."),
    Page("translate", "Explore", "Translate", "Encoder and decoder at work on a sentence, step by step."),
    Page("generate", "Explore", "Generate", "A text grows; each new token joins the input."),
)


def groups() -> dict[str, list[Page]]:
    """The pages under their headings, both in the order of the rows."""
    return {group: [page for page in PAGES if page.group == group] for group in dict.fromkeys(page.group for page in PAGES)}


def here() -> Page:
    """The page in view; Home opens on the bare address."""
    name = state.session().page
    return next((page for page in PAGES if page.name == name), PAGES[0])


def heading() -> None:
    """The title of the page in view, on top of it."""
    st.title(here().title, anchor=False)


@cache
def parameters() -> None:
    """Import what each page, and each lesson, keeps in a link, so that a link is read whole whichever page it opens."""
    for file in sorted((ROOT / "core" / "ui").glob("*/parameters.py")):
        import_module(f"core.ui.{file.parent.name}.parameters")
