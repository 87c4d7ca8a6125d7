"""The attention view in Chromium, on made-up traces: gestures, numbers, messages and the time its script takes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from core.analysis import effective_tokens, received
from core.request import Stream
from tests import waiting
from tests.browser.conftest import answers
from tests.browser.made_up import WORLD, trace_of
from tests.browser.quiet import Line, drawn, until
from tests.printed import shows_share

APP = Path(__file__).with_name("attention_view_app.py")
ROOT = "document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot"
FOCUSED = """() => {
  let at = document.activeElement;
  while (at.shadowRoot) at = at.shadowRoot.activeElement;
  return at.className || at.tagName;
}"""
MEASURE = """() => {
  window.times = [];
  window.frame = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (work) => window.frame((now) => {
    const from = performance.now();
    work(now);
    window.times.push(performance.now() - from);
  });
}"""
FRAMES = """async ([name, moves]) => {
  const canvas = document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot.querySelector(name);
  const box = canvas.getBoundingClientRect();
  const out = [];
  for (const [x, y] of moves) {
    window.times.length = 0;
    const from = performance.now();
    const at = { clientX: box.left + x, clientY: box.top + y, pointerId: 1, pointerType: 'mouse' };
    canvas.dispatchEvent(new PointerEvent('pointermove', { bubbles: true, composed: true, ...at }));
    const handler = performance.now() - from;
    await new Promise((done) => window.frame(() => window.frame(done)));
    out.push(handler + window.times.reduce((sum, one) => sum + one, 0));
  }
  return out;
}"""
FETCH = """async (heads) => {
  const root = document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot;
  const canvas = root.querySelector('.heads .over');
  const heading = root.querySelector('.map-column .heading');
  const side = (canvas.getBoundingClientRect().width - 29) / 8;
  const out = [];
  for (const [layer, head] of heads) {
    const box = canvas.getBoundingClientRect();
    const at = { clientX: box.left + 26 + (head + 0.5) * side, clientY: box.top + 20 + (layer + 0.5) * side };
    const from = performance.now();
    canvas.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true, composed: true, ...at }));
    canvas.dispatchEvent(new PointerEvent('click', { bubbles: true, composed: true, pointerType: 'mouse', ...at }));
    const wanted = `layer ${layer + 1}, head ${head + 1} locked`;
    while (!heading.textContent.endsWith(wanted) && performance.now() - from < 60000) {
      await new Promise(requestAnimationFrame);
    }
    out.push(performance.now() - from);
  }
  return out;
}"""
HEADINGS = """() => {
  const heading = document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot.querySelector('.map-column .heading');
  window.headings = [];
  new MutationObserver(() => window.headings.push(heading.textContent)).observe(heading, { childList: true, subtree: true });
}"""
KEYS = """async (keys) => {
  const heads = document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot.querySelector('.heads');
  const out = [];
  for (const key of keys) {
    window.times.length = 0;
    const from = performance.now();
    heads.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, composed: true, cancelable: true }));
    const handler = performance.now() - from;
    await new Promise((done) => window.frame(() => window.frame(done)));
    out.push(handler + window.times.reduce((sum, one) => sum + one, 0));
  }
  return out;
}"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "streamlit", "run", str(APP), "--server.port", str(port), "--server.address", "127.0.0.1",
        "--server.headless", "true", "--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none",
    ]  # fmt: skip
    server = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    try:
        assert waiting.until(lambda: answers(f"http://127.0.0.1:{port}"))
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


