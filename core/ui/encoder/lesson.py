"""The lesson around the walk through the encoder: its first sentence, the formulas with this text's numbers, questions, presets."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import numpy as np
import streamlit as st

from core.analysis import strongest
from core.analysis.encoder import angle, firing, moments
from core.figures import markup
from core.figures.labels import label, percent
from core.request import Stream
from core.ui.encoder import walk
from core.ui.encoder.walk import Walked
from core.ui.kit import charts, lesson, trouble, verdict
from core.ui.running.focus import focus_of
from core.ui.running.scene import Scene
from core.ui.session import state

INTRO = (
    "An <b>encoder</b> reads a text, cut into <b>tokens</b> (words, or parts of rare ones), and makes of each a list of numbers "
    "(a <b>vector</b>) that comes to say what this token means here. Its layers do that with <b>heads</b>, small attentions side "
    "by side that look at the other tokens, and <b>neurons</b>, numbers that are above 0 (the neuron fires) or 0. Each adds "
    "what it found to the vector, which is the token’s <b>residual stream</b>. Follow one token from box to box."
)
IDEA = (
    "Each token starts as a row of a table plus a vector (a list of numbers) for its position. From then on this vector is the "
    "token’s <b>residual stream</b>. In each layer two boxes read it and add to it: <b>attention</b>, in which the tokens look at "
    "each other, and a <b>feed-forward</b> network, which works on each token alone. Nothing is erased, so what an early layer "
    "found can still be read by a late one, unless something added in between cancels it. What attention gets is often called the "
    "<b>normalised input</b> (normalised: brought to mean 0 and standard deviation 1). In this model that is right, for it "
    "normalises what goes <i>into</i> each box. The paper’s Figure 1 puts it the other way round: add first, then normalise the "
    "residual stream itself."
)
SOURCE = (
    "Vaswani et al. 2017, “Attention Is All You Need”, §3.1 and Figure 1 (the encoder), §3.2.2 (heads), eq. 2 (feed-forward), "
    "§3.4–3.5 (embedding and position); Xiong et al. 2020, “On Layer Normalization in the Transformer Architecture” (normalising "
    "before); Ba, Kiros and Hinton 2016 (layer normalisation)."
)


def name_of(it: Walked, token: int | None = None) -> str:
    """A token in quotation marks, as HTML."""
    return f"“<bdi>{escape(label(it.inner.tokens.text[it.spot.token if token is None else token]))}</bdi>”"


def lead(it: Walked) -> None:
    """The first sentence: where the chosen token looks, how many neurons it fires, how far the layer turns it."""
    token, steps = it.spot.token, it.steps
    row = steps["pattern"][it.spot.head]
    key = strongest(row, token)
    looks = label(it.inner.tokens.text[token])
    at = "itself" if key == token else f"“{label(it.inner.tokens.text[key])}”"
    turned = angle(it.enters[token], steps["leave"][token])
    parts: list[str | tuple[str]] = [
        f"In layer {it.spot.layer + 1}, “", (looks,), f"” looks most at {at} (", (percent(float(row[token, key])),),
        f", head {it.spot.head + 1}), fires ", (str(int(firing(steps["fired"][token]))),),
        f" of {steps['fired'].shape[1]} neurons, and its vector leaves turned by ", (f"{turned:.0f}°",), ".",
    ]  # fmt: skip
    st.html(markup.sentence(parts))
    charts.words(INTRO)
    lesson.presets(offered())
    if any(rule.stream is Stream.ENCODER for rule in it.view.choice.mask):
        trouble.tell(
            "The mask you set on the encoder does not count here: the walk shows the model as it was trained.", "note"
        )


def below(it: Walked) -> None:
    """Everything under the walk: the dial, things to try, questions, the source."""
    from core.model.multihead import MultiHeadAttention
    from core.model.transformer import AddNorm, FeedForward, Layer, Transformer

    charts.rule()
    lesson.dial(IDEA, lambda: formulas(it), (Transformer.embed, Layer, AddNorm, MultiHeadAttention, FeedForward))
    lesson.questions(questions(it))
    lesson.source(SOURCE)


def formulas(it: Walked) -> None:
    """The walk as formulas, each with the first number of the chosen token's vector, or the number that it gives."""
    token, head, steps, begin = it.spot.token, it.spot.head, it.steps, it.inner.begin
    d, wide = it.enters.shape[1], steps["fired"].shape[1]
    part = steps["query"].shape[-1]
    named = name_of(it)
    e, p = float(begin["embedding"][token, 0]), float(begin["place"][token, 0])
    id, start = it.inner.tokens.ids[token], float(begin["leave"][token, 0])
    lesson.formula(
        rf"x = \sqrt{{{d}}}\,E_{{{id}}} + P_{{{token + 1}}}\qquad x_1 = {e:.3f} {p:+.3f} = {start:.3f}",
        f"{named} begins as row {id} of the table of embeddings E, times √{d}, plus the vector P of place {token + 1}; x₁ is the "
        f"first of its {d} numbers.",
    )
    mean, deviation = moments(it.enters[token])
    first, standard = float(it.enters[token, 0]), float(steps["standard"][token, 0])
    taken = f"({mean:.3f})" if mean < 0 else f"{mean:.3f}"
    worked = rf"\frac{{{first:.3f} - {taken}}}{{{deviation:.3f}}}"
    lesson.formula(
        rf"\hat x = \frac{{x - \mu}}{{\sigma}}\qquad \hat x_1 = {worked} = {standard:.3f}",
        f"Layer {it.spot.layer + 1} normalises: μ is the mean of the {d} numbers of {named}, σ their standard deviation (how far "
        "they typically lie from the mean: the root of the mean squared distance, a tiny number added under the root).",
    )
    read = float(steps["normed"][token, 0])
    lesson.formula(
        rf"\mathrm{{norm}}(x) = \gamma \odot \hat x + \beta\qquad \mathrm{{norm}}(x)_1 = {read:.3f}",
        "Learned numbers γ scale each and learned numbers β shift it (⊙: multiplied number by number): this is what the box reads, "
        "and what its queries, keys and values are made of.",
    )
    row = steps["pattern"][head, token]
    key = int(np.argmax(row))
    score = float(steps["query"][head, token] @ steps["key"][head, key]) / part**0.5
    product = rf"\frac{{q\cdot k}}{{\sqrt{{{part}}}}}"
    lesson.formula(
        rf"w = \mathrm{{softmax}}\!\left({product}\right)\qquad {product} = {score:.3f},\quad w = {row[key]:.3f}",
        f"Head {head + 1}: q, the query of {named}, with k, the key of {name_of(it, key)}, where the weight w is largest. The "
        "softmax takes e to the power of each token’s number and divides it by the sum of all.",
    )
    x, more, total = (float(values[token, 0]) for values in (it.enters, steps["mixed"], steps["summed"]))
    lesson.formula(
        rf"x' = x + [h_1;\dots;h_{{{len(steps['pattern'])}}}]\,W_O + b_O\qquad x'_1 = {x:.3f} {more:+.3f} = {total:.3f}",
        "The heads’ answers h₁, h₂, … side by side, mixed by the learned table W<sub>O</sub>, and the learned numbers "
        "b<sub>O</sub> are added to the residual stream x. The sum is x′.",
    )
    fed, leaves = float(steps["fed"][token, 0]), float(steps["leave"][token, 0])
    lesson.formula(
        rf"x'' = x' + \max(0,\ \mathrm{{norm}}(x')\,W_1 + b_1)\,W_2 + b_2\qquad x''_1 = {total:.3f} {fed:+.3f} = {leaves:.3f}",
        f"max(0, …) puts 0 for each number below 0; of its {wide} numbers {int(firing(steps['fired'][token]))} are above 0 for "
        f"{named}: "
        "the neurons that fire. W₁, b₁, W₂ and b₂ are learned; x″ leaves the layer.",
    )


