"""Which cells of a pattern may be looked at: named masks, and rules that put one on layers and heads.

A new mask is one entry in MASKS. The engine, the gallery of the page Masks and the links find it there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from core.checks import natural, naturals
from core.errors import MaskError
from core.sites import Site, Stream, as_stream

if TYPE_CHECKING:
    import numpy as np

Edge = tuple[int | None, int]
MOST_EDGES = 16 * 128 * 128  # cells of a mask that comes from outside: sixteen whole maps of the largest text one can paint on


@dataclass(frozen=True, slots=True)
class MaskKind:
    """A named mask. `allows(q, k, scene)` takes positions q [query, 1] and k [1, key] and gives bool [query, key] (or what
    broadcasts to it), True = may look.

    title, says: its name and sentence in the gallery; {width} in the sentence becomes “2 tokens”. across: the sentence for
    attention between two texts, where it differs. width: the width it opens with in the gallery; None for a mask that takes no
    width. needs_edges: its rule must name cells. columns: each named cell is a whole column. on_cross: whether the mask makes
    sense between two texts. sample: gives the cells of the gallery's example from the number of keys; without cells there is no
    card. note: a word on its card; {last} becomes the last key. opening: how the sentence about a cell begins under this mask.
    """

    allows: Callable[[np.ndarray, np.ndarray, MaskScene], np.ndarray]
    title: str
    says: str
    across: str = ""
    width: int | None = None
    needs_edges: bool = False
    columns: bool = False
    on_cross: bool = False
    sample: Callable[[int], tuple[Edge, ...]] | None = None
    note: str = ""
    opening: str = "Under the mask: "

    @property
    def needs_width(self) -> bool:
        """Whether its rule must bring a width."""
        return self.width is not None

    def shown(self, stream: Stream, keys: int, width: int | None) -> dict[str, Any] | None:
        """The fields of its card's rule in the gallery, besides stream and name; None where the mask has no card."""
        edges = self.sample(keys) if self.sample else ()
        if (stream is Stream.CROSS and not self.on_cross) or ((self.needs_edges or self.sample) and not edges):
            return None
        return {"width": width, "edges": edges}


@dataclass(frozen=True, slots=True)
class MaskScene:
    """What a mask may depend on besides q and k: its rule, whether the stream is causal, the model's own mask, padding keys."""

    rule: MaskRule
    causal: bool
    native: np.ndarray  # bool [query, key]: the model's own mask
    padding: np.ndarray  # bool [key], True where the key's id is padding
    query_start: int = 0  # the first row's position: 0, or later in a step of generation


@dataclass(frozen=True, slots=True)
class MaskRule:
    """Which mask, and on which layers and heads of a stream (None means all). A later rule replaces an earlier one.

    width: the length of a window, prefix or block, in tokens. edges: cells (query, key); (None, key) names a whole column.
    Raises MaskError where the name is unknown or a width or edge is missing or out of range.
    """

    stream: Stream
    name: str
    layers: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None
    width: int | None = None
    edges: tuple[Edge, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "stream", as_stream(self.stream))
        kind = MASKS.get(self.name)
        if kind is None:
            raise MaskError(
                f"one of the masks {', '.join(MASKS)}", f"“{self.name}”", "Choose a name from core.request.MASKS"
            )
        if self.stream is Stream.CROSS and not kind.on_cross:
            allowed = ", ".join(name for name, other in MASKS.items() if other.on_cross)
            raise MaskError(
                f"a mask that makes sense between two texts ({allowed})",
                f"“{self.name}” on cross-attention",
                "Queries and keys count different words there, so “earlier” has no meaning",
            )
        if kind.needs_width and not natural(self.width):
            raise MaskError(f"a width of at least 1 for “{self.name}”", f"{self.width}", "Pass width=3, for example")
        object.__setattr__(self, "width", natural(self.width))
        for name in ("layers", "heads"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else naturals(value, name))
        object.__setattr__(self, "edges", _edges(self.edges, self.name))
        if kind.needs_edges and not self.edges:
            raise MaskError(f"at least one cell (query, key) for “{self.name}”", "none", "Pass edges=((2, 0),)")
        if kind.columns and (cells := [edge for edge in self.edges if edge[0] is not None]):
            raise MaskError(
                f"whole columns (None, key) for “{self.name}”", f"the cell {cells[0]}", "Use “custom” for single cells"
            )

    def names(self, site: Site, head: int) -> bool:
        """Whether this rule applies to that head of that site."""
        return (
            self.stream is site.stream
            and (self.layers is None or site.layer in self.layers)
            and (self.heads is None or head in self.heads)
        )


