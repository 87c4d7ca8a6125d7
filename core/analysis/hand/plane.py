"""Self-attention small enough to be drawn: three to five tokens, each with a query, a key and a value in the plane.

Vaswani et al. 2017, eq. 1 with d = 2, in float64. Arrows are held in whole tenths, so that what is shown is what is used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import InputError

FEWEST, MOST, REACH = 3, 5, 30  # tokens; tenths an arrow may reach along each axis
Arrow = tuple[int, int]
Three = tuple[Arrow, Arrow, Arrow]  # query, key, value, in tenths


@dataclass(frozen=True, slots=True)
class Plane:
    """Tokens in a plane. words: what they are called; arrows: query, key and value of each, in tenths; chosen: the token that
    looks; causal: whether a token sees only itself and what stands before it. Raises InputError where these do not fit."""

    words: tuple[str, ...]
    arrows: tuple[Three, ...]
    chosen: int = 0
    causal: bool = False

    def __post_init__(self) -> None:
        fine = FEWEST <= len(self.words) == len(self.arrows) <= MOST and 0 <= self.chosen < len(self.words)
        if not fine or any(abs(part) > REACH for three in self.arrows for arrow in three for part in arrow):
            raise InputError(f"{FEWEST} to {MOST} tokens with arrows of at most {REACH / 10:g} a side", "others")

    @property
    def vectors(self) -> np.ndarray:
        """float64 [3, token, 2]: queries, keys, values."""
        return np.asarray(self.arrows, dtype=np.float64).transpose(1, 0, 2) / 10


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """What eq. 1 makes of a plane, step by step, float64: product q·k, score q·k/√d, weight (0 where a token may not look),
    each [query, key]; part weight times value [query, key, 2]; output [query, 2]."""

    product: np.ndarray
    score: np.ndarray
    weight: np.ndarray
    part: np.ndarray
    output: np.ndarray


def weigh(plane: Plane) -> Weighed:
    """softmax(q·k / √d) · v (eq. 1), each step kept."""
    query, key, value = plane.vectors
    product = query @ key.T
    score = product / np.sqrt(query.shape[-1])
    allowed = np.tri(len(query), dtype=bool) if plane.causal else np.ones_like(product, dtype=bool)
    masked = np.where(allowed, score, -np.inf)
    grown = np.exp(masked - masked.max(axis=-1, keepdims=True))
    weight = grown / grown.sum(axis=-1, keepdims=True)
    part = weight[:, :, None] * value[None]
    return Weighed(product, score, weight, part, part.sum(axis=1))


def read_plane(raw: Any) -> Plane | None:
    """What a browser sent, as a plane of the first of WORDS; None for anything else, whatever it is."""
    if type(raw) is not dict or set(raw) != {"chosen", "causal", "arrows"}:
        return None
    chosen, causal, arrows = raw["chosen"], raw["causal"], raw["arrows"]
    if type(chosen) is not int or type(causal) is not bool or type(arrows) is not list or len(arrows) > MOST:
        return None
    if any(type(flat) is not list or len(flat) != 6 or any(type(part) is not int for part in flat) for flat in arrows):
        return None
    threes = tuple(((f[0], f[1]), (f[2], f[3]), (f[4], f[5])) for f in arrows)
    try:
        return Plane(WORDS[: len(threes)], threes, chosen, causal)
    except InputError:
        return None


def write_link(plane: Plane) -> str:
    """A plane as it stands in a link: the word that looks (from 1), "c" where the causal mask is on, the arrows in tenths."""
    arrows = ["_".join(str(part) for arrow in three for part in arrow) for three in plane.arrows]
    return ".".join([f"{plane.chosen + 1}{'c' if plane.causal else ''}", *arrows])


def read_link(text: str) -> Plane:
    """The plane that `write_link` wrote. Raises ValueError for anything else (InputError where it would be no plane)."""
    found = re.fullmatch(r"([1-5])(c?)((?:\.-?[0-9]{1,2}(?:_-?[0-9]{1,2}){5}){3,5})", text)
    if found is None:
        raise ValueError(text)
    flats = [[int(part) for part in flat.split("_")] for flat in found[3][1:].split(".")]
    threes = tuple(((f[0], f[1]), (f[2], f[3]), (f[4], f[5])) for f in flats)
    return Plane(WORDS[: len(threes)], threes, int(found[1]) - 1, found[2] == "c")


# Planes to begin with

WORDS = ("the", "cat", "sleeps", "all", "day")
VALUES: tuple[Arrow, ...] = ((-8, -14), (22, 6), (4, 22), (-20, 10), (-22, -6))


def plane(queries: tuple[Arrow, ...], keys: tuple[Arrow, ...], chosen: int = 2, causal: bool = False) -> Plane:
    """A plane of the first words, with the usual values."""
    n = len(queries)
    return Plane(WORDS[:n], tuple(zip(queries, keys, VALUES[:n], strict=True)), chosen, causal)


START = plane(((10, -16), (-16, 12), (18, 12)), ((-14, 14), (-6, 16), (16, -6)))
NEIGHBOUR = plane(
    ((0, 30), (30, 0), (0, 30), (-30, 0)), ((30, 0), (0, 30), (-30, 0), (0, -30)), chosen=2
)  # each query points where the key of the token before it points; the first, where its right neighbour's does
ALIKE = plane(((14, -16), (-16, 12), (18, 12)), ((15, 12), (15, 12), (15, 12)))
SINK = plane(
    ((22, 10), (20, -12), (24, -2), (18, 16)), ((12, 1), (-14, 4), (-14, -6), (-16, 2)), chosen=2
)  # the first key is the shortest, but all queries point its way
ORTHOGONAL = plane(((0, 28), (0, -20), (0, 24)), ((30, 0), (-16, 0), (8, 0)))
# what a fourth and a fifth token come with
SPARE: tuple[Three, ...] = (((-14, -14), (-18, -10), VALUES[3]), ((16, -20), (-10, 20), VALUES[4]))
