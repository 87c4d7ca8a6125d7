"""Break the recipe: parts of attention taken away on the model and text in view, one at a time or as the visitor likes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.analysis import Change, changes
from core.analysis.hand.broken_recipe import (
    AS_TRAINED,
    TEMPERATURES,
    TOPS,
    BrokenRecipe,
    Effect,
    common_scaling,
    effect,
)
from core.errors import LensError
from core.figures.distribution import Bar
from core.figures.labels import divergence, label, percent
from core.trace import Trace
from core.ui.hand.parameters import RECIPE
from core.ui.kit import charts, lesson, trouble
from core.ui.running.scene import Scene, silent
from core.ui.session import state
from core.ui.session.state import SAID, heard, held

if TYPE_CHECKING:
    from core.engine.lens import Lens

BREAKS = (  # what is taken away, the recipe without it, what that means
    ("nothing", AS_TRAINED, "as trained"),
    ("√d", BrokenRecipe(root=False), "scores q·k go into the softmax undivided"),
    ("temperature 1", BrokenRecipe(temperature=4.0), "it is 4 instead: scores are divided by 4 as well, so rows are flatter"),
    ("all but the largest weight", BrokenRecipe(top_k=1), "each row looks at one token only"),
    ("the residual", BrokenRecipe(residual=False), "a box no longer adds to what came in: it replaces it"),
    ("all heads but one", BrokenRecipe(heads=1), "of each layer only the first head stays"),
)
MEANS = (
    "<b>Effective tokens</b>: the effective number of tokens, among how many a row shares its attention: 1 if one token gets "
    "all, 4 if four get a quarter each (e to the power of the row’s entropy, −Σ w ln w over its attention weights w); the mean "
    "over all rows, heads and layers. <b>KL</b>, the Kullback–Leibler divergence, says how far the next token’s probabilities p "
    "moved away from those as trained, p₀: Σ p₀ ln(p₀ / p), 0 if not at all. Its unit, the <b>nat</b>, is that of the natural "
    f"logarithm: 1 nat is {1 / math.log(2):.2f} bits. <b>Residual</b>: what each box (an attention, a feed-forward network) finds "
    "is added to the vector that came in (the token’s <b>residual stream</b>), so that what was found before need not be found "
    "again."
)


@dataclass(frozen=True, slots=True)
class Broken:
    """One run by another recipe, and what it did against the run as trained."""

    trace: Trace
    effect: Effect
    next: list[Change]


def scaling_of(view: Scene) -> float | None:
    """The model's own 1/√d, or None where it has none of its own."""
    return common_scaling(view.run((), ("pattern", "scores")))


def broken(view: Scene, recipes: tuple[BrokenRecipe, ...]) -> list[Broken]:
    """The text in view run by each recipe, without any mask; computed once for all visitors."""
    trained, scaling = view.run((), ("pattern",)), scaling_of(view)
    requests = tuple(recipe.apply(view.request.keeping("pattern"), scaling or 1.0) for recipe in recipes)

    def compute(lens: Lens) -> list[Broken]:
        traces = lens.run_many(requests)
        return [Broken(trace, effect(trace, trained), changes(trace, trained, 6)) for trace in traces]

    return view.work(("recipe", requests), compute, f"Running the model by {len(requests)} recipes.")


def offered(view: Scene) -> list[tuple[str, BrokenRecipe, str]]:
    """The breaks that this model can take."""
    scaling = scaling_of(view)
    return [
        (name, recipe, says) for name, recipe, says in BREAKS
        if (recipe.root or scaling is not None) and (recipe.residual or view.info.can_drop_residual)
    ]  # fmt: skip


def worst(view: Scene) -> str | None:
    """The break that moves the answer most; None where the model predicts nothing."""
    parts = offered(view)
    found = broken(view, tuple(recipe for _, recipe, _ in parts))
    if not view.writes:
        return None
    return max(zip(parts, found, strict=True), key=lambda pair: pair[1].effect.kl or 0.0)[0][0]


def recipe(view: Scene) -> None:
    """The table of breaks, and the visitor's own mixture."""
    charts.heading("Break the recipe", f"“{view.ending()}”, run by the same weights with one part taken away")
    if view.info.reason:
        charts.words(escape(view.info.reason))
        return
    parts = offered(view)
    st.html(table(parts, broken(view, tuple(one for _, one, _ in parts)), view.writes))
    charts.words(MEANS)
    if len(parts) < len(BREAKS):
        charts.words("√d or the residual cannot be taken out of this model: it has another formula, or is not one of ours.")
    charts.heading("Your own mixture")
    left, right = st.columns([400, 560], gap="large")
    with left:
        mine = controls(view)
    state.publish()
    with right:
        try:
            (found,) = broken(view, (mine,))
        except LensError as error:
            trouble.show(error)
            return
        answer(view, found)


