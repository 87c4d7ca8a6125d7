"""The question: which model, which tokens, which changes, and what to keep of the answer.

Everything here is frozen and hashable, so a Request is cache key, URL and test id at once. Nothing here needs torch.
The words a question is made of (streams, heads, masks, changes) can be imported from here too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from core.checks import between, natural, naturals
from core.errors import InputError, NoSuchHeadError, RequestError
from core.interventions import Ablation, Cut, Intervention, PositionRule
from core.masks import MASKS, Edge, MaskKind, MaskRule, MaskScene
from core.sites import HeadRef, Site, Stream, as_edge, as_head

__all__ = (
    "CAPTURES", "KEEPS", "MASKS", "Ablation", "Cut", "Edge", "HeadRef", "Intervention", "MaskKind", "MaskRule", "MaskScene",
    "PositionRule", "Request", "Sampling", "Site", "Stream",
)  # fmt: skip

KEEPS = frozenset({"pattern", "scores", "qkv", "residual", "predictions"})
CAPTURES = ("lazy", "float32", "u8")


@dataclass(frozen=True, slots=True)
class Request:
    """One question to one lens; made by `lens.request(…)`, changed by the with_… methods, each giving a new Request.

    source, target: token ids; a decoder's text is `target`, an encoder's is `source`. keep: what the trace will hold (KEEPS).
    capture: how patterns are stored. "lazy" stores q and k and computes a head's pattern when someone asks for it; "u8" stores
    8-bit codes, for display only; None chooses "lazy" above 256 tokens and "float32" below.
    layers: only the attention of these layers is kept; None keeps every layer. types: for a pair of sentences, to which one each
    token of the source belongs, 0 or 1, as the model's own token types count them; None for a single text. sites: the model's
    list of attentions. It is used for checks only: two requests that differ in it alone are equal.
    Raises InputError without a token, RequestError for values out of range, NoSuchHeadError for heads, layers or cells that the
    model or the text does not have.
    """

    lens: str
    source: tuple[int, ...] | None
    target: tuple[int, ...] | None
    intervention: Intervention = field(default_factory=Intervention)
    keep: frozenset[str] = frozenset({"pattern"})
    capture: str | None = None
    layers: tuple[int, ...] | None = None
    sites: tuple[Site, ...] = field(default=(), compare=False, repr=False)
    types: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("source", "target"):
            ids = getattr(self, name)
            object.__setattr__(self, name, None if ids is None else naturals(ids, f"{name} ids"))
        if not self.source and not self.target:
            raise InputError("a text of at least one token", "an empty text", "Type a word")
        if self.types is not None:
            object.__setattr__(self, "types", naturals(self.types, "token types"))
            if len(self.types or ()) != len(self.source or ()):
                raise RequestError(f"{len(self.source or ())} token types, one for each source id", f"{len(self.types or ())}")
        keep = _keeps(self.keep)
        if keep - KEEPS:
            raise RequestError(f"keep among {', '.join(sorted(KEEPS))}", ", ".join(sorted(map(str, keep - KEEPS))))
        object.__setattr__(self, "keep", keep)
        if self.layers is not None:
            object.__setattr__(self, "layers", naturals(self.layers, "layers"))
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
        """Add a mask rule after the earlier ones. On the heads that it names, it replaces them."""
        return self._with(masks=(*self.intervention.masks, rule))

    def with_ablation(self, *heads: HeadRef, how: str = "zero") -> Request:
        """Silence heads before W_O: their output becomes zero ("zero"), or its mean over this run's positions ("mean").

        Raises, as every with_… method does, RequestError for a value out of range and NoSuchHeadError for a head, layer or
        position that the model or the text does not have.
        """
        return self._with(ablated=(*self.intervention.ablated, *(Ablation(as_head(head), how) for head in heads)))

    def with_cut(self, *edges: tuple[HeadRef, int, int] | Cut) -> Request:
        """Remove single edges (head, query, key). The softmax spreads their weight over the rest of the row."""
        cuts = tuple(edge if isinstance(edge, Cut) else Cut(*as_edge(edge)) for edge in edges)
        return self._with(cuts=(*self.intervention.cuts, *cuts))

    def with_temperature(self, temperature: float) -> Request:
        """Divide every score by `temperature` before the softmax; masks and sinks are left alone."""
        return self._with(temperature=temperature)

    def with_depth(self, depth: int | None) -> Request:
        """Let the decoder read the source after `depth` encoder layers; 0 is the embedded tokens, None is after all layers."""
        return self._with(depth=depth)

    def with_top_k(self, top_k: int | None) -> Request:
        """Keep only the `top_k` largest weights of every row, scaled to sum to 1 again; None keeps all of them."""
        return self._with(top_k=top_k)

    def without_residual(self) -> Request:
        """Switch the residual connections off: each sublayer passes on its own result alone. Only our own models can do this."""
        return self._with(residual=False)

    def with_positions(self, rule: PositionRule) -> Request:
        """Put the tokens of one text at other positions. Of several rules for one text, the last one counts."""
        return self._with(positions=(*self.intervention.positions, rule))

    def without_interventions(self) -> Request:
        """The same question to the model as it was trained."""
        return replace(self, intervention=Intervention())

    def keeping(self, *what: str, capture: str | None = None) -> Request:
        """The same question, whose trace keeps these arrays instead. what: names of KEEPS; capture: one of CAPTURES, or None
        as in Request. Raises RequestError for other names."""
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
    """How the next token is chosen. Temperature 0 is greedy. The order is temperature, then top-k, then top-p, then min-p.

    top_k: keep the k likeliest tokens. top_p: keep the smallest set whose probability reaches top_p (Holtzman et al. 2020).
    min_p: keep the tokens with at least min_p times the probability of the likeliest one. None leaves a filter out. The same
    seed gives the same text. Raises RequestError for values out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        between("temperature", self.temperature, 0, float("inf"), open_end=True)
        if self.top_k is not None and not natural(self.top_k):
            raise RequestError("top_k of at least 1", f"{self.top_k}")
        if self.top_p is not None:
            between("top_p", self.top_p, 0, 1, open_start=True)
        if self.min_p is not None:
            between("min_p", self.min_p, 0, 1)
        if natural(self.seed) is None or self.seed >= 2**63:
            raise RequestError("a seed from 0 to 2⁶³ − 1", f"{self.seed}")


def _keeps(value: Any) -> frozenset[str]:
    try:
        return frozenset([value] if isinstance(value, str) else value)
    except TypeError:
        raise RequestError(f"keep among {', '.join(sorted(KEEPS))}", f"{value!r}") from None
