"""The theatre in Chromium: what only a browser shows."""

import pytest

from tests.browser.quiet import drawn

RED = "the black cat sleeps on the red sofa"
PICTURE = "canvas => canvas.toDataURL()"


def stage(visit, **params):
    visit.open("translate", **params)
    visit.page.locator(".theatre .chip").first.wait_for()
    visit.settle(".theatre .chip")
    return visit.page.locator(".theatre")


def written(theatre):
    return theatre.locator(".words.decoder .chip:not(.ahead) bdi").all_inner_texts()


def arrive(visit, name):
    """Wait until the link holds a parameter, and the page has settled with it."""
    visit.page.wait_for_url(f"**{name}=**")
    visit.settle(".theatre .chip")
    visit.page.wait_for_function(
        "() => !Array.from(document.querySelectorAll('[data-testid=stBidiComponentIsolated]')).some(one =>"
        " one.shadowRoot && one.shadowRoot.querySelector('.theatre .side .how:not(:empty)'))"
    )


def test_two_clicks_from_a_fresh_start_show_interesting_then_domain_with_three_maps_each(visit):
    visit.open()
    visit.page.locator("[data-testid=stSidebarNavLink]", has_text="Translate").click()  # the first click
    theatre = visit.page.locator(".theatre")
    visit.settle(".theatre .chip")
    assert theatre.locator(".words.encoder .chip bdi").all_inner_texts()[:3] == ["gen", "ai", "is"]
    assert written(theatre) == ["interesting"]
    maps = [theatre.locator(f".map.{name} canvas") for name in ("encoder", "decoder", "cross")]
    before = [canvas.evaluate(PICTURE) for canvas in maps]
    assert all(canvas.is_visible() for canvas in maps)
    theatre.locator("button.next").click()  # the second
    assert written(theatre) == ["interesting", "domain"]
    assert "After “interesting”" in theatre.locator(".lead").inner_text()
    after = [canvas.evaluate(PICTURE) for canvas in maps]
    assert before[0] == after[0] and before[1] != after[1] and before[2] != after[2]


def test_pointing_at_red_lights_vermelho_in_sentence_ribbon_and_map_and_asks_nobody(visit):
    theatre = stage(visit, model="translator", text=RED)
    theatre.locator("button.last").click()
    visit.page.mouse.move(2, 2)
    drawn(visit.page)
    sent = len(visit.frames)
    places = {name: theatre.locator(f".map.{name} canvas") for name in ("encoder", "decoder", "cross")}
    places["ribbons"] = theatre.locator("canvas.ribbons")
    before = {name: canvas.evaluate(PICTURE) for name, canvas in places.items()}
    theatre.locator(".words.encoder .chip", has_text="red").hover()
    # the end of the text, no word, may look there too
    assert theatre.locator(".words.decoder .chip.aligned:not(.special)").all_inner_texts() == ["vermelho"]
    for name, canvas in places.items():
        assert canvas.evaluate(PICTURE) != before[name], name
    theatre.locator(".words.decoder .chip", has_text="vermelho").hover()
    assert theatre.locator(".words.encoder .chip.aligned").all_inner_texts() == ["red"]
    assert theatre.locator(".words.decoder .chip.lit").all_inner_texts() == ["vermelho"]
    # and back from the map: down its names to the row of "vermelho", then along the row to the cell of "red"
    box = places["cross"].bounding_box()

    def found(points, wanted):
        for x, y in points:
            visit.page.mouse.move(x, y)
            if theatre.locator(".chip.lit bdi").all_inner_texts() == wanted:
                return x, y
        raise AssertionError(f"nowhere in the map lights {wanted}")

    _, y = found([(box["x"] + 4, box["y"] + 4 + down) for down in range(0, int(box["height"]), 8)], ["vermelho"])
    found([(box["x"] + 4 + along, y) for along in range(0, int(box["width"]), 8)], ["red", "vermelho"])
    assert "“vermelho” gives" in theatre.locator(".readout").inner_text()
    assert len(visit.frames) == sent