def table(parts: list[tuple[str, BrokenRecipe, str]], found: list[Broken], writes: bool) -> str:
    """One line a break: what is left out, what comes next, and the effective tokens of each stream."""
    streams = list(found[0].effect.effective_tokens)
    answer = ["next token", "KL, nats"] if writes else []
    heads = ["taken away", *answer, *(f"effective tokens, {SAID[stream]}" for stream in streams)]
    lines = []
    for (name, _, says), one in zip(parts, found, strict=True):
        cells = [_number(one.effect.effective_tokens[stream]) for stream in streams]
        if writes and one.effect.kl is not None:
            top = one.next[0]
            cells = [f"<bdi>{escape(label(top.text))}</bdi> {percent(top.now)}", f"<b>{divergence(one.effect.kl)}</b>", *cells]
        row = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(f'<tr><th scope="row">{escape(name)}<small>{escape(says)}</small></th>{row}</tr>')
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    return (
        f'<div class="sum breaks" tabindex="0" role="region" aria-label="Each part taken away alone"><table><thead><tr>{head}</tr>'
        f"</thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def controls(view: Scene) -> BrokenRecipe:
    """What the visitor takes away, all at once; it stands in the link."""
    scaling, heads = scaling_of(view), max(site.heads for site in view.info.sites)

    def wished() -> BrokenRecipe:  # in a callback not what was drawn: of two quick changes the first may not be drawn yet
        return fitting(state.chosen()[RECIPE], scaling, view.info.can_drop_residual, heads)

    mine = wished()

    def into(name: str) -> Callable[[Any], None]:
        return lambda value: state.choose(recipe=replace(wished(), **{name: value}))

    st.toggle(
        "Divide by √d", key=held("recipe-root", mine.root), disabled=scaling is None, on_change=heard("recipe-root", into("root"))
    )
    st.toggle(
        "Residual connections", key=held("recipe-linked", mine.residual), disabled=not view.info.can_drop_residual,
        on_change=heard("recipe-linked", into("residual")),
    )  # fmt: skip
    st.select_slider(
        "Temperature: scores are divided by it", TEMPERATURES, key=held("recipe-warm", mine.temperature),
        on_change=heard("recipe-warm", into("temperature"), TEMPERATURES),
    )  # fmt: skip
    st.select_slider(
        "Weights left in a row: the k largest", (*TOPS, "all"), key=held("recipe-top-k", mine.top_k or "all"),
        on_change=heard("recipe-top-k", lambda top: into("top_k")(None if top == "all" else top), (*TOPS, "all")),
    )  # fmt: skip
    st.slider(
        "Heads left in each layer", 0, heads, key=held("recipe-heads", heads if mine.heads is None else mine.heads, heads),
        on_change=heard("recipe-heads", lambda left: into("heads")(None if left >= heads else left), range(heads + 1)),
    )  # fmt: skip
    st.button("As trained", key="recipe-reset", on_click=state.choose, kwargs={"recipe": AS_TRAINED})
    return mine


def fitting(wanted: BrokenRecipe, scaling: float | None, unlinks: bool, heads: int) -> BrokenRecipe:
    """As much of a recipe as a model can be run by."""
    left = None if wanted.heads is None or wanted.heads >= heads else wanted.heads
    return BrokenRecipe(
        wanted.root or scaling is None, wanted.temperature, wanted.top_k, wanted.residual or not unlinks, left
    )  # fmt: skip


def answer(view: Scene, found: Broken) -> None:
    """What comes next now, and the effective tokens of each stream."""
    (as_trained,) = broken(view, (AS_TRAINED,))
    moved = [
        f"{SAID[stream]} <b>{_number(before)} → {_number(found.effect.effective_tokens[stream])}</b>"
        for stream, before in as_trained.effect.effective_tokens.items()
    ]
    distance = "" if found.effect.kl is None else f" KL from trained <b>{divergence(found.effect.kl)} nats</b>."
    charts.words(f"Effective tokens: {', '.join(moved)}.{distance}")
    if not view.writes:
        charts.words(silent(view.info))
        return
    rows = [Bar(change.text, change.now, change.before) for change in found.next]
    charts.bars(rows, charts.theme().decoder, "Next token", "recipe-next", 420)
    charts.words("Bars: now. A tick on a bar: as trained.")


def question(view: Scene | None) -> lesson.Question | None:
    """Which part matters most here; the answer is computed on the model and text in view."""
    if view is None or view.info.reason or (answer := worst(view)) is None:
        return None
    names = tuple(name for name, _, _ in offered(view)[1:])
    parts = offered(view)
    kls = {name: one.effect.kl for (name, *_), one in zip(parts, broken(view, tuple(r for _, r, _ in parts)), strict=True)}
    return lesson.Pick(
        "Which part, taken away alone, moves this model’s next token most?", names, answer,
        f"KL {divergence(kls[answer] or 0.0)} nats, more than any other part on this text. On another text it may be another part.",
        "Read the column KL of the table.",
    )  # fmt: skip


def _number(value: float) -> str:
    return "–" if value != value else f"{value:.2f}"

