"""The documents tell the truth: the map and the README's plan name what the disk has, and what is shown as code runs.

    python -m tests.test_docs            prints the map as the disk has it
    python -m tests.test_docs --write    puts it into docs/map.md, each source file in its own first sentence
"""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import PurePosixPath

import pytest

import core
from tests.blocks import python_blocks
from tests.repository import ROOT, clean, files, read

MAP = "docs/map.md"
LONGEST = 150  # lines of the README: one reads it in one go


def entry(path: str) -> str:
    """The line of the map a file belongs to: its own, or its folder's for weights, data and pictures."""
    if folder := re.match(r"assets/(weights/[^/]+|data|screenshots|fonts)/", path):
        return folder[0]
    return path


def listed(document: str) -> dict[str, str]:
    """path → words of the first fenced block of plain text."""
    block = re.search(r"^```text\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
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
    return " ".join(sentence.split()).rstrip(".")


def lines_of(entries: Iterable[str], told: dict[str, str]) -> list[str]:
    """The map's lines: each file in its own words, or else in those the map has."""
    return [f"{path:<34} {says(path) or told.get(path) or '…'}" for path in entries]


def in_order(entries: Iterable[str]) -> list[str]:
    """Reading order: the top, the library from its vocabulary up, pages, assets, documents, tests."""
    tops = ["core", "pages", "assets", "docs", "tests"]

    def rank(path: str) -> tuple[int, bool, str]:
        parts = path.split("/")
        group = tops.index(parts[0]) + 2 if parts[0] in tops else int(path.startswith("."))
        return group, len(parts) > 2, path

    return sorted(entries, key=rank)


def map_complaints(disk: Iterable[str], document: str) -> list[str]:
    there, told = {entry(path) for path in disk if (ROOT / path).stat().st_size}, listed(document)
    missing, gone = there - set(told), set(told) - there
    return [
        *(f"missing:     {line}" for line in lines_of(in_order(missing), told)),
        *(f"superfluous: {path} {told[path]}" for path in sorted(gone)),
        *(f"speechless:  {path}" for path, words in told.items() if words == "…"),
    ]


def folders(disk: Iterable[str]) -> set[str]:
    """Every folder the plan has a line for: those of the library, with one line for all pages' folders of the ui, and of assets."""
    found = set()
    for path in disk:
        folder = PurePosixPath(path).parent.parts
        if folder[:2] == ("core", "ui"):
            found |= {"core/ui", *(["/".join(folder)] if folder[2:] and not (ROOT / "pages" / f"{folder[2]}.py").is_file() else [])}
        elif folder and folder[0] in ("core", "pages", "docs", "tests"):
            found.add("/".join(folder if folder[0] == "core" else folder[:1]))
        elif folder[:1] == ("assets",) and folder[1:]:
            found.add("/".join(folder[:2]))
    return found


def plan_complaints(disk: Iterable[str], readme: str) -> list[str]:
    there, told = folders(disk), {path for path in listed(readme) if not path.endswith(".py")}
    lacks = [f"the plan lacks {path}" for path in sorted(there - told)]
    return lacks + [f"the plan names {path}, which is not there" for path in sorted(told - there)]


def links(document: str) -> list[str]:
    """The files of ours that a document points at."""
    return [target for target in re.findall(r"\]\(([^)#\s]+)\)", document) if "://" not in target]


def newest(changelog: str) -> str:
    """The version of the first heading: “## 1.2.0 (2026-11-27)” gives 1.2.0."""
    found = re.search(r"^## (\S+)", changelog, re.MULTILINE)
    return found[1] if found else ""


def test_the_map_is_the_disk() -> None:
    clean(map_complaints(files(), read(MAP)))


def test_the_plan_in_the_readme_is_the_disk() -> None:
    clean(plan_complaints(files(), read("README.md")))


def test_the_readme_is_read_in_one_go() -> None:
    assert len(read("README.md").splitlines()) <= LONGEST


def test_documents_point_at_files_that_are_there() -> None:
    documents = [path for path in files() if path.endswith(".md") and "/" not in path.removeprefix("docs/")]
    found = [(path, link) for path in documents for link in links(read(path))]
    assert len(found) > 5
    clean(f"{path}: {link} is not there" for path, link in found if not (ROOT / path).parent.joinpath(link).exists())


def test_documents_and_hooks_call_commands_that_there_are() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    spots = ("README.md", "CONTRIBUTING.md", ".pre-commit-config.yaml", ".github/workflows/test.yml")
    called = [(path, word) for path in spots for word in re.findall(r"(?:`|: | {4})make ([a-z-]+)", read(path))]
    assert {path for path, _ in called} == set(spots)
    clean(f"{path}: make {word} is not in the Makefile" for path, word in called if word not in targets)
    modules = [(path, name) for path in spots for name in re.findall(r"python -m ((?:core|tests)[\w.]*)", read(path))]
    clean(f"{path}: {name} is not there" for path, name in modules if importlib.util.find_spec(name) is None)


def test_the_version_stands_in_one_place_and_the_changelog_begins_with_it() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", core.__version__)
    assert newest(read("CHANGELOG.md")) == core.__version__


def test_the_example_of_the_readme_runs() -> None:
    found = re.search(r"```python\n(.*?)```", read("README.md"), re.DOTALL)
    assert found and len([line for line in found[1].splitlines() if line.strip()]) <= 12
    done = subprocess.run([sys.executable, "-c", found[1]], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 3


def test_the_library_by_example_runs_from_top_to_bottom(capsys: pytest.CaptureFixture[str]) -> None:
    program = python_blocks(read("docs/api.md"))
    assert program.count("assert ") > 20
    assert [name for name in core.__all__ if f"`{name}`" not in read("docs/api.md")] == []
    exec(compile(program, "docs/api.md", "exec"), {"__name__": "example"})
    exec(capsys.readouterr().out, {})  # the last lines it prints are themselves a program


def test_every_name_that_the_library_by_example_lists_is_there() -> None:
    rows = re.findall(r"^\| `(core[\w.]*)` \| (.*) \|$", read("docs/api.md"), re.MULTILINE)
    assert len(rows) > 2
    for module, said in rows:
        held = importlib.import_module(module)
        names = [name for name in re.findall(r"`(\w+)`", said) if name.isidentifier()]
        assert names and [name for name in names if not hasattr(held, name)] == [], module


def test_a_map_that_differs_from_the_disk_is_seen() -> None:
    document = "# The map\n\nwords\n\n```text\napp.py     the launcher\ncore/no_such.py     gone\nassets/data/     data\n```\n"
    found = map_complaints(["app.py", "assets/data/README.md", "core/errors.py"], document)
    assert [line.split()[:2] for line in found] == [["missing:", "core/errors.py"], ["superfluous:", "core/no_such.py"]]
    assert len(map_complaints(["app.py"], "no map")) == 1


def test_a_plan_that_differs_from_the_disk_is_seen() -> None:
    disk = ["app.py", "core/ui/main.py", "core/ui/masks/gallery.py", "core/ui/kit/charts.py", "core/engine/lens.py"]
    plan = "```text\napp.py  the launcher\ncore/ui  the app\ncore/ui/kit  parts\ncore/motor  gone\n```\n"
    assert plan_complaints(disk, plan) == ["the plan lacks core/engine", "the plan names core/motor, which is not there"]


def test_a_stray_link_and_an_old_version_are_seen() -> None:
    assert links("see [a](docs/a.md), [b](https://example.org/b), ![c](c.png)") == ["docs/a.md", "c.png"]
    assert newest("# Changelog\n\n## 0.2.0 (2026-01-01)\n\n## 0.1.0\n") == "0.2.0"


if __name__ == "__main__":
    now = read(MAP)
    block = "\n".join(lines_of(in_order({entry(path) for path in files() if (ROOT / path).stat().st_size}), listed(now)))
    if "--write" in sys.argv:
        spot = re.compile(r"(^```text\n).*?(^```)", re.MULTILINE | re.DOTALL)
        (ROOT / MAP).write_text(spot.sub(lambda found: found[1] + block + "\n" + found[2], now), encoding="utf-8")
    else:
        print(block)
