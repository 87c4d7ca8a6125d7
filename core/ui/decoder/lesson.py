"""The decoder: one step walked through its boxes, the future given away by a missing mask, and who reads what."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from core.analysis.decoder import direct_logit_attribution, kept_of_embedding, lengths, removal_effect
from core.figures.labels import label, percent, short
from core.figures.payloads import account as account_payload
from core.figures.payloads.account import number, signed
from core.inside import Account
from core.request import Stream
from core.ui.decoder.account import opened_account
from core.ui.decoder.future import future_shown, moved
from core.ui.kit import charts, lesson, trouble
from core.ui.running.branches import play
from core.ui.running.scene import Scene
from core.ui.session import state

if TYPE_CHECKING:
    from core.engine.lens import Lens

FIRST = (
    "A decoder writes one token (a word or a part of one) at a time. For each it keeps one list of numbers, the <b>residual "
    "stream</b>. Box after box reads a copy of it and <b>adds</b> what it found. No box erases anything, but what one adds can "
    "cancel what was there. At the end the residual stream is compared with every token that the model knows: each gets a number, "
    "its <b>logit</b>; the higher it is against the others, the likelier the token comes next. "
)
IDEA = (
    "<b>Masked self-attention</b> lets the last token look back at what has been written; the mask hides the tokens that "
    "come later, which in training are already there. <b>Cross-attention</b> lets it look at the source: the token asks (a "
    "<b>query</b>), the encoder’s output answers (<b>keys</b> to be found by, <b>values</b> to be taken along). The "
    "<b>feed-forward</b> network looks at no other token: it works on this one’s numbers alone. Each result is added to the "
    "<b>residual stream</b>; later boxes find the sum of all that was added so far, and read from it, or cancel in it, what they "
    "have learnt to. <b>Direct logit attribution</b> says how much of the written token’s logit this box alone adds, what the "
    "final normalisation divides by held fixed. It does not say what would happen without the box, for later boxes read what it "
    "added: that is <b>what is lost without it</b>, a run of the model for each box. The logit is counted from the mean logit of "
    "all tokens, for the softmax, which makes probabilities of logits, sees only differences: the attributions of all boxes, and a "
    "small constant, add up to the logit <b>above the mean logit</b>; what is lost without each box adds up to nothing in "
    "particular. The <b>logit lens</b> puts the end of the decoder on an unfinished residual stream: what it would write if it "
    "stopped there."
)


def opened(view: Scene) -> None:
    """The whole page below the title."""
    view = replace(view, request=asked(view))
    account = account_of(view)
    if isinstance(account, str):
        lesson.sentence(_plain_lead(view))
        charts.words(FIRST)
        charts.words(
            f"The boxes cannot be opened for {escape(view.info.name)}, {escape(account)}: choose Classroom, Writer or a "
            f"translator for that. {'The readers' if view.info.reason else 'Mask and readers'} below work for every model."
        )
    else:
        step = _step(view, account)
        lesson.sentence(lead(view, account, step))
        charts.words(FIRST + _which(view, account))
        opened_account(view, account, step)
    lesson.presets(presets())
    charts.rule()
    with trouble.guarded():  # no block of its own: the questions below ask about the switch
        future_shown(view)
    charts.rule()
    _readers(view, isinstance(account, str) or any(part == "ff" for _, part in account.parts))
    if not isinstance(account, str):
        _normalised(view, account)
    charts.rule()
    _lesson(view, None if isinstance(account, str) else account)


def asked(view: Scene) -> Any:
    """The request whose steps are walked: the text of a decoder; source and target, typed or written to its end by the model."""
    if view.info.kind == "decoder" or state.chosen().target is not None:
        return view.request
    ids = play(view, view.base.keeping()).written
    return view.base.append(*ids) if ids else view.base


def account_of(view: Scene) -> Account | str:
    """The account of this scene's decoder, one computation for all who ask the same; a reason where there is none."""

    def compute(lens: Lens) -> Account | str:
        from core.engine.inside import account, accountable

        if reason := accountable(lens):
            return reason
        return account(lens, view.request)

    return view.work(("account", view.request), compute, "Adding up what each box adds.")