def test_playing_scrubbing_and_choosing_heads_ask_nobody(visit):
    theatre = stage(visit, model="translator-small", text="the red car")
    last = int(theatre.locator(".scrub").get_attribute("aria-valuemax"))
    assert last > 2 and len(written(theatre)) == 1
    sent = len(visit.frames)
    theatre.locator("select.speed").select_option("4")
    theatre.locator("button.toggle").click()
    visit.page.wait_for_function(
        "last => Array.from(document.querySelectorAll('[data-testid=stBidiComponentIsolated]')).some(one =>"
        " one.shadowRoot.querySelector('.theatre .scrub')?.getAttribute('aria-valuenow') === last)",
        arg=str(last),
    )
    box = theatre.locator(".scrub").bounding_box()
    visit.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visit.page.mouse.down()
    visit.page.mouse.move(box["x"] + 1, box["y"] + box["height"] / 2, steps=4)
    visit.page.mouse.up()
    assert len(written(theatre)) == 1
    theatre.locator(".scrub").focus()
    for key, count in (("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2), ("End", last), ("Home", 1)):
        visit.page.keyboard.press(key)
        assert len(written(theatre)) == count
    picture = theatre.locator(".map.cross canvas").evaluate(PICTURE)
    for value in (".", "0.", "1.1"):
        theatre.locator("select.which").select_option(value)
        assert theatre.locator(".map.cross canvas").evaluate(PICTURE) != picture
        picture = theatre.locator(".map.cross canvas").evaluate(PICTURE)
    theatre.locator("button.together").click()
    assert theatre.locator(".map.all canvas").is_visible() and not theatre.locator(".map.cross canvas").is_visible()
    assert len(visit.frames) == sent


def test_a_branch_survives_a_reload(visit):
    theatre = stage(visit)
    other = theatre.locator(".candidate").nth(1)
    name = other.locator("bdi").inner_text()
    other.click()
    arrive(visit, "forced")
    assert theatre.locator(".words.decoder .chip.forced bdi").all_inner_texts() == [name]
    said = theatre.locator(".words.decoder .chip bdi").all_inner_texts()
    visit.page.reload()
    theatre.locator(".chip").first.wait_for()
    assert theatre.locator(".words.decoder .chip bdi").all_inner_texts() == said


def test_a_typed_word_and_a_confined_step_are_branches_too(visit):
    theatre = stage(visit, model="translator-small", text="the red car")
    theatre.locator(".typed input").fill("uma casa")
    theatre.locator(".typed input").press("Enter")
    arrive(visit, "forced")
    assert "".join(theatre.locator(".words.decoder .chip bdi").all_inner_texts()).startswith("umacasa")
    theatre.locator("button.first").click()
    theatre.locator("button.narrowing").click()
    chips = theatre.locator(".words.encoder .chip")
    for place in range(chips.count()):
        chips.nth(place).click()
    assert theatre.locator("button.agree").is_disabled()
    assert "at least one word" in theatre.locator(".side .how").inner_text()
    chips.nth(1).click()
    theatre.locator("button.agree").click()
    arrive(visit, "reads")
    assert "reads=1k2" in visit.page.url
    assert "Made to read only “red” here." in theatre.locator(".side .flag").inner_text()
    assert "“red”" in theatre.locator(".lead").inner_text() and "≈ 100 %" in theatre.locator(".lead").inner_text()
    said = theatre.locator(".words.decoder .chip bdi").all_inner_texts()
    visit.page.reload()
    theatre.locator(".chip").first.wait_for()
    assert theatre.locator(".words.decoder .chip bdi").all_inner_texts() == said


def test_two_runs_part_where_they_part_and_one_cursor_moves_both(visit):
    stage(visit, model="translator-small", text="the red car", teacher="o gato vermelho")
    duet = visit.page.locator(".duet")
    duet.locator(".chip").first.wait_for()
    visit.settle(".duet .chip")
    assert "They part at step" in duet.locator(".lead").inner_text()
    assert duet.locator(".chip.first").count() == 2
    assert "both rows are the same" in duet.locator(".how").inner_text()
    sent = len(visit.frames)
    picture = duet.locator("canvas.rows").evaluate(PICTURE)
    duet.focus()
    visit.page.keyboard.press("ArrowRight")
    assert "read different words" in duet.locator(".how").inner_text()
    assert duet.locator("canvas.rows").evaluate(PICTURE) != picture
    assert len(visit.frames) == sent


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_hangs_over_the_edge_and_the_transport_stays_at_hand(visit, width):
    visit.page.set_viewport_size({"width": width, "height": 844})
    theatre = stage(visit, text="the little girl reads a book in the garden", teacher="a girl")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 390:
        box = theatre.locator(".deck").bounding_box()
        assert box["y"] + box["height"] <= 844 + 1
        assert all(theatre.locator(f"button.{name}").first.bounding_box()["height"] >= 44 for name in ("toggle", "next", "tab"))
    visit.page.set_viewport_size({"width": 1280, "height": 800})
