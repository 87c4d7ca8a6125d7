"""Self-attention by hand in Chromium: arrows taken by mouse, touch and keys, and every number on the plane worked out again."""

import json
import re

import numpy as np
import pytest

from core.analysis.hand.worksheet import exercise
from core.export.worksheet import worksheet
from tests.browser.conftest import Visit
from tests.browser.quiet import until

DRAG = """(svg, steps) => {
  const grip = svg.querySelector(".arrow.key .hit"), box = svg.getBoundingClientRect();
  const tip = grip.getBoundingClientRect(), x = tip.left + tip.width / 2, y = tip.top + tip.height / 2, times = [];
  const send = (kind, x, y) => svg.dispatchEvent(new PointerEvent(kind, { clientX: x, clientY: y, pointerId: 77, bubbles: true, pointerType: "mouse" }));
  send("pointerdown", x, y);
  for (let n = 0; n < steps; n += 1) {
    const before = performance.now();
    send("pointermove", box.left + box.width * (0.5 + 0.4 * Math.cos(n / 9)), box.top + box.height * (0.5 + 0.4 * Math.sin(n / 7)));
    const script = performance.now() - before;
    svg.closest(".hand").getBoundingClientRect();
    times.push([script, performance.now() - before]);
  }
  send("pointerup", x, y);
  return times;
}"""  # noqa: E501


def plane(visit: Visit, **params: str):
    """The lesson, its plane drawn and the page at rest."""
    visit.page.goto(f"{visit.address}/hand")
    visit.page.locator(".hand:not(.real) .arrow.query").wait_for()
    visit.page.locator(".source").wait_for()
    visit.settle(".hand.real .arrow.query")
    return visit.page.locator(".hand:not(.real)")


def arrows(hand, kind: str) -> dict[str, list[float]]:
    """Where the arrows of a kind stand, by word, as their labels tell those who cannot see them."""
    labels = hand.locator(f".arrow.{kind}").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    plain = (label.replace("−", "-").replace("\xa0", " ") for label in labels)
    found = (re.match(r"(?:query|key|value) of (\w+): \((\S+), (\S+)\)", label) for label in plain)
    return {one[1]: [float(one[2]), float(one[3])] for one in found}


def numbers(hand) -> tuple[np.ndarray, list[float]]:
    """What the table holds, in full: [key, (q·k, score, weight)] and the output."""
    cells = hand.locator(".sums tbody tr").evaluate_all(
        "rows => rows.map(row => Array.from(row.querySelectorAll('td'), cell => JSON.parse(cell.dataset.exact)))"
    )
    return np.array([row[:3] for row in cells]), json.loads(hand.locator(".sums .result").get_attribute("data-exact"))


def spot(hand, x: float, y: float) -> tuple[float, float]:
    """Where a vector's tip lies on the screen, by the plane's own grid: its ends are ±3."""
    lines = hand.locator(".plane").first.locator("line.grid, line.axis")
    ends = lines.evaluate_all("all => all.map(one => one.getBoundingClientRect().toJSON())")
    left, right = min(end["left"] for end in ends), max(end["right"] for end in ends)
    top, bottom = min(end["top"] for end in ends), max(end["bottom"] for end in ends)
    return left + (x + 3) / 6 * (right - left), top + (3 - y) / 6 * (bottom - top)


def check(hand, chosen: int, causal: bool = False) -> None:
    """Every number of the table, and its row of the matrix, against NumPy."""
    query, keys, values = (arrows(hand, kind) for kind in ("query", "key", "value"))
    (q,), k, v = query.values(), np.array(list(keys.values())), np.array(list(values.values()))
    product = k @ np.array(q)
    power = np.exp(product / np.sqrt(2))
    if causal:
        power[chosen + 1 :] = 0
    weight = power / power.sum()
    table, output = numbers(hand)
    assert np.allclose(table.T, [product, product / np.sqrt(2), weight], atol=1e-9)
    assert np.allclose(output, weight @ v, atol=1e-9)
    printed = hand.locator(".matrix .in").all_text_contents()[chosen * len(k) : (chosen + 1) * len(k)]
    seen = chosen + 1 if causal else len(k)
    assert np.allclose([float(share) for share in printed[:seen]], 100 * weight[:seen], atol=0.5 + 1e-9)
    assert printed[seen:] == [""] * (len(k) - seen)


