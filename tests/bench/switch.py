"""From a click on the page Masks to new pixels, in Chromium: the causal switch, and a stroke of the brush no one has made before.

The switch shows a run that the gallery has made already; a stroke always waits for a new one. Wall-clock time, one thread.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import core
from core.request import MaskRule, Stream
from tests.real import packages

GOAL, RATIO, TURNS = 400, 1.5, 9
LONG = "Attention lets a model look back at its input, one word after another, and weigh every one of them before it writes. "
HOSTS = "[...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]"
PAINTER = f"{HOSTS}.map(host => host.shadowRoot?.querySelector('.painter')).find(Boolean)"
CLICK = f"""act => new Promise(done => {{
  const painter = {PAINTER}, seen = painter.dataset.shown, begin = performance.now();
  if (act === "switch") document.querySelector(".st-key-causal input").click();
  else painter.querySelector(".map .over").dispatchEvent(new KeyboardEvent("keydown", {{ key: " ", bubbles: true }}));
  const look = () => painter.dataset.shown === seen ? requestAnimationFrame(look)
    : requestAnimationFrame(() => done(performance.now() - begin));
  look();
}})"""


def report() -> Iterator[str]:
    """Milliseconds to new pixels: the shipped model, and a model of 30 layers at 64 tokens beside its own forward pass."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import FLAGS, Visit, chromium_path, serving

    folder = packages.smollm2()
    with sync_playwright() as driver, serving(LOOKBACK_MODELS=str(folder.parent)) as address:
        browser = driver.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        visit = Visit(browser, address)
        for act in ("switch", "stroke"):
            found = clicks(visit, act, model="classroom", text="she reads a new book every night", stream="encoder")
            yield f"{act} → pixels, shipped model: {said(found)}, goal {GOAL} ms"
        text, forward = ready(folder)
        for act in ("switch", "stroke"):
            found = clicks(visit, act, model=f"folder:{folder.name}", text=text)
            ratio = statistics.median(found) / forward
            yield f"{act} → pixels, SmolLM2 at 64 tokens: {said(found)}, forward {forward:.0f} ms, × {ratio:.2f}, goal {RATIO}"
        browser.close()


def clicks(visit, act: str, **params: str) -> list[float]:
    """How long each of TURNS clicks took, on a page that has come to rest."""
    visit.page.set_default_timeout(300_000)
    visit.page.goto(f"{visit.address}/masks?{urlencode(params)}")
    visit.page.locator(".painter[data-shown] .map .over").focus()
    visit.page.locator(".gallery .card").first.wait_for()
    visit.page.locator(".source, .st-key-take").first.wait_for()
    visit.page.keyboard.press("End")
    found = []
    for turn in range(TURNS):
        visit.settle(".painter[data-shown]")
        if act == "stroke":
            visit.page.keyboard.press("ArrowLeft" if turn % 2 else "ArrowUp")
        found.append(visit.page.evaluate(CLICK, act))
    return found


def ready(folder: Path) -> tuple[str, float]:
    """A text of 64 tokens, and how many milliseconds one pass over it takes, its mask open."""
    lens = core.load(str(folder), device="cpu")
    ids = lens.encode(LONG * 3)[:64]
    text = lens.decode(ids)
    request = lens.request(text).with_mask(MaskRule(Stream.DECODER, "full"))
    assert len(request.target or ()) == 64
    spent = []
    for _ in range(5):
        begin = time.perf_counter()
        lens.run(request)
        spent.append(1000 * (time.perf_counter() - begin))
    return text, statistics.median(spent)


def said(found: list[float]) -> str:
    return f"{statistics.median(found):.0f} ms (worst of {len(found)}: {max(found):.0f})"
