"""The board of Transductive learning: which points lie on it, how they look at each other, who was given a label; and its link."""

from __future__ import annotations

import re
from dataclasses import dataclass

PLANE = ("moons", "rings", "blobs", "across")
POINTS = {"moons": 96, "rings": 96, "blobs": 96, "across": 96, "texts": 180}
CLASSES = {"moons": 2, "rings": 2, "blobs": 3, "across": 2, "texts": 3}
GAMMAS = {"plane": (1, 2, 5, 10, 20, 40, 80), "texts": (1, 2, 5, 10, 20, 40)}
ALPHAS = (0.2, 0.5, 0.8, 0.9, 0.99)
GAMMA = {"plane": 40, "texts": 10}
ALPHA = {"plane": 0.99, "texts": 0.9}
SEEDS = 1000  # sets that can be drawn of each kind


@dataclass(frozen=True, slots=True)
class Board:
    """What lies there. name: one of POINTS, or "digits", which have no board, only a curve; seed: what the points were drawn with;
    gamma: how sharply they look at each other; alpha: how far labels travel; labels: the class of each point, a digit, or "." where
    it has none, as long as there are points; None: the labels one begins with. Raises ValueError where these do not fit."""

    name: str = "moons"
    seed: int = 0
    gamma: int = GAMMA["plane"]
    alpha: float = ALPHA["plane"]
    labels: str | None = None

    def __post_init__(self) -> None:
        fine = self.name == "digits" or (
            self.name in POINTS and 0 <= self.seed < (SEEDS if self.name in PLANE else 1)
            and self.gamma in GAMMAS[self.kind] and self.alpha in ALPHAS
            and (self.labels is None or len(self.labels) == POINTS[self.name])
            and not set(self.labels or "") - {".", *"0123456789"[: CLASSES[self.name]]}
        )  # fmt: skip
        if not fine:
            raise ValueError(f"no board: {self.name}")

    @property
    def kind(self) -> str:
        """ "plane", "texts" or "digits"."""
        return "plane" if self.name in PLANE else self.name

    @property
    def version(self) -> str:
        """Which points these are."""
        return f"{self.name}-{self.seed}"


def opens(name: str) -> Board:
    """A board as it is found at first."""
    if name == "digits":
        return Board(name)
    kind = "plane" if name in PLANE else name
    return Board(name, 0, GAMMA[kind], ALPHA[kind])


def write_board(board: Board) -> str:
    """A board as it stands in a link: name, seed, γ, α in hundredths; then, where labels were changed, class by class the
    labelled points, counted from 1: "moons.0.40.99.12_30-77"."""
    if board.name == "digits":
        return board.name
    parts = [board.name, str(board.seed), str(board.gamma), str(round(100 * board.alpha))]
    if board.labels is not None:
        each = [
            "_".join(str(at + 1) for at, sign in enumerate(board.labels) if sign == str(one))
            for one in range(CLASSES[board.name])
        ]
        parts.append("-".join(each))
    return ".".join(parts)


def read_board(text: str) -> Board:
    """The board that `write_board` wrote. Raises ValueError for anything else."""
    if text == "digits":
        return Board(text)
    found = re.fullmatch(
        r"([a-z]{1,8})\.([0-9]{1,3})\.([0-9]{1,2})\.([0-9]{1,2})(?:\.([0-9_-]{1,900}))?", text, re.ASCII
    )
    if found is None or found[1] not in POINTS:
        raise ValueError(text)
    name, seed, gamma, alpha, given = found.groups()
    return Board(name, int(seed), int(gamma), int(alpha) / 100, None if given is None else _labels(name, given))


def _labels(name: str, given: str) -> str:
    each = given.split("-")
    if len(each) != CLASSES[name]:
        raise ValueError(given)
    signs = ["."] * POINTS[name]
    for one, places in enumerate(each):
        for place in places.split("_") if places else ():
            at = int(place) if re.fullmatch(r"[0-9]{1,3}", place, re.ASCII) else 0
            if not 1 <= at <= len(signs) or signs[at - 1] != ".":
                raise ValueError(place)
            signs[at - 1] = str(one)
    return "".join(signs)
