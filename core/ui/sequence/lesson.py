"""Sequence modelling: any text weighed token by token by a network and by counting, and the loop that writes with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import streamlit as st

from core.analysis.surprisal import Place, Tally, counting, gaps, hardest, perplexity, tally
from core.figures.labels import label, percent, ratio_said, short, three
from core.figures.payloads.surprisal import bits_said, payload
from core.ui.kit import charts, lesson, trouble
from core.ui.kit.component import component
from core.ui.running.scene import Scene
from core.ui.sequence import heldout
from core.ui.sequence.stepper import stepper
from core.ui.sequence.weighing import counts, task, weigh
from core.ui.session import state

TABLE = "Trigram"
GIVEN = {
    True: "is where the text begins: there is nothing before it to guess it from.",
    False: "is given: nobody was asked how likely it was.",
}  # by whether the model is asked for the text itself
FIRST = (
    "A model of sequences says, at each place of a text, how likely every possible next <b>token</b> is (a word, a part of a "
    "rare one, or a sign such as a comma). The less likely the token that then comes, the greater the <b>surprise</b>, counted in "
    "bits: 50 % is 1 bit, 25 % are 2 bits, 12.5 % are 3. "
)
BESIDE = " In grey, a <b>trigram</b>: no network, only counts of which token came how often after which two."
IDEA = (
    "<b>Sequence</b>: a row of things in order, like the notes of a tune, days of weather, the words of a sentence. To model "
    "one is to say, at every place, how likely each next thing is.<br>"
    "<b>Token</b>: what a language model reads and writes, one at a time: a whole word, a part of a rare one, or a "
    "sign such as a comma.<br>"
    "<b>Probability</b>: a share of 100 %. At every place the model shares 100 % out among all tokens it knows. Then the "
    "text goes on, and we see which token really stood there.<br>"
    "<b>Surprisal</b>: how surprising that token was, in <b>bits</b>. 1 bit for a token with 50 %, and one bit more each "
    "time the probability halves (25 %: 2 bits).<br>"
    "<b>Perplexity</b>: the mean of the bits, turned back into a number of tokens (2 to the power of that mean). With a perplexity "
    "of 8 the text was, on average, as surprising as to someone who must guess among 8 equally likely tokens. Lower is better. A "
    "model that is sure, and wrong, has a high one."
)
TRIGRAM_SAYS = (
    "The <b>trigram</b> only counts: in {sentences:,} sentences, which token came how often after which two (three tokens in a "
    "row: a tri-gram). It always mixes in what came after the last one alone, and what comes often anywhere; where it never saw "
    "the two, only these are left. What stands further back it does not see; the network reads the whole beginning."
)


def opened(view: Scene) -> None:
    """The whole page below the title."""
    places = weigh(view)
    lesson.sentence(lead(places, view.info.name))
    charts.words(FIRST + _reading(view) + (BESIDE if counts(view.model) is not None else ""))
    names = (view.info.name, TABLE)
    judges_source = view.info.kind == "decoder" or task(view.model) == "continue"
    hard = hardest(places)
    focus = len(places) - 1 if hard is None else next(n for n, place in enumerate(places) if place is hard)
    version = f"{abs(hash((view.request, view.model))):x}"
    data = payload(places, names, GIVEN[judges_source], version, focus)
    _surprisal(key="surprisal", data={**data, "theme": st.context.theme.type})
    lesson.presets(presets())
    charts.rule()
    found = tally(places)
    left, right = st.columns([520, 460], gap="large")
    with left:
        _score(places, found, names)
    with right:
        _winners(view, places, found)
    heldout.by_source(view)
    charts.rule()
    _loop(view)
    charts.rule()
    _lesson(view, places, found)


def lead(places: Sequence[Place], name: str) -> str:
    """What surprised the model most, in one sentence; what it expects next where nothing was judged."""
    hard = hardest(places)
    if hard is None or hard.ours is None or hard.ours.probability is None:
        best = places[-1].ours.top[0] if places[-1].ours is not None else None
        if best is None:
            return "Nothing stands before the first word, so no token of this text was judged."
        return (
            f"Nothing stands before the first word, so no token of this text was judged. The model {escape(name)} expects "
            f"“<b><bdi>{escape(label(best.text))}</bdi></b>” next, with <b>{percent(best.probability)}</b>."
        )
    count = len(counting(places))
    said = (
        f"Of {count} token{'s' * (count != 1)} that the model {escape(name)} tried to foresee, "
        f"“<b><bdi>{escape(label(hard.text))}</bdi></b>” surprised it most: it had given it "
        f"<b>{percent(hard.ours.probability)}</b>, which is <b>{bits_said(hard.ours.bits or 0.0)} bits</b> of surprise"
    )
    if (theirs := hard.theirs) is None or theirs.probability is None:
        return f"{said}."
    bits = bits_said(theirs.bits or 0.0)
    return f"{said}; counting triples of tokens gave it <b>{percent(theirs.probability)}</b>, <b>{bits} bits</b>."


def _reading(view: Scene) -> str:
    name = escape(view.info.name)
    if view.info.kind == "decoder":
        return f"Each token of your text, with the surprise it was for {name}, which had read all tokens before it."
    if task(view.model) == "continue":
        return (
            f"Each token of your text, with the surprise it was for {name}: for each word its encoder read the words before "
            "it, and its decoder was asked for the next. <b>Underlined</b>: what it wrote on by itself; its own words come "
            "cheap, so they are not counted below."
        )
    return (
        f"{name} writes with the source in view: “{escape(short(state.chosen().text, 80))}”. Each token of the target, with "
        "the surprise it was. <b>Underlined</b>: it wrote the token itself, so it is hardly surprised. Type another target "
        "in the bar to test it."
    )


def _score(places: Sequence[Place], found: Tally, names: tuple[str, str]) -> None:
    """Bits and perplexity of both, in a table."""
    count = len(found.ours)
    charts.heading("The whole text in one number", f"over {count} judged token{'s' * (count != 1)}")
    if not count:
        charts.words("No token was judged yet: write a longer text in the bar above.")
        return
    rows = []
    for name, bits, better in ((names[0], found.ours, found.won), (names[1], found.theirs, found.lost)):
        if bits is None:
            continue
        better_said = f"<td>{better} of {count}</td>" if found.theirs is not None else ""
        rows.append(
            f'<tr><th scope="row">{escape(name)}</th><td>{bits_said(sum(bits))}</td><td>{bits_said(sum(bits) / count)}</td>'
            f'<td class="result">{three(perplexity(bits))}</td>{better_said}</tr>'
        )
    last = "<th>foresaw better</th>" if found.theirs is not None else ""
    head = f"<thead><tr><th></th><th>bits in all</th><th>bits per token</th><th>perplexity</th>{last}</tr></thead>"
    st.html(f'<div class="sum tally"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>')
    charts.words(
        "<b>Perplexity</b>: the text was, on average, as surprising as to someone who guesses among that many equally likely "
        "tokens. Lower is better."
    )


def _winners(view: Scene, places: Sequence[Place], found: Tally) -> None:
    charts.heading("Where each wins")
    table = counts(view.model)
    if table is None:
        charts.words(
            "There is no table of counted triples for this model: it would have to be counted in the text that the model learnt "
            "from, in the model’s own tokens."
        )
        return
    best, worst = gaps(places)
    for place, winner, why in (
        (best, view.info.name, "What it has beside the last two tokens: all tokens before, and what it learnt of similar words."),
        (
            worst,
            TABLE,
            "That happens where a phrase was often seen, and where the network is too sure of another token.",
        ),
    ):
        if place is None or place.ours is None or place.theirs is None:
            charts.words(f"<b>{escape(winner)}</b> is ahead at no token of this text.")
            continue
        pair = sorted((place.ours.bits or 0.0, place.theirs.bits or 0.0))
        charts.words(
            f"<b>{escape(winner)}</b> is furthest ahead at “<b>{escape(label(place.text))}</b>”: {bits_said(pair[0])} "
            f"against {bits_said(pair[1])} bits, a probability {ratio_said((pair[1] - pair[0]) * math.log(2))} as high. {why}"
        )
    charts.words(TRIGRAM_SAYS.format(sentences=table.sentences))


def power(value: float) -> str:
    """A small number in three digits, as LaTeX: 0.0123, or 4.5 · 10⁻⁵."""
    said, _, exponent = f"{value:.3g}".partition("e")
    return said + (rf" \cdot 10^{{{int(exponent)}}}" if exponent else "")


def presets() -> list[lesson.Preset]:
    """Texts on which one of the two wins, and a translation."""

    def put(model: str, text: str, target: str | None = None) -> Any:
        return lambda: state.choose(model=model, text=text, target=target)

    return [
        lesson.Preset("neither … nor",
                      "Look at “nor”: the network still has “neither” in view. The trigram sees “the students” only.",
                      put("writer", "neither the students nor the teacher")),
        lesson.Preset("Said twice",
                      "The second half says the first again. Compare each word’s first and second time, in both models.",
                      put("writer", "the robot helps the doctor the robot helps the doctor")),
        lesson.Preset("A common phrase", "Look at “cake”: after “a chocolate” the table has hardly seen anything else.",
                      put("classroom", "my grandmother made a chocolate cake yesterday", "")),
        lesson.Preset("A word it never met there", "Look at “mat”: the network is too sure of other endings, and pays for it.",
                      put("classroom", "the cat sits on the mat", "")),
        lesson.Preset("With the source in view", "A translator has read the English first: the Portuguese hardly surprises it.",
                      put("translator", "the black cat sleeps on the red sofa", "o gato preto dorme no sofá vermelho")),
    ]  # fmt: skip


@trouble.block
def _loop(view: Scene) -> None:
    state.publish()
    stepper(view)


@trouble.block
def _lesson(view: Scene, places: Sequence[Place], found: Tally) -> None:
    from core.analysis import surprisal
    from core.model import ngrams

    lesson.dial(
        IDEA, lambda: maths(view, places, found), [surprisal.surprisal, surprisal.perplexity, ngrams.Ngrams.probability]
    )
    lesson.questions(questions(view, places, found))
    lesson.source(
        "Shannon 1948, “A Mathematical Theory of Communication” (the bit, −log₂ p, and letters drawn by how often they follow the "
        "last two); Jelinek et al. 1977 (perplexity); Kneser and Ney 1995, and Chen and Goodman 1999, §2.7 (the trigram, mixed "
        "with shorter memories); Bengio et al. 2003, “A Neural Probabilistic Language Model”; the loop: Graves 2013."
    )


def maths(view: Scene, places: Sequence[Place], found: Tally) -> None:
    """The formulas with the numbers of this text."""
    held = counting(places)
    if not held:
        charts.words("The formulas come with the first token that was judged: write a longer text.")
        return
    hard = hardest(places)
    assert hard is not None and hard.ours is not None and hard.ours.probability is not None
    lesson.formula(
        rf"\text{{surprisal}} = -\log_2 p = -\log_2 \left({power(hard.ours.probability)}\right) = "
        rf"{bits_said(hard.ours.bits or 0.0)}\ "
        rf"\text{{bits}}",
        f"For “{escape(label(hard.text))}”. log₂ asks how often one must halve: p = ½ is 1 bit, ¼ is 2 bits, ⅛ is 3.",
    )
    for name, bits in (("the network", found.ours), ("the trigram", found.theirs)):
        if bits is None:
            continue
        shown = " + ".join(bits_said(b) for b in bits[:6]) + (r" + \dots" if len(bits) > 6 else "")
        lesson.formula(
            rf"\text{{perplexity}} = 2^{{\left({shown}\right) / {len(bits)}}} = 2^{{{sum(bits) / len(bits):.3f}}} = "
            + three(perplexity(bits)).replace(",", "{,}"),
            f"For {name}: 2 to the power of the mean of the {len(bits)} surprisals.",
        )
    lesson.formula(
        r"p(w_1 \dots w_n) = p(w_1)\, p(w_2 \mid w_1) \cdots p(w_n \mid w_1 \dots w_{n-1}) \qquad p_3 \approx p(w_i \mid "
        r"w_{i-2}\, w_{i-1})",
        "w₁, w₂, … are the tokens; p(w₂ | w₁) is the probability of w₂ once w₁ has been read. The chain rule: a text is as likely "
        "as all its steps multiplied, so the bits add up. p₃, the trigram’s, keeps only the two tokens just before.",
    )
    _counted_out(view, places, gaps(places)[1] or hard)


def _counted_out(view: Scene, places: Sequence[Place], place: Place) -> None:
    """The trigram's probability of one token, with its counts."""
    table = counts(view.model)
    if table is None or place.id is None:
        return
    before = [one.id for one in places[: places.index(place)] if one.id is not None and not one.special]
    term = table.terms(before, place.id)[0]
    order, lower = f"p_{term.known + 1}", f"p_{term.known}"
    lesson.formula(
        rf"{order} = \frac{{\max(0, c - D)}}{{C}} + \frac{{D \cdot k}}{{C}}\, {lower} = "
        rf"\frac{{\max(0, {term.seen} - {term.discount:.3f})}}{{{term.total}}} "
        rf"+ \frac{{{term.discount:.3f} \cdot {term.kinds}}}{{{term.total}}} \cdot {power(term.lower)} = {power(term.p)}",
        f"The trigram at “{escape(label(place.text))}”: {COUNTED[term.known]}; D, a discount taken off each count, so that "
        f"something is left for what was never seen. {LOWER[term.known]}",
    )


