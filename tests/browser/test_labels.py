"""Labelling points in Chromium: what only a browser shows."""

import pytest

from tests.browser.conftest import Visit


@pytest.fixture
def board(visit):
    visit.page.goto(f"{visit.address}/transductive")
    visit.page.locator(".labels .way").first.wait_for()
    visit.settle(".source")
    return visit


def spot(visit, at: int) -> tuple[float, float]:
    """Where a point is drawn: its middle is told by the board itself once the keyboard has walked there."""
    plot = visit.page.locator(".labels .plot")
    box = plot.bounding_box()
    places = visit.page.evaluate(
        """at => {
          const host = [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
            .find(one => one.shadowRoot && one.shadowRoot.querySelector('.labels'));
          const view = host.shadowRoot.querySelector('.labels').view;
          const [a, b] = view.data.places[at];
          return [view.place.x(a), view.place.y(b)];
        }""",
        at,
    )
    return box["x"] + places[0], box["y"] + places[1]


def test_a_click_labels_a_point_with_one_message_and_pointing_asks_nobody(board):
    page = board.page
    sent, lead = len(board.frames), board.lead
    page.mouse.move(*spot(board, 30))
    page.get_by_text("Point 31: named").wait_for()
    page.mouse.move(*spot(board, 70))
    page.get_by_text("Point 71: named").wait_for()
    page.get_by_role("radio", name="Logistic regression").click()
    page.get_by_role("radio", name="Label propagation").click()
    page.locator(".labels .scrub").press("Home")
    page.get_by_text("after 0 passes").wait_for()
    assert len(board.frames) == sent
    page.mouse.click(*spot(board, 70))
    page.get_by_text("Point 71: labelled 1 (upper moon)").wait_for()
    page.wait_for_function("was => document.querySelector('.stHtml .lead')?.innerText !== was", arg=lead)
    assert "From 3 labelled points" in board.lead
    assert len(board.frames) == sent + 1
    # again: the next class; once more: none
    page.mouse.click(*spot(board, 70))
    page.get_by_text("Point 71: labelled 2 (lower moon)").wait_for()
    page.mouse.click(*spot(board, 70))
    page.wait_for_function("was => document.querySelector('.stHtml .lead')?.innerText === was", arg=lead)


def test_the_keyboard_does_all_the_mouse_does(board):
    page, lead = board.page, board.lead
    page.locator(".labels .plot").focus()
    page.keyboard.press("Home")
    page.get_by_text("Point 1: ").wait_for()
    page.keyboard.press("ArrowUp")
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')].some(one => one.shadowRoot && "
        "one.shadowRoot.querySelector('.labels .status') && "
        "!one.shadowRoot.querySelector('.labels .status').innerText.startsWith('Point 1:'))"
    )
    page.keyboard.press("Home")
    page.keyboard.press("2")
    page.get_by_text("Point 1: labelled 2 (lower moon)").wait_for()
    page.wait_for_function("was => document.querySelector('.stHtml .lead')?.innerText !== was", arg=lead)
    page.keyboard.press("0")
    page.wait_for_function("was => document.querySelector('.stHtml .lead')?.innerText === was", arg=lead)
    # what was clicked fast is all kept: the answers to the first ones do not take the later ones back
    for _ in range(3):
        page.keyboard.press("1")
        page.keyboard.press("PageDown")
    page.wait_for_function("() => document.querySelector('.stHtml .lead')?.innerText?.startsWith('From 5 labelled')")


def test_on_a_phone_the_first_tap_looks_and_the_next_one_labels(chromium, server):
    visit = Visit(chromium, server, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visit.page.goto(f"{visit.address}/transductive")
    visit.page.locator(".labels .way").first.wait_for()
    visit.settle(".source")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    visit.page.locator(".labels .plot").scroll_into_view_if_needed()
    visit.page.touchscreen.tap(*spot(visit, 95))
    visit.page.get_by_text("Point 96: ").wait_for()
    assert "From 2 labelled" in visit.lead
    visit.page.touchscreen.tap(*spot(visit, 95))
    visit.page.get_by_text("Point 96: labelled 1").wait_for()
    visit.page.wait_for_function("() => document.querySelector('.stHtml .lead')?.innerText?.startsWith('From 3 labelled')")
    visit.close()
