"""A classifier on the pages: its own classes where other models show words, and no page that lets it write."""

import re

import numpy as np
import pytest

import core
from core.engine.lens import Lens
from core.figures.labels import percent
from core.request import MaskRule, Stream
from tests.classifiers import HEADS, built
from tests.pages.conftest import Screen

TEXT = "w7 w9 w12 w30"


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """A page with a classifier in it: opened("attention", "text", "bert")."""

    def open_page(page: str, kind: str, family: str, cell: str = "", **changes) -> tuple[Screen, Lens]:
        name = f"{kind}-{family}"
        if not (tmp_path / name).exists():
            built(tmp_path / name, family, HEADS[kind][0], **changes)
        monkeypatch.setenv("LOOKBACK_MODELS", str(tmp_path))
        return Screen(page, model=f"folder:{name}", text=TEXT, **({"cell": cell} if cell else {})), core.load(tmp_path / name)

    return open_page


def bars(page: Screen) -> list[str]:
    """What is said of the bars, for those who do not see them."""
    return [chart.proto.alt for chart in page.app.get("vega_lite_chart")]


@pytest.mark.parametrize("page", ["attention", "encoder", "home"])
def test_the_classes_of_a_text_stand_where_words_would(opened, page):
    shown, lens = opened(page, "text", "bert")
    assert shown.calm() and not shown.said("trouble")
    answer = lens.run(lens.request(TEXT, keep="predictions")).answer
    likeliest = [f"{label.name} {percent(label.probability)}" for label in answer.ranked()]
    assert f"Class: {', '.join(likeliest)}." in bars(shown)
    assert "of the whole text" in " ".join(shown.html)


def test_a_mask_moves_the_classes(opened):
    shown, lens = opened("attention", "text", "bert")
    shown.app.toggle(key="causal").set_value(True).run()
    request = lens.request(TEXT, keep="predictions")
    now = lens.run(request.with_mask(MaskRule(Stream.ENCODER, "causal"))).answer.ranked()
    before = {label.name: label.probability for label in lens.run(request).answer.ranked()}
    said = [f"{one.name} {percent(one.probability)} (was {percent(before[one.name])})" for one in now]
    assert f"Class: {', '.join(said)}." in bars(shown)


def test_each_token_has_its_class(opened):
    _, lens = opened("attention", "token", "electra")
    trace = lens.run(lens.request(TEXT, keep="predictions"))
    for page in ("attention", "encoder"):
        for query in (0, 2):
            shown, _ = opened(page, "token", "electra", cell=f"{query + 1}.1")
            best = trace.answer.ranked(1, query)[0]
            assert any(said.startswith(f"Class: {best.name} {percent(best.probability)}") for said in bars(shown))
            assert f"of “{trace.source.text[query].strip()}”" in " ".join(shown.html)


def test_a_span_is_shown_as_its_text(opened):
    shown, lens = opened("attention", "span", "distilbert")
    trace = lens.run(lens.request(TEXT, keep="predictions"))
    span = trace.answer.spans()[0]
    text = "".join(trace.source.text[span.start : span.end + 1]).strip()
    assert any(said.startswith("Answer: ") and percent(span.probability) in said for said in bars(shown)), text


def test_a_number_is_shown_as_a_number(opened):
    shown, lens = opened("attention", "text", "roberta", id2label={0: "stars"}, problem_type="regression")
    number = float(lens.run(lens.request(TEXT, keep="predictions")).answer.logits[0])
    assert f"stars: {number:.3g}".replace("-", "−") in shown.said("how")
    assert any("no probability" in line for line in shown.said("how"))


WRITING = [("generate", "bert"), ("generate", "gpt2"), ("translate", "bert"), ("translate", "bart"), ("decoder", "gpt2")]


@pytest.mark.parametrize(("page", "family"), WRITING)
def test_pages_of_writing_say_that_it_classifies(opened, page, family):
    shown, _ = opened(page, "text", family)
    assert shown.calm() and not shown.said("trouble")
    assert any("classifies and does not write" in line for line in shown.said("how"))
    assert not re.search("fills? in a", " ".join(shown.said("how")))


ELSEWHERE = [("home", "text", "gpt2"), ("masks", "text", "bart"), ("encoder", "span", "t5"), ("hand", "next", "bert")]


@pytest.mark.parametrize(("page", "kind", "family"), ELSEWHERE)
def test_every_page_is_calm_with_a_classifier(opened, page, kind, family):
    shown, lens = opened(page, kind, family)
    assert shown.calm() and not shown.said("trouble"), shown.said("trouble")
    assert np.isfinite(lens.run(lens.request(TEXT, keep="predictions")).answer.logits).all()
