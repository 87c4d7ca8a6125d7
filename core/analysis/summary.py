"""What a screen says about a trace before anyone has pointed at anything: where to look first, and what a run costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from core.analysis.patterns import strongest
from core.request import Site, Stream
from core.trace import Tokens, Trace


@dataclass(frozen=True, slots=True)
class RunCost:
    """What a run will compute: how many attention weights, and how many bytes they are in float32."""

    weights: int
    formula: str

    @property
    def bytes(self) -> int:
        """Four for each weight."""
        return 4 * self.weights

    def __str__(self) -> str:
        return f"{self.formula} = {_short(self.weights)} weights, {self.bytes / 1e6:.1f} MB"


def cost(sites: Iterable[Site], source: int, target: int) -> RunCost:
    """What a run over source and target tokens (0 where there is no such text) costs: Σ heads · queries · keys."""
    sites = tuple(sites)
    sizes = {
        Stream.ENCODER: (source, source),
        Stream.DECODER: (target, target),
        Stream.CROSS: (target, source),
    }
    terms = []
    for stream in Stream:
        here = [site for site in sites if site.stream is stream]
        if here:
            queries, keys = sizes[stream]
            counts = {site.heads for site in here}
            count = _some(sum(site.heads for site in here), "head")
            if len(counts) == 1:
                count = f"{_some(len(here), 'layer')} × {_some(counts.pop(), 'head')}"
            terms.append(f"{queries} × {keys} tokens × {count}")
    total = sum(site.heads * sizes[site.stream][0] * sizes[site.stream][1] for site in sites)
    return RunCost(total, " + ".join(terms))


def texts(trace: Trace, stream: Stream) -> tuple[Tokens, Tokens]:
    """Who looks and who is looked at in a stream: (queries, keys). A model with one text uses it for both."""
    source, target = trace.source or trace.target, trace.target or trace.source
    assert source is not None and target is not None
    return (source if stream is Stream.ENCODER else target), (target if stream is Stream.DECODER else source)


def focus_on(pattern: np.ndarray, special: Iterable[bool]) -> tuple[int, int]:
    """The cell a screen opens on: the last query that is a word, and the key it looks at most.

    pattern float [query, key]; special has one entry a query.
    """
    words = [query for query, odd in enumerate(special) if not odd]
    query = words[-1] if words else len(pattern) - 1
    return query, strongest(pattern, query)


def _short(number: int) -> str:
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return str(number)


def _some(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
