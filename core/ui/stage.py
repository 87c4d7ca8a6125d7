"""The drawings of Generate as Streamlit components: each made of the parts they share and of its own script and style."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import streamlit as st

from core.figures.theme import DARK, LIGHT

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "components"


def drawing(name: str) -> Any:
    """The component of assets/components/NAME, with the rows of heads before it."""
    themes = json.dumps({theme.name: asdict(theme) for theme in (LIGHT, DARK)})
    parts = [(FOLDER / folder / f"{folder}.{kind}").read_text("utf-8") for kind in ("js", "css") for folder in ("rows", name)]
    script = f"const THEMES = {themes};\n{parts[0]}\n{parts[1]}"
    return st.components.v2.component(f"lookback_{name}", js=script, css=f"{parts[2]}\n{parts[3]}", isolate_styles=True)


def told(key: str, name: str, version: str, fields: tuple[str, ...]) -> dict[str, int] | None:
    """What a browser sent under `name`: whole numbers from 0 up by field; None for anything else, whatever it is."""
    return read((st.session_state.get(key) or {}).get(name), version, fields)


def read(raw: Any, version: str, fields: tuple[str, ...]) -> dict[str, int] | None:
    """The same, from the value itself. version: of the drawing that is shown; a click on an older one means nothing."""
    if type(raw) is not dict or set(raw) != {"version", *fields} or raw["version"] != version:
        return None
    values = {name: raw[name] for name in fields}
    return values if all(type(value) is int and value >= 0 for value in values.values()) else None
