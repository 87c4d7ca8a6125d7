"""The loop, done in Chromium: what only a browser shows."""

import pytest
from playwright.sync_api import expect


def test_the_loop_is_scrubbed_without_the_server_and_a_branch_survives_a_reload(visit):
    visit.page.goto(f"{visit.address}/generate")
    loop = visit.page.locator(".loop")
    loop.locator(".chip").first.wait_for()
    expect(loop.locator(".chip.new bdi")).to_have_text("interesting")
    visit.settle()
    sent = len(visit.frames)
    for key in ("ArrowRight", "End", "Home", "ArrowRight"):
        loop.press(key)
    assert loop.locator(".chip.new bdi").inner_text() == "domain"
    assert loop.locator(".chip.grown bdi").all_inner_texts() == ["interesting"]
    assert len(visit.frames) == sent
    loop.locator(".candidate").nth(2).click()
    visit.page.wait_for_url("**forced=**")
    forced = loop.locator(".chip.forced bdi")
    expect(forced).to_have_count(2)
    words = forced.all_inner_texts()
    assert words[0] == "interesting"
    visit.page.reload()
    expect(forced).to_have_text(words)


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_hangs_over_the_edge(visit, width):
    visit.page.set_viewport_size({"width": width, "height": 844})
    visit.page.goto(f"{visit.address}/generate")
    visit.page.locator(".loop .chip").first.wait_for()
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    visit.page.set_viewport_size({"width": 1280, "height": 800})
