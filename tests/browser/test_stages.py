"""The mask painter and the loop, done in Chromium: what only a browser shows."""

import pytest

VIEW = "[data-testid=stBidiComponentIsolated]"


def paint(visit, **params):
    visit.page.goto(f"{visit.address}/masks?" + "&".join(f"{k}={v}" for k, v in params.items()))
    visit.page.locator(".painter canvas").wait_for()
    visit.page.wait_for_timeout(800)
    return visit.page.locator(".painter canvas")


def mask_of(visit):
    visit.page.wait_for_timeout(200)
    query = visit.page.url.partition("mask=")[2]
    return query.partition("&")[0]


def test_dragging_forbids_cells_and_one_message_goes_when_it_ends(visit):
    canvas = paint(visit, stream="encoder", text="the cat sits on the mat")
    visit.page.locator(".painter .told").scroll_into_view_if_needed()
    visit.page.wait_for_timeout(200)
    box = canvas.bounding_box()
    sent = len(visit.frames)
    right, low = box["x"] + box["width"], box["y"] + box["height"]
    visit.page.mouse.move(right - 45, low - 22)
    visit.page.mouse.down()
    visit.page.mouse.move(right - 120, low - 22, steps=6)
    assert len(visit.frames) == sent
    visit.page.mouse.up()
    visit.page.wait_for_url("**mask=encoder.custom.**")
    assert len(visit.frames) == sent + 1
    visit.page.get_by_text("What moved in the map").wait_for()
    painted = mask_of(visit)
    visit.page.get_by_role("button", name="Undo").click()
    visit.page.wait_for_function("() => !location.search.includes('mask=')")
    visit.page.get_by_role("button", name="Redo").click()
    visit.page.wait_for_url("**mask=encoder.custom.**")
    assert mask_of(visit) == painted


def test_keys_alone_paint_and_the_last_cell_of_a_row_stays(visit):
    canvas = paint(visit, stream="decoder", target="and the dog")
    canvas.focus()
    visit.page.keyboard.press("Space")
    told = visit.page.locator(".painter .told")
    assert "must keep one piece to look at" in told.inner_text()
    for key in ("ArrowDown", "ArrowDown", "Space"):
        visit.page.keyboard.press(key)
    visit.page.wait_for_url("**mask=decoder.custom.3k1**")
    canvas.focus()
    visit.page.keyboard.press("Control+z")
    visit.page.wait_for_function("() => !location.search.includes('mask=')")


def test_two_browsers_painting_different_masks_do_not_meet_and_a_link_is_the_same_screen(visits):
    one, two = visits
    paint(one, stream="encoder", text="the cat sits").focus()
    paint(two, stream="encoder", text="the cat sits").focus()
    one.page.keyboard.press("Space")
    two.page.keyboard.press("ArrowRight")
    two.page.keyboard.press("Space")
    one.page.wait_for_url("**mask=encoder.custom.1k1**")
    two.page.wait_for_url("**mask=encoder.custom.1k2**")
    one.page.wait_for_timeout(1200)
    numbers = one.page.locator(".st-key-next svg text").all_text_contents()
    assert numbers != two.page.locator(".st-key-next svg text").all_text_contents()
    two.page.goto(one.page.url)
    two.page.locator(".painter canvas").wait_for()
    two.page.locator(".st-key-next svg text").first.wait_for()
    two.page.wait_for_timeout(1200)
    assert two.page.locator(".st-key-next svg text").all_text_contents() == numbers


def test_the_loop_is_scrubbed_without_the_server_and_a_branch_survives_a_reload(visit):
    visit.page.goto(f"{visit.address}/generate")
    loop = visit.page.locator(".loop")
    loop.locator(".chip").first.wait_for()
    visit.page.wait_for_timeout(800)
    sent = len(visit.frames)
    assert loop.locator(".chip.new bdi").inner_text() == "interesting"
    for key in ("ArrowRight", "End", "Home", "ArrowRight"):
        loop.press(key)
    assert loop.locator(".chip.new bdi").inner_text() == "domain"
    assert loop.locator(".chip.grown bdi").all_inner_texts() == ["interesting"]
    assert len(visit.frames) == sent
    loop.locator(".candidate").nth(2).click()
    visit.page.wait_for_url("**forced=**")
    visit.page.wait_for_timeout(1500)
    forced = loop.locator(".chip.forced bdi").all_inner_texts()
    assert forced[0] == "interesting" and len(forced) == 2
    visit.page.reload()
    loop.locator(".chip").first.wait_for()
    visit.page.wait_for_timeout(800)
    assert loop.locator(".chip.forced bdi").all_inner_texts() == forced


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_hangs_over_the_edge(visit, width):
    visit.page.set_viewport_size({"width": width, "height": 844})
    paint(visit, text="the little girl reads a book in the garden")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    visit.page.set_viewport_size({"width": 1280, "height": 800})