COUNTED = (  # by how many tokens before the term knows
    "neither these two tokens nor the last of them were ever seen before another, so p₃ = p₂ = p₁. It counts neighbours, not "
    "occurrences: c, behind how many different tokens this one stood; C, the sum of all tokens’ c; k, how many different tokens "
    "there were",
    "these two tokens were never seen before another, so p₃ = p₂. It counts neighbours, not occurrences: c, behind how many "
    "different tokens the last one and this one stood; C, the sum of c over all that followed the last one; k, how many different "
    "tokens did",
    "c, how often it followed the two tokens before; C, how often anything did; k, how many different tokens did",
)
LOWER = (
    "p₀ gives every token the same.",
    "p₁ is made the same way, with no token before.",
    "p₂ is made the same way with one token before, but it counts neighbours (behind how many different tokens), not occurrences.",
)


def questions(view: Scene, places: Sequence[Place], found: Tally) -> list[lesson.Question]:
    """Two things to read off or work out, one to do."""
    asked: list[lesson.Question] = []
    held = counting(places)
    if held:
        first = held[0]
        assert first.ours is not None and first.ours.bits is not None
        asked.append(lesson.Number(
            f"How many bits did “{escape(label(first.text))}” cost {escape(view.info.name)}?", first.ours.bits, 0.06,
            f"It had given it {percent(first.ours.probability or 0.0)}.",
            f"Read the bold number under “{escape(label(first.text))}”, the first token that has one.", "bits",
        ))  # fmt: skip
        mean = sum(found.ours) / len(found.ours)
        asked.append(lesson.Number(
            f"If each token had cost exactly one bit less, what would {escape(view.info.name)}’s perplexity be?", 2 ** (mean - 1),
            0.02 * 2 ** (mean - 1) + 0.05, f"One bit less halves it: 2 to the power of {mean:.2f} − 1.",
            "Perplexity is 2 to the power of the mean bits per token. What does one less in the exponent do?",
        ))  # fmt: skip
    behind = found.theirs is not None and perplexity(found.theirs) < perplexity(found.ours)
    asked.append(lesson.Act(
        "Find a text (or a preset) on which plain counting has the lower perplexity.", behind,
        "A network that learnt more can still be too sure of the wrong thing. Bengio et al. 2003 mixed a network with a trigram, "
        "and did better.",
        "Change the text in the bar, or try a preset.",
    ))  # fmt: skip
    return asked


_surprisal = component("surprisal")
