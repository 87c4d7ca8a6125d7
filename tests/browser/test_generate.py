"""Generate, done in Chromium: what only a browser shows."""

import pytest

VIEW = "[data-testid=stBidiComponentIsolated]"
FIRST = {"step": ".loop .chip", "beam": ".beams .node", "own": ".surprise .token", "fill": ".fill .candidate"}


def part(visit, name, **params):
    model, place = ("filler", "fill.6") if name == "fill" else ("classroom", name)
    params = {"model": model, "part": place, "text": "the cat sits on the sofa"} | params
    visit.page.goto(f"{visit.address}/generate?" + "&".join(f"{k}={v}" for k, v in params.items()))
    visit.page.locator(f"{VIEW} {FIRST[name]}").first.wait_for()
    visit.settle(FIRST[name])
    return visit.page.locator(FIRST[name].split()[0])


def says(visit, selector, what):
    """Wait until the text of something inside a drawing holds `what`."""
    visit.page.locator(f"{VIEW} {selector}", has_text=what).first.wait_for()


def test_dead_beams_show_where_they_looked_and_nobody_is_asked(visit):
    tree = part(visit, "beam", text="the cat sits on")
    sent = len(visit.frames)
    canvas = tree.locator(".rows canvas").last
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    tree.locator(".node.dead").first.hover()
    says(visit, ".node-says", "it died here, for 4 others were likelier")
    assert canvas.evaluate("canvas => canvas.toDataURL()") != before
    visit.page.mouse.move(2, 2)
    tree.locator("button.node").first.focus()
    for key in ("ArrowDown", "ArrowUp", "ArrowRight"):
        visit.page.keyboard.press(key)
    says(visit, ".node-says", "of step 2")
    assert len(visit.frames) == sent


def test_a_beam_goes_on_step_by_step_and_survives_a_reload(visit):
    tree = part(visit, "beam", text="the cat sits on")
    tree.locator(".node.dead").nth(1).click()
    tree.get_by_role("button", name="Continue from here").click()
    visit.page.wait_for_url("**forced=**")
    visit.page.locator(".loop .chip.forced").first.wait_for()
    forced = visit.page.locator(".loop .chip.forced bdi").all_inner_texts()
    visit.page.locator(".branch.here").wait_for()
    visit.page.reload()
    visit.page.locator(".loop .chip.forced").first.wait_for()
    assert visit.page.locator(".loop .chip.forced bdi").all_inner_texts() == forced
    visit.page.locator(".branch.here").wait_for()


def test_words_are_hidden_by_a_click_and_by_a_key_and_heads_are_read_without_the_server(visit):
    fill = part(visit, "fill")
    fill.locator("button.word", has_text="cat").click()
    visit.page.wait_for_url("**part=fill.6.2**")
    says(visit, ".word.masked small", "was cat")
    visit.settle(FIRST["fill"])
    sent = len(visit.frames)
    fill.locator(".tab").last.click()
    fill.locator("canvas").first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        visit.page.keyboard.press(key)
    says(visit, ".reading", "Layer 1, head 1 looks at")
    assert fill.locator(".chip.lit").count() == 1
    assert len(visit.frames) == sent
    fill.locator("button.word", has_text="sofa").focus()
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**part=fill.2**")


def test_surprisal_is_walked_with_the_keys(visit):
    words = part(visit, "own", own="the moon")
    sent = len(visit.frames)
    words.locator(".token.yours").first.focus()
    visit.page.keyboard.press("ArrowRight")
    says(visit, ".place-says", "moon")
    visit.page.keyboard.press("ArrowDown")
    says(visit, ".place-says", "It expected")
    assert len(visit.frames) == sent


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_hangs_over_the_edge_and_a_finger_can_press_what_is_there(visit, width):
    visit.page.set_viewport_size({"width": width, "height": 844})
    for name in FIRST:
        box = part(visit, name, **({"own": "my own long words about it"} if name == "own" else {}))
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width, name
        if width == 390 and name != "own":
            heights = box.locator("button:visible").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
            assert heights and min(heights) >= 43.5, name
    visit.page.set_viewport_size({"width": 1280, "height": 800})