def _step(view: Scene, account: Account) -> int:
    """The step shown first: the second word of a translation has a past to look at; a text is written on at its end."""
    return len(account.target) - 1 if view.info.kind == "decoder" else min(1, len(account.target) - 1)


def box_name(account: Account, depth: int, causal: bool) -> str:
    """What a depth is called in a sentence."""
    if depth == 0:
        return "the embedding"
    layer, part = account.parts[depth - 1]
    return f"the {account_payload.title(part, causal).lower()} of layer {layer + 1}"


def written_name(view: Scene, account: Account, step: int) -> str:
    """The token that is written at a step."""
    lens, id = view.lens, int(account.written[step])
    return "(end)" if id in lens.ends else label(lens.tokens([id]).text[0])


def lead(view: Scene, account: Account, step: int) -> str:
    """The step in one sentence: how often the decoder adds, what it would have written before, what it writes then."""
    lens, id = view.lens, int(account.lens_top_id[0, step])
    early = "(end)" if id in lens.ends else label(lens.tokens([id]).text[0])
    return (
        f"To write “<b><bdi>{escape(written_name(view, account, step))}</bdi></b>”, {escape(view.info.name)}’s decoder adds "
        f"<b>{len(account.parts)}</b> times to a residual stream of <b>{account.residual.shape[-1]}</b> numbers. Ended before the "
        f"first addition, it would have found “<b><bdi>{escape(early)}</bdi></b>” likeliest; after the last, the token written has "
        f"<b>{percent(float(account.lens_written[-1, step]))}</b>."
    )


def _plain_lead(view: Scene) -> str:
    layers = len(view.info.at(Stream.DECODER))
    cross = len(view.info.at(Stream.CROSS))
    return f"{escape(view.info.name)}’s decoder has <b>{layers}</b> layers of masked self-attention" + (
        f" and <b>{cross}</b> of cross-attention."
        if cross
        else ", and no cross-attention: there is no encoder to look at."
    )


def _which(view: Scene, account: Account) -> str:
    if view.info.kind == "decoder":
        boxes = "two boxes" if any(part == "ff" for _, part in account.parts) else "one box, for it is attention only"
        return (
            f"{escape(view.info.name)} is <b>a decoder alone</b>: there is no encoder, so <b>no cross-attention</b>. Each of its "
            f"layers has {boxes}, not three. Choose Classroom or a translator in the bar to see all three."
        )
    source = escape(short(state.chosen().text, 80))
    own = " It wrote the target to its end by itself." if state.chosen().target is None else ""
    return (
        f"The source “{source}” was read by the encoder before the first step.{own} Choose a step, then open its boxes."
    )


def presets() -> list[lesson.Preset]:
    """Sentences on which one box, or the mask, has a story to tell."""

    def put(model: str, text: str, target: str | None = None) -> Any:
        return lambda: state.choose(model=model, text=text, target=target, mask=())

    return [
        lesson.Preset(
            "Cross-attention finds the word",
            "Step “gato”: follow the logit lens downwards. After which box does it read “gato”, and where does that box look?",
            put("translator", "the black cat sleeps on the red sofa", "o gato preto dorme no sofá vermelho"),
        ),
        lesson.Preset(
            "The word order turns",
            "Step “preto”: in English “black” comes before “cat”. Open the cross-attention of layer 2.",
            put("translator", "the black cat sleeps on the red sofa", "o gato preto dorme no sofá vermelho"),
        ),
        lesson.Preset(
            "gen ai is …", "Step “domain”: see what the source does here, and what the word just written does.",
            put("classroom", "gen ai is", "interesting domain"),
        ),
        lesson.Preset(
            "No encoder at all",
            "Writer has no cross-attention. Then switch its mask off below: which words does the future give away?",
            put("writer", "the teacher reads a new book every day"),
        ),
        lesson.Preset(
            "Trained while peeking", "This one never had a mask in training. Put one on below, and see what is left of it.",
            put("induction-peek", "abcdefabcdef"),
        ),
    ]  # fmt: skip


