"""Opens pages of a copy of the repository and prints what stands on them as JSON: `python opened.py '[["masks", {}]]'`.

Run with the copy as working directory and on PYTHONPATH; tests/test_recipes.py does.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

MENU: list[str] = []  # titles of the pages, as the menu got them last


def watched(navigation: Callable[..., Any]) -> Callable[..., Any]:
    """st.navigation, its pages noted: AppTest itself does not tell of the menu."""

    def noting(pages: dict[str, list[Any]], **options: Any) -> Any:
        MENU[:] = [page.title for group in pages.values() for page in group]
        return navigation(pages, **options)

    return noting


def seen(app: AppTest) -> dict[str, Any]:
    """What a visitor sees of the page in view."""
    sent = [one.proto for one in app.get("bidi_component")]
    return {
        "html": [one.value for one in app.html],
        "titles": [one.value for one in app.title],
        "menu": list(MENU),
        "links": [one.proto.label for one in app.get("page_link")],
        "choices": [list(one.options) for one in (*app.selectbox, *app.radio)],
        "curves": [one.proto.spec for one in app.get("vega_lite_chart")],
        "plots": [one.proto.spec for one in app.get("plotly_chart")],
        "json": {one.component_name: json.loads(one.json) for one in sent if one.json},
        "bytes": {one.component_name: base64.b64encode(one.bytes).decode() for one in sent if one.bytes},
        "errors": [one.message for one in app.exception],
    }


def main(visits: list[tuple[str, dict[str, str]]]) -> None:
    """One visitor goes from page to page."""
    st.navigation = watched(st.navigation)
    # an AppTest would look through all installed packages for components, which takes longer than a page does
    manifest_scanner.scan_component_manifests = lambda: []
    app = AppTest.from_file(os.path.join(os.getcwd(), "core/ui/main.py"), default_timeout=180).run()
    found = []
    for page, params in visits:
        for name, value in params.items():
            app.query_params[name] = value
        found.append(seen(app.switch_page(f"../../pages/{page}.py").run()))
    print(json.dumps(found))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
