"""The page Masks in Chromium: painting with a mouse, with keys, in two browsers, and the gallery."""

import re
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

TEXT = "the cat sits on the mat"
MASK = re.compile(r"mask=([^&]*)")


def open_masks(visit: Visit, **params: str):
    """The page, ready to be painted on; gives the canvas."""
    visit.page.goto(f"{visit.address}/masks?{urlencode(params)}")
    return ready(visit)


def ready(visit: Visit):
    visit.page.locator(".painter[data-shown] .map .over").wait_for()
    visit.page.locator(".gallery .card").first.wait_for()
    visit.settle(".painter[data-shown]")
    return visit.page.locator(".painter .map .over")


def mask(visit: Visit) -> str:
    found = MASK.search(visit.page.url)
    return found[1] if found else ""


def becomes(visit: Visit, wanted: str, act) -> None:
    """Do something, and wait until the link holds this mask and the map shows it."""
    shown = visit.page.locator(".painter").get_attribute("data-shown")
    act()
    visit.page.wait_for_function(
        "([mask, shown]) => (new URLSearchParams(location.search).get('mask') || '') === mask && "
        "(r => r && r.dataset.shown !== shown)([...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]"
        ".map(host => host.shadowRoot && host.shadowRoot.querySelector('.painter')).find(Boolean))",
        arg=[wanted, shown],
    )
    visit.settle(".painter[data-shown]")


def cell(visit: Visit, q: int, c: int) -> tuple[float, float]:
    """The middle of a cell on the screen, found as the hand finds it: by the size of the map and the width of its names."""
    return tuple(
        visit.page.locator(".painter .map .over").evaluate(
            "(over, [q, c, rows]) => { const box = over.getBoundingClientRect(); const side = 36; "
            "const top = box.height - 3 - side * rows; const left = box.width - 2 - side * rows;"
            "return [box.x + left + (c + 0.5) * side, box.y + top + (q + 0.5) * side] }",
            [q, c, 7],
        )
    )


def screen(visit: Visit) -> dict:
    """What a person sees of a mask: sentence, cards, candidates, and the two maps, pixel by pixel."""
    page = visit.page
    page.locator(".dumbbell").first.wait_for()
    page.mouse.move(2, 2)
    pixels = "canvas => canvas.toDataURL()"
    return {
        "lead": visit.lead,
        "cards": page.locator(".card").all_inner_texts(),
        "widths": page.locator(".card input").evaluate_all("inputs => inputs.map(input => input.value)"),
        "on": page.locator(".card.on").get_attribute("data-name"),
        "next": page.locator(".dumbbell text").all_text_contents(),
        "map": page.locator(".painter .map .base").evaluate(pixels),
        "moved": page.locator(".painter .moved .base").evaluate(pixels),
    }


def test_dragging_paints_at_once_and_one_message_goes_when_it_ends(visit):
    over = open_masks(visit, stream="encoder", text=TEXT)
    over.scroll_into_view_if_needed()
    base = visit.page.locator(".painter .map .base")
    before, sent = base.evaluate("canvas => canvas.toDataURL()"), len(visit.frames)
    visit.page.mouse.move(*cell(visit, 2, 5))
    visit.page.mouse.down()
    visit.page.mouse.move(*cell(visit, 2, 2))  # in one leap: the cells between are painted, too
    assert base.evaluate("canvas => canvas.toDataURL()") != before
    assert len(visit.frames) == sent
    becomes(visit, "encoder.custom.3k3x6", visit.page.mouse.up)
    assert len(visit.frames) == sent + 1
    assert visit.lead.startswith("4 of 49 cells shut")
    expect(visit.page.locator(".card.on")).to_have_attribute("data-name", "yours")
    becomes(visit, "", lambda: visit.page.get_by_role("button", name="Undo").click())
    becomes(visit, "encoder.custom.3k3x6", lambda: visit.page.get_by_role("button", name="Redo").click())
    visit.page.get_by_role("button", name="Layer", exact=True).click()
    becomes(visit, "encoder.custom.l1.1k1-3k3x6,encoder.custom.l2-3.3k3x6", lambda: visit.page.mouse.click(*cell(visit, 0, 0)))


def test_strokes_that_follow_each_other_fast_are_all_kept(visit):
    open_masks(visit, stream="encoder", text=TEXT).scroll_into_view_if_needed()
    spots = [cell(visit, q, q) for q in range(5)]

    def scribble():
        for spot in spots:
            visit.page.mouse.click(*spot)

    becomes(visit, "encoder.custom.1k1-2k2-3k3-4k4-5k5", scribble)
    over = ready(visit)
    over.focus()

    def back():
        for _ in spots:
            visit.page.keyboard.press("Control+z")

    becomes(visit, "", back)


def test_a_token_is_hidden_by_a_double_click_and_the_difference_shows(visit):
    open_masks(visit, stream="encoder", text=TEXT).scroll_into_view_if_needed()
    assert not visit.page.locator(".painter .moved .base").is_visible()
    x, y = cell(visit, 0, 1)
    becomes(visit, "encoder.custom.k2", lambda: visit.page.mouse.dblclick(x, y - 30))
    expect(visit.page.locator(".painter .moved .base")).to_be_visible()
    assert "moved most for" in visit.page.locator(".painter .moved .base").get_attribute("aria-label")
    other = visit.page.locator(".painter .moved .over")
    before = visit.page.locator(".painter .map .over").evaluate("canvas => canvas.toDataURL()")
    sent = len(visit.frames)
    other.hover()
    assert visit.page.locator(".painter .map .over").evaluate("canvas => canvas.toDataURL()") != before
    assert len(visit.frames) == sent
    becomes(visit, "", lambda: visit.page.mouse.dblclick(x, y - 30))


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_the_last_open_cell_of_a_row_refuses_the_brush_and_says_why(visit, motion):
    visit.page.emulate_media(reduced_motion=motion)
    over = open_masks(visit, stream="decoder", text=TEXT, target="and the dog")
    over.focus()
    visit.page.keyboard.press("Home")  # the first token of a decoder sees itself alone
    sent = len(visit.frames)
    still = over.evaluate("canvas => canvas.toDataURL()")
    visit.page.keyboard.press("Space")
    assert over.evaluate("canvas => canvas.toDataURL()") != still
    assert "must keep one token to look at" in visit.page.locator(".painter p.status").inner_text()
    assert len(visit.frames) == sent
    visit.page.emulate_media(reduced_motion="no-preference")


