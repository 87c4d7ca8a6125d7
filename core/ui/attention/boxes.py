"""Boxes at the foot of a page whose inside is worked out when they are opened; which ones are open stands in the link."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.ui.attention.parameters import BOXES, OPEN
from core.ui.session import state


def box(label: str, name: str) -> Any:
    """A box by its name in links, which is also its key; its `open` tells whether to fill it."""

    def turned(opened: bool) -> None:
        others = set(state.chosen()[OPEN]) - {name}
        now = others | ({name} if opened else set())
        state.choose(open=tuple(one for one in BOXES if one in now))

    return st.expander(label, key=state.held(name, name in state.chosen()[OPEN]), on_change=state.heard(name, turned))