def _custom(q: np.ndarray, k: np.ndarray, scene: MaskScene) -> np.ndarray:
    flipped = scene.native.copy()
    for query, key in scene.rule.edges:
        if query is None:
            flipped[:, key] = ~scene.native[:, key]
        elif 0 <= query - scene.query_start < len(flipped):
            flipped[query - scene.query_start, key] = ~scene.native[query - scene.query_start, key]
    return flipped


def _padding(q: np.ndarray, k: np.ndarray, scene: MaskScene) -> np.ndarray:
    allowed = scene.native & ~scene.padding[None, :]
    for _, key in scene.rule.edges:
        allowed[:, key] = False
    return allowed


def _window(q: np.ndarray, k: np.ndarray, scene: MaskScene) -> np.ndarray:
    width = scene.rule.width
    return (k <= q) & (q - k < width) if scene.causal else abs(q - k) < width


def _last(keys: int) -> tuple[Edge, ...]:
    """The last column. Where it is the only one it gives none, because no key would be left to look at."""
    return ((None, keys - 1),) if keys > 1 else ()


MASKS: Mapping[str, MaskKind] = MappingProxyType(  # in the order of the gallery
    {
        "full": MaskKind(
            lambda q, k, scene: (k >= 0) & (q >= 0),
            title="Full",
            says="Every token may look at every token.",
            across="Every token being written may look at every token of the source.",
            on_cross=True,
            opening="The future is open: ",
        ),
        "causal": MaskKind(
            lambda q, k, scene: k <= q,
            title="Causal",
            says="Each token may look at itself and what came before.",
            opening="The future is hidden: ",
        ),
        "window": MaskKind(
            _window,
            title="Window",
            says="Sliding window: a token may look at itself and fewer than {width} away; a causal model only backwards.",
            width=2,
        ),
        "prefix": MaskKind(
            lambda q, k, scene: (k <= q) | (k < scene.rule.width),
            title="Prefix",
            says="Causal, but the first {width} may be looked at by all.",
            width=2,
        ),
        "padding": MaskKind(
            _padding,
            title="Padding",
            says="The last token is treated as filling: nobody may look at it.",
            columns=True,
            on_cross=True,
            sample=_last,
            note="“{last}” out",
        ),
        "block": MaskKind(
            lambda q, k, scene: q // scene.rule.width == k // scene.rule.width,
            title="Block",
            says="Block-diagonal: the text is cut into blocks of {width}; tokens look only inside their own.",
            width=3,
        ),
        "custom": MaskKind(
            _custom,
            title="Custom",
            says="The model’s own mask with the cells you name flipped.",
            needs_edges=True,
            on_cross=True,
        ),
    }
)


def _edges(values: Iterable[Any], name: str) -> tuple[Edge, ...]:
    edges = set()
    edge: Any = values
    try:
        for edge in values:
            query, key = edge
            place, column = natural(query), natural(key)
            if column is None or (place is None and query is not None):
                raise ValueError
            edges.add((place, column))
    except (TypeError, ValueError):
        raise MaskError(f"cells (query, key), counted from 0, for “{name}”", f"{edge!r}") from None
    return tuple(sorted(edges, key=lambda edge: (-1 if edge[0] is None else edge[0], edge[1])))
