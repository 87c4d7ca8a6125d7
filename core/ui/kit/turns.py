"""Who set a choice last: the browser counts its gestures, Python counts what it sets itself, and each tells the other.

A gesture is drawn at once where it is made, and sent with its number (assets/components/shared/turns.js). What a run sends back
bears the number of the last gesture that had arrived. So a component knows a late answer, made before its newest gesture, and lets
it pass; what Python itself has set (a link, a preset, a button) is always taken over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

MOST = 1_000_000_000  # gestures of one visitor


@dataclass(slots=True)
class Turns:
    """The turns of one mounted component. held: what Python and the browser both hold, as far as Python knows.

    seen: the number of the last gesture that arrived. own: how often Python itself has set something, and begin what it was.
    """

    key: str
    seen: int = 0
    own: int = 0
    held: Any = None
    begin: Any = None

    def hears(self, name: str, use: Callable[[dict[str, Any]], Any]) -> Callable[[], None]:
        """The callback for messages of this name. `use` gets one without its number and gives what is held from now on, or None.

        A message that `use` refuses counts as arrived, too: what goes back then takes it back on the screen.
        """

        def heard() -> None:
            made = self.take(self.sent(name), use)
            self.held = self.held if made is None else made

        return heard

    def sent(self, name: str) -> Any:
        """What a browser sent under this name, whatever it is; None where it sent nothing."""
        return (st.session_state.get(self.key) or {}).get(name)

    def take(self, raw: Any, use: Callable[[dict[str, Any]], Any]) -> Any:
        """What `use` makes of a message from a browser; None where there is none, or it has no number."""
        if type(raw) is not dict or type(raw.get("turn")) is not int or not 0 < raw["turn"] <= MOST:
            return None
        self.seen = raw["turn"]
        return use({name: value for name, value in raw.items() if name != "turn"})

    def shows(self, value: Any) -> dict[str, int]:
        """To be sent with this value, which Python holds now: whether it is an answer, and to which gesture."""
        self.sets(value)
        return {"own": self.own, "seen": self.seen}

    def sets(self, value: Any) -> int:
        """The same for a component that is sent only what Python itself set, `begin`, and no answers: the number of its setting."""
        away = self.key not in st.session_state  # a component that comes back opens with what is held now
        if value != self.held or away or not self.own:
            self.own, self.held, self.begin = self.own + 1, value, value
        return self.own


def turns(key: str) -> Turns:
    """This visitor's turns of the component that is mounted under this key."""
    return st.session_state.setdefault(f"{key}-turns", Turns(key))


def read_numbers(raw: dict[str, Any], version: str, fields: tuple[str, ...]) -> dict[str, int] | None:
    """Whole numbers from 0 up by field, from a message that holds only them and a version; None for anything else.

    version: of the drawing that is shown; a click on an older one means nothing.
    """
    if set(raw) != {"version", *fields} or raw["version"] != version:
        return None
    values = {name: raw[name] for name in fields}
    return values if all(type(value) is int and value >= 0 for value in values.values()) else None
