"""The README tells the truth: its map and the disk name the same files, its example runs.

    python -m tests.test_readme            prints the map as the disk has it
    python -m tests.test_readme --write    puts it into README.md, each source file in its own first sentence
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable

from tests.repository import ROOT, clean, files, read


def entry(path: str) -> str:
    """The line of the map a file belongs to: its own, or its folder's for weights, data and pictures."""
    if folder := re.match(r"assets/(weights/[^/]+|data|screenshots|fonts)/", path):
        return folder[0]
    return path


def mapped(readme: str) -> dict[str, str]:
    """path → words of the fenced block under “## The map”."""
    block = re.search(r"^## The map\n.*?^```text\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    lines = block[1].splitlines() if block else []
    return {found[1]: found[2] for line in lines if (found := re.match(r"(\S+)\s+(\S.*)", line))}


def says(path: str) -> str:
    """A source file's own first sentence; other files have none."""
    text = None
    if path.endswith(".py"):
        text = ast.get_docstring(ast.parse(read(path)))
    elif path.endswith((".js", ".css")):
        comment = re.match(r"\s*(?:/\*+\s*(.+?)\s*\*/|// *([^\n]+))", read(path), re.DOTALL)
        text = comment and (comment[1] or comment[2])
    sentence = re.split(r"(?<=[^.]\.)\s+(?=[A-Z“`])|\n\s*\n", (text or "").strip())[0]
    return textwrap.shorten(sentence, 120, placeholder=" …").rstrip(".")


def lines_of(entries: Iterable[str], told: dict[str, str]) -> list[str]:
    """The map's lines: each file in its own words, or else in those the map has."""
    return [f"{path:<34} {says(path) or told.get(path) or '…'}" for path in entries]


def in_order(entries: Iterable[str]) -> list[str]:
    """Reading order: the top, the library from its vocabulary up, pages, assets, tests."""
    tops = ["core", "pages", "assets", "tests"]

    def rank(path: str) -> tuple[int, bool, str]:
        parts = path.split("/")
        group = tops.index(parts[0]) + 2 if parts[0] in tops else int(path.startswith("."))
        return group, len(parts) > 2, path

    return sorted(entries, key=rank)


def map_complaints(disk: Iterable[str], readme: str) -> list[str]:
    there, told = {entry(path) for path in disk if (ROOT / path).stat().st_size}, mapped(readme)
    missing, gone = there - set(told), set(told) - there
    return [
        *(f"missing:     {line}" for line in lines_of(in_order(missing), told)),
        *(f"superfluous: {path} {told[path]}" for path in sorted(gone)),
        *(f"speechless:  {path}" for path, words in told.items() if words == "…"),
    ]


def test_the_map_in_the_readme_is_the_disk() -> None:
    clean(map_complaints(files(), read("README.md")))


def test_the_example_of_the_readme_runs() -> None:
    found = re.search(r"```python\n(.*?)```", read("README.md"), re.DOTALL)
    assert found
    done = subprocess.run([sys.executable, "-c", found[1]], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 3


def test_a_map_that_differs_from_the_disk_is_seen() -> None:
    readme = "## The map\n\nwords\n\n```text\napp.py     the launcher\ncore/no_such.py     gone\nassets/data/     data\n```\n"
    found = map_complaints(["app.py", "assets/data/README.md", "core/errors.py"], readme)
    assert [line.split()[:2] for line in found] == [["missing:", "core/errors.py"], ["superfluous:", "core/no_such.py"]]
    assert len(map_complaints(["app.py"], "no map")) == 1


if __name__ == "__main__":
    now = read("README.md")
    block = "\n".join(lines_of(in_order({entry(path) for path in files() if (ROOT / path).stat().st_size}), mapped(now)))
    if "--write" in sys.argv:
        spot = re.compile(r"(^## The map\n.*?^```text\n).*?(^```)", re.MULTILINE | re.DOTALL)
        text = spot.sub(lambda found: found[1] + block + "\n" + found[2], now)
        (ROOT / "README.md").write_text(text, encoding="utf-8")
    else:
        print(block)