class Screen:
    """One open page: what it said on its console, and the web socket's frames, counted from `mark()` on."""

    def __init__(
        self,
        browser: Browser,
        address: str,
        width: int = 1280,
        height: int = 900,
        touch: bool = False,
        **asked,
    ) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, has_touch=touch)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.line = Line(self.page)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("dialog", lambda dialog: (self.errors.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.goto(f"{address}?{urlencode(asked)}")
        self.page.wait_for_selector(".view .heading", timeout=60_000)
        self.page.get_by_text("runs ").wait_for()
        self.wait("locked")
        self.line.rest()

    def mark(self) -> None:
        self.line.sent.clear()
        self.line.got.clear()

    def text(self, name: str) -> str:
        return self.page.locator(f".view {name}").first.inner_text()

    def wait(self, text: str, name: str = ".heading") -> None:
        self.page.locator(f".view {name}", has_text=text).first.wait_for(timeout=15_000)

    def chosen(self) -> str:
        return self.page.get_by_text("chosen {").inner_text()

    def wait_chosen(self, text: str) -> None:
        self.page.get_by_text("chosen {").filter(has_text=text).wait_for(timeout=15_000)

    def heads(self) -> Locator:
        return self.page.locator(".view .heads")

    def walk(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        drawn(self.page)

    def close(self) -> None:
        self.context.close()


@pytest.fixture
def open_view(chromium, address):
    screens: list[Screen] = []

    def opened(**asked) -> Screen:
        screens.append(Screen(chromium, address, **asked))
        return screens[-1]

    yield opened
    found = [error for screen in screens for error in screen.errors]
    for screen in screens:
        screen.close()
    assert not found


def _table(screen: Screen) -> list[list[str]]:
    screen.page.locator(".view summary").click()
    screen.page.locator(".view tbody tr").first.wait_for()
    rows = screen.page.evaluate(
        "() => [...document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot.querySelectorAll('tbody tr')]"
        ".map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent))"
    )
    screen.page.locator(".view summary").click()
    return rows


def _numbers(rows: list[list[str]]) -> np.ndarray:
    return np.array([[np.nan if cell == "–" else float(cell.lstrip("≈ ")) for cell in row] for row in rows])


def test_the_table_holds_the_numbers_of_the_trace(open_view):
    screen = open_view(mask="holes")
    attention = trace_of(mask="holes").at(Stream.ENCODER, 1)
    shown = _numbers(_table(screen))
    np.testing.assert_array_equal(np.isnan(shown), ~attention.allowed[2])
    np.testing.assert_allclose(np.nan_to_num(shown), attention.head(2), atol=5.1e-5)
    said = screen.text(".lead")
    row = attention.head(2)[7]
    assert said.startswith("“night” gives") and shows_share(said, row.max())


def test_hover_sends_nothing_and_previews_a_head(open_view):
    screen = open_view()
    screen.mark()
    box = screen.page.locator(".view .heads .over").bounding_box()
    screen.page.mouse.move(box["x"] + 50, box["y"] + 45)
    screen.wait("preview", ".map-column .heading")
    assert "≈" in screen.text(".lead")
    for step in range(60):
        screen.page.mouse.move(box["x"] + 30 + 3 * step, box["y"] + 30 + 2 * step)
    area = screen.page.locator(".view .map .over").bounding_box()
    for step in range(60):
        screen.page.mouse.move(area["x"] + 60 + 4 * step, area["y"] + 60 + 3 * step)
    screen.wait("locked", ".map-column .heading")
    screen.heads().focus()
    screen.walk("ArrowRight")  # the first that asks
    screen.wait_chosen("'head': 3")
    assert len(screen.line.sent) == 1


def test_a_click_locks_and_fetches_its_float32_once(open_view):
    screen = open_view()
    screen.mark()
    box = screen.page.locator(".view .heads .over")
    box.click(position={"x": 50, "y": 45})
    screen.wait_chosen("'layer': 0, 'head': 0, 'locked': True")
    until(screen.page, lambda: "≈" not in screen.text(".map-column .heading"))
    assert len(screen.line.sent) == 1
    whole = sum(screen.line.got)
    assert "locked" in screen.text(".map-column .heading") and "≈" not in screen.text(".map-column .heading")
    np.testing.assert_allclose(_numbers(_table(screen)), trace_of().at(Stream.ENCODER, 0).head(0), atol=5.1e-5)
    assert whole < 12_000, "the overview must not be sent again"


def test_unchanged_data_is_not_sent_again(open_view):
    screen = open_view(tokens=64, layers=6, heads=8)
    first = sum(screen.line.got)
    screen.mark()
    screen.heads().focus()
    screen.walk("ArrowRight")
    screen.wait_chosen("'head': 3")
    assert first > 150_000
    # one head of 64 × 64 float32 is 16 kB
    assert until(screen.page, lambda: sum(screen.line.got) > 16_384)
    screen.line.rest()
    assert 16_384 < sum(screen.line.got) < 40_000


def test_keyboard_alone_walks_picks_pins_combines_and_releases(open_view):
    screen = open_view()
    screen.heads().focus()
    screen.walk("ArrowRight")
    screen.wait("layer 2, head 4")
    screen.walk("ArrowUp")
    screen.wait("layer 1, head 4")
    screen.walk("2")
    screen.wait("layer 1, head 2")
    screen.walk("p", "ArrowDown", "p", "ArrowDown", "p", "ArrowLeft", "p", "ArrowUp", "p")
    assert screen.page.locator(".view .pin").count() == 4
    screen.wait_chosen("'pins': ((0, 1), (1, 1), (2, 1), (2, 0))")
    screen.walk("a", "ArrowRight")
    screen.wait("layer 2, head 2")
    screen.page.keyboard.press("Escape")
    screen.wait("not locked")
    screen.wait_chosen("'locked': False")
    screen.page.locator(".view .map").focus()
    screen.walk("Home", "ArrowUp", "ArrowRight")
    screen.wait_chosen("'query': 6, 'key': 1")
    assert screen.text(".lead").startswith("“every” gives")
    screen.walk("Escape")
    screen.wait_chosen("'query': None, 'key': None")
    assert screen.text(".lead").startswith("Point at")
    screen.page.locator(".view .pin button").first.click()
    expect(screen.page.locator(".view .pin")).to_have_count(3)


def test_a_quarter_of_a_pair_keeps_its_lines_and_tells_its_share(open_view):
    screen = open_view(first=4, width=390)
    pattern = trace_of(first=4).at(Stream.ENCODER, 1).head(2)
    control = screen.page.get_by_role("group", name="Which sentence looks at which")
    assert control.bounding_box()["width"] < 390 - 2 * 16
    control.get_by_role("button", name="Only sentence A looking at sentence B").click()
    screen.wait_chosen("'quarter': 'ab'")
    there = pattern[:4, 4:]
    assert shows_share(screen.text(".quarter-said"), there.sum(axis=1).mean())
    assert screen.text(".drawn").startswith(f"{(there >= 0.06).sum()} lines: A→B")
    np.testing.assert_allclose(_numbers(_table(screen)), there, atol=5.1e-5)  # as they were: nothing is renormalised
    control.get_by_role("button", name="All: both sentences look at both").click()
    screen.wait_chosen("'quarter': 'all'")
    assert screen.text(".quarter-said") == ""


def test_everything_is_reached_by_tab(open_view):
    screen = open_view()
    screen.page.locator("[data-testid=stBidiComponentIsolated]").first.wait_for()
    screen.page.locator(".view .tab").first.focus()
    seen = set()
    for _ in range(24):
        seen.add(screen.page.evaluate(FOCUSED))
        screen.page.keyboard.press("Tab")
    for name in ("tab decoder", "heads", "SELECT", "map", "toggle", "INPUT", "SUMMARY"):
        assert name in seen, (name, seen)


def test_the_mean_of_heads_is_exact(open_view):
    screen = open_view()
    over = screen.page.locator(".view .heads .over")
    over.click(position={"x": 50, "y": 45}, modifiers=["Shift"])
    over.click(position={"x": 50, "y": 95}, modifiers=["Shift"])
    screen.wait("Mean of 3 heads")
    screen.wait_chosen("'mixed': ((1, 2), (0, 0), (1, 0))")
    layers = [trace_of().at(Stream.ENCODER, layer) for layer in range(2)]
    mean = np.mean([layers[1].head(2), layers[0].head(0), layers[1].head(0)], axis=0)
    until(screen.page, lambda: np.allclose(_numbers(_table(screen)), mean, atol=5.1e-5))
    np.testing.assert_allclose(_numbers(_table(screen)), mean, atol=5.1e-5)
    screen.heads().focus()
    screen.walk("Escape")
    screen.wait("layer 2, head 3")


def test_word_level_sums_keys_and_averages_queries(open_view):
    screen = open_view()
    whole = screen.page.get_by_role("button", name="Whole words")
    whole.click()
    expect(whole).to_have_attribute("aria-pressed", "true")
    pattern = trace_of().at(Stream.ENCODER, 1).head(2).astype(np.float64)
    keys = np.concatenate([pattern[:, :1], pattern[:, 1:3].sum(axis=1, keepdims=True), pattern[:, 3:]], axis=1)
    words = np.concatenate([keys[:1], keys[1:3].mean(axis=0, keepdims=True), keys[3:]])
    np.testing.assert_allclose(_numbers(_table(screen)), words, atol=5.1e-5)
    screen.wait_chosen("'words': True")


@pytest.mark.parametrize("which", ["special", "sinks"])
def test_hidden_columns_renormalise_and_their_share_is_printed(open_view, which):
    screen = open_view()
    screen.page.get_by_role("button", name=f"Hide {which}").click()
    screen.wait("Hidden:", ".hidden-share")
    pattern = trace_of().at(Stream.ENCODER, 1).head(2).astype(np.float64)
    gone = np.zeros(9, bool)
    gone[8 if which == "special" else 0] = True
    if which == "sinks":
        np.testing.assert_array_equal(pattern.mean(axis=0) >= 0.3, gone)
    share = pattern[:, gone].sum(axis=1) / pattern.sum(axis=1)
    said = screen.text(".hidden-share")
    assert shows_share(said, share.mean(), " of a row (1 column)"), said
    assert shows_share(said.partition("of “night”")[2], share[7], ","), said
    left = np.where(gone, 0, pattern) / (1 - share)[:, None]
    np.testing.assert_allclose(_numbers(_table(screen)), left, atol=5.1e-5)


def test_the_threshold_hides_lines_only_and_says_so(open_view):
    screen = open_view()
    pattern = trace_of().at(Stream.ENCODER, 1).head(2)
    before = _table(screen)
    slider = screen.page.get_by_label("Threshold for lines")
    for value in ("0.2", "0.5"):
        slider.fill(value)
        kept = pattern >= np.float32(value)
        screen.wait(f"{kept.sum()} lines", ".drawn")
        assert shows_share(screen.text(".drawn"), pattern[kept].sum() / pattern.sum(), " of the weight is kept")
    assert _table(screen) == before
    screen.page.get_by_label("Which lines are drawn").select_option("share")
    order = -np.sort(-pattern.astype(np.float64), axis=1)
    few = ((np.cumsum(order, axis=1) - order) < 0.8 * order.sum(axis=1, keepdims=True) - 1e-6).sum()
    screen.wait(f"{few} lines", ".drawn")


def test_heads_are_sorted_by_a_score(open_view):
    screen = open_view()
    screen.page.get_by_label("Sort heads by").select_option("previous")
    patterns = [[trace_of().at(Stream.ENCODER, layer).head(head) for head in range(4)] for layer in range(3)]
    best = max(
        ((layer, head) for layer in range(3) for head in range(4)),
        key=lambda at: np.diagonal(patterns[at[0]][at[1]], -1).mean(),
    )
    screen.page.locator(".view .heads .over").click(position={"x": 20, "y": 20})
    screen.wait(f"layer {best[0] + 1}, head {best[1] + 1}")


def test_tooltips_tell_six_decimals_and_the_margins(open_view):
    screen = open_view()
    pattern = trace_of().at(Stream.ENCODER, 1).head(2)
    screen.page.locator(".view .map").focus()
    area = screen.page.locator(".view .map .over").bounding_box()
    found = None
    for x in range(70, 130, 4):
        screen.page.mouse.move(area["x"] + x, area["y"] + 100)
        drawn(screen.page)
        said = screen.text(".tip") if screen.page.locator(".view .tip").is_visible() else ""
        if "→" in said:
            found = said
            break
    assert found
    assert abs(pattern[:, 0] - float(found.split("\n")[-1])).min() <= 5.1e-7
    screen.page.mouse.move(area["x"] + 20, area["y"] + 100)
    expect(screen.page.locator(".view .tip")).to_contain_text("effective tokens")
    assert abs(effective_tokens(pattern) - float(screen.text(".tip").split(" ")[-1])).min() <= 5.1e-4
    assert len(received(pattern)) == 9


def test_another_stream_and_a_choice_made_outside(open_view):
    screen = open_view()
    screen.page.get_by_role("button", name="Cross").click()
    screen.wait("Cross, layer 2, head 3")
    attention = trace_of().at(Stream.CROSS, 1)
    assert attention.shape[1] != attention.shape[2]
    np.testing.assert_allclose(_numbers(_table(screen)), attention.head(2), atol=5.1e-5)
    screen.page.get_by_text("Move to layer 1, head 1").click()
    screen.wait("Cross, layer 1, head 1")
    screen.wait_chosen("'stream': <Stream.CROSS: 'cross'>, 'layer': 0, 'head': 0")


def test_a_late_run_does_not_take_back_what_was_chosen_since(open_view, tmp_path):
    gate = tmp_path / "gate"
    screen = open_view(gate=gate)
    screen.heads().focus()
    screen.walk("ArrowLeft")
    screen.wait_chosen("'layer': 1, 'head': 1")  # chosen, and its echo has come
    screen.line.rest()
    screen.page.get_by_role("button", name="Run late").click()
    screen.page.locator("[data-test-script-state=running]").wait_for(state="attached")
    screen.mark()
    screen.heads().focus()
    screen.walk("ArrowLeft")
    screen.wait("layer 2, head 1 locked")
    screen.page.evaluate(HEADINGS)
    until(screen.page, lambda: screen.line.sent)  # Python is told, but the late run comes first
    gate.touch()  # it repeats head 2, then the fragment runs with head 1
    screen.wait_chosen("'layer': 1, 'head': 0")
    screen.line.rest()
    assert screen.text(".lead").startswith("Later, ")
    assert "layer 2, head 1 locked" in screen.text(".map-column .heading")
    assert not [said for said in screen.page.evaluate("window.headings") if "layer 2, head 2" in said]  # nor for a moment
    screen.page.get_by_text("Move to layer 1, head 1").click()  # what Python sets itself is taken over
    screen.wait("layer 1, head 1 locked")
    screen.heads().focus()
    screen.walk("ArrowDown")  # and an earlier choice made again is told again
    screen.wait_chosen("'layer': 1, 'head': 0")


def test_numbers_are_there_again_after_the_view_was_away(open_view):
    screen = open_view()
    screen.heads().focus()
    screen.walk("ArrowUp", "p")
    screen.wait_chosen("'layer': 0, 'head': 2")
    screen.wait_chosen("'pins': ((0, 2),)")
    screen.walk("ArrowDown", "ArrowUp")
    screen.page.locator(".view .map").focus()
    screen.walk("ArrowUp")  # told last: whatever of the walk was told came before
    screen.wait_chosen("'layer': 0, 'head': 2, 'locked': True, 'query': 6")
    screen.line.rest()
    screen.page.get_by_text("Away").click()
    screen.page.locator(".view").wait_for(state="detached")
    screen.page.get_by_text("Away").click()
    screen.wait("layer 1, head 3 locked")
    assert screen.page.locator(".view .pin").count() == 1
    pattern = trace_of().at(Stream.ENCODER, 0).head(2)
    until(screen.page, lambda: np.allclose(_numbers(_table(screen)), pattern, atol=5.1e-5))
    np.testing.assert_allclose(_numbers(_table(screen)), pattern, atol=5.1e-5)


def test_the_sentence_is_read_aloud_and_the_appearance_follows(open_view):
    screen = open_view()
    screen.page.locator(".view .map").focus()
    screen.walk("ArrowUp", "End")
    until(screen.page, lambda: screen.text(".aloud").startswith(screen.text(".lead")))
    assert screen.text(".aloud").startswith(screen.text(".lead"))
    expect(screen.page.locator(".view")).to_have_attribute("data-theme", "light")
    screen.page.emulate_media(color_scheme="dark")
    screen.page.locator(".view[data-theme=dark]").wait_for()


def test_two_fingers_zoom_and_one_drags(open_view):
    screen = open_view(tokens=32)
    where = f"{ROOT}.querySelector('.map .over')"
    said = """(type, id, x, y) => {
      const canvas = CANVAS;
      const box = canvas.getBoundingClientRect();
      const at = { clientX: box.left + x, clientY: box.top + y, pointerId: id, pointerType: 'touch' };
      canvas.dispatchEvent(new PointerEvent(type, { bubbles: true, composed: true, ...at }));
    }""".replace("CANVAS", where)

    def touch(*events):
        screen.page.evaluate(
            f"(events) => events.forEach((event) => ({said})(...event))", [list(one) for one in events]
        )
        drawn(screen.page)

    fit = screen.page.get_by_role("button", name="Fit")
    expect(fit).to_be_disabled()
    touch(
        ("pointerdown", 1, 150, 150),
        ("pointerdown", 2, 200, 200),
        ("pointermove", 2, 300, 300),
        ("pointerup", 1, 150, 150),
    )
    touch(("pointerup", 2, 300, 300))
    expect(fit).to_be_enabled()
    before = screen.page.evaluate(f"() => {where}.parentElement.firstChild.toDataURL()")
    touch(("pointerdown", 3, 250, 250), ("pointermove", 3, 200, 200), ("pointerup", 3, 200, 200))
    until(screen.page, lambda: screen.page.evaluate(f"() => {where}.parentElement.firstChild.toDataURL()") != before)
    assert screen.page.evaluate(f"() => {where}.parentElement.firstChild.toDataURL()") != before
    screen.wait("of 32: drag to see others", ".legend")
    fit.click()
    expect(fit).to_be_disabled()
    expect(screen.page.locator(".view .legend").first).not_to_contain_text("drag")


def test_hostile_text_is_text(open_view):
    screen = open_view(tokens=16, text="world")
    assert screen.page.evaluate(f"() => {ROOT}.querySelectorAll('img, script').length") == 0
    titles = " ".join(screen.page.locator(".view .chip").evaluate_all("(chips) => chips.map((chip) => chip.title)"))
    for token in WORLD[:13]:
        assert token.replace(" ", "␣").replace("\u202e", "�") in titles
    assert max(len(text) for text in screen.page.locator(".view .chip bdi").all_inner_texts()) <= 24


def test_a_phone_taps_twice(open_view):
    screen = open_view(width=390, height=844, touch=True)
    over = screen.page.locator(".view .map .over")
    over.scroll_into_view_if_needed()
    screen.mark()
    before = screen.text(".lead")
    over.tap(position={"x": 120, "y": 120})
    assert until(screen.page, lambda: screen.text(".lead") != before)
    lead = screen.text(".lead")
    screen.page.get_by_role("button", name="Zoom in").press("p")  # asks for a pin, and tells all that is chosen
    screen.wait_chosen("'query': None, 'key': None, 'pins': ((1, 2),)")
    assert len(screen.line.sent) == 1
    over.tap(position={"x": 120, "y": 120})
    assert until(screen.page, lambda: "'query': None" not in screen.chosen())
    screen.line.rest()
    assert len(screen.line.sent) == 2 and screen.text(".lead") == lead
    wide = screen.page.evaluate("() => document.documentElement.scrollWidth")
    assert wide <= 390
    small = screen.page.locator(".view button:visible").evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect().height)"
    )
    assert min(small) >= 43.5


@pytest.mark.parametrize("tokens", [32, 128, 512])
def test_hover_and_head_switch_fit_in_a_frame(open_view, tokens, capsys):
    screen = open_view(tokens=tokens, layers=2, heads=3, mask="causal")
    screen.page.evaluate(MEASURE)
    screen.mark()
    area = screen.page.locator(".view .map .over").bounding_box()
    moves = [
        [80 + (area["width"] - 180) * (step % 17) / 17, 90 + (area["height"] - 160) * (step % 23) / 23]
        for step in range(70)
    ]
    hover = np.array(screen.page.evaluate(FRAMES, [".map .over", moves]))[10:]
    assert screen.line.sent == []
    screen.heads().focus()
    switch = np.array(
        screen.page.evaluate(KEYS, ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowLeft", "ArrowUp"] * 10)
    )[6:]
    said = {
        name: [round(float(np.percentile(times, at)), 1) for at in (10, 50, 95)]
        for name, times in (("hover", hover), ("switch", switch))
    }
    with capsys.disabled():
        print(f"\n{tokens} tokens, ms of script p10 / p50 / p95: {json.dumps(said)}")
    # a busy machine stretches most of them, which is printed; those it let run must hold the frame with room
    assert said["hover"][0] <= 16 and said["switch"][0] <= 16


def test_another_head_of_512_tokens_is_fetched(open_view, capsys):
    screen = open_view(tokens=512, layers=4, heads=8, mask="causal")
    screen.mark()
    took = screen.page.evaluate(FETCH, [[1, 3], [1, 4], [1, 5], [2, 5], [2, 6], [2, 7]])
    screen.wait("layer 3, head 8 locked")
    with capsys.disabled():
        print(
            f"\n512 tokens, ms from click to a head's exact numbers: {[round(one) for one in took]}; bytes {sum(screen.line.got)}"
        )
    assert sum(screen.line.got) < 6 * 540_000 + 1_700_000, "a layer's codes come once"
