"""The frame of the lessons: what is asked is checked, what was solved stays solved, the code shown is the code there is."""

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.model import multihead
from core.ui.kit.parameters import DIAL


def page() -> None:
    import streamlit as st

    from core.model.multihead import MultiHeadAttention
    from core.ui.kit import lesson
    from core.ui.session import state

    def grow() -> None:
        st.session_state["grown"] = True

    state.arrive("here")
    lesson.dial("The <b>idea</b>.", lambda: lesson.formula("a = 1", "One."), [MultiHeadAttention.forward])
    def more() -> None:
        st.session_state["many"] = 7

    lesson.presets([lesson.Preset("Grow", "Watch it grow.", grow), lesson.Preset("More", "Count again.", more)])
    lesson.questions([
        lesson.Number("How many?", st.session_state.get("many", 2.5), 0.1, "So many.", "Count."),
        lesson.Pick("Which?", ("a", "b"), "b", "It is b.", "Look at b."),
        lesson.Act("Grow it.", st.session_state.get("grown", False), "Grown.", "Press Grow."),
    ])  # fmt: skip
    lesson.source("nobody")


@pytest.fixture
def shown() -> AppTest:
    return AppTest.from_function(page, default_timeout=60).run()


def verdicts(app: AppTest) -> list[str]:
    return [re.sub("<[^>]+>", "", body.value) for body in app.html if 'class="verdict' in body.value]


def test_nothing_is_judged_before_it_is_answered(shown: AppTest) -> None:
    assert not shown.exception and verdicts(shown) == []


@pytest.mark.parametrize(("given", "said"), [
    ("2.45", "Right. So many."), ("2,5", "Right. So many."), ("2.7", "Not yet. Count."), ("−2.5", "Not yet. Count."),
    ("two <i>", "“two &lt;i&gt;” is not a number. Write it in digits, such as 2.5 or 2,5."),
])  # fmt: skip
def test_a_number_is_checked_with_some_slack(shown: AppTest, given: str, said: str) -> None:
    shown.text_input(key="ask-here-0").set_value(given).run()
    assert verdicts(shown) == [said]


def test_a_choice_is_checked_and_stays_solved(shown: AppTest) -> None:
    shown.get_by_key("ask-here-1").set_value("a").run()
    assert verdicts(shown) == ["Not yet. Look at b."]
    shown.get_by_key("ask-here-1").set_value("b").run()
    assert verdicts(shown) == ["Right. It is b."]
    shown.get_by_key("ask-here-1").set_value(None).run()
    assert verdicts(shown) == ["Solved. The example may be another now: answer again if you like."]
    assert shown.session_state["lookback"].solved == {("here", 1)}


def test_an_answer_given_to_another_example_is_not_called_wrong(shown: AppTest) -> None:
    shown.text_input(key="ask-here-0").set_value("2.5").run()
    shown.button(key="try-here-1").click().run()
    assert verdicts(shown) == [] and any("The example has changed" in body.value for body in shown.html)
    shown.text_input(key="ask-here-0").set_value("2.6").run()
    assert verdicts(shown) == ["Not yet. Count."]
    shown.text_input(key="ask-here-0").set_value("7").run()
    assert verdicts(shown) == ["Right. So many."]


def test_a_preset_sets_up_tells_what_to_watch_and_solves_what_asked_for_it(shown: AppTest) -> None:
    shown.button(key="try-here-0").click().run()
    assert verdicts(shown) == ["Right. Grown."]
    assert any("<b>Grow</b> · Watch it grow." in body.value for body in shown.html)


def test_the_dial_shows_the_real_lines(shown: AppTest) -> None:
    assert any("The <b>idea</b>." in body.value for body in shown.html)
    shown.get_by_key("depth").set_value("Maths").run()
    assert shown.latex[0].value.strip("$\n ") == "a = 1"
    shown.get_by_key("depth").set_value("Code").run()
    (code,) = shown.code
    file = Path(multihead.__file__).read_text("utf-8")
    assert code.value.startswith("def forward(") and code.value.splitlines()[1].strip() in file
    assert shown.session_state["lookback"].choice[DIAL] == "Code" and shown.query_params["dial"] == "code"
