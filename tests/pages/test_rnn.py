"""The page From RNN to attention, without a browser: every number is a machine's, run again here."""

import csv
import json
import re

import numpy as np
import pytest

from core.errors import LensError
from core.figures.labels import percent
from core.model import costs, exercises, memory
from core.paths import WEIGHTS
from core.ui.rnn import machines, training
from core.ui.rnn.machines import Exercise, answers, exercise, gradient, read_own, seen, shares
from tests.pages.conftest import numbers
from tests.printed import shows_share


def drawn(page):
    """The maps of the page, in order: state, all states, alignment, all states, own, cross."""
    charts = [json.loads(chart.proto.spec) for chart in page.app.get("plotly_chart")]
    return [numbers(chart["data"][0]["z"]) for chart in charts]


def table(page):
    (found,) = [body for body in page.html if "sum answers" in body]
    return found


def again(task, kind, what):
    """The same pass by a machine loaded here."""
    machine = memory.load_machine(kind, task=task)
    return machine, machine.encode(what.source), machine.encode(what.given)


@pytest.mark.parametrize(("task", "delay"), [("recall", 16), ("copy", 16)])
def test_the_page_shows_what_each_machine_says_and_keeps(screen, task, delay):
    page = screen("rnn")
    if task == "copy":
        page.app.get_by_key("task").set_value("copy").run()
    assert page.calm() and not page.said("trouble")
    what = exercise(task, delay, 0)
    looks = {}
    for kind in memory.SHAPES:
        machine, source, given = again(task, kind, what)
        looks[kind] = machine.look(source, given)
        said = "".join(exercises.SYMBOLS[int(looks[kind].chances[place].argmax())] for place in what.at)
        row = re.sub("<[^>]+>", "", re.search(f">{machines.TITLES[kind]}</th>(.*?)</tr>", table(page))[1])
        assert row.startswith(said), (kind, row)
    state, states, alignment, kept, own, cross = drawn(page)
    assert np.abs(states - looks["gru"].reader).max() <= 1e-4 and np.abs(kept - looks["attention"].reader).max() <= 1e-4
    assert np.nanmax(np.abs(state.ravel()[:88] - looks["gru"].reader[-1])) <= 1e-6
    assert np.abs(alignment - looks["attention"].alignment).max() <= 1e-6
    assert np.abs(own - looks["transformer"].own[-1].mean(0)).max() <= 1e-6
    assert np.abs(cross - looks["transformer"].alignment).max() <= 1e-6


@pytest.mark.parametrize("task", machines.TASKS)
def test_the_curve_and_the_first_line_are_what_was_measured(screen, task):
    page = screen("rnn")
    page.app.get_by_key("task").set_value(task).run()
    found = {(row["machine"], row["delay"]): row["accuracy"] for row in memory.results(task=task)}
    assert {delay for _, delay in found} == set(exercises.TASKS[task].delays)
    drawn_at = {(row["name"], row["x"]): row["y"] for row in page.bars(0)}
    assert drawn_at == pytest.approx({(machines.TITLES[kind], delay): share for (kind, delay), share in found.items()})
    for kind in memory.SHAPES:
        assert shows_share(page.lead, found[kind, 16])
    assert found["gru", 28] < 0.6 < 0.95 <= min(found["attention", 28], found["transformer", 28])


@pytest.mark.parametrize("task", machines.TASKS)
def test_the_learning_curves_are_the_logs_that_ship_and_the_words_follow_from_them(screen, task):
    page = screen("rnn")
    page.app.get_by_key("task").set_value(task).run()
    logs, mean = {}, {}
    for kind in memory.SHAPES:
        rows = [*csv.DictReader((WEIGHTS / f"{task}-{kind}" / "training.csv").open(encoding="utf-8"))]
        logs[machines.TITLES[kind]] = {float(row["step"]): float(row["delay 16"]) for row in rows}
        mean[kind] = [np.mean([float(value) for name, value in row.items() if name.startswith("delay")]) for row in rows]
    drawn = {(row["name"], row["x"]): row["y"] for row in page.bars(1)}
    assert drawn == pytest.approx({(name, step): share for name, log in logs.items() for step, share in log.items()})
    assert f"trained for {max(logs['GRU']):,.0f} steps" in page.lead
    (told,) = [text for text in page.said("how") if "and more: GRU" in text]
    for name, log in logs.items():
        begin = re.search(rf"\b{name} (never|from step ([\d,]+) on)", told)
        low = max((step for step, share in log.items() if share < 0.9), default=0.0)
        later = [step for step in log if step > low]
        assert (begin[2] is None) == (not later) and (not later or float(begin[2].replace(",", "")) == min(later))
    third, last = (np.mean(part) for part in np.array_split(mean["gru"], 4)[2:])
    climbing = last - third >= 0.01
    assert ("still getting better when training stopped" in told) == climbing
    assert not climbing or (shows_share(told, third) and shows_share(told, last))


