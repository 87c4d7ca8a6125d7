"""Home: a text, the next tokens one after the other, the attention behind them, and where to go next."""

import streamlit as st

from core.analysis import changes
from core.figures import heatmap, markup
from core.figures.distribution import Bar
from core.figures.labels import label, percent
from core.ui.home import road
from core.ui.kit import charts, trouble, verdict
from core.ui.running import scene
from core.ui.running.focus import focus_of
from core.ui.shell import bar

HOW = (
    "Each <b>row</b> is a token that looks, each <b>column</b> a token it looks at. A cell’s <b>attention weight</b> is the "
    "share of its attention that the row gives the column: a row’s weights add up to 100 %, and those below 10 % are only "
    "coloured. <b>Eff. tokens</b>, the effective number of tokens: among how many the row shares its attention (e to the power "
    "of its entropy); "
    "<b>received</b>: the sum of a column, 1 being all the attention of one row. <b>Point</b> at a cell for its exact weight."
)
HATCHED = " <b>Hatched</b>: may not look; where a model writes, what comes later is not there yet."


def first_line(view: scene.Scene, moments: list[scene.Moment]) -> list[str | tuple[str]]:
    """The sentence under the title, made of the numbers below it."""
    if not moments and view.info.answers is not None:
        return ["The model reads “", (view.ending(),), "”, lets its tokens look at each other, and classifies."]
    if not moments:
        return ["The model reads “", (view.ending(),), "” and lets its tokens look at each other."]
    parts: list[str | tuple[str]] = ["After “", (moments[0].written,), "” the model expects "]
    for number, moment in enumerate(moments):
        best = changes(moment.trace, k=1)[0]
        what = [("the end",)] if moment.ends else ["“", (label(best.text),), "”"]
        parts += [", then " if number else "", *what, " (", (percent(best.now),), ")"]
    return [*parts, "."]


def next_tokens(moments: list[scene.Moment]) -> None:
    """The distribution at each step, side by side."""
    for number, (column, moment) in enumerate(zip(st.columns(len(moments), gap="medium"), moments, strict=True)):
        with column:
            charts.heading("Next token", f"after “{moment.written}”")
            rows = [Bar(change.text, change.now) for change in changes(moment.trace, k=5)]
            charts.bars(rows, charts.theme().decoder, "Next token", f"next-{number}", 304)
    charts.words("The likeliest token joins the text and the model is asked again: so it writes, one token at a time.")


@trouble.block
def map_of_one_head(view: scene.Scene) -> None:
    """The attention of one head, and the way to all of them."""
    it = focus_of(view)
    left, right = st.columns([450, 524], gap="medium")
    with left:
        charts.heading(it.name)
        figure = heatmap.heatmap(*it.drawn(), charts.theme(), margins=not it.pooled)
        charts.plot(figure, "map", heatmap.describe(it.rows, it.columns, it.pattern, it.name))
    with right:
        charts.heading("The look behind it")
        st.html(markup.sentence(it.sentence()))
        charts.words(HOW + HATCHED * (not it.allowed.all()))
        charts.words("This is one <b>head</b>, one of the model’s many small attentions. See all of them, and take the mask away:")
        st.page_link("../../pages/attention.py", label="Open Attention", icon=":material/arrow_forward:")
        road.onward()


view = bar.open_page("Attention lets a model look back")
whole, moments = view.run(), view.moments()
st.html(markup.sentence(first_line(view, moments)))
st.html(markup.texts(whole.source, whole.target))
charts.words(markup.tokens_are(whole.source, whole.target))
if moments:
    next_tokens(moments)
elif view.info.answers is not None:
    verdict.shown(focus_of(view))
else:
    charts.words(scene.silent(view.info))
charts.rule()
map_of_one_head(view)
charts.rule()
road.road()
