"""The drawings of Generate as Streamlit components: each made of the parts they share and of its own script and style."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.ui.component import DRAWN, component, style


def drawing(name: str) -> Any:
    """The component of assets/components/NAME, with the rows of heads before it."""
    files = "rows/rows", f"{name}/{name}"
    return component(name, (*DRAWN, *files), style(*files))


def told(key: str, name: str, version: str, fields: tuple[str, ...]) -> dict[str, int] | None:
    """What a browser sent under `name`: whole numbers from 0 up by field; None for anything else, whatever it is."""
    return read((st.session_state.get(key) or {}).get(name), version, fields)


def read(raw: Any, version: str, fields: tuple[str, ...]) -> dict[str, int] | None:
    """The same, from the value itself. version: of the drawing that is shown; a click on an older one means nothing."""
    if type(raw) is not dict or set(raw) != {"version", *fields} or raw["version"] != version:
        return None
    values = {name: raw[name] for name in fields}
    return values if all(type(value) is int and value >= 0 for value in values.values()) else None