def test_a_curve_that_falls_again_has_not_arrived():
    assert training.reached([(1, 0.95), (2, 0.5), (3, 0.9), (4, 0.91)]) == 3
    assert training.reached([(1, 0.95), (2, 0.5)]) is None and training.reached([(5, 1.0)]) == 5


def test_a_longer_delay_is_a_longer_exercise_and_another_one_is_another(screen):
    page = screen("rnn")
    first = page.said("exercise")[0]
    page.app.get_by_key("delay-recall").set_value(28).run()
    second = page.said("exercise")[0]
    assert len(second) > len(first)
    page.app.button(key="another").click().run()
    assert page.said("exercise")[0] != second
    assert any("Right." in verdict for verdict in page.said("verdict"))  # the question that asked for it


@pytest.mark.parametrize(("task", "text", "said"), [("recall", "a3 b7 c1 -> b", "7"), ("copy", "gab1 2", "gab12")])
def test_ones_own_exercise_is_answered(screen, task, text, said):
    page = screen("rnn")
    page.app.get_by_key("task").set_value(task).run()
    page.app.text_input(key=f"own-{task}").set_value(text).run()
    assert page.calm() and not page.said("trouble")
    for title in ("Transformer", "GRU with attention"):
        assert re.search(f">{title}</th><td class=\"said\">{said}<", table(page))


def test_the_questions_know_their_answers(screen):
    page = screen("rnn")
    shares = sorted((row["delay"], row["accuracy"]) for row in memory.results(task="recall") if row["machine"] == "gru")
    first = next(delay for delay, share in shares if share < 0.75)
    what = exercise("recall", 16, 0)
    machine, source, given = again("recall", "attention", what)
    looks = int(machine.look(source, given).alignment[what.at[0]].argmax()) + 1
    assert not page.said("verdict")
    page.app.text_input(key="ask-rnn-0").set_value(str(first - 4))
    page.app.text_input(key="ask-rnn-1").set_value(str(looks + 1)).run()
    assert [verdict[:7] for verdict in page.said("verdict")] == ["Not yet"] * 2
    page.app.text_input(key="ask-rnn-0").set_value(f"{first}")
    page.app.text_input(key="ask-rnn-1").set_value(f"{looks}").run()
    assert [verdict[:5] for verdict in page.said("verdict")] == ["Right"] * 2


BAD = ["a3", "a3 b7 →", "a3 b7 → z", "a3 a4 → a", "a3 b → a", "é3 → é", "a3 → a → a", "<b>", "a3" * 400]


BAD_COPIES = ["a", "xyz", "a" * 29]


@pytest.mark.parametrize(("task", "text"), [("recall", text) for text in BAD] + [("copy", text) for text in BAD_COPIES])
def test_what_is_no_exercise_is_told(task, text):
    with pytest.raises(LensError, match="For example"):
        read_own(text, task)


def test_a_bad_exercise_is_told_and_the_page_goes_on(screen):
    page = screen("rnn")
    page.app.text_input(key="own-recall").set_value("<img src=x>").run()
    assert page.calm() and page.said("trouble") and table(page) and page.said("source")


@pytest.mark.parametrize(("task", "number"), [("recall", 0), ("copy", 5)])
def test_what_lies_on_the_right_symbols_is_summed_from_the_gradients(screen, task, number):
    page = screen("rnn")
    page.app.get_by_key("task").set_value(task).run()
    if task == "copy":
        page.app.get_by_key("answer-number").set_value(number + 1).run()
    (line,) = [body for body in page.said("how") if "Shared out evenly" in body]
    what = exercise(task, 16, 0)
    places = [number] if task == "copy" else [n for n in range(20) if what.source[n - n % 2] == what.asked]
    for kind in memory.SHAPES:
        machine, source, given = again(task, kind, what)
        slope = machine.gradient(source, given, what.at[number], exercises.PLACE[what.wanted[number]])
        assert f"{machines.TITLES[kind]} {percent(float((slope / slope.sum())[places].sum()))}" in line


