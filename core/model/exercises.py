"""Exercises for the memory machines: recalling what belonged to a key, and copying what was read.

Recall: a machine reads some pairs of a key and a value, then a delay, then keys. Which value belonged to each key? (Graves et
al. 2014, §4.3, is a similar task.) Further pairs fill the delay. Any of them might be asked, so a machine must keep them all. A
delay of noise would teach nothing: a GRU learns to close its gates, and in a trial lost nothing over 40 symbols of noise. The
source is all pairs. The target is keys, each with an arrow after it; at the arrow the machine must predict the value.

Copy: a machine reads some symbols and must write the same again (Graves et al. 2014, §4.1). Each symbol is written as many
steps after it was read as there are symbols: this number is the delay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

KEYS, VALUES = "abcdefghijklmnop", "0123456789"
ASK, FILLER = "→", "·"
SYMBOLS = (ASK, FILLER, *KEYS, *VALUES)  # the id of a symbol is its place here
PLACE = {symbol: place for place, symbol in enumerate(SYMBOLS)}
KEY, VALUE = PLACE[KEYS[0]], PLACE[VALUES[0]]
IGNORED = -100  # in `wanted`: nothing is asked at this position
HELD_OUT = 8  # one of this many contents is never trained on


Batch = tuple[Tensor, Tensor, Tensor]  # source, given and wanted, each [row, position]


@dataclass(frozen=True, slots=True)
class Task:
    """A kind of exercise. "recall": `pairs` to recall after a delay of 0 to `longest` symbols, which are further pairs. "copy":
    up to `longest` symbols to write again."""

    pairs: int = 2
    longest: int = 28
    name: str = "recall"

    @property
    def delays(self) -> tuple[int, ...]:
        """The delays at which accuracy is measured, in symbols between reading and answer."""
        return tuple(delay for delay in MEASURED if delay or self.name == "recall")

    @property
    def width(self) -> int:
        """Symbols before the delay."""
        return 2 * self.pairs

    @property
    def most(self) -> int:
        """Pairs in all, after the longest delay."""
        return self.pairs + self.longest // 2


MEASURED = (0, 2, 4, 8, 12, 16, 20, 24, 28)
TASK = Task()
TASKS = {task.name: task for task in (TASK, Task(pairs=0, name="copy"))}


def held_out(content: np.ndarray) -> np.ndarray:
    """Which of the rows [row, symbol] belong to the held-out part: bool [row]. A hash of the symbols decides (FNV-1a)."""
    key = np.full(len(content), 2166136261, np.uint64)
    for column in content.T:
        key = ((key ^ column.astype(np.uint64)) * np.uint64(16777619)) & np.uint64(0xFFFFFFFF)
    return (key >> np.uint64(7)) % np.uint64(HELD_OUT) == 0


def contents(
    pairs: int, rows: int, rng: np.random.Generator, unseen: bool, letters: int = len(KEYS)
) -> np.ndarray:
    """Pairs [row, symbol], no key twice in a row. All rows are of the held-out part (unseen) or all of the training part."""
    found: list[np.ndarray] = []
    while sum(map(len, found)) < rows:
        many = rows * (2 * HELD_OUT if unseen else 2)
        content = np.empty((many, 2 * pairs), np.int64)
        content[:, 0::2] = KEY + rng.random((many, letters)).argsort(1)[:, :pairs]
        content[:, 1::2] = VALUE + rng.integers(len(VALUES), size=(many, pairs))
        found.append(content[held_out(content) == unseen])
    return np.concatenate(found)[:rows]


def make(
    task: Task, rows: int, delay: int, rng: np.random.Generator, unseen: bool = False, times: int = 1,
    asked: int | None = None, letters: int = len(KEYS),
) -> Batch:  # fmt: skip
    """Exercises in recall: source (the pairs, then the delay), given, and wanted, which is IGNORED where nothing is asked.

    asked: how many of the first pairs are asked; None asks all pairs before the delay. Each is asked `times` times, in random
    order: given “c → a →”, wanted “_ 7 _ 1”. letters: how many of KEYS are used. An odd delay ends with one FILLER.
    """
    content = contents(task.pairs + delay // 2, rows, rng, unseen, letters)
    source = np.concatenate([content, np.full((rows, delay % 2), PLACE[FILLER])], axis=1)
    asked = asked or task.pairs
    order = rng.random((rows, times * asked)).argsort(1) % asked
    given = np.full((rows, 2 * times * asked), PLACE[ASK])
    given[:, 0::2] = np.take_along_axis(content[:, 0::2], order, 1)
    wanted = np.full(given.shape, IGNORED)
    wanted[:, 1::2] = np.take_along_axis(content[:, 1::2], order, 1)
    return torch.from_numpy(source), torch.from_numpy(given), torch.from_numpy(wanted)


def copying(rows: int, length: int, rng: np.random.Generator, unseen: bool = False) -> Batch:
    """Exercises in copying `length` symbols. given: an arrow, then all symbols but the last. wanted: the symbols in order."""
    found: list[np.ndarray] = []
    while sum(map(len, found)) < rows:
        content = KEY + rng.integers(len(KEYS) + len(VALUES), size=(rows * (2 * HELD_OUT if unseen else 2), length))
        found.append(content[held_out(content) == unseen])
    content = np.concatenate(found)[:rows]
    given = np.concatenate([np.full((rows, 1), PLACE[ASK]), content[:, :-1]], axis=1)
    return torch.from_numpy(content), torch.from_numpy(given), torch.from_numpy(content.copy())


def exercises(task: Task, rows: int, delay: int, rng: np.random.Generator, unseen: bool = False) -> Batch:
    """Exercises of a task at a delay. For copying, the delay is the number of symbols."""
    return copying(rows, delay, rng, unseen) if task.name == "copy" else make(task, rows, delay, rng, unseen)
