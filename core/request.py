"""The question: which model, which tokens, which changes, and what to keep of the answer.

Everything here is frozen and hashable, so a Request is cache key, URL and test id at once. Nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from numbers import Real
from operator import index
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from core.errors import InputError, MaskError, NoSuchHeadError, RequestError

if TYPE_CHECKING:
    import numpy as np

KEEPS = frozenset({"pattern", "scores", "qkv", "residual", "predictions"})
CAPTURES = ("lazy", "float32", "u8")
ABLATIONS = ("zero", "mean")
MOVES = ("off", "shuffled", "shifted")
FURTHEST = 1_000_000  # places of a shift
COLDEST = 1e-30  # below, float32 scores divided by a temperature overflow
Edge = tuple[int | None, int]


class Stream(str, Enum):
    """Where attention happens: inside the encoder, inside the decoder, or from the decoder to the encoder."""

    ENCODER = "encoder"
    DECODER = "decoder"
    CROSS = "cross"


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """One attention of the model: its stream, its layer within that stream (from 0), its number of heads."""

    stream: Stream
    layer: int
    heads: int


@dataclass(frozen=True, slots=True, order=True)
class HeadRef:
    """What a person can point at: one head of one layer of one stream, all counted from 0."""

    stream: Stream
    layer: int
    head: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "stream", _stream(self.stream))
        for name in ("layer", "head"):
            number = _natural(getattr(self, name))
            if number is None:
                raise NoSuchHeadError(f"a {name} counted from 0", f"{getattr(self, name)!r}")
            object.__setattr__(self, name, number)


@dataclass(frozen=True, slots=True)
class MaskKind:
    """A named mask. `allows(q, k, scene)` takes positions q [query, 1] and k [1, key] and gives bool [query, key] (or what
    broadcasts to it), True = may look."""

    allows: Callable[[np.ndarray, np.ndarray, MaskScene], np.ndarray]
    says: str
    needs_width: bool = False
    needs_edges: bool = False
    on_cross: bool = False


@dataclass(frozen=True, slots=True)
class MaskScene:
    """What a predicate may ask beside q and k: the rule, whether the stream is causal, the native mask, padding keys."""

    rule: MaskRule
    causal: bool
    native: np.ndarray  # bool [query, key]
    padding: np.ndarray  # bool [key], True where the key's id is padding
    query_start: int = 0  # the first row's position: 0, or later in a step of generation


@dataclass(frozen=True, slots=True)
class MaskRule:
    """Which mask, and on which layers and heads of a stream (None: all). A later rule replaces an earlier one.

    width: window, prefix and block length, in tokens. edges: cells (query, key); (None, key) names a whole column.
    Raises MaskError where the name is unknown or a width or edge is missing or out of range.
    """

    stream: Stream
    name: str
    layers: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None
    width: int | None = None
    edges: tuple[Edge, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "stream", _stream(self.stream))
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
        if kind.needs_width and not _natural(self.width):
            raise MaskError(f"a width of at least 1 for “{self.name}”", f"{self.width}", "Pass width=3, for example")
        object.__setattr__(self, "width", _natural(self.width))
        for name in ("layers", "heads"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else _naturals(value, name))
        object.__setattr__(self, "edges", _edges(self.edges, self.name))
        if kind.needs_edges and not self.edges:
            raise MaskError(f"at least one cell (query, key) for “{self.name}”", "none", "Pass edges=((2, 0),)")
        if self.name == "padding" and (cells := [edge for edge in self.edges if edge[0] is not None]):
            raise MaskError(
                "whole columns (None, key) for “padding”", f"the cell {cells[0]}", "Use “custom” for single cells"
            )

    def names(self, site: Site, head: int) -> bool:
        """Whether this rule speaks of that head of that site."""
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


MASKS: Mapping[str, MaskKind] = MappingProxyType(
    {
        "causal": MaskKind(lambda q, k, scene: k <= q, "each token sees itself and what came before"),
        "full": MaskKind(lambda q, k, scene: (k >= 0) & (q >= 0), "every token sees every token", on_cross=True),
        "window": MaskKind(_window, "each token sees only its neighbours", needs_width=True),
        "prefix": MaskKind(
            lambda q, k, scene: (k <= q) | (k < scene.rule.width), "the first tokens are open to all", needs_width=True
        ),
        "padding": MaskKind(_padding, "padding and the columns you name are hidden", on_cross=True),
        "block": MaskKind(
            lambda q, k, scene: q // scene.rule.width == k // scene.rule.width,
            "tokens see only their own block",
            needs_width=True,
        ),
        "custom": MaskKind(_custom, "the native mask with the cells you name flipped", needs_edges=True, on_cross=True),
    }
)


@dataclass(frozen=True, slots=True)
class Ablation:
    """One head silenced before W_O: its output set to zero, or to its mean over the positions of this run."""

    head: HeadRef
    how: str = "zero"

    def __post_init__(self) -> None:
        _head(self.head)
        if self.how not in ABLATIONS:
            raise RequestError(f"how to be one of {', '.join(ABLATIONS)}", f"“{self.how}”")


@dataclass(frozen=True, slots=True)
class Cut:
    """One edge removed before the softmax, so that the rest of its row renormalises."""

    head: HeadRef
    query: int
    key: int

    def __post_init__(self) -> None:
        _, query, key = _triple((self.head, self.query, self.key))
        object.__setattr__(self, "query", query)
        object.__setattr__(self, "key", key)


@dataclass(frozen=True, slots=True)
class PositionRule:
    """Where the tokens of a text stand: nowhere ("off"), in a random order ("shuffled", by the seed `amount`), or `amount`
    places further on ("shifted"). The text itself stays as it is. stream: ENCODER for the source, DECODER for the target.
    """

    stream: Stream
    how: str
    amount: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "stream", _stream(self.stream))
        if self.stream is Stream.CROSS:
            raise RequestError("the encoder’s text or the decoder’s", "cross", "Positions belong to a text")
        if self.how not in MOVES:
            raise RequestError(f"positions to be one of {', '.join(MOVES)}", f"“{self.how}”")
        amount = _natural(self.amount)
        if amount is None or (self.how == "shifted" and not 1 <= amount < FURTHEST):
            raise RequestError(f"a shift of 1 to {FURTHEST - 1} places, or a seed from 0", f"{self.amount!r}")
        object.__setattr__(self, "amount", amount)

    def places(self, count: int) -> tuple[int, ...]:
        """Where each of `count` tokens stands; −1: nowhere."""
        if self.how == "off":
            return (-1,) * count
        if self.how == "shifted":
            return tuple(range(self.amount, self.amount + count))
        # a small generator of our own: the same seed must mean the same order on every machine and release
        order, state = list(range(count)), self.amount % 2**32
        for last in range(count - 1, 0, -1):
            state = (1664525 * state + 1013904223) % 2**32
            other = (state >> 8) % (last + 1)
            order[last], order[other] = order[other], order[last]
        return tuple(order)


@dataclass(frozen=True, slots=True)
class Intervention:
    """Everything that differs from the model as it was trained. The empty one changes nothing.

    positions: where the tokens of a text stand; of several rules for one text the last one counts.
    depth: the decoder reads the source as it stood after that many encoder layers (0: the embedded words), normed as the last
    one is; None: after all of them (“DecoderLens”, Langedijk et al. 2023). top_k: of each row only the k largest weights stay
    and renormalise (None: all). residual False: each sublayer hands on what it computed alone, not added to what came in.
    """

    masks: tuple[MaskRule, ...] = ()
    ablated: tuple[Ablation, ...] = ()
    cuts: tuple[Cut, ...] = ()
    temperature: float = 1.0
    depth: int | None = None
    top_k: int | None = None
    residual: bool = True
    positions: tuple[PositionRule, ...] = ()

    def __post_init__(self) -> None:
        kinds = (("masks", MaskRule), ("ablated", Ablation), ("cuts", Cut), ("positions", PositionRule))
        for name, kind in kinds:
            object.__setattr__(self, name, _all_of(kind, getattr(self, name), name))
        value = self.temperature
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < float("inf"):
            raise RequestError("a temperature above 0", f"{value}", "1 is the model as it was trained")
        if value < COLDEST:
            raise RequestError(
                f"a temperature of at least {COLDEST}", f"{value}", "Scores divided by it have no number"
            )
        object.__setattr__(self, "temperature", float(value))
        if self.depth is not None:
            if _natural(self.depth) is None:
                raise RequestError("a depth counted in encoder layers, from 0", f"{self.depth!r}")
            object.__setattr__(self, "depth", _natural(self.depth))
        if self.top_k is not None:
            if not _natural(self.top_k):
                raise RequestError("a top_k of at least 1 weight a row", f"{self.top_k!r}", "None keeps them all")
            object.__setattr__(self, "top_k", _natural(self.top_k))
        if type(self.residual) is not bool:
            raise RequestError("residual True or False", f"{self.residual!r}")

    def __bool__(self) -> bool:
        changed = (
            self.masks or self.ablated or self.cuts or self.positions or self.temperature != 1.0 or not self.residual
        )
        return bool(changed or self.depth is not None or self.top_k is not None)

    def places(self, stream: Stream, count: int) -> tuple[int, ...] | None:
        """Where `count` tokens of the encoder's or decoder's text stand (−1: nowhere), None where nothing was moved."""
        rule = next((rule for rule in reversed(self.positions) if rule.stream is stream), None)
        return None if rule is None else rule.places(count)


@dataclass(frozen=True, slots=True)
class Request:
    """One question to one lens; made by `lens.request(…)`, changed by the with_… methods, each giving a new Request.

    source, target: token ids; a decoder's text is `target`, an encoder's is `source`. keep: what the trace shall hold.
    capture: how patterns are stored ("lazy" keeps q and k and computes a head when asked; "u8" is for display only).
    layers: only these layers' attention is kept. `sites` is the model's list, used for checks, not part of the identity.
    """

    lens: str
    source: tuple[int, ...] | None
    target: tuple[int, ...] | None
    intervention: Intervention = field(default_factory=Intervention)
    keep: frozenset[str] = frozenset({"pattern"})
    capture: str | None = None
    layers: tuple[int, ...] | None = None
    sites: tuple[Site, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("source", "target"):
            ids = getattr(self, name)
            object.__setattr__(self, name, None if ids is None else _naturals(ids, f"{name} ids"))
        if not self.source and not self.target:
            raise InputError("a text of at least one token", "an empty text", "Type a word")
        keep = _keeps(self.keep)
        if keep - KEEPS:
            raise RequestError(f"keep among {', '.join(sorted(KEEPS))}", ", ".join(sorted(map(str, keep - KEEPS))))
        object.__setattr__(self, "keep", keep)
        if self.layers is not None:
            object.__setattr__(self, "layers", _naturals(self.layers, "layers"))
            if self.sites:
                known = {site.layer for site in self.sites}
                for layer in self.layers or ():
                    if layer not in known:
                        raise NoSuchHeadError(f"layers 0 to {max(known)}", f"layer {layer}")
        if self.capture is None:
            longest = max(len(self.source or ()), len(self.target or ()))
            object.__setattr__(self, "capture", "lazy" if longest > 256 else "float32")
        if not isinstance(self.intervention, Intervention):
            raise RequestError("an Intervention", f"{self.intervention!r}")
        if self.capture not in CAPTURES:
            raise RequestError(f"capture to be one of {', '.join(CAPTURES)}", f"“{self.capture}”")
        self._check()

    def with_mask(self, rule: MaskRule) -> Request:
        """Add a rule after the ones there are; on the heads it names it replaces them."""
        return self._with(masks=(*self.intervention.masks, rule))

    def with_ablation(self, *heads: HeadRef, how: str = "zero") -> Request:
        """Silence heads before W_O, by zero or by their mean over this run's positions."""
        return self._with(ablated=(*self.intervention.ablated, *(Ablation(_head(head), how) for head in heads)))

    def with_cut(self, *edges: tuple[HeadRef, int, int] | Cut) -> Request:
        """Remove single edges (head, query, key); their rows renormalise."""
        cuts = tuple(edge if isinstance(edge, Cut) else Cut(*_triple(edge)) for edge in edges)
        return self._with(cuts=(*self.intervention.cuts, *cuts))

    def with_temperature(self, temperature: float) -> Request:
        """Divide every score by `temperature` before the softmax; masks and sinks are left alone."""
        return self._with(temperature=temperature)

    def with_depth(self, depth: int | None) -> Request:
        """Let the decoder read the source after `depth` encoder layers, from 0 (the embedded words); None: after all."""
        return self._with(depth=depth)

    def with_top_k(self, top_k: int | None) -> Request:
        """Keep only the `top_k` largest weights of every row, which renormalise; None: all of them."""
        return self._with(top_k=top_k)

    def without_residual(self) -> Request:
        """Let each sublayer hand on its own result alone: the residual connections are off. Only our own models can."""
        return self._with(residual=False)

    def with_positions(self, rule: PositionRule) -> Request:
        """Tell the tokens of one text to stand elsewhere; the last rule for a text counts."""
        return self._with(positions=(*self.intervention.positions, rule))

    def without_interventions(self) -> Request:
        """The same question to the model as it was trained."""
        return replace(self, intervention=Intervention())

    def keeping(self, *what: str, capture: str | None = None) -> Request:
        """The same question, keeping this instead."""
        return replace(self, keep=frozenset(what), capture=capture)

    def append(self, *ids: int) -> Request:
        """The same question with tokens added at the end of what the decoder has written.

        Raises RequestError for an encoder, which writes nothing.
        """
        if self.target is None:
            raise RequestError("a model that writes", "an encoder", "Encoders only read; choose a model with a decoder")
        return replace(self, target=(*self.target, *ids))

    def _with(self, **changes: Any) -> Request:
        return replace(self, intervention=replace(self.intervention, **changes))

    def _check(self) -> None:
        """Refuse what can be known to be wrong before anything runs."""
        for rule in self.intervention.masks:
            self._check_rule(rule)
        for moved in self.intervention.positions:
            if (self.source if moved.stream is Stream.ENCODER else self.target) is None:
                raise RequestError(f"positions of a text this model has ({self._streams()})", moved.stream.value)
        for ablation in self.intervention.ablated:
            self._check_head(ablation.head)
        for cut in self.intervention.cuts:
            self._check_head(cut.head)
            self._check_edge(cut.head.stream, cut.query, cut.key)
        depth = self.intervention.depth
        if depth is not None and self.sites:
            if all(site.stream is not Stream.CROSS for site in self.sites):
                raise RequestError("a decoder that reads an encoder", f"a model with {self._streams()} attention alone")
            layers = sum(site.stream is Stream.ENCODER for site in self.sites)
            if depth > layers:
                raise RequestError(f"an encoder depth from 0 to {layers}", f"{depth}")

    def _check_rule(self, rule: MaskRule) -> None:
        sites = [site for site in self.sites if site.stream is rule.stream]
        if self.sites:
            if not sites:
                raise NoSuchHeadError(f"a stream this model has ({self._streams()})", rule.stream.value)
            for layer in rule.layers or ():
                if all(site.layer != layer for site in sites):
                    raise NoSuchHeadError(f"{rule.stream.value} layers 0 to {len(sites) - 1}", f"layer {layer}")
            for head in rule.heads or ():
                if all(head >= site.heads for site in sites):
                    raise NoSuchHeadError(f"heads 0 to {max(s.heads for s in sites) - 1}", f"head {head}")
        for query, key in rule.edges:
            self._check_edge(rule.stream, query, key)

    def _check_head(self, head: HeadRef) -> None:
        if not self.sites:
            return
        for site in self.sites:
            if site.stream is head.stream and site.layer == head.layer:
                if 0 <= head.head < site.heads:
                    return
                raise NoSuchHeadError(
                    f"heads 0 to {site.heads - 1} in {head.stream.value} layer {head.layer}", f"head {head.head}"
                )
        count = sum(site.stream is head.stream for site in self.sites)
        if not count:
            raise NoSuchHeadError(f"a stream this model has ({self._streams()})", head.stream.value)
        raise NoSuchHeadError(f"{head.stream.value} layers 0 to {count - 1}", f"layer {head.layer}")

    def _check_edge(self, stream: Stream, query: int | None, key: int) -> None:
        queries = len((self.source if stream is Stream.ENCODER else self.target) or ())
        keys = len((self.target if stream is Stream.DECODER else self.source) or ())
        if query is not None and query >= queries:
            raise NoSuchHeadError(f"a query from 0 to {queries - 1} in the {stream.value} stream", f"{query}")
        if key >= keys:
            raise NoSuchHeadError(f"a key from 0 to {keys - 1} in the {stream.value} stream", f"{key}")

    def _streams(self) -> str:
        return ", ".join(dict.fromkeys(site.stream.value for site in self.sites))


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. temperature 0 is greedy; filters apply in the order temperature, top-k, top-p, min-p.

    top_k: keep the k likeliest. top_p: keep the smallest set whose probability reaches top_p (Holtzman et al. 2020).
    min_p: keep what has at least min_p of the likeliest one's probability. Same seed, same text.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _between("temperature", self.temperature, 0, float("inf"), open_end=True)
        if self.top_k is not None and not _natural(self.top_k):
            raise RequestError("top_k of at least 1", f"{self.top_k}")
        if self.top_p is not None:
            _between("top_p", self.top_p, 0, 1, open_start=True)
        if self.min_p is not None:
            _between("min_p", self.min_p, 0, 1)
        if _natural(self.seed) is None or self.seed >= 2**63:
            raise RequestError("a seed from 0 to 2⁶³ − 1", f"{self.seed}")


