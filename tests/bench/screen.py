"""What a visitor waits for, measured in Chromium from the click to the new pixels of the map, and what travels for it."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from tests.bench.measure import line
from tests.real import packages

# the view's large map lies in a shadow tree; new pixels are seen the frame they are there
WATCH = """() => {
  const view = document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot;
  const look = () => {
    const canvas = view.querySelector('.map canvas');
    const all = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let sum = 0;
    for (let place = 0; place < all.length; place += 44) sum = (sum * 31 + all[place]) >>> 0;
    return sum;
  };
  const before = look();
  window.waited = new Promise((done) => document.addEventListener('pointerdown', async () => {
    const from = performance.now();
    while (look() === before && performance.now() - from < 20000) await new Promise(requestAnimationFrame);
    done(performance.now() - from);
  }, { once: true, capture: true }));
}"""
TURNS = 9
LONG = 1000


def report() -> Iterator[str]:
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import FLAGS, chromium_path, serving

    folder = packages.smollm2()
    with sync_playwright() as driver, serving(LOOKBACK_MODELS=str(folder.parent)) as address:
        browser = driver.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        for model, text, stream in (
            ("classroom", "the cat sits on the mat", "encoder"),
            ("classroom", "gen ai is", "decoder"),
            ("translator", "the black cat sleeps on the red sofa", "encoder"),
        ):
            times = clicks(browser, address, model=model, text=text, stream=stream)
            what = f"{model}, {stream}: click on the causal switch to new pixels, p50 / p95"
            yield said(what, times, 400)
        yield from guest(browser, address, folder)
        browser.close()


def clicks(browser: Any, address: str, **params: str) -> list[float]:
    """Milliseconds from each of TURNS clicks on the causal switch to the next pixels; the first two are left out, since every
    run of a text is computed once: each turn asks about another text."""
    from tests.browser.conftest import Visit

    visit = Visit(browser, address).open("attention", **params)
    times = []
    for turn in range(TURNS):
        begins = f"{'abcdefghi'[turn]} "  # before the text: after it, a model may have nothing left to write
        visit.type(begins + params["text"])
        visit.page.wait_for_function("begins => new URLSearchParams(location.search).get('text').startsWith(begins)", arg=begins)
        visit.settle()
        visit.page.evaluate(WATCH)
        visit.page.locator(".st-key-causal label").click()
        times.append(float(visit.page.evaluate("() => window.waited")))
        visit.settle()
        visit.page.locator(".st-key-causal label").click()
        visit.settle()
    visit.close()
    return times[2:]


def guest(browser: Any, address: str, folder: Path) -> Iterator[str]:
    """SmolLM2 (30 layers × 9 heads): the switch at about 64 tokens beside its forward pass, and a text of about 1,000."""
    from core import MaskRule, Stream, load
    from tests.browser.conftest import Visit

    lens = load(str(folder))
    words = ("the cat sits on the mat and the dog reads a new book every night " * 80).split()
    text = " ".join(words[:60])
    request = lens.request(text)
    forward = []
    for _ in range(5):
        begin = time.perf_counter()
        lens.run(request.with_mask(MaskRule(Stream.DECODER, "full")))
        forward.append(1000 * (time.perf_counter() - begin))
    times = clicks(browser, address, model=f"folder:{folder.name}", text=text)
    base = statistics.median(forward)
    yield said(f"SmolLM2, {len(request.target or ())} tokens: the same / its forward pass", times, None, base)
    visit = Visit(browser, address)
    got: list[int] = []
    visit.page.on("websocket", lambda socket: socket.on("framereceived", lambda data: got.append(len(data))))
    begin = time.perf_counter()
    visit.open("attention", model=f"folder:{folder.name}", text="a")
    visit.type(" ".join(words[:LONG]))
    visit.page.wait_for_selector(".busy", state="attached", timeout=60_000)
    told = visit.page.locator(".busy").first.inner_text()
    begin = time.perf_counter()
    visit.page.wait_for_function(
        "document.querySelector('[data-testid=stBidiComponentIsolated]')?.shadowRoot?.querySelectorAll('.chip').length > 300",
        timeout=240_000,
    )
    visit.settle()
    took = time.perf_counter() - begin
    largest = f"largest message {max(got) / 1e6:.2f} MB"
    yield f"      {LONG} words × 30 layers × 9 heads: “{told}”; on the page {took:.1f} s later, {largest}"
    visit.close()


def said(what: str, times: list[float], goal: float | None, base: float | None = None) -> str:
    times = sorted(times)
    p50, p95 = statistics.median(times), times[min(len(times) - 1, round(0.95 * len(times)))]
    if goal is None and base is not None:
        return line("4", what, f"{p50:.0f} ms", f"{base:.0f} ms", p50 / base, "≤ 1.5", p50 <= 1.5 * base)
    assert goal is not None
    return line("4", what, f"{p50:.0f} ms", f"{p95:.0f} ms", p50 / goal, "≤ 1", p50 <= goal)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    for row in report():
        print(row, flush=True)
