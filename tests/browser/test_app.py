"""What people do with the app, done in Chromium."""

import itertools
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import expect

from core.ui.shell.starters import CONTINUES
from tests.browser.conftest import Visit, serving

HOSTILE = [
    "مرحبا بالعالم",
    "👩‍👩‍👧 🏳️‍🌈",
    "<img src=x onerror=alert(1)>",
    "a\x07b\u202ec",
    "![x](http://192.0.2.1/x.png)",
]


def upper(weights):
    return [cell for query, row in enumerate(weights) for key, cell in enumerate(row) if key > query]


def test_a_deep_link_is_the_first_request_of_a_fresh_server(chromium):
    with serving() as address:
        visit = Visit(chromium, address).open("attention", text="the cat sits", stream="encoder", layer="2", head="3")
        expect(visit.page.get_by_role("heading", name="Attention", exact=True)).to_be_visible()
        expect(visit.page.get_by_role("link", name="Home")).to_be_visible()
        expect(visit.page.locator("h2.over", has_text="Encoder, layer 2, head 3")).to_be_visible()
        assert visit.page.get_by_label("Text", exact=True).input_value() == "the cat sits"
        visit.close()


def test_typing_another_sentence_changes_tokens_maps_and_probabilities(visit):
    visit.open("attention")
    before = visit.tokens, visit.map, visit.bars()
    visit.change(lambda: visit.type("my teacher reads a new book"))
    after = visit.tokens, visit.map, visit.bars()
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert "teacher" in "".join(after[0])


def test_the_causal_switch_fills_the_decoders_upper_triangle_and_moves_the_next_token(visit):
    visit.open("attention")
    assert len(visit.map) >= 3
    assert set(upper(visit.map)) == {None}
    before = visit.bars()
    assert not any("was" in text for text in before)
    visit.change(lambda: visit.page.locator(".st-key-causal label").click())
    assert len(visit.map) >= 3
    assert all(cell is not None and cell > 0 for cell in upper(visit.map))
    was = [text for text in visit.bars() if text.startswith("was ")]
    now = [text for text in visit.bars() if text.endswith("%") and text not in was]
    assert was
    assert sorted(text.removeprefix("was ") for text in was) != sorted(now)
    expect(visit.page.get_by_text("KL from native")).to_be_visible()


def test_the_causal_switch_empties_the_encoders_upper_triangle(visit):
    visit.open("attention", stream="encoder")
    assert all(cell is not None for cell in upper(visit.map))
    visit.change(lambda: visit.page.locator(".st-key-causal label").click())
    assert set(upper(visit.map)) == {None}
    assert visit.lead.startswith("The future is hidden")


@pytest.mark.parametrize(
    ("page", "opened"),
    [
        ("masks", {"text": "the cat sits"}),
        ("attention", {"text": "the cat sits", "measure": "norm", "stream": "encoder", "layer": "2", "head": "3"}),
    ],
)
def test_an_empty_text_and_the_next_ones_choose_nothing_else(visit, page, opened):
    def chosen():
        return {name: said for name, said in parse_qsl(urlsplit(visit.page.url).query) if name != "text"}

    visit.open(page, **opened)
    before = chosen()
    assert opened.items() <= {"text": opened["text"], **before}.items()
    for text in ("", "one cat sleeps", "two dogs run"):
        visit.change(lambda text=text: visit.type(text))
        assert (visit.page.locator(".trouble").count() > 0) == (not text)
        assert chosen() == before


def test_pins_and_filters_stand_in_the_link_and_a_second_browser_shows_them(visits):
    one, two = visits
    one.open("attention", stream="encoder", text="the cat sits on the mat")
    one.view.locator(".heads").focus()
    for key in ("2", "p", "ArrowDown", "p"):
        one.page.keyboard.press(key)
    one.view.get_by_role("button", name="Whole words").click()
    one.page.wait_for_url("**view=w~pin1.2-2.2**")
    one.settle()
    two.page.goto(one.page.url)
    two.settle()
    two.view.locator(".pin").first.wait_for()
    assert two.view.locator(".pin").count() == 2
    assert two.view.locator(".heading").first.inner_text() == one.view.locator(".heading").first.inner_text()
    assert two.lead == one.lead