def _readers(view: Scene, feeds: bool) -> None:
    """Who asks whom: a table with this text's numbers. feeds: whether there are feed-forward boxes."""
    charts.heading("Who reads what", "with the sizes of this text")
    source, target = len(view.request.source or ()), len(view.request.target or ())
    own = f"target so far, {target} token{'s' * (target != 1)}"
    hides = "itself and what came before" if view.info.causal else "everything, what comes later too"
    rows = [("Decoder: self-attention", own, own, hides, f"{target} × {target}")]
    if source:
        read = f"source, {source} token{'s' * (source != 1)}"
        rows.insert(0, ("Encoder: self-attention", read, read, "everything, both ways", f"{source} × {source}"))
        memory = f"the encoder’s output, {source} row{'s' * (source != 1)}"
        rows.append(("Decoder: cross-attention", own, memory, "the whole source", f"{target} × {source}"))
    if feeds:
        rows.append(("Feed-forward", "each position alone", "–", "nothing else", "–"))
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("", "queries from", "keys and values from", "may look at", "map: rows × columns")
    )
    body = "".join(
        f'<tr><th scope="row">{name}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        for name, *cells in rows
    )
    st.html(f'<div class="sum readers"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')
    if not source:
        charts.words(
            "A decoder-only model, like this one and the large chat models, has <b>no cross-attention</b>: there is no "
            "encoder to ask. What an encoder would have read stands at the beginning of its own text."
        )
    charts.words(
        "One often reads that the decoder predicts the next token from the encoder’s embeddings (its output vectors). That is half "
        "of it: it also reads what it has written itself, through the masked self-attention."
    )


def _normalised(view: Scene, account: Account) -> None:
    """What “normalised input” means here, with the lengths of one step."""
    step = _step(view, account)
    begin, end, copy = (
        number(float(lengths(x[step])), 1) for x in (account.residual[0], account.residual[-1], account.normed)
    )
    charts.words(
        "“Normalised input”: each box reads a <b>normalised copy</b> of the residual stream, with mean 0 and standard deviation 1 "
        "(how far its numbers typically lie from their mean), then scaled and shifted by learnt numbers; the residual stream "
        f"itself stays as it is. Where “{escape(written_name(view, account, step))}” is written, its length (the root of the sum "
        f"of squares) is <b>{begin}</b> at the beginning and <b>{end}</b> at the end; that of the last normalised copy is "
        f"<b>{copy}</b>. The paper of 2017 normalised the residual stream itself, after each addition."
    )


@trouble.block
def _lesson(view: Scene, account: Account | None) -> None:
    from core.analysis import decoder
    from core.model import decoder_steps

    if account is not None:
        lesson.dial(
            IDEA,
            lambda: maths(view, account),
            [
                decoder_steps.decoder_layer_steps, decoder_steps.attention_steps, decoder.direct_logit_attribution,
                decoder_steps.without_each_sublayer,
            ],
        )
        lesson.questions(questions(view, account))
    lesson.source(
        "Vaswani et al. 2017, §3.1 (the decoder’s three sublayers), §3.2.3 (who reads what, the mask), eq. 1–2; Xiong et al. "
        "2020 (norm before each sublayer); Elhage et al. 2021, “A Mathematical Framework for Transformer Circuits” (residual "
        "stream, direct logit attribution); nostalgebraist 2020 (logit lens); Olsson et al. 2022 (induction, the pair of small "
        "models)."
    )


