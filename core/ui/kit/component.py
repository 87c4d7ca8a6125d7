"""Components made of plain files in assets/components: Streamlit takes a component as one script and one style."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import streamlit as st

from core.paths import COMPONENTS
from core.ui.kit import bundle


def component(name: str, *, sheets: tuple[str, ...] = (), isolate: bool = True) -> Any:
    """Register what lies in assets/components/NAME and give what mounts it.

    name: the folder, whose entry file bears its name; "hand/real_head" for another entry file in it. sheets: its
    style sheets, named like files, where they are not just those that lie beside its files and bear their names. isolate:
    whether it gets a shadow root, which keeps the page's styles out.
    """
    entry = name if "/" in name else f"{name}/{name}"
    wire = f"lookback_{name.replace('/', '_')}"
    css = style(sheets or [module.name for module in bundle.ordered(entry)])
    return st.components.v2.component(wire, js=bundle.script(entry), css=css or None, isolate_styles=isolate)


def style(names: Iterable[str]) -> str:
    """The style sheets of these names that there are, as one text."""
    sheets = (COMPONENTS / f"{name}.css" for name in names)
    return "\n".join(sheet.read_text("utf-8") for sheet in sheets if sheet.is_file())
