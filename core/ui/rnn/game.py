"""From RNN to attention: which memory game is played, as it stands in the link."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import Any

from core.ui.kit import trouble
from core.ui.rnn.parameters import GAME
from core.ui.session import state

TASKS = ("recall", "copy")
DELAYS = {"recall": tuple(range(0, 29, 2)), "copy": tuple(range(2, 29, 2))}


@dataclass(frozen=True, slots=True)
class Game:
    """What is played: the task, the delay, which of the held-out exercises (from 0), and which of its
    answers is looked into (from 0)."""

    task: str
    delay: int
    number: int
    answer: int


def game() -> Game:
    """The game that was chosen; where a link asks for one that does not exist, this is said and the usual one taken."""
    made = Game(*state.chosen()[GAME])
    if made.task not in TASKS or made.delay not in DELAYS[made.task]:
        trouble.tell("The link’s game is none of those here; the usual one is shown.", "note")
        state.choose(game=GAME.default)
        return Game(*GAME.default)
    return made


def play(**changes: Any) -> None:
    """Change the game. Another task cannot have a delay it does not know, nor one's own exercise for the task before."""
    now = Game(*state.chosen()[GAME])
    if changes.get("task", now.task) != now.task:
        known = DELAYS[changes["task"]]
        changes.setdefault("delay", min(known, key=lambda delay: abs(delay - now.delay)))
        changes.setdefault("exercise", "")
    own = {"exercise": changes.pop("exercise")} if "exercise" in changes else {}
    state.choose(game=astuple(replace(now, **{"answer": 0, **changes})), **own)