def _between(name: str, value: Any, low: float, high: float, open_start: bool = False, open_end: bool = False) -> None:
    fine = isinstance(value, Real) and not isinstance(value, bool)
    fine = fine and (value > low if open_start else value >= low) and (value < high if open_end else value <= high)
    if not fine:
        raise RequestError(f"{name} between {low} and {high}", f"{value}")


def _natural(value: Any) -> int | None:
    """A whole number from 0 up as a plain int (NumPy's too), or None where it is not one."""
    if type(value) is not int:
        try:
            value = None if isinstance(value, bool) else index(value)
        except TypeError:
            value = None
    return value if value is not None and value >= 0 else None


def _naturals(values: Iterable[Any], name: str) -> tuple[int, ...]:
    try:
        numbers = tuple(_natural(value) for value in values)
    except TypeError:
        numbers = (None,)
    if None in numbers:
        raise RequestError(f"{name} as whole numbers from 0 up", f"{values!r}")
    return numbers  # type: ignore[return-value]


def _stream(value: object) -> Stream:
    try:
        return Stream(value)
    except ValueError:
        raise RequestError(f"a stream ({', '.join(s.value for s in Stream)})", f"{value!r}") from None


def _keeps(value: Any) -> frozenset[str]:
    try:
        return frozenset([value] if isinstance(value, str) else value)
    except TypeError:
        raise RequestError(f"keep among {', '.join(sorted(KEEPS))}", f"{value!r}") from None