def maths(view: Scene, account: Account) -> None:
    """The formulas with the numbers of the step shown first."""
    step = _step(view, account)
    attribution, added = direct_logit_attribution(account)[:, step], lengths(account.added)[:, step]
    first, rest = (
        lengths(account.residual)[0, step],
        " + ".join(r"\mathrm{box}_{" + str(n + 1) + "}" for n in range(min(3, len(account.parts)))),
    )
    lesson.formula(
        rf"x_{{\text{{end}}}} = x_0 + {rest} + \dots \qquad x_{{n}} = x_{{n-1}} + \mathrm{{box}}_n(\mathrm{{norm}}(x_{{n-1}}))",
        f"One residual stream of {account.residual.shape[-1]} numbers, {len(account.parts)} additions. Here the length |x₀| is "
        f"{number(float(first), 1)}, the boxes add lengths "
        + ", ".join(number(float(value), 1) for value in added[1:]) + ". Adding can also take away: of what lay along x₀ at the "
        f"beginning, {number(float(kept_of_embedding(account)[step]))} times as much is left at the end (x<sub>end</sub> · x₀ / "
        "|x₀|²).",
    )  # fmt: skip
    total = " ".join(f"{float(value):+.2f}" for value in (*attribution, account.offset[step]))  # a 0 needs its sign too
    lesson.formula(
        rf"\text{{logit}} - \text{{mean logit}} = {total.removeprefix('+')} = {float(account.above_mean_logit[step]):.2f}",
        f"The direct logit attributions for “{escape(written_name(view, account, step))}”, from the embedding to the last box, "
        "and last a constant: what the β of the last norm (the last normalisation) adds.",
    )
    lesson.formula(
        r"\text{attribution}(a) = \frac{a - \bar a}{\sigma}\cdot\big(\gamma \odot (E_w - \bar E)\big)",
        "a: what a box adds, ā its mean; σ: what the last norm divides by, held fixed; γ: its scale (⊙: multiplied number "
        "by number, and the dot adds up the products); E<sub>w</sub>: the vector of the written token, less Ē, the mean of "
        "all tokens’ vectors.",
    )
    lesson.formula(
        r"\mathrm{norm}(x) = \gamma \odot \frac{x - \bar x}{\sqrt{\mathrm{var}(x) + \varepsilon}} + \beta",
        "The norm, as each box and the output use it. x̄: the mean of the numbers of x; var: the mean squared distance from it; γ "
        "and β were learnt, for each norm anew; ε is tiny.",
    )


def questions(view: Scene, account: Account) -> list[lesson.Question]:
    """One number to read off, one box to find, one thing to do."""
    step = _step(view, account)
    depth, most = account_payload.largest_attribution(account, step)
    name = escape(written_name(view, account, step))
    attribution, effect = direct_logit_attribution(account)[:, step], removal_effect(account)[:, step]
    order = [int(n) for n in np.argsort(-attribution)[:4]]
    worth = int(attribution[1:].argmax()) + 1
    options = tuple(box_name(account, n, view.info.causal).removeprefix("the ").capitalize() for n in sorted(order))
    right = box_name(account, depth, view.info.causal).removeprefix("the ").capitalize()
    asked: list[lesson.Question] = [
        lesson.Pick(f"Which of these has the largest direct logit attribution to “{name}”?", options, right,
                    f"By itself it adds {signed(most)}, what the last norm divides by held fixed.",
                    f"Choose the step that writes “{name}” and compare the filled bars."),
        lesson.Number(f"The logit of “{name}” stands {number(float(account.above_mean_logit[step]))} above the mean logit. How far "
                      f"would it stand above it if {box_name(account, worth, view.info.causal)} were left out, for every token?",
                      float(account.without[worth - 1, step]), 0.06,
                      f"Its direct logit attribution is {signed(float(attribution[worth]))}, but what is lost without it is "
                      f"{signed(float(effect[worth - 1]))}, for the later boxes run on what is then there.",
                      "Read off what is lost without the box (the outlined bar) and take it away from the logit. The direct logit "
                      "attribution does not answer this."),
    ]  # fmt: skip
    if view.info.at(Stream.DECODER) and len(account.target) > 1 and not view.info.reason:
        was = "off" if view.info.causal else "on"
        asked.append(lesson.Act(
            f"Switch the mask {was}, above, on this text.", moved(view),
            "The same weights, another mask: every number changed only through what may be looked at.",
            f"The switch stands under “The mask”, now it is {'on' if view.info.causal else 'off'}.",
        ))  # fmt: skip
    return asked
