"""The app as people meet it: a server of its own on a free port, and Chromium that may talk to nothing else."""

import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests import waiting
from tests.browser.quiet import Line, until

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 1000 * waiting.PATIENCE  # ms
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    # Playwright's debugger asks where every function stands in its script: told while compiling, no script is parsed twice
    "--js-flags=--no-enable-lazy-source-positions",
    # what is not of this machine goes to a proxy that is not there; unlike a route, this leaves the browser its cache
    "--proxy-server=http://127.0.0.1:9", "--proxy-bypass-list=127.0.0.1;localhost",
]  # fmt: skip
# on a deep link Streamlit first asks below the page's own address, which answers that nothing is there
DRAWN = (  # one of these stands on every page that is done
    ".st-key-map .main-svg, .st-key-measure-map .main-svg, .trouble, .painter canvas, .theatre .chip, .loop .chip, "
    ".beams .node, .surprise .token, .fill .chip, .source"
)
EXPECTED = re.compile(r"/_stcore/(health|host-config)$")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def chromium_path() -> str:
    """A Chromium on this machine; failing with a sentence where there is none."""
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        pytest.fail(
            "These tests need Chromium: install Debian's package chromium, or set CHROMIUM to its path.", pytrace=False
        )
    return found


@contextmanager
def serving(**environment: str) -> Iterator[str]:
    """A fresh server of the app, as `make run HEADLESS=1` starts it; gives its address, stops it afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        "app.py",
        "--server.port",
        str(port),
        "--server.headless",
        "true",
    ]
    settings = {**os.environ, "LOOKBACK_THREADS": "1", "LOOKBACK_HUB": "0", **environment}
    server = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        _healthy(server, address)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def _healthy(server: subprocess.Popen, address: str) -> None:
    healthy = waiting.until(lambda: server.poll() is not None or answers(address))
    if server.poll() is not None:
        output = server.stdout.read().decode("utf-8", "replace") if server.stdout else ""
        pytest.fail(f"The server did not start:\n{output[-3000:]}", pytrace=False)
    if not healthy:
        pytest.fail(f"The server was not healthy within {waiting.PATIENCE} seconds.", pytrace=False)


def answers(address: str) -> bool:
    """Whether a Streamlit server says there that it is well."""
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
            return answer.read().strip() == b"ok"
    except OSError:
        return False


class Visit:
    """One visitor's tab. Collects what must never happen: requests that leave the machine, errors on the page."""

    def __init__(self, browser: Browser, address: str, context: BrowserContext | None = None, **options) -> None:
        self.address, self.foreign, self.errors = address, [], []
        self.context, self.owns = context, context is None
        if self.context is None:
            self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", self._seen)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._heard)
        self.line = Line(self.page)

    def _seen(self, request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname not in ("127.0.0.1", "localhost"):
            self.foreign.append(request.url)

    def _heard(self, message) -> None:
        if message.type == "error" and not EXPECTED.search(message.location.get("url", "")):
            self.errors.append(message.text)

    def open(self, page: str = "", **params: str) -> "Visit":
        query = f"?{urlencode(params)}" if params else ""
        self.page.goto(f"{self.address}/{page}{query}")
        return self.settle()

    def follow(self, address: str) -> "Visit":
        """Go to a page by its link in the menu, as visitors do: the browser keeps what it has loaded."""
        asked = len(self.frames)
        self.page.locator(f"[data-testid=stSidebarNav] a[href='{address}']").evaluate("link => link.click()")
        assert until(self.page, lambda: len(self.frames) > asked), "the menu asked for nothing"
        return self.settle()

    def settle(self, wants: str = DRAWN) -> "Visit":
        """Wait until the script is done and there is a map, or a sentence why not."""
        self.page.wait_for_selector(wants, state="attached")
        self.line.rest()
        return self

    def change(self, action) -> "Visit":
        """Do something that makes the page speak anew, and wait until it has."""
        before = self.lead
        action()
        self.page.wait_for_function(
            "was => { const lead = document.querySelector('.stHtml .lead, .trouble'); return lead && lead.innerText !== was }",
            arg=before,
        )
        return self.settle()

    def type(self, text: str) -> None:
        box = self.page.get_by_label("Text", exact=True)
        box.fill(text)
        box.press("Enter")

    @property
    def frames(self) -> list[int]:
        """The bytes of each message that the page has sent."""
        return self.line.sent

    @property
    def lead(self) -> str:
        found = self.page.locator(".stHtml .lead, .trouble").first
        return found.inner_text() if found.count() else ""

    @property
    def tokens(self) -> list[str]:
        """The text's tokens where the page writes them as chips, else the rows of the large map."""
        chips = self.page.locator(".chip bdi").all_inner_texts()
        return chips or self.page.locator(".st-key-map .ytick text").all_text_contents()

    @property
    def map(self) -> list[list[float | None]]:
        """The weights the browser holds, None where looking is forbidden."""
        return self.page.locator(".st-key-map .js-plotly-plot").evaluate(
            "plot => Array.from(plot._fullData[0].z, row => Array.from(row, cell => Number.isFinite(cell) ? cell : null))"
        )

    @property
    def view(self):
        """The attention view's own element: what is inside is in its shadow."""
        return self.page.locator("[data-testid=stBidiComponentIsolated]").first

    def bars(self, key: str = "next") -> list[str]:
        return self.page.locator(f".st-key-{key} svg text").all_text_contents()

    def click_cell(self, query: int, key: int) -> None:
        plot = self.page.locator(".st-key-map .nsewdrag[data-subplot=xy]")
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        rows, columns = len(self.map), len(self.map[0])
        x, y = box["x"] + box["width"] * (key + 0.5) / columns, box["y"] + box["height"] * (query + 0.5) / rows
        self.page.mouse.move(x, y)
        self.page.mouse.click(x, y)

    def close(self) -> None:
        """End the visit; what must never happen did not."""
        self.page.close()
        if self.owns:
            self.context.close()
        self.blameless()

    def blameless(self) -> None:
        """What must never happen did not."""
        strangers = [url for url in self.line.addresses if urlsplit(url).hostname not in ("127.0.0.1", "localhost")]
        assert [*self.foreign, *strangers] == []
        assert self.errors == []

    def anew(self) -> "Visit":
        """The tab as it was when it was opened, for another visitor."""
        self.page.goto("about:blank")
        self.page.set_viewport_size({"width": 1280, "height": 800})
        self.page.mouse.move(0, 0)
        for kept in (self.foreign, self.errors, self.line.addresses, self.line.sent, self.line.got):
            kept.clear()
        return self


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Closed at the end of its module: only one Playwright may run in a thread, and other modules start their own."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture(scope="module")
def context(chromium) -> Iterator[BrowserContext]:
    """One browser for the visits that come after each other: Streamlit's scripts are fetched once."""
    shared = chromium.new_context(viewport={"width": 1280, "height": 800})
    yield shared
    shared.close()


@pytest.fixture(scope="module")
def tab(chromium, server, context) -> Iterator[Visit]:
    """One tab for them: a new one costs as much again as a page that is not drawn by Plotly."""
    made = Visit(chromium, server, context)
    yield made
    made.page.close()


@pytest.fixture
def visit(tab) -> Iterator[Visit]:
    yield tab.anew()
    tab.blameless()


@pytest.fixture
def visits(chromium, server) -> Iterator[list[Visit]]:
    """Two visitors at once."""
    both = [Visit(chromium, server), Visit(chromium, server)]
    yield both
    for made in both:
        made.close()
