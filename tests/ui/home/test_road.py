"""The road on Home: every page of the menu is on it, and it knows what was done."""

from core.paths import PAGES
from core.ui.home import road
from core.ui.home.road import Stop
from core.ui.shell import menu


def stop(name, opened, right, asked):
    return Stop(name, "", "", "", opened, right, asked)


def test_every_row_of_the_menu_has_its_file_and_every_file_its_row():
    assert sorted(page.file for page in menu.PAGES) == sorted(PAGES.glob("*.py"))


def test_every_page_after_home_has_its_line():
    home, *others = menu.PAGES
    assert home.name == "home" and not home.says
    assert all(page.title and page.says.endswith((".", "?")) for page in others)
    assert len({page.name for page in menu.PAGES}) == len({page.title for page in menu.PAGES}) == len(menu.PAGES)


def test_pages_of_a_group_stand_together_in_the_menu_as_on_the_road():
    assert [page for found in menu.groups().values() for page in found] == list(menu.PAGES)


def test_a_page_is_done_when_it_was_opened_and_every_question_is_answered():
    assert not stop("rnn", False, 0, 0).done
    assert stop("masks", True, 0, 0).done
    assert not stop("rnn", True, 2, 3).done
    assert stop("rnn", True, 3, 3).done
    assert stop("rnn", True, 2, 3).status == "2 of 3 answered"
    assert stop("rnn", False, 0, 0).status == "not opened yet"


def test_the_way_so_far_is_counted():
    one, two = stop("rnn", True, 1, 3), stop("hand", False, 0, 0)
    assert road.so_far([one, two]) == "1 of 2 pages opened, 1 question answered"
    assert road.so_far([two, two]).startswith("2 pages")
