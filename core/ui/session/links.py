"""What each parameter of a link may hold: read strictly, for a link is written by anyone. A ValueError refuses it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from core.analysis.hand.plane import read_link
from core.analysis.hand.recipe import read_recipe
from core.analysis.transductive.board import read_board
from core.interventions import MOVES
from core.masks import MASKS
from core.request import Sampling, Stream
from core.ui.session.rules import read_reads, read_rules

Widths = tuple[tuple[str, int], ...]
BRANCHES = 4  # kept for comparison, beside the one in view
LONGEST_NAME = 200  # characters of a model's name
LINKED = 4000  # characters of a text that still fits a link
MEASURES = ("weight", "norm", "rollout")
BOXES = ("check-cell", "check-stages", "pieces", "places", "take")
STAGES = ("product", "scaled", "capped", "biased", "warmed", "masked", "weights", "values")
DIAL = ("Idea", "Maths", "Code")
SHIFTS, ORDERS = 64, 99  # the furthest shift of the position lab, its last order
MERGED = 9999  # merges of a word: all of them
WRITTEN = 400  # pieces of a text that Generate writes
ROUNDS = 1000  # exercises of a memory game
SHORT = 120  # characters of an exercise of one's own

def write_sampling(sampling: Sampling) -> str:
    """What the link's `sampling` reads as the same."""
    parts = {"t": sampling.temperature, "k": sampling.top_k, "p": sampling.top_p, "m": sampling.min_p, "s": sampling.seed}
    return "_".join(f"{name}{value:g}" if name != "s" else f"s{value}" for name, value in parts.items() if value is not None)


def _count(raw: str) -> int:
    number = int(raw) if re.fullmatch(r"[0-9]{1,4}", raw) else 0
    if number < 1:
        raise ValueError(raw)
    return number - 1


def _cell(raw: str) -> tuple[int, int | None]:
    query, *key = raw.split(".")
    if len(key) > 1:
        raise ValueError(raw)
    return _count(query), _count(key[0]) if key else None


def _text(raw: str) -> str:
    if len(raw) > LINKED:
        raise ValueError(raw)
    return raw


def _name(raw: str) -> str:
    if not raw or len(raw) > LONGEST_NAME or not raw.isprintable():
        raise ValueError(raw)
    return raw


def _sampling(raw: str) -> Sampling:
    found = re.fullmatch(r"t([0-9.]{1,8})(?:_k([0-9]{1,6}))?(?:_p([0-9.]{1,8}))?(?:_m([0-9.]{1,8}))?_s([0-9]{1,18})", raw)
    if found is None:
        raise ValueError(raw)
    t, k, p, m, s = found.groups()
    top_p, min_p = (None if value is None else float(value) for value in (p, m))
    return Sampling(float(t), None if k is None else int(k), top_p, min_p, int(s))


def _ids(raw: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,7}){0,99}", raw):
        raise ValueError(raw)
    return tuple(int(number) for number in raw.split("."))


def _branches(raw: str) -> tuple[tuple[int, ...], ...]:
    branches = tuple(_ids(one) for one in raw.split("_"))
    if len(branches) > BRANCHES or len(set(branches)) < len(branches):
        raise ValueError(raw)
    return branches


def _part(raw: str) -> str:
    if not re.fullmatch(r"[a-z]{1,12}(\.[0-9]{1,4}){0,40}", raw):
        raise ValueError(raw)
    return raw


def _box(raw: str) -> str:
    if not re.fullmatch(r"[a-z0-9]{1,16}", raw):
        raise ValueError(raw)
    return raw


def _depth(raw: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", raw):
        raise ValueError(raw)
    return int(raw)


def _view(raw: str) -> str:
    if not re.fullmatch(r"[a-z0-9_.~-]{0,600}", raw):
        raise ValueError(raw)
    return raw


def _length(raw: str) -> int:
    if not 0 < (length := _below(raw, WRITTEN + 1)):
        raise ValueError(raw)
    return length


def _among(*known: str) -> Callable[[str], str]:
    """A reader of one of these names."""

    def read(raw: str) -> str:
        if raw not in known:
            raise ValueError(raw)
        return raw

    return read


def _opened(raw: str) -> tuple[str, ...]:
    names = raw.split(".")
    if len(set(names)) < len(names) or set(names) - set(BOXES):
        raise ValueError(raw)
    return tuple(name for name in BOXES if name in names)


def write_moved(moved: tuple[str, int]) -> str:
    """What the link's `positions` reads as the same: "off", "shuffled.3", "shifted.10"."""
    how, amount = moved
    return how if how == "off" else f"{how}.{amount}"


def _moved(raw: str) -> tuple[str, int]:
    how, *amount = raw.split(".")
    most = {"off": 0, "shuffled": ORDERS, "shifted": SHIFTS}[how] if how in MOVES else -1
    if len(amount) != (most > 0) or most < 0:
        raise ValueError(raw)
    number = _count(amount[0]) + 1 if amount else 0
    if number > most:
        raise ValueError(raw)
    return how, number


def write_widths(widths: Widths) -> str:
    """What the link's `widths` reads as the same: "window4.block5"."""
    return ".".join(f"{name}{width}" for name, width in widths)


def _widths(raw: str) -> Widths:
    found = tuple(re.fullmatch(r"([a-z]+)([1-9][0-9]{0,2})", part) for part in raw.split("."))
    widths = dict((one[1], int(one[2])) for one in found if one and one[1] in MASKS and MASKS[one[1]].needs_width)
    if len(widths) < len(found):
        raise ValueError(raw)
    return tuple(sorted(widths.items()))


def _merges(raw: str) -> tuple[int, int]:
    word, done = raw.split(".")
    return _count(word), _below(done, MERGED + 1)


def _dial(raw: str) -> str:
    return DIAL[[name.lower() for name in DIAL].index(raw)]


def _spot(raw: str) -> tuple[int, int]:
    step, box = raw.split(".")
    return _count(step), _count(box)


def _below(raw: str, limit: int) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", raw) or int(raw) >= limit:
        raise ValueError(raw)
    return int(raw)


def _game(raw: str) -> tuple[str, int, int, int]:
    """A game by name, its delay, the number of the exercise from 0, the answer in view from 1."""
    name, *numbers = raw.split(".")
    if not re.fullmatch(r"[a-z]{1,12}", name) or len(numbers) != 3:
        raise ValueError(raw)
    return name, _below(numbers[0], 1000), _below(numbers[1], ROUNDS), _count(numbers[2])


def _short(raw: str) -> str:
    if not raw.strip() or len(raw) > SHORT:
        raise ValueError(raw)
    return raw


READERS: dict[str, Callable[[str], Any]] = {
    "model": _name, "text": _text, "target": _text, "stream": Stream, "layer": _count, "head": _count, "cell": _cell,
    "mask": read_rules, "view": _view, "plane": read_link, "forced": _ids, "sampling": _sampling, "box": _box, "reads": read_reads,
    "depth": _depth, "teacher": _text, "branches": _branches, "part": _part, "own": _text, "length": _length,
    "measure": _among(*MEASURES), "positions": _moved, "widths": _widths, "open": _opened, "stage": _among(*STAGES),
    "merges": _merges, "dial": _dial, "game": _game, "exercise": _short, "step": _spot,
    "recipe": read_recipe, "sheet": _count, "board": read_board,
}  # fmt: skip