def offered() -> list[lesson.Preset]:
    """Things to try."""

    def sets(text: str, token: int, layer: int, box: str, model: str = state.MODEL) -> None:
        cell = (token, None)
        state.choose(
            model=model, text=text, target=None, stream=Stream.ENCODER, layer=layer, head=0, cell=cell, box=box
        )

    banks, counts = "the river bank and the money bank", "one two three one two three one"
    return [
        lesson.Preset(
            "Two banks",
            "Both “bank” start from the same row of the table. Under <b>Neighbours</b>, read their cosine at the start and after "
            "each layer.",
            lambda: sets(banks, 2, 0, "embedding"),
        ),
        lesson.Preset(
            "The same word elsewhere",
            "“one” stands here three times. Click one after the other: the embedding stays, the position changes, and so does "
            "the sum.",
            lambda: sets(counts, 3, 0, "sum0"),
        ),
        lesson.Preset(
            "Few neurons",
            "Compare how many neurons fire in layer 1, 2 and 3, and which tokens fire them.",
            lambda: sets(banks, 2, 0, "neurons"),
        ),
        lesson.Preset(
            "An encoder alone",
            "The filler has no decoder: at the end its vectors are compared with every embedding (each token’s row of the table), "
            "to say which token fits.",
            lambda: sets("the children play in the park", 1, 3, "next", "filler"),
        ),
    ]


