"""The page Transductive learning, without a browser: every number is worked out again here, by scikit-learn where it can."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from core.analysis.transductive import fewlabels, fourways, pointsets, transduction
from core.analysis.transductive.board import ALPHA, GAMMA, Board, read_board
from core.analysis.transductive.transduction import NONE
from core.request import Stream
from core.ui.transductive import datasets
from core.ui.transductive.curve import Course
from core.ui.transductive.lesson import DIGITS, EACH
from core.ui.transductive.parameters import BOARD
from tests.printed import shows, shows_share
from tests.ui.transductive.test_drawing import unpack


def sent(page):
    """What the board was drawn from."""
    (part,) = [one for one in page.app.get("bidi_component") if one.proto.bytes]
    return unpack(part.proto.bytes)


def label(page, signs: str, turn: int = 1):
    """As if a browser's message had come and been read: AppTest calls no component's callback."""
    head, _ = sent(page)
    taken = page.app.session_state["labels-turns"]
    taken.seen, taken.held = turn, (head["version"], signs)
    known = page.app.session_state["lookback"]
    known.choice = known.choice.but(board=replace(known.choice[BOARD] or Board(), labels=signs))
    return page.app.run()


def shares(head) -> dict[str, str]:
    return {way["key"]: way["said"] for way in head["ways"]}


def percents(page, said: str) -> list[float]:
    return [float(number) for number in re.findall(r"([0-9.]+)\s%", said)]


def test_the_page_opens_and_its_sentence_is_scikit_learns(screen):
    page = screen("transductive")
    assert page.calm() and not page.said("trouble")
    head, matrices = sent(page)
    points = pointsets.draw("moons", 0)
    labels = np.array([-1 if sign == "." else int(sign) for sign in head["labels"]])
    rest = labels == NONE
    assert (labels != NONE).sum() == 2 and np.array_equal(labels[~rest], points.classes[~rest])
    gamma, alpha = GAMMA["plane"], ALPHA["plane"]
    theirs = {
        "spreading": LabelSpreading(kernel="rbf", gamma=gamma, alpha=alpha, max_iter=10_000, tol=1e-12),
        "propagation": LabelPropagation(kernel="rbf", gamma=gamma, max_iter=100_000, tol=1e-12),
        "nearest": KNeighborsClassifier(1),
        "logistic": LogisticRegression(C=1.0),
    }
    for name, model in theirs.items():
        inductive = name in ("nearest", "logistic")
        model.fit(points.x[~rest] if inductive else points.x, labels[~rest] if inductive else labels)
        right = (model.predict(points.x[rest]) if inductive else model.transduction_[rest]) == points.classes[rest]
        way = next(way for way in head["ways"] if way["key"] == name)
        assert way["share"] == pytest.approx(right.mean(), abs=1e-9), name
    assert shares(head)["spreading"] in page.lead and "94" in page.lead
    assert matrices[0].sum(1) == pytest.approx(np.ones(96), abs=1e-5)
    assert np.ptp(matrices[1].sum(1)) > 0.2


def test_other_labels_are_other_answers_and_can_be_taken_back(screen):
    page = screen("transductive")
    before, _ = sent(page)
    n = len(before["labels"])
    label(page, "0" + "." * (n - 2) + "1")
    assert page.calm()
    after, _ = sent(page)
    assert after["labels"] == "0" + "." * (n - 2) + "1" and after["turns"] == {**before["turns"], "seen": 1}
    page.app.button(key="no-labels").click().run()
    none, _ = sent(page)
    assert none["labels"] == "." * n and set(shares(none).values()) == {"–"} and none["turns"]["own"] == before["turns"]["own"] + 1
    assert "Label a point" in page.lead
    page.app.button(key="start-labels").click().run()
    assert sent(page)[0]["labels"] == before["labels"]


def test_the_curve_shows_where_spreading_loses(screen):
    page = screen("transductive")
    page.app.get_by_key("points-set").set_value("across").run()
    assert page.calm()
    assert any("On average spreading is behind" in body for body in page.said("how"))
    spec = json.loads(page.app.get("vega_lite_chart")[0].proto.spec)
    bands = [layer["data"]["values"][0] for layer in spec["layer"][:3]]
    found = fewlabels.measure(
        sets := [datasets.plane("across", seed) for seed in range(20)], fewlabels.ends(sets, 40.0, 0.99), 2
    )
    for way, band in zip(fewlabels.WAYS, bands, strict=True):
        low, high = fewlabels.measure(sets, fewlabels.ends(sets, 40.0, 0.99), 1).interval(way)
        assert (band["y"], band["to"]) == pytest.approx((low, min(1, high)))
    table = next(re.sub(r"<[^>]+>", "", body) for body in page.html if "sum few" in body)
    for way in fewlabels.WAYS:
        assert f"{100 * found.mean(way):.0f}" in table
        assert f"({100 * found.interval(way)[0]:.1f} … {100 * found.interval(way)[1]:.1f})" in table


def test_on_the_digits_spreading_beats_both_rules_with_twenty_labels(screen):
    page = screen("transductive")
    page.app.session_state["stopped-digits"] = True  # a visitor who pressed Stop: nothing is measured until they go on
    page.app.get_by_key("matter").set_value("Digits").run()
    assert page.calm() and not page.said("sum few")
    page.app.button(key="go-on-digits").click().run()
    assert page.calm() and not page.said("trouble")
    assert sum("data:image/png" in body for body in page.html) == 3
    bunch = load_digits()
    x, y = bunch.data / 16, bunch.target
    gamma, alpha = DIGITS
    right = []
    for seed in range(fewlabels.SEEDS):
        labels = pointsets.some_labels(y, 2, np.random.default_rng([seed, 2]))
        at, rest = labels != NONE, labels == NONE
        rule = LogisticRegression(C=1.0, max_iter=5000, tol=1e-8).fit(x[at], y[at]).predict(x[rest])
        near = [KNeighborsClassifier(k).fit(x[at], y[at]).predict(x[rest]) for k in (1, 3, 5)]
        right.append([float((told == y[rest]).mean()) for told in (rule, *near)])
    logistic, *near = np.mean(right, 0)
    assert near[0] == max(near)  # one neighbour is no straw man: three or five do worse
    theirs = LabelSpreading(kernel="rbf", gamma=gamma, alpha=alpha, max_iter=3000, tol=1e-6)
    labels = pointsets.some_labels(y, 2, np.random.default_rng([0, 2]))
    theirs.fit(x, labels)
    points = datasets.digits()
    one = fewlabels.measure([points], fewlabels.ends([points], gamma, alpha), 2).right[0, 0]
    assert one == pytest.approx((theirs.transduction_ == y)[labels == NONE].mean(), abs=2e-3)
    said = page.lead
    assert shows_share(said, max(logistic, near[0])) and "With 20 of 1,797" in said
    low, high = (float(number) for number in re.search(r"95 %: ([0-9.−]+) to ([0-9.]+)", said).groups())
    assert 10 < low < high
    assert percents(page, said)[0] - percents(page, said)[1] == pytest.approx((low + high) / 2, abs=1.2)
    assert EACH["digits"][1] * 10 == 20


def test_short_texts_are_what_the_encoder_makes_of_them(screen):
    page = screen("transductive")
    page.app.get_by_key("matter").set_value("Short texts").run()
    assert page.calm() and not page.said("trouble")
    head, _ = sent(page)
    found, points = datasets.texts()
    assert head["texts"] == list(found) and len(set(found)) == len(found) == 180
    from core import load
    from core.data import corpus

    assert all(corpus.held_out(text) for text in found)
    lens = load("filler")
    trace = lens.run(lens.request(found[100]).keeping("residual"))
    own = trace.residual[Stream.ENCODER][-1][~np.array(trace.source.special)].mean(0)
    assert points.x[100] == pytest.approx(own / np.linalg.norm(own), abs=1e-4)
    assert any(f"in all {len(own)} numbers" in line for line in page.said("how"))
    table = next(re.sub(r"<[^>]+>", "", body) for body in page.html if "sum few" in body)
    assert "60" in table


def test_depth_shows_this_boards_numbers_and_the_questions_are_checked(screen):
    page = screen("transductive")
    page.app.get_by_key("depth").set_value("Maths").run()
    _, matrices = sent(page)
    spoken = " ".join(element.value for element in page.app.latex)
    points = pointsets.draw("moons", 0)
    i, j = (int(number) - 1 for number in re.search(r"w_\{(\d+),(\d+)\}", spoken).groups())
    w = np.exp(-40 * ((points.x[i] - points.x) ** 2).sum(1))
    assert all(shows(spoken, value, 5) for value in (w[j], w[j] / w.sum(), matrices[1][i, j]))
    page.app.get_by_key("depth").set_value("Code").run()
    assert any("log_softmax(-gamma" in element.value for element in page.app.code)
    page.app.text_input(key="ask-transductive-0").set_value("1").run()
    assert any("softmax" in body for body in page.said("verdict right"))
    page.app.get_by_key("points-set").set_value("across").run()
    n = len(sent(page)[0]["labels"])
    label(page, "0" + "." * (n - 2) + "1")
    for preset in range(4):
        page.app.button(key=f"try-transductive-{preset}").click().run()
        assert page.calm() and page.said("note")
    page.app.get_by_key("matter").set_value("Short texts").run()
    assert page.calm() and not page.said("note")  # it spoke of points


def test_a_link_opens_its_board_and_the_board_writes_its_link(screen):
    link = "blobs.3.20.90.5-40_41-96"
    page = screen("transductive", board=link)
    head, _ = sent(page)
    assert head["version"] == "blobs-3" and head["labels"] == read_board(link).labels
    assert page.app.get_by_key("points-set").value == "blobs" and page.app.get_by_key("gamma").value == 20
    assert page.app.query_params.get("board") == link and "4 labelled points" in page.lead
    spoken = page.lead
    page.app.get_by_key("alpha").set_value(0.5).run()
    page.app.button(key="other-points").click().run()
    assert page.app.query_params.get("board") == "blobs.4.20.50"
    page.app.get_by_key("matter").set_value("Short texts").run()
    assert page.app.query_params.get("board") == "texts.0.10.90"
    page.app.button(key="no-labels").click().run()
    assert page.app.query_params.get("board") == "texts.0.10.90.--"
    again = screen("transductive", board="texts.0.10.90.--")
    assert set(sent(again)[0]["labels"]) == {"."}
    again = screen("transductive", board=link)
    assert again.lead == spoken
    page.app.session_state["lookback"].choice = page.app.session_state["lookback"].choice.but(board=None)
    page.app.run()
    assert sent(page)[0]["version"] == "moons-0" and page.app.query_params.get("board") is None


def test_a_link_to_no_board_is_refused_in_a_sentence(screen):
    page = screen("transductive", board="moons.0.40.99.97")
    assert page.calm() and sent(page)[0]["version"] == "moons-0"
    assert "The link’s board “moons.0.40.99.97” means nothing here" in page.said("note")[0]


def test_the_factor_left_out_by_the_paper_changes_no_decision():
    """Zhou et al. 2004, eq. 3, has no 1 − α; the page says that this changes nothing."""
    points = pointsets.draw("moons", 0)
    looks = transduction.spreading(points.x, 40.0)
    y = transduction.known(pointsets.some_labels(points.classes, 2, np.random.default_rng(0)), points.count)
    bare = np.linalg.solve(np.eye(len(looks)) - 0.9 * looks, y)
    end = transduction.reach(looks, 0.9) @ y
    assert end == pytest.approx(0.1 * bare) and (transduction.decided(end) == transduction.decided(bare)).all()
    assert end == pytest.approx(0.9 * looks @ end + 0.1 * y)  # one more pass leaves it as it is


def test_the_curve_tells_how_its_spreading_looks(screen):
    """γ and α decide who is ahead: they stand beside the verdict."""
    course = Course("moons", 40.0, 0.99, EACH["plane"])
    (said,) = [body for body in screen("transductive").html if "95 % interval" in body]
    assert f"γ = {course.gamma:g} and α = {course.alpha:g}" in said


def test_the_ways_are_told_as_what_they_do(screen):
    """Nearest and logistic hear of no point without a label; spreading does."""
    page = screen("transductive")
    assert any("Two see the labelled ones only" in line for line in page.said("how"))
    points = pointsets.draw("moons", 0)
    labels = pointsets.some_labels(points.classes, 1, np.random.default_rng(1))
    at, rest = np.flatnonzero(labels != NONE), np.flatnonzero(labels == NONE)
    fewer = np.concatenate([at, rest[::2]])
    part = replace(points, x=points.x[fewer], classes=points.classes[fewer])
    whole, less = (
        fourways.answers(one, given, 40.0, 0.99) for one, given in ((points, labels), (part, labels[fewer]))
    )
    for way in ("nearest", "logistic"):
        assert (whole.decided[way][fewer] == less.decided[way]).all()
    assert not np.allclose(whole.matrices[1][np.ix_(fewer, fewer)], less.matrices[1])
