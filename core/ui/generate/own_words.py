"""Generate, with the visitor's own words: how much each token surprises the model, and what forcing them costs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import streamlit as st

from core.analysis.surprisal import Price, price
from core.errors import LensError
from core.figures import markup
from core.figures.labels import line, ratio_said, three
from core.figures.payloads import words as words_payload
from core.request import Request
from core.trace import Trace
from core.ui.generate.parameters import OWN
from core.ui.generate.side_by_side import parting
from core.ui.generate.side_by_side import price as nats_of
from core.ui.kit import charts, component, trouble
from core.ui.running.branches import fitting
from core.ui.running.scene import Scene, asked, masked
from core.ui.running.writing import GREEDY, again, turn, version_of, writing
from core.ui.session import state
from core.ui.session.giving import CHAT
from core.ui.session.state import heard, held


def worded(view: Scene, own: str) -> tuple[Request, int]:
    """The text with the visitor's words behind it, read as one text; and how many of its tokens were there before.

    A tokenizer may join the last token before to the first one after: then the cut stands before that token.
    """
    base, lens, choice = view.base, view.lens, view.choice
    before = base.target or ()
    if not own.strip():
        return base, len(before)
    if view.info.kind == "encoder-decoder":
        whole = asked(lens, choice, choice.text, f"{choice.target or ''} {own}".strip())
    elif choice[CHAT] and view.info.chats:  # the words answer the message, after the template
        more = lens.encode(own.strip())
        words = [token for token, special in zip(more, lens.tokens(more).special, strict=True) if not special]
        whole = lens.request(ids=(*before, *words))
    else:
        whole = lens.request(f"{choice.text.rstrip()} {own.strip()}")
    request = replace(base, target=whole.target)
    return request, parting(before, request.target or ())


def scored(view: Scene, request: Request) -> Trace:
    """The trace of a text with what was expected at every place, under the visitor's mask."""
    return view.trace(masked(request.keeping("predictions"), fitting(view.choice.mask, request)))


def own_words(view: Scene, top: Any) -> None:
    """A field for the words, the bars of their surprisal, and the model's own continuation beside them."""
    choice = state.chosen()

    def changed(words: str) -> None:
        state.choose(own=words.strip()[: state.LINKED])

    asks = "Your words after “" + line(view.ending(choice.target or ""), 50) + "”"
    if view.info.kind == "encoder-decoder" and not choice.target:
        asks = "Your words in answer to “" + line(choice.text, 50) + "”"
    st.text_input(
        asks, key=held("own", choice[OWN]), on_change=heard("own", changed), placeholder="Type how it should go on, and press Enter"
    )
    told = st.container()  # what is told while waiting must not shift the place of what stands below
    try:
        request, before = worded(view, choice[OWN])
        if not choice[OWN] and view.info.kind == "encoder-decoder":
            request, before = view.request, 1  # what the bar shows as written so far
        with told:
            trace = scored(view, request)
        count = len(request.target or ()) - before
        rows = [words_payload.one_row("Your words", trace, before, "yours")]
        mine = price(nats_of(trace, count)) if count else price(nats_of(trace, len(request.target or ()) - 1))
        going = False
        if choice[OWN] and count:
            with told:
                text = writing(view, (), GREEDY)
                going = turn(view, text, (), GREEDY, count)
            base = view.base
            start = base.target or ()
            ids = tuple(step["written"]["id"] for step in text.steps[:count])
            with told:
                free = scored(view, replace(base, target=(*start, *ids)))
            rows.append(words_payload.one_row("What it would have written", free, len(start), "its"))
            its = price(nats_of(free, len(ids)))
            top.html(markup.sentence(costs(line(view.lens.decode((request.target or ())[before:]), 80), mine, its)))
        else:
            top.html(markup.sentence(surprises(trace, mine)))
    except LensError as error:
        trouble.show(error)
        return
    data = words_payload.payload(rows, version_of(request, len(rows)))
    _words(key="words", data={**data, "theme": st.context.theme.type})
    if choice[OWN] and count:
        bill(mine, its)
    elif not choice[OWN]:
        charts.words("Type words of your own above to see what it costs to force them, beside what the model would have written.")
    if going:
        again()


def surprises(trace: Trace, whole: Price) -> list[str | tuple[str]]:
    """How much a text surprises the model."""
    if not whole.tokens:
        return ["There is nothing to be surprised at yet: the text has one token, and nothing announces the first."]
    return [
        f"Over {whole.tokens} {'token' if whole.tokens == 1 else 'tokens'} the model is surprised by ", (f"{whole.bits:.1f} bits",),
        " in all, ", (f"{whole.bits_each:.1f} bits",), " a token: as if it had to guess among ", (three(whole.perplexity),),
        " equally likely tokens each time (its perplexity).",
    ]  # fmt: skip


def costs(text: str, mine: Price, its: Price) -> list[str | tuple[str]]:
    """What forcing a text costs against the model's own."""
    more = its.nats - mine.nats
    opening: list[str | tuple[str]] = ["Forcing “", (text,), "” costs "]
    if abs(more) < 5e-4:
        return [*opening, "nothing: it is what the model would have written by itself."]
    if more < 0:
        return ["“", (text,), "” is ", (ratio_said(more),), " likelier than what the model writes greedily: taking the likeliest "
                "token each time does not find the likeliest text."]  # fmt: skip
    return [
        *opening, (f"{more:.2f} nats ({mine.bits - its.bits:.2f} bits)",), " against the model’s own words: it finds yours ",
        (ratio_said(more),), " less likely.",
    ]  # fmt: skip


def bill(mine: Price, its: Price) -> None:
    """Both prices and their difference, in nats and bits."""
    charts.heading("What it costs", "log-probability, each token given all before it")
    st.table({
        "": ["your words", "what it would have written", "the difference"],
        "tokens": [str(mine.tokens), str(its.tokens), ""],
        "nats": [markup.nats(mine.nats), markup.nats(its.nats), markup.nats(mine.nats - its.nats)],
        "bits of surprisal": [f"{mine.bits:.2f}", f"{its.bits:.2f}", markup.nats(mine.bits - its.bits)],
        "bits a token": [f"{mine.bits_each:.2f}", f"{its.bits_each:.2f}", markup.nats(mine.bits_each - its.bits_each)],
    })  # fmt: skip
    charts.words(
        "<b>Nats</b>: the natural logarithm of the probability, 0 for what is certain and −0.69 for one in two. <b>Bits</b>: −log₂ "
        f"of it, 1 for one in two; so 1 nat is {1 / math.log(2):.2f} bits, with the other sign."
    )
    if its.tokens < mine.tokens:
        charts.words("By itself the model would have ended its text sooner.")


_words = component.component("words", sheets=("rows/rows", "words/words"))
