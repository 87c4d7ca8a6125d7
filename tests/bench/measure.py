"""Timing that holds on a busy machine: pairs run in turn, CPU time rather than the clock, the median of the pairs' ratios."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """Median seconds of CPU of ours and of the other, and the ratios ours / other, one a pair."""

    ours: float
    other: float
    ratios: tuple[float, ...]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def spread(self) -> str:
        """The middle half of the ratios."""
        low, _, high = statistics.quantiles(self.ratios, n=4)
        return f"{low:.3g}–{high:.3g}"


def cpu(work: Callable[[], object], repeat: int = 1) -> float:
    """Seconds of CPU (all threads of this process) that one run takes."""
    begin = time.process_time()
    for _ in range(repeat):
        work()
    return (time.process_time() - begin) / repeat


def pairs(ours: Callable[[], object], other: Callable[[], object], count: int = 15, repeat: int = 1) -> Pair:
    """Run the two in turn, changing who goes first, after one warm-up each."""
    ours(), other()
    times = []
    gc.collect()
    for n in range(count):
        if n % 2:
            b = cpu(other, repeat)
            a = cpu(ours, repeat)
        else:
            a = cpu(ours, repeat)
            b = cpu(other, repeat)
        times.append((a, b))
    return Pair(
        statistics.median(a for a, _ in times), statistics.median(b for _, b in times), tuple(a / b for a, b in times)
    )


def line(goal: str, what: str, ours: str, peer: str, ratio: float, wanted: str, fine: bool, spread: str = "") -> str:
    """One row of the report."""
    mark = "holds" if fine else "MISSED"
    return f"{goal:>4}  {what:<58} {ours:>12} {peer:>12}  ratio {ratio:8.3f} ({spread or '—'})  goal {wanted:<9} {mark}"