def test_where_the_answer_was_handed_on_is_read_from_both_maps():
    what = Exercise("a3b7", "b→", (1,), "7")
    own, cross = np.full((4, 4), 0.1), np.full((2, 4), 0.1)
    own[2, 3] = cross[1, 2] = 0.7
    said = machines.handed(what, own, cross).replace("\N{NO-BREAK SPACE}", " ")
    assert "symbol 3, “b” (70 %). That one, in the map above, looked most at symbol 4, “7” (70 %)" in said
    own[2, 1] = 0.9
    assert "map above" not in machines.handed(what, own, cross)
    own[2, 1], cross[1, 3] = 0.1, 0.8
    assert "symbol 4, “7”" in machines.handed(what, own, cross) and "map above" not in machines.handed(what, own, cross)


@pytest.mark.parametrize("preset", range(4))
def test_every_preset_sets_up_and_says_what_to_watch(screen, preset):
    page = screen("rnn")
    page.app.button(key=f"try-rnn-{preset}").click().run()
    assert page.calm() and page.said("note")


@pytest.mark.parametrize("task", machines.TASKS)
@pytest.mark.parametrize("kind", memory.SHAPES)
def test_the_gradient_shown_is_the_slope_of_the_right_answer(kind, task):
    what = exercise(task, 8, 1)
    number = len(what.wanted) - 1
    machine, source, given = again(task, kind, what)
    shown = gradient(task, kind, what, number)
    answer = exercises.PLACE[what.wanted[number]]
    assert np.allclose(shown, machine.gradient(source, given, what.at[number], answer), atol=1e-6)
    assert shown.shape == (len(what.source),) and shares(shown).sum() == pytest.approx(1)


def test_what_a_machine_says_is_the_largest_of_its_chances():
    what = Exercise("a3b7", "b→", (1,), "7")
    look = seen("recall", "transformer", what)
    ((said, chance),) = answers(look, what)
    assert said == "7" and chance == look.chances[1].max()


def test_costs_are_measured_on_demand_and_told_with_their_exponents(screen, monkeypatch):
    monkeypatch.setattr(costs, "LENGTHS", (128, 256))
    page = screen("rnn")
    assert not any("Powers of n" in body for body in page.html)
    page.app.button(key="measure").click().run(timeout=120)
    assert page.calm()
    (orders,) = [body for body in page.html if "Powers of n" in body]
    assert "measure" not in [button.key for button in page.app.button]  # what was done is not offered again
    row = re.search(r">GRU</th>(.*?)</tr>", orders)[1]
    steps = float(re.findall(r"<td>([^<]*)</td>", row)[3])
    race = costs.Race((128, 256), ("gru",))
    counted = [race.count("gru", n).chain for n in (128, 256)]
    assert steps == pytest.approx(np.log2(counted[1] / counted[0]), abs=0.006)
    assert len(page.app.get("vega_lite_chart")) == 7  # accuracy, learning, gradients, and four costs


@pytest.mark.parametrize("what", ["a3b7c1d9", "e2f5g8h0"])
def test_only_the_arrows_row_knows_the_question(what):
    """As the page says of the map of the GRU with attention: the row above is made before the question is read."""
    found = machines.machine("attention", "recall")
    first, second = (found.look(found.encode(what), found.encode(f"{key}→")).alignment for key in (what[0], what[2]))
    assert np.array_equal(first[0], second[0]) and np.abs(first[1] - second[1]).max() > 0.01


def test_the_formulas_letters_mean_one_thing_each(screen):
    """e is a score in one formula, so it is not Euler’s number there; n is the new part of the state, T the last symbol."""
    page = screen("rnn", dial="maths")
    shown = [element.value for element in page.app.latex]
    assert not any("e^{e_j}" in latex for latex in shown) and not any("h_n" in latex for latex in shown)
    assert any("Pascanu" in line for line in page.said("how"))  # a product of factors may also grow