def questions(it: Walked) -> list[lesson.Question]:
    """Two numbers to read off and one thing to find, all about the chosen token."""
    token, layer = it.spot.token, it.spot.layer
    named, wide = name_of(it), it.steps["fired"].shape[1]
    fires = [int(firing(steps["fired"][token])) for steps in it.inner.layers]
    deviation = float(moments(it.enters[token])[1])
    return [
        lesson.Number(
            f"How many of the {wide} neurons fire at {named} in layer {layer + 1}?", float(fires[layer]), 0.4,
            f"{fires[layer]} of {wide}, {percent(fires[layer] / wide)}. The sums of the others are not above 0, so they give 0.",
            "Click the box Feed-forward neurons; its second line says it.",
        ),
        lesson.Act(
            f"In which layer do the fewest neurons fire at {named}? Go there and open its neurons.",
            fires[layer] == min(fires) and it.spot.box == "neurons",
            f"{min(fires)} fire there. All layers, from the first: {', '.join(map(str, fires))}.",
            "Choose each layer in turn and read the box Feed-forward neurons.",
        ),
        lesson.Number(
            f"What is the standard deviation (how far, typically, its numbers lie from their mean) of the residual stream of "
            f"{named} before layer {layer + 1} first normalises it?",
            deviation, max(0.006, 0.01 * deviation),
            f"{deviation:.3f}; divided by it the numbers have 1, whatever it was before γ and β scale and shift them.",
            "Click the first box Normalise and read the table.",
        ),
    ]  # fmt: skip


def without(view: Scene, why: str) -> None:
    """What can be shown of a model whose inside cannot be walked, and how to get to one whose can."""
    st.html(
        markup.sentence(["The walk inside needs one of our own encoders; this is ", (view.info.name,), f", {why}."])
    )
    whose = (
        "of its decoder, for it has no encoder" if walk.shown_of(view) is Stream.DECODER else "of its encoder"
    )
    charts.words(
        f"{INTRO} The shipped models Classroom, the translators and the filler can be walked. What can be seen of this one are the "
        f"vectors between the layers {whose}, shown below, and its maps, on the page Attention."
    )
    if st.button(
        "Walk the Classroom model", key="walk-ours", on_click=state.choose, kwargs={"model": state.MODEL, "target": None}
    ):  # fmt: skip
        lesson.whole_page()
    if view.info.answers is not None:
        it = focus_of(view)
        verdict.shown(replace(it, query=walk.token_shown(view, len(it.queries))))
    if not walk.trail(view):
        charts.words(f"The paths need the vectors between the layers and a text of at most {walk.ROOM} tokens.")
    lesson.source(SOURCE)