def test_two_visitors_with_different_masks_never_see_each_others(visits):
    one, two = visits
    one.open("attention")
    two.open("attention", stream="encoder", text="the cat sits on the mat")
    for turn in range(3):
        one.change(lambda: one.page.locator(".st-key-causal label").click())
        two.change(lambda: two.page.locator(".st-key-causal label").click())
        open_now = turn % 2 == 0
        assert (None not in upper(one.map)) == open_now
        assert (None in upper(two.map)) == open_now
        assert "cat" not in "".join(one.tokens)
        assert "cat" in "".join(two.tokens)


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_only_text(visit, text):
    visit.open("attention")
    visit.change(lambda: visit.type(text))
    assert visit.page.get_by_label("Text", exact=True).input_value() == text
    assert visit.page.locator("img[src='x'], img[src*='192.0.2.1']").count() == 0
    assert not visit.page.locator(".trouble").count()
    assert len(visit.map) >= 1


def test_a_text_that_cannot_be_read_is_told_and_kept_and_the_page_lives_on(visit):
    visit.open("attention")
    for text in ("word " * 20_000, ""):
        visit.change(lambda text=text: visit.type(text))
        assert visit.lead.startswith("Expected ")
        assert visit.page.get_by_label("Text", exact=True).input_value().strip() == text.strip()
    visit.change(lambda: visit.type("gen ai is"))
    assert len(visit.map) >= 3


def test_a_click_on_a_cell_and_on_a_small_map_are_read_and_stand_in_the_link(visit):
    visit.open("attention", stream="encoder", text="the cat sits on the mat")
    visit.change(lambda: visit.click_cell(1, 0))
    assert visit.lead.startswith(f"“{visit.tokens[1]}” gives")
    visit.view.locator(".heads .over").scroll_into_view_if_needed()
    box = visit.view.locator(".heads .over").bounding_box()
    side = (box["width"] - 29) / 4
    visit.page.mouse.click(box["x"] + 26 + 2.5 * side, box["y"] + 20 + 1.5 * side)
    visit.page.wait_for_selector("h2.over:has-text('layer 2, head 3')")
    visit.settle()
    assert "layer=2&head=3&cell=2.1" in visit.page.url


def test_heads_and_cells_are_reached_by_keyboard_alone(visit):
    visit.open("attention", stream="encoder")
    visit.view.locator(".heads").focus()
    visit.page.keyboard.press("ArrowRight")
    visit.page.wait_for_selector("h2.over:has-text('head 2')")
    visit.settle()
    visit.page.get_by_role("switch").focus()
    visit.change(lambda: visit.page.keyboard.press("Space"))
    assert set(upper(visit.map)) == {None}


def test_pointing_at_cells_never_asks_the_server(visit):
    visit.open("attention", stream="encoder")
    sent = len(visit.frames)
    box = visit.view.locator(".heads .over").bounding_box()
    side = (box["width"] - 29) / 4
    for layer, head in [(0, 3), (1, 1), (1, 2)]:
        visit.page.mouse.move(box["x"] + 26 + (head + 0.5) * side, box["y"] + 20 + (layer + 0.5) * side)
        visit.view.locator(".map-column .heading", has_text=f"layer {layer + 1}, head {head + 1} preview").wait_for()
    box = visit.view.locator(".map .over").bounding_box()
    for x, y in itertools.product((0.3, 0.5, 0.7), repeat=2):
        visit.page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
    visit.page.locator(".st-key-map").scroll_into_view_if_needed()
    box = visit.page.locator(".st-key-map .nsewdrag[data-subplot=xy]").bounding_box()
    for x, y in itertools.product((0.2, 0.5, 0.8), repeat=2):
        visit.page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
    visit.page.locator(".st-key-map .hoverlayer", has_text="of its attention").wait_for()
    visit.change(lambda: visit.click_cell(1, 0))  # the first that asks
    assert len(visit.frames) == sent + 1


