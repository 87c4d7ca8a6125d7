"""When a page has come to rest: the server has answered what was asked last, and the browser has drawn the answer."""

from collections.abc import Callable

from playwright.sync_api import Page, WebSocket
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests import waiting

DONE = "[data-testid=stApp][data-test-script-state=notRunning]"
FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
# every component has drawn more than its style sheet: several stand on one page, and each fetches its script by itself
MOUNTED = """() => Array.from(document.querySelectorAll("[data-testid=stBidiComponentIsolated]"), host => host.shadowRoot)
  .every(root => root && (!root.querySelector("style") || root.childElementCount > 1))"""
# nothing changes in the page, nor inside a drawing of ours, from one frame to the one after the next
STILL = """() => new Promise(done => {
  let frames = 0;
  const watch = new MutationObserver(() => { frames = 0; });
  const all = { attributes: true, characterData: true, childList: true, subtree: true };
  watch.observe(document.body, all);
  for (const host of document.querySelectorAll("[data-testid=stBidiComponentIsolated]")) {
    if (host.shadowRoot) watch.observe(host.shadowRoot, all);
  }
  const look = () => {
    frames += 1;
    if (frames < 3) return requestAnimationFrame(look);
    watch.disconnect();
    done(true);
  };
  requestAnimationFrame(look);
})"""


def until(page: Page, holds: Callable[[], object], wait: float = waiting.PATIENCE) -> bool:
    """Wait until something holds that the page cannot be asked for in one go; the page goes on meanwhile."""
    return waiting.until(holds, wait, lambda seconds: page.wait_for_timeout(1000 * seconds))


def drawn(page: Page) -> None:
    """Wait until the browser has drawn what the last gesture changed: drawings of ours change at the next frame."""
    page.wait_for_function(FRAMES)


class Line:
    """What a page and its server send each other: how many bytes each message has, and whether an answer is still to come.

    The server answers each request with a new session and its end. A run that is cut short for another is no answer.
    """

    def __init__(self, page: Page) -> None:
        self.page, self.answered = page, False
        self.sent: list[int] = []
        self.got: list[int] = []
        self.addresses: list[str] = []
        self._running = False
        page.on("websocket", self._connected)

    def _connected(self, socket: WebSocket) -> None:
        self.addresses.append(socket.url)
        self.answered = self._running = False
        socket.on("framesent", self._asked)
        socket.on("framereceived", self._told)

    def _asked(self, data: bytes | str) -> None:
        self.sent.append(len(data))
        if isinstance(data, bytes) and BackMsg.FromString(data).WhichOneof("type") == "rerun_script":
            self.answered = self._running = False

    def _told(self, data: bytes | str) -> None:
        self.got.append(len(data))
        message = ForwardMsg.FromString(data) if isinstance(data, bytes) else ForwardMsg()
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.answered, self._running = False, True
        elif kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            self.answered = self._running

    def rest(self) -> None:
        """Wait until the last request is answered and its answer is drawn."""
        assert until(self.page, lambda: self.answered), "the server did not answer"
        self.page.wait_for_selector(DONE)
        self.page.wait_for_function(MOUNTED)
        self.page.wait_for_function(STILL)
        if not self.answered:  # the page asked again while it was drawn
            self.rest()
