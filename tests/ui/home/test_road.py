"""The road on Home: every page of the menu is on it, and it knows what was done."""

from core.ui.home import road
from core.ui.home.road import Stop
from core.ui.shell import menu


def test_every_page_has_its_line_and_no_line_is_without_its_page():
    pages = [name for group, found in menu.PAGES.items() for name, _ in found if group != "Start"]
    assert set(pages) <= set(road.SAYS)
    assert all((menu.FOLDER / f"{name}.py").is_file() for name in pages)


def test_a_page_is_done_when_it_was_opened_and_every_question_is_answered():
    assert not Stop("rnn", "", "", False, 0, 0).done
    assert Stop("masks", "", "", True, 0, 0).done
    assert not Stop("rnn", "", "", True, 2, 3).done
    assert Stop("rnn", "", "", True, 3, 3).done
    assert Stop("rnn", "", "", True, 2, 3).status == "2 of 3 answered"
    assert Stop("rnn", "", "", False, 0, 0).status == "not opened yet"


def test_the_way_so_far_is_counted():
    one, two = Stop("rnn", "", "", True, 1, 3), Stop("hand", "", "", False, 0, 0)
    assert road.so_far([one, two]) == "1 of 2 pages opened, 1 question answered"
    assert road.so_far([two, two]).startswith("2 pages")
