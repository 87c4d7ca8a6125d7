"""What may differ from the model as it was trained, each change frozen and hashable."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

from core.checks import natural
from core.errors import MaskError, RequestError
from core.masks import MaskRule
from core.sites import HeadRef, Stream, as_edge, as_head, as_stream

ABLATIONS = ("zero", "mean")
MOVES = ("off", "shuffled", "shifted")
FURTHEST = 1_000_000  # places of a shift
COLDEST = 1e-30  # below, float32 scores divided by a temperature overflow


@dataclass(frozen=True, slots=True)
class Ablation:
    """One head silenced before W_O: its output becomes zero (how="zero"), or its mean over the positions of this run ("mean").

    Raises RequestError for another `how`, or for a head that is no HeadRef.
    """

    head: HeadRef
    how: str = "zero"

    def __post_init__(self) -> None:
        as_head(self.head)
        if self.how not in ABLATIONS:
            raise RequestError(f"how to be one of {', '.join(ABLATIONS)}", f"“{self.how}”")


@dataclass(frozen=True, slots=True)
class Cut:
    """One edge removed before the softmax, so that the rest of its row sums to 1 again. query and key: positions from 0.

    Raises RequestError for a head that is no HeadRef, NoSuchHeadError for a position that is not a whole number from 0.
    """

    head: HeadRef
    query: int
    key: int

    def __post_init__(self) -> None:
        _, query, key = as_edge((self.head, self.query, self.key))
        object.__setattr__(self, "query", query)
        object.__setattr__(self, "key", key)


@dataclass(frozen=True, slots=True)
class PositionRule:
    """The positions given to the tokens of a text. The order of the text itself does not change.

    how: "off" gives no positions; "shuffled" gives them in a random order, with `amount` as the seed; "shifted" moves each one
    `amount` places further on. stream: ENCODER for the source, DECODER for the target.
    Raises RequestError for the cross stream, another `how`, or an amount that is no seed or shift.
    """

    stream: Stream
    how: str
    amount: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "stream", as_stream(self.stream))
        if self.stream is Stream.CROSS:
            raise RequestError("the encoder’s text or the decoder’s", "cross", "Positions belong to a text")
        if self.how not in MOVES:
            raise RequestError(f"positions to be one of {', '.join(MOVES)}", f"“{self.how}”")
        amount = natural(self.amount)
        if amount is None or (self.how == "shifted" and not 1 <= amount < FURTHEST):
            raise RequestError(f"a shift of 1 to {FURTHEST - 1} places, or a seed from 0", f"{self.amount!r}")
        object.__setattr__(self, "amount", amount)

    def places(self, count: int) -> tuple[int, ...]:
        """The position of each of `count` tokens; −1 means no position."""
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
    """Everything that differs from the model as it was trained. The empty Intervention changes nothing.

    positions: other positions for the tokens of a text; of several rules for one text, the last one counts.
    depth: the decoder reads the source after that many encoder layers, with the final norm applied (“DecoderLens”, Langedijk
    et al. 2023); 0 is the embedded tokens, None is after all layers. top_k: only the k largest weights of each row stay, scaled
    to sum to 1 again; None keeps all. residual: False switches the residual connections off, so that each sublayer passes on
    its own result alone. temperature: divides every score before the softmax; 1 is the model as it was trained.
    Raises RequestError for values out of range, MaskError for a mask that is no MaskRule.
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
            if natural(self.depth) is None:
                raise RequestError("a depth counted in encoder layers, from 0", f"{self.depth!r}")
            object.__setattr__(self, "depth", natural(self.depth))
        if self.top_k is not None:
            if not natural(self.top_k):
                raise RequestError("a top_k of at least 1 weight a row", f"{self.top_k!r}", "None keeps them all")
            object.__setattr__(self, "top_k", natural(self.top_k))
        if type(self.residual) is not bool:
            raise RequestError("residual True or False", f"{self.residual!r}")

    @property
    def kinds(self) -> frozenset[str]:
        """The names (of KINDS) of the fields that are not as the model was trained."""
        return frozenset(part.name for part in fields(self) if getattr(self, part.name) != part.default)

    def __bool__(self) -> bool:
        return bool(self.kinds)

    def places(self, stream: Stream, count: int) -> tuple[int, ...] | None:
        """The positions of `count` tokens of the encoder's or decoder's text (−1 means no position); None where no rule moves
        them."""
        rule = next((rule for rule in reversed(self.positions) if rule.stream is stream), None)
        return None if rule is None else rule.places(count)


KINDS = frozenset(part.name for part in fields(Intervention))  # the kinds of change


def _all_of(kind: type, values: Any, name: str) -> tuple[Any, ...]:
    """The values as a tuple, so that the Intervention can be hashed. Raises where one of them is not of this kind."""
    try:
        held = tuple(values)
    except TypeError:
        held = (values,)
    for value in held:
        if not isinstance(value, kind):
            wrong = MaskError if kind is MaskRule else RequestError
            raise wrong(f"{name} made of {kind.__name__}", f"{value!r}")
    return held
