"""The loop, done in Chromium: what only a browser shows."""

import pytest


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
    visit.page.goto(f"{visit.address}/generate")
    visit.page.locator(".loop .chip").first.wait_for()
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    visit.page.set_viewport_size({"width": 1280, "height": 800})
