"""The decoder's account on a page: drawn from one message; which step and box one looks into stands in the link."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.figures.payloads import account as account_payload
from core.inside import Account
from core.ui.decoder.parameters import SPOT
from core.ui.kit import charts
from core.ui.kit.component import component, received
from core.ui.running.scene import Scene
from core.ui.session import state


def facts(view: Scene) -> dict[str, Any]:
    """What the boxes tell of the model itself, from its configuration."""
    config = view.lens.config
    assert config is not None  # only models of ours are walked
    return {
        "d": config.d_model, "heads": config.heads, "ff": config.d_ff, "vocab": config.vocab, "causal": config.causal,
    }  # fmt: skip


def opened_account(view: Scene, held: Account, step: int) -> None:
    """The steps and their boxes. step: the one that opens, counted over the whole target, where nobody has chosen another."""
    lens = view.lens
    version = f"{abs(hash(view.request)):x}"
    data = account_payload.payload(
        held, facts(view), lambda id: lens.tokens([id]).text[0], frozenset(lens.ends), version, step
    )
    first, sizes = data["left"], (len(data["steps"]), len(data["boxes"]))

    def looked() -> None:
        told = received("account", "spot", version, ("step", "box"))
        if told is not None and told["step"] < sizes[0] and told["box"] < sizes[1]:
            memory["told"] = first + told["step"], told["box"]
            state.choose(step=memory["told"])

    memory = st.session_state.setdefault("account-memory", {"turn": 0})
    spot = state.chosen()[SPOT]
    if memory.get("version") != version or memory["told"] != spot:  # else the browser shows it: nothing is to be sent again
        memory |= {"version": version, "told": spot, "begin": spot, "turn": memory["turn"] + 1}
    begin, box = memory["begin"], -1
    if begin is not None and first <= begin[0] < first + sizes[0] and begin[1] < sizes[1]:
        data["step"], box = begin[0] - first, begin[1]
    _account(
        key="account", data={**data, "box": box, "turn": memory["turn"], "theme": st.context.theme.type}, on_spot_change=looked
    )
    if first:
        charts.words(f"The text is long: its last {account_payload.STEPS} steps are shown.")


_account = component("account")
