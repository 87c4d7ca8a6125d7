"""The walk through the encoder in Chromium: boxes by mouse and keys, paths that light up, and what asks the server and what not."""

import pytest

TEXT = "the river bank and the money bank"


def opened(visit, **params):
    visit.open("encoder", **{"text": TEXT, "stream": "encoder", "layer": "1", "head": "2", "cell": "3", **params})
    walk = visit.page.locator(".walk")
    walk.locator(".panel h3").wait_for()
    return walk


def told(visit, part):
    visit.page.wait_for_url(f"**{part}**")
    return visit.settle(".source")


def test_every_box_opens_by_click_and_shows_the_chosen_token(visit):
    walk = opened(visit)
    titles = []
    for box in walk.locator(".box").all():
        name = box.get_attribute("class").split()[1]
        box.click()
        assert box.get_attribute("aria-pressed") == "true"
        titles.append(walk.locator(".panel h3").first.inner_text())
        assert "bank" in titles[-1] or name == "map"
    told(visit, "box=next")
    assert len(titles) == 14 and len(set(titles)) >= 13
    assert walk.locator(".out .shape").all_inner_texts().count("8 × 192") >= 9


def test_keys_go_from_box_to_box_and_a_reload_finds_the_same(visit):
    walk = opened(visit)
    walk.locator(".box.map").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown"):
        visit.page.keyboard.press(key)
    sent = len(visit.frames)
    assert walk.locator(".box.neurons").evaluate("box => box.getRootNode().activeElement === box")
    assert len(visit.frames) == sent  # going there asks nobody
    visit.page.keyboard.press("Enter")
    told(visit, "box=neurons")
    fires = walk.locator(".box.neurons span").first.inner_text()
    assert fires.endswith("of 768 fire") and fires.removesuffix(" fire") in walk.locator(".panel").inner_text()
    visit.page.reload()
    visit.settle(".source")
    walk.locator(".panel h3").wait_for()
    assert walk.locator(".box[aria-pressed=true]").get_attribute("class") == "box neurons"
    assert walk.locator(".box.neurons span").first.inner_text() == fires


def test_strips_and_paths_are_read_without_the_server(visit):
    walk = opened(visit, box="sum0")
    group = walk.locator(".panel .group")
    group.focus()
    sent = len(visit.frames)
    first = group.get_attribute("aria-valuetext")
    visit.page.keyboard.press("End")
    last = group.get_attribute("aria-valuetext")
    assert first.startswith("Number 1 of 192") and last.startswith("Number 192 of 192")
    left, _, right = last.partition(": ")[2].partition(" = ")
    parts = [float(part.strip("()").replace("−", "-")) for part in left.split(" + ")]
    assert sum(parts) == pytest.approx(float(right.replace("−", "-")), abs=0.011)
    neighbours = walk.locator(".moves-right h3").first
    assert "bank" in neighbours.inner_text()
    walk.locator(".chip", has_text="money").hover()
    assert "money" in neighbours.inner_text()
    visit.page.mouse.move(5, 5)
    assert "bank" in neighbours.inner_text()
    walk.locator(".path[tabindex='0']").focus()
    visit.page.keyboard.press("ArrowLeft")
    assert "river" in neighbours.inner_text()
    visit.page.keyboard.press("Tab")
    assert "bank" in neighbours.inner_text()
    walk.locator(".path[tabindex='0']").focus()
    visit.page.keyboard.press("ArrowLeft")
    assert len(visit.frames) == sent
    visit.page.keyboard.press("Enter")
    told(visit, "cell=2")
    assert walk.locator(".chip[aria-pressed=true]").inner_text() == "river"
    assert "river" in visit.lead


def test_on_a_phone_the_walk_stands_upright_and_nothing_scrolls_sideways(visit):
    visit.page.set_viewport_size({"width": 390, "height": 844})
    walk = opened(visit)
    assert walk.locator(".figure.tall").count() == 1
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    spilled = walk.evaluate(
        "walk => [...walk.querySelectorAll('.box, .chip, .toggle, .strip')]"
        ".filter(one => one.getBoundingClientRect().right > 391).length"
    )
    assert spilled == 0
    targets = "walk => [...walk.querySelectorAll('.chip, .toggle:not([hidden])')].map(one => one.offsetHeight)"
    assert min(walk.evaluate(targets)) >= 44


def test_a_long_text_fetches_the_token_that_is_chosen(visit):
    walk = opened(visit, text="the cat sits on the mat and " * 8, cell="5")
    walk.locator(".chip").nth(50).click()
    told(visit, "cell=51")
    walk.locator(".box.place span", has_text="place 51").wait_for()


def test_a_preset_changes_the_text_in_the_bar_and_so_does_the_way_back_to_our_models(visit):
    opened(visit)
    visit.change(lambda: visit.page.locator(".st-key-try-encoder-1 button").click())
    assert visit.page.get_by_label("Text", exact=True).input_value() == "one two three one two three one"
    assert "“one”" in visit.lead
    visit.open("encoder", model="writer", text=TEXT)
    visit.change(lambda: visit.page.locator(".st-key-walk-ours button").click())
    assert "neurons" in visit.lead
