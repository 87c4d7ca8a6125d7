"""Break the recipe: one part of attention taken away at a time, and what becomes of attention and answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from core.analysis.patterns import effective_tokens
from core.analysis.prediction import kl
from core.request import Ablation, HeadRef, Request, Stream
from core.trace import Trace

TEMPERATURES = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 10.0)  # that can be chosen
TOPS = (1, 2, 3, 4, 8)  # how many weights of a row may be left


@dataclass(frozen=True, slots=True)
class BrokenRecipe:
    """How attention is computed, part by part; as it stands, as the model was trained.

    root: scores are divided by √d. temperature divides them once more. top_k: of each row only the k largest weights stay.
    residual: sublayers add to what came in. heads: only so many of each layer stay, from the first. None leaves all of them.
    """

    root: bool = True
    temperature: float = 1.0
    top_k: int | None = None
    residual: bool = True
    heads: int | None = None

    def apply(self, request: Request, scaling: float) -> Request:
        """The request run by this recipe, on top of what it already changes. scaling: the model's own factor on q·k, 1/√d;
        without it, scores are divided by a temperature that is just as small, which takes it out again."""
        what = request.intervention
        silenced = () if self.heads is None else tuple(
            Ablation(HeadRef(site.stream, site.layer, head)) for site in request.sites for head in range(self.heads, site.heads)
        )  # fmt: skip
        temperature = what.temperature * self.temperature * (1.0 if self.root else scaling)
        changed = replace(
            what, ablated=what.ablated + silenced, temperature=temperature, top_k=self.top_k, residual=self.residual
        )
        return replace(request, intervention=changed)


AS_TRAINED = BrokenRecipe()


def write_recipe(recipe: BrokenRecipe) -> str:
    """A recipe as it stands in a link, what is changed part by part: "r" no √d, t4 temperature, k1 largest weights, "n" no
    residual, h2 heads left; "" as trained."""
    parts = (
        "" if recipe.root else "r", "" if recipe.temperature == 1 else f"t{recipe.temperature:g}",
        "" if recipe.top_k is None else f"k{recipe.top_k}", "" if recipe.residual else "n",
        "" if recipe.heads is None else f"h{recipe.heads}",
    )  # fmt: skip
    return "_".join(part for part in parts if part)


def read_recipe(text: str) -> BrokenRecipe:
    """The recipe that `write_recipe` wrote. Raises ValueError for anything else."""
    found = re.fullmatch(
        r"(r)?_?(?:t([0-9.]{1,4}))?_?(?:k([0-9]))?_?(n)?_?(?:h([0-9]{1,3}))?", text, re.ASCII
    )  # fmt: skip
    if found is None:
        raise ValueError(text)
    root, warm, top, residual, heads = found.groups()
    recipe = BrokenRecipe(
        root is None, 1.0 if warm is None else float(warm), None if top is None else int(top), residual is None,
        None if heads is None else int(heads),
    )  # fmt: skip
    known = recipe.temperature in TEMPERATURES and (recipe.top_k is None or recipe.top_k in TOPS)
    if not known or write_recipe(recipe) != text:
        raise ValueError(text)
    return recipe


@dataclass(frozen=True, slots=True)
class Effect:
    """What a recipe did. effective_tokens: e^entropy of a row, the mean over all rows, heads and layers of each stream;
    kl: KL(trained ‖ now) of the next token in nats, None where the model predicts none."""

    effective_tokens: dict[Stream, float]
    kl: float | None


def effect(now: Trace, trained: Trace) -> Effect:
    """How a run differs from the one as trained."""
    streams = {attention.site.stream for attention in now.attention}
    if now.next_logits is None or trained.next_logits is None:
        return Effect({stream: mean_effective_tokens(now, stream) for stream in Stream if stream in streams}, None)
    distance = kl(trained.next_logits, now.next_logits)
    return Effect({stream: mean_effective_tokens(now, stream) for stream in Stream if stream in streams}, distance)


def mean_effective_tokens(trace: Trace, stream: Stream) -> float:
    """Among how many tokens a row of a stream shares its attention: the mean of e^entropy over the rows of all its heads that are
    not silenced, in all layers. NaN where all are."""
    rows = [
        effective_tokens(attention.head(head))
        for attention in trace.attention
        if attention.site.stream is stream
        for head in range(attention.site.heads)
        if head not in attention.ablated
    ]
    return float(np.concatenate(rows).mean()) if rows else float("nan")


def common_scaling(trace: Trace) -> float | None:
    """The factor on q·k that all attentions of a model share, where it has one and nothing bends the scores after it; else
    None: then taking √d away is not a temperature."""
    factors = {attention.scaling for attention in trace.attention}
    bent = any(attention.softcap is not None or attention.bias is not None for attention in trace.attention)
    return None if bent or len(factors) != 1 or factors == {1.0} else factors.pop()
