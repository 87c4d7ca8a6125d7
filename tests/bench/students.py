"""A class: thirty visitors open the page Attention at once on one server, then each types texts of their own, two seconds apart.

Over plain websockets, as a browser speaks, without thirty browsers. Each answer is held against the text that was asked: no one
may see another's. Wall-clock time: the server and its visitors share this machine.
"""

from __future__ import annotations

import json
import os
import re
import socket
import statistics
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.bench.measure import line

STUDENTS, STEPS, THINK = 30, 4, 2.0
GOAL, FIRST = 1500, 5000  # ms: 95 of 100 steps, and of first answers of a class that opens the page in the same second
SUBJECTS = ("cat", "dog", "teacher", "student", "bird", "child")
PLACES = ("mat", "sofa", "table", "chair", "bed")
END = "</s>"  # the token that closes a text the encoder reads
LATER = ("today", "now", "again", "alone", "there")


class Line:
    """A websocket (RFC 6455) to a server on this machine: what a browser's is, as far as Streamlit needs it."""

    def __init__(self, address: str) -> None:
        host = urlsplit(address).netloc
        self.socket = socket.create_connection((urlsplit(address).hostname or "", urlsplit(address).port or 80), timeout=120)
        self.stream = self.socket.makefile("rb")
        asked = (
            f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\nOrigin: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bG9va2JhY2sgbGlzdGVucw==\r\nSec-WebSocket-Protocol: streamlit\r\n\r\n"
        )
        self.socket.sendall(asked.encode())
        answer = self.stream.readline()
        assert b" 101 " in answer, answer
        while self.stream.readline().strip():
            pass

    def send(self, body: bytes, kind: int = 2) -> None:
        """One message; what a client sends is masked."""
        size = len(body)
        length = struct.pack("!B", 128 | size) if size < 126 else struct.pack("!BH", 128 | 126, size)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(body))
        self.socket.sendall(bytes([128 | kind]) + length + mask + masked)

    def receive(self) -> bytes:
        """The next message."""
        whole = b""
        while True:
            head, size = self.stream.read(2)
            if size >= 126:
                (size,) = struct.unpack("!H" if size == 126 else "!Q", self.stream.read(2 if size == 126 else 8))
            body = self.stream.read(size)
            if head & 15 == 9:  # a ping
                self.send(body, 10)
            elif head & 15 == 8:
                raise ConnectionError("the server closed the line")
            else:
                whole += body
                if head & 128:
                    return whole


@dataclass
class Student:
    """One visitor: milliseconds to the first answer and to each later one, and what was wrong."""

    number: int
    address: str
    first: float = 0.0
    steps: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    received: int = 0
    asked: str = ""  # what stands in the address

    def text(self, step: int) -> str:
        """A text that no one else types."""
        subject, place = SUBJECTS[self.number % len(SUBJECTS)], PLACES[self.number // len(SUBJECTS) % len(PLACES)]
        return f"the {subject} sits on the {place} {LATER[step % len(LATER)]}" + " again" * (step // len(LATER))

    def attend(self, start: threading.Barrier) -> None:
        """Open the page when all are there, then type."""
        line = Line(self.address)
        start.wait()
        self.first, field_id, script = self.ask(line, self.text(0), "", "")
        for step in range(1, STEPS + 1):
            time.sleep(THINK)
            took, field_id, script = self.ask(line, self.text(step), field_id, script)
            self.steps.append(took)
        line.socket.close()

    def ask(self, line: Line, text: str, field_id: str, script: str) -> tuple[float, str, str]:
        """Ask about a text; milliseconds until the script is done, the id of the text field, and the page's hash."""
        message = BackMsg()
        state = message.rerun_script
        if field_id:
            state.page_script_hash = script
            widget = state.widget_states.widgets.add()
            widget.id, widget.string_value = field_id, text
        else:
            state.page_name = "attention"
            self.asked = text
        state.query_string = urlencode({"model": "classroom", "text": self.asked, "stream": "encoder"})
        self.asked = text
        begin = time.perf_counter()
        line.send(message.SerializeToString())
        tokens: list[str] = []
        while True:
            raw = line.receive()
            self.received += len(raw)
            got = ForwardMsg.FromString(raw)
            kind = got.WhichOneof("type")
            if kind == "new_session":
                script = got.new_session.page_script_hash
            elif kind == "script_finished":
                break
            elif kind == "delta" and got.delta.WhichOneof("type") == "new_element":
                element = got.delta.new_element
                what = element.WhichOneof("type")
                if what == "text_input" and element.text_input.label == "Text":
                    field_id = element.text_input.id
                elif what == "plotly_chart" and not tokens:
                    ticks = json.loads(element.plotly_chart.spec)["layout"]["yaxis"]["ticktext"]
                    named = [unescape(re.sub(r"</?b>", "", tick)) for tick in ticks]
                    tokens = [name for name in named if name != END]
                elif what == "exception" or (what == "html" and 'class="trouble"' in element.html.body):
                    self.wrong.append(f"“{text}”: an error")
        if "".join(tokens).replace(" ", "") != text.replace(" ", ""):
            self.wrong.append(f"“{text}” was answered with the tokens {tokens}")
        return 1000 * (time.perf_counter() - begin), field_id, script


def lesson(address: str, students: int = STUDENTS) -> list[Student]:
    """A class at work; every student after it."""
    there = [Student(number, address) for number in range(students)]
    start = threading.Barrier(students)
    threads = [threading.Thread(target=student.attend, args=(start,), daemon=True) for student in there]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    for student, thread in zip(there, threads, strict=True):
        if thread.is_alive() or len(student.steps) < STEPS:
            student.wrong.append("was left without an answer")
    return there


def report() -> Iterator[str]:
    from tests.browser.conftest import serving

    with serving() as address:
        time.sleep(15)  # the teacher started it before the class came in
        before = megabytes(address)
        there = lesson(address)
        after = megabytes(address)
        steps = sorted(took for student in there for took in student.steps)
        firsts = sorted(student.first for student in there)
        for what, times, goal in (("first answer", firsts, FIRST), ("a text typed", steps, GOAL)):
            p50, p95 = statistics.median(times), times[min(len(times) - 1, round(0.95 * len(times)))]
            said = f"{STUDENTS} students at once: {what}, p50 / p95"
            yield line("9", said, f"{p50:.0f} ms", f"{p95:.0f} ms", p95 / goal, "≤ 1", p95 <= goal)
        wrong = [said for student in there for said in student.wrong]
        size = statistics.median(student.received for student in there) / (STEPS + 1) / 1000
        yield f"      wrong answers: {len(wrong)}; {size:.0f} kB an answer; the server held {before:.0f} MB, then {after:.0f} MB"
        yield from (f"      {said}" for said in wrong[:10])


def megabytes(address: str) -> float:
    """What the server of an address holds in memory now, MB; NaN where /proc does not tell."""
    port = str(urlsplit(address).port)
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if port in (status.parent / "cmdline").read_text("utf-8").split("\0"):
                return float(re.findall(r"VmRSS:\s+(\d+)", status.read_text("utf-8"))[0]) / 1000
        except (OSError, IndexError):
            continue
    return float("nan")


if __name__ == "__main__":
    for row in report():
        print(row, flush=True)
