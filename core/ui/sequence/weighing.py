"""A text weighed token by token: what the model in view expected at each place, and what a table of counted triples did."""

from __future__ import annotations

import itertools
import math
from typing import Any

from core.analysis.surprisal import Counted, Place, foreseen, ranked
from core.request import Request
from core.trace import Token, Trace, largest
from core.ui.running.branches import play
from core.ui.running.scene import Scene
from core.ui.running.waiting import work

SHOWN = 7  # candidates of a place
Announced = tuple[Trace, int] | None  # which row of which run expected a token; None where nobody was asked


def task(model: str) -> str:
    """What a shipped model was trained to do, as its card says; "" for guests."""
    from core.engine.files import shipped

    return str(shipped().get(model, {}).get("task", ""))


def counts(model: str) -> Any:
    """The trigram table of the text that a shipped model learnt to write, or None; read once for all visitors."""

    def read() -> Any:
        from core.model import trigram

        return trigram.for_model(model)

    return work(("trigram", model), read, "Reading the table of counted triples.")


def weigh(view: Scene) -> list[Place]:
    """Every token of the text in view, and last the place after it.

    A decoder announces each token by the row of the one before. An encoder–decoder does so for its target. One that was
    trained to continue is also asked for each word of the source, with the words before it as the source. Raises LensError.
    """
    lens = view.lens
    own: list[tuple[int, bool, Announced]] = []  # id, whether the model wrote it itself, who announced it
    if view.info.kind == "decoder":
        trace = view.run((), ("predictions",))
        assert trace.target is not None
        own = [(id, False, (trace, place - 1) if place else None) for place, id in enumerate(trace.target.ids)]
        last = (trace, len(trace.target) - 1)
    else:
        continues = task(view.model) == "continue"
        base = view.base
        grown = view.grown.ids if continues and view.grown is not None else ()
        if not continues and view.grown is not None:
            grown = play(view, base.keeping()).written
        request = base.append(*grown) if grown else base
        trace = view.trace(request.keeping("predictions"))
        assert request.target is not None and request.source is not None
        if continues:
            own = _continued(view, request)
        first = len(base.target or ())
        own += [(id, place >= first, (trace, place - 1)) for place, id in enumerate(request.target) if place]
        last = (trace, len(request.target) - 1)
    return _places(lens, counts(view.model), own, last)


def _continued(view: Scene, request: Request) -> list[tuple[int, bool, Announced]]:
    """The tokens of the source; each word but the first announced by a run that read only the words before it."""
    lens = view.lens
    specials = lens.specials
    source = request.source or ()
    ids = tuple(id for id in source if id not in specials)
    tail = source[len(ids) :]
    words = lens.tokens(ids).word
    starts = [place for place in range(1, len(ids)) if words[place] != words[place - 1]]
    spans = [(a, b) for a, b in itertools.pairwise([*starts, len(ids)])]
    asked = tuple(lens.request(ids=(*ids[:a], *tail), target_ids=ids[a:b], keep=("predictions",)) for a, b in spans)

    if not asked:
        return [(id, False, None) for id in ids]
    says = f"Asking for each of {len(asked)} words with the words before it."
    traces = view.work(("cuts", asked), lambda lens: tuple(lens.run_many(asked)), says)
    own: list[tuple[int, bool, Announced]] = [(id, False, None) for id in ids]
    for (a, b), trace in zip(spans, traces, strict=True):
        for place in range(a, b):
            own[place] = ids[place], False, (trace, place - a)
    return own


def _places(lens: Any, table: Any, own: list[tuple[int, bool, Announced]], last: tuple[Trace, int]) -> list[Place]:
    tokens = lens.tokens([id for id, _, _ in own])
    context: list[int] = []
    places: list[Place] = []
    for n, (id, written, who) in enumerate([*own, (None, False, last)]):
        special = id is not None and tokens.special[n]
        joins = id is not None and n > 0 and not special and tokens.word[n] == tokens.word[n - 1]
        ours = theirs = counted = None
        if who is not None and not special:
            trace, row = who
            assert trace.predictions is not None
            ours = foreseen(trace.predictions, row, id, [_named(lens, one) for one in trace.next_tokens(SHOWN, row)])
            if table is not None:
                chances = table.probabilities(context)
                ids = largest(chances, SHOWN)
                theirs = ranked(chances, id, [_token(lens, int(i), float(chances[i])) for i in ids])
                counted = _counted(lens, table, context, id)
        text = tokens.text[n] if id is not None else ""
        places.append(Place(id, text, special, joins, written, ours, theirs, counted))
        if id is not None and not special:
            context.append(id)
    return places


def _token(lens: Any, id: int, chance: float) -> Token:
    return _named(lens, Token(id, lens.tokens([id]).text[0], math.log(chance), chance))


def _named(lens: Any, token: Token) -> Token:
    """The end of a text has no letters: it is named."""
    return token._replace(text="(end)") if token.id in lens.ends else token


def _counted(lens: Any, table: Any, context: list[int], id: int | None) -> Counted:
    pair, followers, often = table.seen(context)
    before = tuple("" if one == table.start else lens.tokens([one]).text[0] for one in pair)
    followed = int(often[followers == id].sum()) if id is not None else 0
    return Counted((before[0], before[1]), int(often.sum()), followed, len(followers))
