"""Masks side by side, each a card that can be adopted: what it allows, what it made of the next token, how far it went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from core.request import Stream
from core.ui.kit.component import component
from core.ui.kit.turns import turns

WIDEST = 999


@dataclass(frozen=True, slots=True)
class Card:
    """One mask, ready to be drawn. allowed bool [query, key] of the head in view, None where the mask was refused: then
    `says` tells why. token: the first token it leads to; kl and share as text, bar from 0 to 1; width None: it has none."""

    name: str
    title: str
    note: str
    says: str
    allowed: np.ndarray | None
    token: str = ""
    share: str = ""
    turned: bool = False
    kl: str = ""
    bar: float = 0.0
    width: int | None = None
    on: bool = False


def read_picked(raw: Any, names: Sequence[str]) -> tuple[str, int | None] | None:
    """What a browser sent: a card's name, and its new width if that was changed; None for anything else, whatever it is."""
    if type(raw) is not dict or set(raw) != {"card", "width"} or raw["card"] not in names:
        return None
    width = raw["width"]
    if width is not None and (type(width) is not int or not 1 <= width <= WIDEST):
        return None
    return raw["card"], width


def mask_gallery(
    cards: Sequence[Card], stream: Stream, on_pick: Callable[[str, int | None], None], key: str = "mask-gallery"
) -> None:
    """Show the cards. on_pick gets, as a widget's callback, the name of one, and its width where that was what changed."""

    def picked(message: dict[str, Any]) -> None:
        made = read_picked(message, [card.name for card in cards])
        if made is not None:
            on_pick(*made)

    plain = [name for name in Card.__slots__ if name != "allowed"]
    shown = [{name: getattr(card, name) for name in plain} | {"rows": _signs(card.allowed)} for card in cards]
    data = {"cards": shown, "stream": stream.value, "theme": st.context.theme.type}
    _gallery(key=key, data=data, on_picked_change=turns(key).hears("picked", picked))


def _signs(allowed: np.ndarray | None) -> list[str]:
    return [] if allowed is None else ["".join("1" if may else "0" for may in row) for row in allowed]


_gallery = component("mask_gallery")