def _all_of(kind: type, values: Any, name: str) -> tuple[Any, ...]:
    """Several of one kind as a tuple, so that what holds them can be hashed."""
    try:
        held = tuple(values)
    except TypeError:
        held = (values,)
    for value in held:
        if not isinstance(value, kind):
            wrong = MaskError if kind is MaskRule else RequestError
            raise wrong(f"{name} made of {kind.__name__}", f"{value!r}")
    return held


def _head(value: object) -> HeadRef:
    if isinstance(value, HeadRef):
        return value
    raise RequestError("a HeadRef(stream, layer, head)", f"{value!r}")


def _triple(value: Any) -> tuple[HeadRef, int, int]:
    try:
        head, query, key = value
    except (TypeError, ValueError):
        raise RequestError("an edge (HeadRef, query, key)", f"{value!r}") from None
    places = _natural(query), _natural(key)
    if None in places:
        raise NoSuchHeadError("an edge whose query and key are positions from 0", f"{value!r}")
    return (_head(head), *places)  # type: ignore[return-value]


def _edges(values: Iterable[Any], name: str) -> tuple[Edge, ...]:
    edges = set()
    try:
        for query, key in values:
            place, column = _natural(query), _natural(key)
            if column is None or (place is None and query is not None):
                raise ValueError
            edges.add((place, column))
    except (TypeError, ValueError):
        raise MaskError(f"cells (query, key), counted from 0, for “{name}”", f"{values!r}") from None
    return tuple(sorted(edges, key=lambda edge: (-1 if edge[0] is None else edge[0], edge[1])))