def test_keys_alone_paint_choose_a_card_and_take_back(visit):
    over = open_masks(visit, stream="decoder", text=TEXT, target="and the dog")
    card = visit.page.locator(".card[data-name=full] button")
    card.focus()
    becomes(visit, "decoder.full", lambda: visit.page.keyboard.press("Enter"))
    visit.page.wait_for_function("() => document.activeElement.shadowRoot?.activeElement?.closest('.card').dataset.name === 'full'")
    for _ in range(24):
        if over.evaluate("canvas => canvas.getRootNode().activeElement === canvas"):
            break
        visit.page.keyboard.press("Tab")
    assert over.evaluate("canvas => canvas.getRootNode().activeElement === canvas"), "Tab does not reach the map"
    for key in ("Home", "ArrowDown", "ArrowDown"):
        visit.page.keyboard.press(key)
    assert "looks at" in visit.page.locator(".painter p.status").inner_text()
    wanted = "decoder.custom.1k2x4-2k3x4-3k1_4"
    becomes(visit, wanted, lambda: visit.page.keyboard.press("Space"))
    becomes(visit, "decoder.full", lambda: visit.page.keyboard.press("Control+z"))
    becomes(visit, wanted, lambda: visit.page.keyboard.press("Control+Shift+Z"))


def test_two_browsers_painting_different_masks_do_not_meet_and_a_link_is_the_same_screen(visits):
    one, two = visits
    for visit in visits:
        open_masks(visit, stream="encoder", text=TEXT).focus()
    mine = [one.page.mouse.click, two.page.mouse.click]
    becomes(one, "encoder.custom.1k1", lambda: mine[0](*cell(one, 0, 0)))
    becomes(two, "encoder.custom.3k2", lambda: mine[1](*cell(two, 2, 1)))
    becomes(one, "encoder.custom.1k1-5k5", lambda: mine[0](*cell(one, 4, 4)))
    first, second = screen(one), screen(two)
    assert first["next"] != second["next"] and first["map"] != second["map"]
    becomes(two, "encoder.custom.3k2-4k4", lambda: mine[1](*cell(two, 3, 3)))
    assert screen(one) == first
    two.page.goto(one.page.url)
    ready(two)
    assert screen(two) == first


def test_a_cards_width_is_changed_in_the_card_and_a_saved_mask_is_read_again(visit, tmp_path):
    open_masks(visit, stream="encoder", text=TEXT)
    visit.page.locator(".card[data-name=window] input").fill("4")
    visit.page.keyboard.press("Enter")
    becomes(visit, "encoder.window.4", lambda: visit.page.locator(".card[data-name=window] button").click())
    ready(visit)
    with visit.page.expect_download() as saved:
        visit.page.get_by_role("button", name="Save mask").click()
    file = tmp_path / "mask.json"
    saved.value.save_as(file)
    becomes(visit, "", lambda: visit.page.get_by_role("button", name="As trained").click())
    ready(visit)
    visit.page.get_by_role("button", name="Load mask").click()
    visit.page.locator("input[type=file]").set_input_files(file)
    becomes(visit, "encoder.window.4", lambda: visit.page.get_by_role("button", name="Use this file").click())
    hostile = tmp_path / "other.json"
    hostile.write_text('{"lookback": "mask", "mask": "<img src=x onerror=alert(1)>"}')
    if not visit.page.locator("input[type=file]").count():
        visit.page.get_by_role("button", name="Load mask").click()
    visit.page.locator("input[type=file]").set_input_files(hostile)
    visit.page.get_by_text("other.json").first.wait_for()  # else the button is still that of the file before
    visit.settle(".painter[data-shown]")
    visit.page.get_by_role("button", name="Use this file").click()
    visit.page.get_by_text("Expected a mask saved by Lookback").wait_for()
    assert mask(visit) == "encoder.window.4"


@pytest.mark.parametrize("text", ["مرحبا بالعالم", "नमस्ते 👩‍👩‍👧", "x" * 40, "<img src=x onerror=alert(1)>"])
def test_any_text_is_only_text(visit, text):
    open_masks(visit, stream="encoder", text=text).focus()
    assert visit.page.locator(".painter .read").inner_text().startswith("“")
    assert visit.page.locator(".painter img, .gallery img, img[src='x']").count() == 0


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_hangs_over_the_edge(visit, width):
    visit.page.set_viewport_size({"width": width, "height": 844})
    open_masks(visit, stream="encoder", text="the little girl reads a book in the garden", mask="encoder.causal")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.page.locator(".painter").evaluate("box => box.scrollWidth <= box.clientWidth + 1")
    visit.page.set_viewport_size({"width": 1280, "height": 800})


def test_no_divergence_on_a_card_is_cut_off(visit):
    """Every card shows its KL whole, at the width that the cards have on a laptop."""
    open_masks(visit)
    found = visit.page.locator(".card .kl")
    assert found.count() > 3
    cut = found.evaluate_all("all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.textContent)")
    assert not cut
