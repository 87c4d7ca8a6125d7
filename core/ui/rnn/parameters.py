"""What the page From RNN to attention keeps in a link: the game, and an exercise of one's own."""

from __future__ import annotations

import re

from core.ui.session.links import Parameter, below, counted, declare

ROUNDS = 1000  # exercises of a memory game
SHORT = 120  # characters of an exercise of one's own
Played = tuple[str, int, int, int]  # the game, its delay, the number of the exercise, the answer in view


def _game(raw: str) -> Played:
    """A game by name, its delay, the number of the exercise from 0, the answer in view from 1."""
    name, *numbers = raw.split(".")
    if not re.fullmatch(r"[a-z]{1,12}", name) or len(numbers) != 3:
        raise ValueError(raw)
    return name, below(numbers[0], 1000), below(numbers[1], ROUNDS), counted(numbers[2])


def _write_game(game: Played) -> str:
    return ".".join(map(str, (*game[:3], game[3] + 1)))


def _short(raw: str) -> str:
    if not raw.strip() or len(raw) > SHORT:
        raise ValueError(raw)
    return raw


GAME = declare(Parameter[Played]("game", ("recall", 16, 0, 0), _game, _write_game))
EXERCISE = declare(Parameter("exercise", "", _short, longest=SHORT))
