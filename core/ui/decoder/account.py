"""The decoder's account on a page: drawn from one message; which step and box one looks into stands in the link."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.figures.payloads import account as account_payload
from core.inside import Account
from core.ui.decoder.parameters import SPOT
from core.ui.kit import charts
from core.ui.kit.component import component
from core.ui.kit.turns import read_numbers, turns
from core.ui.running.scene import Scene
from core.ui.session import state


def facts(view: Scene) -> dict[str, Any]:
    """What the boxes say of the model itself, from its configuration."""
    config = view.lens.config
    assert config is not None  # only models of ours are walked
    return {
        "d": config.d_model, "heads": config.heads, "ff": config.d_ff, "vocab": config.vocab, "causal": config.causal,
    }  # fmt: skip


def opened_account(view: Scene, account: Account, step: int) -> None:
    """The steps and their boxes. step: the one that opens, counted over the whole target, where nobody has chosen another."""
    lens = view.lens
    version = f"{abs(hash(view.request)):x}"
    data = account_payload.payload(
        account, facts(view), lambda id: lens.tokens([id]).text[0], frozenset(lens.ends), version, step
    )
    first, sizes = data["left"], (len(data["steps"]), len(data["boxes"]))

    def opened(message: dict[str, Any]) -> tuple[str, tuple[int, int]] | None:
        read = read_numbers(message, version, ("step", "box"))
        if read is None or read["step"] >= sizes[0] or read["box"] >= sizes[1]:
            return None
        spot = first + read["step"], read["box"]
        state.choose(step=spot)
        return version, spot

    taken = turns("account")
    data["own"] = taken.sets((version, state.chosen()[SPOT]))  # what the browser chose it shows: nothing is to be sent again
    (_, begin), box = taken.begin, -1
    if begin is not None and first <= begin[0] < first + sizes[0] and begin[1] < sizes[1]:
        data["step"], box = begin[0] - first, begin[1]
    shown = {**data, "box": box, "theme": st.context.theme.type}
    _account(key="account", data=shown, on_spot_change=taken.hears("spot", opened))
    if first:
        charts.words(f"The text is long: its last {account_payload.STEPS} steps are shown.")


_account = component("account")