def test_a_drag_moves_every_number_in_the_browser_and_tells_the_server_once(visit):
    hand = plane(visit)
    check(hand, 2)
    sent, stood = len(visit.frames), arrows(hand, "key")
    tip = hand.locator(".arrow.key .hit").nth(1).bounding_box()
    visit.page.mouse.move(tip["x"] + tip["width"] / 2, tip["y"] + tip["height"] / 2)
    visit.page.mouse.down()
    for x, y in ((-0.6, 1.2), (0.6, -2.1), (2.8, 1.9)):
        visit.page.mouse.move(*spot(hand, x, y))
        assert np.allclose(arrows(hand, "key")["cat"], [x, y], atol=0.11)
        check(hand, 2)
    assert "looks most at “cat”" in hand.locator(".lead").inner_text()
    visit.page.keyboard.press("Escape")  # lets go, and nothing has happened
    assert arrows(hand, "key") == stood
    visit.page.mouse.up()
    assert len(visit.frames) == sent
    visit.page.mouse.move(*spot(hand, *stood["cat"]))
    visit.page.mouse.down()
    visit.page.mouse.move(*spot(hand, 2.8, 1.9))
    assert len(visit.frames) == sent
    visit.page.mouse.up()
    visit.page.get_by_text("Right. It gives").wait_for()  # the server heard of it, and the question is answered
    check(hand, 2)
    visit.page.wait_for_url("**plane=3.**")
    stands = arrows(hand, "key")
    visit.page.reload()  # the link is the plane
    hand.locator(".arrow.query").wait_for()
    assert arrows(hand, "key") == stands
    times = np.array(hand.locator(".plane svg").first.evaluate(DRAG, 240))
    for name, column in zip(("script alone", "script and layout"), times.T, strict=True):
        print(f"\none drag event, {name}: p50 {np.median(column):.2f} ms, p95 {np.percentile(column, 95):.2f} ms, n {len(column)}")
    check(hand, 2)


def test_keys_alone_take_arrows_pick_words_and_are_heard(visit):
    hand = plane(visit)
    hand.get_by_role("button", name="Add a word").click()
    assert list(arrows(hand, "key")) == ["the", "cat", "sleeps", "all"]
    check(hand, 2)
    visit.page.keyboard.press("1")
    check(hand, 0)
    hand.get_by_role("button", name="Causal mask").click()
    check(hand, 0, causal=True)
    for digit in "234":
        visit.page.keyboard.press(digit)
        check(hand, int(digit) - 1, causal=True)
    visit.settle(".source")
    sent = len(visit.frames)
    for _ in range(20):  # Tab comes to the first key's arrow in the end
        visit.page.keyboard.press("Tab")
        if hand.locator(".arrow.key:focus").count():
            break
    before = arrows(hand, "key")["the"]
    for key in ("ArrowUp", "Shift+ArrowRight", "ArrowRight", "ArrowDown", "ArrowUp"):
        visit.page.keyboard.press(key)
    assert np.allclose(arrows(hand, "key")["the"], [before[0] + 0.6, before[1] + 0.1])
    check(hand, 3, causal=True)
    told = hand.locator(".status")
    visit.page.wait_for_function("told => told.textContent.includes('key of the')", arg=told.element_handle())
    assert "all gives" in told.text_content() and told.get_attribute("role") == "status"
    assert until(visit.page, lambda: len(visit.frames) > sent)
    visit.settle(".source")
    assert sent < len(visit.frames) <= sent + 2  # five presses, told together
    hand.get_by_role("button", name="Reset").click()
    assert list(arrows(hand, "key")) == ["the", "cat", "sleeps"]
    check(hand, 2)


def test_a_real_head_is_looked_through_without_the_server(visit):
    plane(visit)
    real = visit.page.locator(".hand.real")
    real.locator(".arrow.query").wait_for()
    sent = len(visit.frames)
    tokens = real.locator(".words button bdi").all_inner_texts()
    for at in (0, len(tokens) - 1):
        real.locator(".words button").nth(at).click()
        table, _ = real.locator(".sums tbody tr").evaluate_all(
            "rows => rows.map(row => Array.from(row.querySelectorAll('td'), cell => JSON.parse(cell.dataset.exact)))"
        ), None
        score, _, here, own = np.array(table).T
        power = np.exp(score) * (own > 0)
        assert np.allclose(here, power / power.sum(), atol=1e-6) and own.sum() == pytest.approx(1, abs=1e-5)
        assert f"“{tokens[at]}”" in real.locator(".lead").inner_text()
    assert len(visit.frames) == sent


def test_a_finger_drags_and_the_phone_does_not_scroll_sideways(chromium, server):
    visit = Visit(chromium, server, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    hand = plane(visit)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    hit = hand.locator(".arrow.key .hit").nth(1)
    hit.scroll_into_view_if_needed()
    tip = hit.bounding_box()
    assert min(tip["width"], tip["height"]) >= 44
    for button in hand.locator("button").all():
        assert button.bounding_box()["height"] >= 43.9
    touch = visit.context.new_cdp_session(visit.page)
    x, y = tip["x"] + tip["width"] / 2, tip["y"] + tip["height"] / 2
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for part in (0.3, 0.6, 1.0):
        goal = spot(hand, 1.9, 1.3)
        at = {"x": x + part * (goal[0] - x), "y": y + part * (goal[1] - y)}
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    until(visit.page, lambda: np.allclose(arrows(hand, "key")["cat"], [1.9, 1.3], atol=0.11))
    assert np.allclose(arrows(hand, "key")["cat"], [1.9, 1.3], atol=0.11)
    check(hand, 2)
    visit.close()


def test_the_worksheet_prints_on_two_pages_of_a4(chromium):
    page = chromium.new_page()
    for number in (1, 2, 31):
        page.set_content(worksheet(exercise(number)))
        printed = page.pdf(prefer_css_page_size=True)
        boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)
        assert len(boxes) == 2
        assert all(abs(float(wide) / 72 * 25.4 - 210) < 1 and abs(float(high) / 72 * 25.4 - 297) < 1 for wide, high in boxes)
    page.close()
