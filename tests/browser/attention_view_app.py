"""A page of its own for the attention view: made-up patterns of any size, chosen in the address; nothing else on it."""

import sys
from dataclasses import asdict, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from core.request import Stream  # noqa: E402
from core.ui.attention.view import ViewChoice, attention_view  # noqa: E402
from tests import waiting  # noqa: E402
from tests.browser.made_up import trace_of  # noqa: E402

st.set_page_config(layout="wide")
asked = st.query_params
if asked.get("root", "").isdigit():  # a projector's root size, as the app's own style sheet sets it
    st.html(f"<style>:root{{font-size:{asked['root']}px}}</style>")
stream = Stream(asked.get("stream", "encoder"))
trace = trace_of(
    int(asked.get("tokens", 9)),
    int(asked.get("layers", 3)),
    int(asked.get("heads", 4)),
    asked.get("mask", "full"),
    asked.get("text", "plain"),
    int(asked.get("first", 0)),
)

# the view's own messages let this run go on: it draws what was chosen before them, with other words around it
if late := st.button("Run late"):
    waiting.until(Path(asked["gate"]).exists)


@st.fragment
def view() -> None:
    chosen = st.session_state.get("chosen") or ViewChoice(stream, layer=1, head=2)
    runs = st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    if st.toggle("Away"):
        return
    before = "Later, " if late else ""
    attention_view(trace, chosen, on_choice=lambda made: st.session_state.update(chosen=made), before=before)
    st.text(f"chosen {asdict(chosen)}")
    st.text(f"runs {runs}")
    if st.button("Move to layer 1, head 1"):
        st.session_state["chosen"] = replace(chosen, layer=0, head=0)
        st.rerun(scope="fragment")


view()
