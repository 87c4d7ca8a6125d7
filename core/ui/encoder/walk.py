"""The walk through the encoder on a page: one pass of the model, sent once, looked into box by box in the browser."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from core.analysis import focus_on, texts
from core.figures.labels import label
from core.figures.payloads import encoder_walk
from core.inside import Inner, Near
from core.request import Stream
from core.trace import Trace
from core.ui.encoder.parameters import BOX
from core.ui.kit.component import component
from core.ui.kit.turns import turns
from core.ui.running.scene import Scene
from core.ui.running.waiting import work
from core.ui.session import state

if TYPE_CHECKING:
    from core.engine.lens import Lens

BOXES = (
    "embedding", "place", "sum0", "norm1", "qkv", "map", "join", "mix", "sum1", "norm2", "neurons", "back", "sum2", "next",
)  # fmt: skip
OPENS = "map"
ROOM = 128  # tokens that the paths show
FITS = 6  # tokens that an encoder with an output layer finds likeliest at a place


@dataclass(frozen=True, slots=True)
class Spot:
    """What is looked at: a token, a layer and a head, counted from 0, and a box of the figure."""

    token: int
    layer: int
    head: int
    box: str


@dataclass(frozen=True, slots=True, eq=False)
class Walked:
    """An encoder walked on this text, and what is looked at in it."""

    view: Scene
    inner: Inner
    near: tuple[tuple[Near, ...], ...]
    spot: Spot

    @property
    def steps(self) -> Any:
        """The layer in view, by the names of core.model.encoder_steps."""
        return self.inner.layers[self.spot.layer]

    @property
    def enters(self) -> np.ndarray:
        """The residual stream before the layer in view: float32 [position, d_model]."""
        return (self.inner.begin if not self.spot.layer else self.inner.layers[self.spot.layer - 1])["leave"]


def reason(view: Scene) -> str:
    """Why this model's encoder cannot be walked, as the end of a sentence; "" where it can."""
    from core.engine.inside import walkable

    return walkable(view.lens)


def walked(view: Scene) -> Walked:
    """The encoder of this scene step by step; one computation for all who ask the same. Raises LensError."""
    source = view.request.source
    request = replace(view.request, target=None if view.request.target is None else view.request.target[:1])

    def compute(lens: Lens) -> tuple[Inner, tuple[tuple[Near, ...], ...]]:
        from core.engine.inside import inner, nearest_tokens

        return inner(lens, request), nearest_tokens(lens, source or ())

    inner, near = view.work(("walk", source), compute, "Walking through the encoder.")
    return Walked(view, inner, near, spot(view, inner))


def spot(view: Scene, inner: Inner) -> Spot:
    """What the visitor's choice means here: the token from the encoder's cell, layer and head as far as they exist."""
    choice = view.choice
    layer = min(choice.layer, len(inner.layers) - 1)
    pattern = inner.layers[layer]["pattern"]
    head = min(choice.head, len(pattern) - 1)
    token = focus_on(pattern[head], inner.tokens.special)[0]
    if choice.stream is Stream.ENCODER and choice.cell is not None and choice.cell[0] < len(inner.tokens):
        token = choice.cell[0]
    return Spot(token, layer, head, choice[BOX] if choice[BOX] in BOXES else OPENS)


def facts(view: Scene) -> dict[str, Any]:
    """What the figure says of the model itself, from its configuration."""
    config = view.lens.config
    assert config is not None  # only models of ours are walked
    return {
        "vocab": config.vocab, "d": config.d_model, "heads": config.heads, "headD": config.d_model // config.heads,
        "dff": config.d_ff, "layers": config.encoder_layers, "position": config.positions in ("learned", "sinusoidal"),
        "waves": config.positions == "sinusoidal", "tail": "decoder" if config.writes else "output",
        "stream": Stream.ENCODER.value,
    }  # fmt: skip


def fits(it: Walked, tokens: Iterable[int]) -> dict[str, Any]:
    """What an encoder with an output layer finds likeliest at these tokens, with probabilities; nothing for other models."""
    if it.view.info.kind != "encoder" or not it.view.info.can_predict:
        return {}
    trace = it.view.run((), ("predictions",))
    return {
        "fits": [[[label(one.text, 18), one.probability] for one in trace.next_tokens(FITS, token)] for token in tokens]
    }