def test_choices_follow_from_page_to_page_and_back(visit):
    visit.open("attention", stream="encoder")
    visit.change(lambda: visit.type("the cat sits on the mat"))
    visit.page.get_by_role("link", name="Home").click()
    visit.page.get_by_role("heading", name="Attention lets a model look back").wait_for()
    visit.settle()
    assert visit.page.get_by_label("Text", exact=True).input_value() == "the cat sits on the mat"
    visit.page.get_by_role("link", name="Open Attention").click()
    visit.page.get_by_role("heading", name="Attention", exact=True).wait_for()
    visit.settle()
    assert visit.page.get_by_label("Text", exact=True).input_value() == "the cat sits on the mat"
    assert "stream=encoder" in visit.page.url


def test_the_browsers_back_button_takes_back_a_choice(visit):
    visit.open("attention", stream="encoder")
    before = visit.lead, visit.map
    visit.change(lambda: visit.type("the cat sits on the mat"))
    visit.change(lambda: visit.page.go_back())
    assert (visit.lead, visit.map) == before
    assert visit.page.get_by_label("Text", exact=True).input_value() == "gen ai is"


def test_a_link_shows_a_second_browser_the_same_screen(visits):
    one, two = visits
    one.open("attention", stream="encoder", text="a new idea for school")
    one.change(lambda: one.page.locator(".st-key-causal label").click())
    one.page.locator(".st-key-places summary").press("Enter")
    one.page.get_by_role("radio", name="Shuffled").click()
    one.page.wait_for_url("**open=places**")
    one.page.wait_for_url("**positions=shuffled.1**")
    one.page.get_by_role("radio", name="Weight × value norm").click()
    one.page.wait_for_url("**measure=norm**")
    two.page.goto(one.page.url)
    changed = ".st-key-place-map-2 .js-plotly-plot"
    for visit in visits:
        visit.settle(changed)
        expect(visit.page.get_by_role("radio", name="Shuffled")).to_be_checked()
        expect(visit.page.get_by_role("radio", name="Weight × value norm")).to_be_checked()
    assert two.lead == one.lead
    for drawn in (changed, ".st-key-measure-map .js-plotly-plot"):
        shown = [visit.page.locator(drawn).evaluate("plot => JSON.stringify(plot._fullData[0].z)") for visit in visits]
        assert shown[0] == shown[1]
    one.page.go_back()
    expect(one.page.get_by_role("radio", name="Weight", exact=True)).to_be_checked()
    expect(one.page.get_by_role("radio", name="Shuffled")).to_be_checked()


def test_an_example_is_taken_and_says_what_to_look_for(visit):
    visit.open("attention")
    visit.page.get_by_role("button", name="Examples").click()
    visit.change(lambda: visit.page.get_by_role("menuitem", name="she reads a new book every").click())
    assert visit.page.get_by_label("Text", exact=True).input_value() == "she reads a new book every"
    look = next(one.look for one in CONTINUES if one.text == "she reads a new book every")
    assert visit.page.locator(".note").inner_text() == look


def test_home_answers_with_two_words_and_leads_on(visit):
    visit.open()
    assert visit.tokens[:3] == ["gen", "ai", "is"]
    assert len(visit.map) >= 3
    expect(visit.page.locator(".st-key-next-0 svg.marks")).to_be_visible()
    expect(visit.page.get_by_role("link", name="Open Attention")).to_be_visible()


def test_headers_forbid_other_sites_and_the_page_still_works(visit):
    answer = visit.page.goto(visit.address)
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"
    visit.settle()
    assert visit.page.evaluate("fetch('http://192.0.2.1/').then(() => 'went', () => 'stayed')") == "stayed"
    visit.errors.clear()  # the refusal itself is told on the console


@pytest.mark.parametrize("page", ["", "attention"])
def test_nothing_hangs_over_the_edge(chromium, server, page):
    visit = Visit(chromium, server, viewport={"width": 390, "height": 844}).open(page)
    for width in (390, 1280, 1920):
        visit.page.set_viewport_size({"width": width, "height": 844})
        visit.page.wait_for_function(
            "() => document.documentElement.scrollWidth <= innerWidth"
            " && [...document.querySelectorAll('.lead, .chips, h1, h2.over, .how, .st-key-bar')]"
            ".every(e => e.getBoundingClientRect().right <= innerWidth + 1)"
        )
    visit.close()
