"""Who set a choice last, in Python: the number of the last gesture goes back, what Python itself sets is counted."""

import pytest

from core.ui.kit import turns as module
from core.ui.kit.turns import MOST, Turns, read_numbers


@pytest.fixture
def session(monkeypatch):
    """A session in which the component is on the page."""
    state = {"view": {}}
    monkeypatch.setattr(module.st, "session_state", state)
    return state


def hear(it: Turns, session: dict, message: object, use=lambda message: message["head"]) -> None:
    """As Streamlit does: the message lies in the session, then the callback is called."""
    session["view"] = {"choice": message}
    it.hears("choice", use)()
    session["view"] = {}


def test_an_answer_bears_the_number_of_the_gesture_it_answers(session):
    it = module.turns("view")
    assert it.shows(3) == {"own": 1, "seen": 0}
    hear(it, session, {"head": 5, "turn": 1})
    assert it.shows(5) == {"own": 1, "seen": 1}  # an answer: Python has set nothing itself
    assert it.shows(5) == {"own": 1, "seen": 1}  # a late run repeats it under the same number
    hear(it, session, {"head": 9, "turn": 2})
    assert it.shows(9) == {"own": 1, "seen": 2}
    assert module.turns("view") is it


def test_what_python_sets_is_counted(session):
    it = module.turns("view")
    it.shows(3)
    hear(it, session, {"head": 5, "turn": 4})
    assert it.shows(7) == {"own": 2, "seen": 4}  # the page took something else than was sent
    assert it.shows(3) == {"own": 3, "seen": 4}  # a link, a button
    assert it.begin == 3


def test_a_refused_gesture_has_arrived_too(session):
    it = module.turns("view")
    it.shows(3)
    hear(it, session, {"head": 99, "turn": 1}, lambda message: None)
    assert it.shows(3) == {"own": 1, "seen": 1}  # so the screen goes back to what Python holds


def test_a_component_that_was_away_opens_with_what_is_held(session):
    it = module.turns("view")
    assert (it.sets(3), it.begin) == (1, 3)
    hear(it, session, {"head": 5, "turn": 1})
    assert (it.sets(5), it.begin) == (1, 3)  # the browser shows it: nothing new is sent
    del session["view"]
    assert (it.sets(5), it.begin) == (2, 5)


@pytest.mark.parametrize(
    "raw", [None, 7, [], {}, {"head": 5}, {"head": 5, "turn": 0}, {"head": 5, "turn": True}, {"head": 5, "turn": "1"},
            {"head": 5, "turn": 1.0}, {"head": 5, "turn": MOST + 1}]
)  # fmt: skip
def test_what_bears_no_number_is_no_message(session, raw):
    it = module.turns("view")
    hear(it, session, raw, lambda message: pytest.fail("nobody may use it"))
    assert it.seen == 0


def test_numbers_are_read_from_a_message_of_the_drawing_that_is_shown():
    good = {"version": "v", "step": 2, "id": 0}
    assert read_numbers(good, "v", ("step", "id")) == {"step": 2, "id": 0}
    for raw in ({**good, "version": "w"}, {**good, "more": 1}, {**good, "id": -1}, {**good, "id": True}, {**good, "id": "0"}):
        assert read_numbers(raw, "v", ("step", "id")) is None
