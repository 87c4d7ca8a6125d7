"""Components made of plain files in assets/components, joined here: Streamlit takes a component as one script and one style."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import streamlit as st

from core.figures.theme import DARK, LIGHT
from core.paths import COMPONENTS as FOLDER

DRAWN = ("shared/build", "shared/draw", "shared/canvas")  # what a drawing on canvases builds on


def component(name: str, scripts: Sequence[str], styles: str = "", *, isolate: bool = True) -> Any:
    """Register lookback_NAME and give what mounts it.

    scripts: files below assets/components without their ending, each after those it builds on: "shared/build". styles: the
    text of its style sheet, see `style`. isolate: whether it gets a shadow root, which keeps the page's styles out.
    """
    return st.components.v2.component(f"lookback_{name}", js=script(scripts), css=styles or None, isolate_styles=isolate)


def script(names: Sequence[str]) -> str:
    """The files as one module, with THEMES, the colours of core.figures.theme, where they ask for it.

    Comments and indentation stay here: a browser fetches this text with every page that shows the component.
    """
    lines = [line.strip() for name in names for line in (FOLDER / f"{name}.js").read_text("utf-8").splitlines()]
    text = "\n".join(line for line in lines if line and not line.startswith("//"))
    if "THEMES" not in text:
        return text
    themes = json.dumps({theme.name: asdict(theme) for theme in (LIGHT, DARK)})
    return f"const THEMES = {themes};\n{text}"


def style(*names: str) -> str:
    """Style sheets below assets/components as one text, named like the scripts."""
    return "\n".join((FOLDER / f"{name}.css").read_text("utf-8") for name in names)


def drawing(name: str) -> Any:
    """A drawing of Generate: the component of assets/components/NAME, with the rows of heads before it."""
    files = "rows/rows", f"{name}/{name}"
    return component(name, (*DRAWN, *files), style(*files))


def received(key: str, name: str, version: str, fields: tuple[str, ...]) -> dict[str, int] | None:
    """What a browser sent under `name`: whole numbers from 0 up by field; None for anything else, whatever it is."""
    return read_received((st.session_state.get(key) or {}).get(name), version, fields)


def read_received(raw: Any, version: str, fields: tuple[str, ...]) -> dict[str, int] | None:
    """The same, from the value itself. version: of the drawing that is shown; a click on an older one means nothing."""
    if type(raw) is not dict or set(raw) != {"version", *fields} or raw["version"] != version:
        return None
    values = {name: raw[name] for name in fields}
    return values if all(type(value) is int and value >= 0 for value in values.values()) else None
