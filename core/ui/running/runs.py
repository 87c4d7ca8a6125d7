"""Runs that sessions share: the same question is computed once, costly ones wait their turn, answers stay while they fit."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

COSTLY = 2_000_000  # attention weights: about half a second on one core for a small model


@dataclass(slots=True)
class Ticket:
    """A question under way, or answered. `before` says how many costly ones stand in front of it."""

    future: Future
    started: float
    costly: bool = False
    number: int = 0
    served: Callable[[], int] = lambda: 0

    @property
    def before(self) -> int:
        """How many costly questions will be answered first."""
        return max(0, self.number - self.served() - 1) if self.costly else 0

    @property
    def seconds(self) -> float:
        """How long ago it was asked."""
        return time.monotonic() - self.started

    def settled(self, timeout: float = 0.0) -> bool:
        """Wait up to `timeout` seconds; whether the answer, or the error, is there."""
        if self.future.done():
            return True
        done = threading.Event()
        self.future.add_done_callback(lambda _: done.set())
        return done.wait(timeout) or self.future.done()

    def result(self) -> Any:
        """The answer. Raises what the computation raised."""
        return self.future.result()


class Runs:
    """Answers by key. Keys are small hashable values, never arrays; answers are immutable and shared as they are.

    workers: quick questions answered at the same time; costly ones go one by one. budget: bytes of arrays kept, the least
    recently used go first, the newest always stays. Errors are handed to everyone who waits and forgotten.
    """

    def __init__(self, workers: int = 2, budget: int = 256_000_000) -> None:
        self._quick = ThreadPoolExecutor(workers, thread_name_prefix="quick-run")
        self._costly = ThreadPoolExecutor(1, thread_name_prefix="costly-run")
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, Ticket] = {}
        self._kept: OrderedDict[Hashable, tuple[Ticket, int]] = OrderedDict()
        self._budget, self._bytes = budget, 0
        self._queued = self._served = 0

    def ask(self, key: Hashable, compute: Callable[[], Any], weights: int = 0, keep: bool = True) -> Ticket:
        """The ticket of `key`: an old one if the question was asked before, else a new one for `compute`.

        keep=False: a turn of work, shared by those who ask while it is under way, and forgotten when it is done.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
            if key in self._under_way:
                return self._under_way[key]
            costly = weights > COSTLY
            self._queued += costly
            ticket = Ticket(Future(), time.monotonic(), costly, self._queued, lambda: self._served)
            self._under_way[key] = ticket
        lane = self._costly if costly else self._quick
        lane.submit(self._compute, key, ticket, compute, keep)
        return ticket

    def forget(self, belongs: Callable[[Hashable], bool]) -> None:
        """Drop the answers whose key belongs to something that is gone."""
        with self._lock:
            for key in [key for key in self._kept if belongs(key)]:
                self._bytes -= self._kept.pop(key)[1]

    @property
    def bytes(self) -> int:
        """How much is kept."""
        return self._bytes

    def _compute(self, key: Hashable, ticket: Ticket, compute: Callable[[], Any], keep: bool) -> None:
        try:
            answer = compute()
        except BaseException as error:
            self._settle(key, ticket)
            ticket.future.set_exception(error)
            return
        self._settle(key, ticket, size_of(answer) if keep else None)
        ticket.future.set_result(answer)

    def _settle(self, key: Hashable, ticket: Ticket, size: int | None = None) -> None:
        with self._lock:
            self._served += ticket.costly
            del self._under_way[key]
            if size is None:
                return
            self._kept[key] = ticket, size
            self._bytes += size
            while self._bytes > self._budget and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1][1]


def size_of(thing: Any, seen: set[int] | None = None) -> int:
    """Bytes of the arrays (and byte strings) held by a value made of dataclasses, slots, tuples and mappings. What goes on
    growing after it was kept says in `reserved` how many bytes it may come to."""
    seen = set() if seen is None else seen
    if thing is None or isinstance(thing, (str, int, float, bool)) or id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(reserved := getattr(thing, "reserved", None), int):
        return reserved
    if isinstance(thing, np.ndarray):
        owner = thing
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        if owner is not thing and id(owner) in seen:
            return 0
        seen.add(id(owner))
        return owner.nbytes
    if isinstance(thing, bytes):
        return len(thing)
    if isinstance(thing, dict):
        return sum(size_of(value, seen) for value in thing.values())
    if isinstance(thing, (tuple, list, frozenset, set)):
        return sum(size_of(value, seen) for value in thing)
    names = [part.name for part in fields(thing)] if is_dataclass(thing) else getattr(type(thing), "__slots__", ())
    return sum(size_of(getattr(thing, name, None), seen) for name in names)


def workers() -> int:
    """How many quick runs at once: the cores, shared out among torch's threads."""
    cores = os.cpu_count() or 1
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    return max(1, min(4, cores // max(1, int(threads) if threads.isdigit() else 1)))


shared = Runs(workers(), int(os.environ.get("LOOKBACK_CACHE_BYTES") or 256_000_000))
