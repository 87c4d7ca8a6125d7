"""What the page Attention keeps in a link: how a head's numbers are read, what is open below, what was chosen in the view."""

from __future__ import annotations

from core.analysis import QUARTERS
from core.interventions import MOVES
from core.ui.session.links import Parameter, among, below, counted, declare, matching, optional

MEASURES = ("weight", "norm", "rollout")
BOXES = ("check-cell", "check-stages", "pieces", "places", "take")
STAGES = ("product", "scaled", "capped", "biased", "warmed", "masked", "weights", "values")
SHIFTS, ORDERS = 64, 99  # the furthest shift of the position lab, its last order
MERGED = 9999  # merges of a word: all of them
Moved = tuple[str, int]


def _moved(raw: str) -> Moved:
    """“off”, “shuffled.3”, “shifted.10”."""
    how, *amount = raw.split(".")
    most = {"off": 0, "shuffled": ORDERS, "shifted": SHIFTS}[how] if how in MOVES else -1
    if len(amount) != (most > 0) or most < 0:
        raise ValueError(raw)
    number = counted(amount[0]) + 1 if amount else 0
    if number > most:
        raise ValueError(raw)
    return how, number


def _write_moved(moved: Moved) -> str:
    how, amount = moved
    return how if how == "off" else f"{how}.{amount}"


def _opened(raw: str) -> tuple[str, ...]:
    names = raw.split(".")
    if len(set(names)) < len(names) or set(names) - set(BOXES):
        raise ValueError(raw)
    return tuple(name for name in BOXES if name in names)


def _merges(raw: str) -> tuple[int, int]:
    word, done = raw.split(".")
    return counted(word), below(done, MERGED + 1)


# what else was chosen in the attention view, as it writes it
VIEW = declare(Parameter("view", "", matching(r"[a-z0-9_.~-]{0,600}")))
# of a pair of sentences, which one looks at which: the other weights fade
QUARTER = declare(Parameter("quarter", "all", among("all", *QUARTERS), forgotten_with=("model",)))
# how the numbers of a head are read
MEASURE = declare(Parameter("measure", "weight", among(*MEASURES)))
# where the position lab puts the tokens, and by how much
POSITIONS = declare(Parameter[Moved]("positions", ("off", 0), _moved, _write_moved, changes=True))
# the boxes below that are open
OPEN = declare(Parameter[tuple[str, ...]]("open", (), _opened, ".".join))
# the stage of a head that is drawn
STAGE = declare(Parameter("stage", "weights", among(*STAGES)))
# a word of the text, and how many of its merges are done
MERGES = declare(Parameter[tuple[int, int] | None](
    "merges", None, _merges, optional(lambda merges: f"{merges[0] + 1}.{merges[1]}"), forgotten_with=("model", "text", "target"),
))  # fmt: skip