def figure(it: Walked) -> None:
    """The walk, with where the vectors move below it."""
    long = len(it.inner.tokens) > encoder_walk.WHOLE
    name = (it.view.info.id, "walk-drawn", it.view.request.source, it.spot.token if long else None)
    said = facts(it.view) | fits(it, [it.spot.token] if long else range(len(it.inner.tokens)))
    message = work(name, lambda: encoder_walk.walk(it.inner, it.near, it.spot.token, said), "Drawing the walk.")
    sizes = len(it.inner.tokens), len(it.inner.layers), len(it.steps["pattern"])
    _mount(message, it.spot, sizes)


def shown_of(view: Scene) -> Stream:
    """Whose vectors the paths show of a model whose inside cannot be walked: the encoder's where there is one."""
    return Stream.ENCODER if any(site.stream is Stream.ENCODER for site in view.info.sites) else Stream.DECODER


def trail(view: Scene) -> bool:
    """Where the vectors of a model move whose inside cannot be walked; False where it cannot be shown."""
    trace: Trace = view.run((), ("pattern", "residual"))
    stream = shown_of(view)
    tokens = texts(trace, stream)[0]
    residual = (trace.residual or {}).get(stream)
    if residual is None or len(tokens) > ROOM:
        return False

    def compute(lens: Lens) -> bytes:
        from core.engine.inside import nearest_tokens

        near = nearest_tokens(lens, tokens.ids)
        facts = {"layers": 0, "heads": 0, "stream": stream.value}
        return encoder_walk.trail(trace, tokens, residual, near, facts)

    message = view.work(("trail", trace.request), compute, "Drawing the paths.")
    spot = Spot(token_shown(view, len(tokens)), view.choice.layer, view.choice.head, OPENS)
    _mount(message, spot, (len(tokens), 0, 0), stream)
    return True


def token_shown(view: Scene, tokens: int) -> int:
    """The token whose path is in focus, of so many: the chosen one, else the last."""
    cell = view.choice.cell if view.choice.stream is shown_of(view) else None
    return cell[0] if cell is not None and cell[0] < tokens else tokens - 1


def read_spot(raw: Any, version: str, sizes: tuple[int, int, int]) -> Spot | None:
    """What a browser sent, as a spot; None for anything else, whatever it is.

    sizes: tokens, layers, heads; 0 layers where only the paths are shown: then layer, head and box mean nothing.
    """
    if type(raw) is not dict or set(raw) != {"version", "token", "layer", "head", "box"}:
        return None
    counts = [raw[name] for name in ("token", "layer", "head")]
    if raw["version"] != version or any(type(count) is not int for count in counts) or type(raw["box"]) is not str:
        return None
    token, layer, head = counts
    count, layers, heads = sizes
    if not 0 <= token < count or raw["box"] not in BOXES:
        return None
    if layers and not (0 <= layer < layers and 0 <= head < heads):
        return None
    return Spot(token, layer, head, raw["box"])


def _mount(message: bytes, spot: Spot, sizes: tuple[int, int, int], stream: Stream = Stream.ENCODER) -> None:
    version = encoder_walk.unpack(message)[0]["version"]
    taken = turns("walk")

    def clicked(message: dict[str, Any]) -> Spot | None:
        made = read_spot(message, version, sizes)
        if made is None:
            return None
        if sizes[1]:
            state.choose(stream=stream, layer=made.layer, head=made.head, cell=(made.token, None), box=made.box)
        else:
            state.choose(stream=stream, cell=(made.token, None))
        return made

    with st.container(key="walk-box", gap=None):
        # what stands below keeps its place while the script is on its way
        st.html(f"<style>.st-key-walk-box{{min-height:{58 if sizes[1] else 30}rem}}</style>")
        _deliver(key="walk-choice", data={"version": version, "turns": taken.shows(spot), **asdict(spot)})
        _walk(key="walk", data=message, on_choice_change=taken.hears("choice", clicked))


_walk = component("encoder_walk")
_deliver = component("encoder_walk/delivery")
