"""The network beside counting on text that neither has seen, each source of text by itself; and the sentence that follows."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from core import paths
from core.analysis.sources import Source, together, verdict
from core.ui.kit import charts
from core.ui.running.runs import shared
from core.ui.running.scene import Scene
from core.ui.sequence.weighing import task

FILE = "sources.csv"  # `python -m core.evaluation NAME --card` writes it
WHY = (
    "Each source stands by itself, for what is easy would hide what is hard: our grammar’s sentences repeat few patterns, people’s "
    "do not. An <b>n-gram</b> is to n tokens what the trigram is to three; the last column has the best of n = 1 to {most} "
    "on this very text, in favour of counting. Both learnt from, or counted, the same training text."
)


def measured(model: str) -> tuple[Source, ...]:
    """What was measured of a shipped model on each source; () where it was not compared with counting."""
    path = paths.WEIGHTS / model / FILE
    if not task(model) or not path.is_file():
        return ()

    def read() -> tuple[Source, ...]:
        from core.model.weights import read_rows

        return tuple(map(Source.from_row, read_rows(path)))

    return shared.ask(("sources", model), read).result()


def by_source(view: Scene) -> None:
    """The table and its sentence, with a rule above; nothing for a model that was not compared."""
    if not (sources := measured(view.model)):
        return
    charts.rule()
    charts.heading("On text that neither has seen", "perplexity per token, by where the text is from; lower is better")
    st.html(table(sources, view.info.name))
    charts.words(verdict(sources))
    charts.words(WHY.format(most=len(sources[0].counting)))


def table(sources: Sequence[Source], name: str) -> str:
    """A row for each source, and one for all together."""
    said = [(f"{source.name}: {source.says}", source) for source in sources]
    rows = [
        f'<tr><th scope="row">{escape(what)}</th><td>{one.tokens:,}</td><td class="result">{one.network:.1f}</td>'
        f"<td>{one.trigram:.1f}</td><td>{one.best:.1f} (n&nbsp;=&nbsp;{one.order})</td></tr>"
        for what, one in [*said, ("all together", together(sources))]
    ]
    heads = ("tokens", escape(name), "trigram", "best n-gram")
    head = "<thead><tr><th></th>" + "".join(f'<th scope="col">{one}</th>' for one in heads) + "</tr></thead>"
    return f'<div class="sum tally"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>'
