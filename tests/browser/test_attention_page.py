"""The page Attention around its view, in Chromium: starters, the boxes below, what is taken away, and the keyboard."""

import re
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

from core.ui.shell.starters import CONTINUES

HOSTILE = "مرحبا 🎉 <img src=x onerror=alert(1)>"
BOXES = ("check-cell", "check-stages", "pieces", "places", "take")


def open_box(visit, key):
    """Open one of the boxes by keyboard alone: focus its title, press Enter."""
    visit.page.locator(f".st-key-{key} summary").focus()
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector(f".st-key-{key} [data-testid=stExpanderDetails] .stElementContainer", state="attached")
    visit.settle()


def test_a_starter_points_at_the_head_its_line_speaks_of(visit):
    visit.open("attention")
    one = next(one for one in CONTINUES if one.at is not None)
    visit.page.get_by_role("button", name="Examples").click()
    visit.change(lambda: visit.page.get_by_text(one.text, exact=True).first.click())
    assert visit.page.get_by_text(one.look).is_visible()
    visit.view.locator(".map-column .heading", has_text=one.at.value.capitalize()).wait_for()
    query, key, _ = one.sees[0]
    words = one.text.split()
    assert visit.lead.startswith(f"“{words[query]}” gives") and f"to “{words[key]}”" in visit.lead
    assert f"cell={query + 1}.{key + 1}" in visit.page.url


def test_every_box_opens_by_keyboard_and_takes_any_text(visit):
    visit.open("attention", stream="encoder", text=HOSTILE)
    for key in BOXES:
        open_box(visit, key)
        assert not visit.page.locator(".trouble").count()
    assert visit.page.locator("img[src=x]").count() == 0
    assert "⟨D9⟩" in visit.page.locator(".tokens").first.inner_text()  # the Arabic greeting's first byte
    slider = visit.page.locator(".stSlider", has_text="Merges done").get_by_role("slider")
    slider.focus()
    visit.page.locator(".merging .chip").first.wait_for()
    before = visit.page.locator(".merging .chip").count()
    visit.page.keyboard.press("ArrowLeft")
    visit.page.wait_for_function("was => document.querySelectorAll('.merging .chip').length === was + 1", arg=before)
    wide = visit.page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollWidth - window.innerWidth")
    assert wide <= 0


def test_whole_words_are_readable_in_any_script(visit):
    """This tokenizer knows no Arabic: a token is a byte, half a letter; the word they make is the word."""
    visit.open("attention", stream="encoder", text="مرحبا नमस्ते 👩‍👩‍👧‍👦 " + "x" * 40)
    visit.view.get_by_role("button", name="Whole words").click()
    visit.view.get_by_text("The map as a table").click()
    heads = visit.view.locator(".table thead th bdi")
    heads.first.wait_for()
    assert [text.strip() for text in heads.all_inner_texts()] == ["مرحبا", "नमस्ते", "👩‍👩‍👧‍👦", "x" * 40, "</s>"]


def test_a_picture_goes_as_svg_and_as_png_of_twice_its_size(visit):
    visit.open("attention", stream="encoder", text="the cat sits", layer="2", head="3")
    open_box(visit, "take")
    found = {}
    for kind in ("SVG", "PNG"):
        with visit.page.expect_download() as waiting:
            visit.page.locator(".st-key-take-figures").get_by_role("button", name=kind, exact=True).click()
        found[kind] = Path(waiting.value.path()).read_bytes()
        assert re.fullmatch(rf"lookback-\w+-encoder-layer-2-head-3-from-1-.+\.{kind.lower()}", waiting.value.suggested_filename)
    root = ET.fromstring(found["SVG"])
    assert found["PNG"][:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", found["PNG"][16:24])
    assert (width, height) == (2 * int(root.get("width")), 2 * int(root.get("height")))
    said = " ".join(node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text"))
    assert "Encoder, layer 2, head 3" in said and "the cat sits" in said
