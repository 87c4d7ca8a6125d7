"""The recipes of CONTRIBUTING.md, each applied to a copy of the repository: the page opens, and what is new stands there."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from html import unescape
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.blocks import changes, section
from tests.repository import ROOT, clean, read
from tests.test_architecture import long, thick, wrong_imports

RECIPES = read("CONTRIBUTING.md")


class Copy:
    """The library and the pages once more, the assets by link, with a recipe applied."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("core", "pages"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("weights", "data"):
            (folder / "assets" / name).mkdir(parents=True)
        for path in (*(ROOT / "assets").iterdir(), *(ROOT / "assets/weights").iterdir(), *(ROOT / "assets/data").iterdir()):
            if path.name not in ("weights", "data"):
                (folder / path.relative_to(ROOT)).symlink_to(path)

    def shorten(self, lines: int = 2000) -> None:
        """Leave only the beginning of what models are trained on: reading all of it takes longer than the rest of a test."""
        for path in (self.folder / "assets/data").glob("*.gz"):
            with gzip.open(path, "rt", encoding="utf-8") as whole:
                beginning = "".join(islice(whole, lines))
            path.unlink()  # the link, not the file
            path.write_bytes(gzip.compress(beginning.encode()))

    def apply(self, title: str) -> list[str]:
        """Write a recipe's files and changes; gives its commands."""
        made = changes(section(RECIPES, title))
        assert made.files or made.edits
        for path, text in made.files.items():
            assert not (self.folder / path).exists(), f"{path} is there already"
            (self.folder / path).write_text(text, encoding="utf-8")
        for path, before, after in made.edits:
            text = (self.folder / path).read_text(encoding="utf-8")
            assert text.count(before) == 1, f"{path}: the recipe “{title}” shows where it goes by lines that are not there once"
            (self.folder / path).write_text(text.replace(before, after), encoding="utf-8")
        self.lint({*made.files, *(path for path, _, _ in made.edits)})
        return made.commands

    def lint(self, paths: set[str]) -> None:
        """What a recipe wrote keeps the rules that all code keeps."""
        for path in sorted(paths):
            text = (self.folder / path).read_text(encoding="utf-8")
            clean([*wrong_imports(path, text), *long(path, text), *(thick(path, text) if path.startswith("pages/") else [])])
        self.python("-m", "ruff", "check", "--no-cache", "--config", str(ROOT / "pyproject.toml"), *sorted(paths))

    def python(self, *arguments: str) -> str:
        """Run Python in the copy; gives what it printed."""
        env = {**os.environ, "PYTHONPATH": str(self.folder)}
        done = subprocess.run([sys.executable, *arguments], cwd=self.folder, env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def open(self, *visits: tuple[str, dict[str, str]]) -> list[dict[str, Any]]:
        """What one visitor sees on these pages, one after the other."""
        found = json.loads(self.python(str(ROOT / "tests/opened.py"), json.dumps(visits)).splitlines()[-1])
        for page in found:
            assert not page["errors"] and not [body for body in page["html"] if 'class="trouble' in body]
        return found


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def words(page: dict[str, Any], kind: str) -> list[str]:
    """The paragraphs of a class."""
    return [unescape(re.sub(r"<[^>]+>", "", body)) for body in page["html"] if f'class="{kind}' in body]


def test_every_recipe_is_tried_here_and_offered_where_ideas_are_told() -> None:
    told = re.findall(r"^## (An? .+)$", RECIPES, re.MULTILINE)
    tried = re.findall(r'copy\.apply\("(.+?)"\)', read("tests/test_recipes.py"))
    assert len(told) == 6 and tried == told
    assert all(title.lower() in read(".github/ISSUE_TEMPLATE/idea.yml") for title in told)


def test_a_mask_stands_in_the_gallery(copy: Copy) -> None:
    copy.apply("A mask")
    (page,) = copy.open(("masks", {"stream": "encoder", "text": "the cat sits on the mat"}))
    card = {card["name"]: card for card in page["json"]["lookback_mask_gallery"]["cards"]}["stride"]
    assert card["title"] == "Stride" and card["width"] == 3 and re.search(r"\b3 \w+ away", card["says"])
    apart = np.abs(np.subtract.outer(np.arange(7), np.arange(7)))
    assert card["rows"] == ["".join("1" if one % 3 == 0 else "0" for one in row) for row in apart]
    assert card["token"] and float(card["kl"].removeprefix("≈ ")) >= 0


def test_a_head_score_stands_in_the_sort_menu(copy: Copy) -> None:
    copy.apply("A head score")
    (page,) = copy.open(("attention", {"stream": "encoder", "view": "by_reach"}))
    message = base64.b64decode(page["bytes"]["lookback_attention_view"])
    header = json.loads(message[4 : 4 + int.from_bytes(message[:4], "little")])
    score = {one["name"]: one for one in header["scores"]}["reach"]
    assert score["label"] == "looks far away" and len(score["values"]) == sum(header["heads"])
    assert len(set(score["values"])) > 1 and max(score["values"]) < header["size"][1]


def test_a_model_stands_in_the_menu(copy: Copy) -> None:
    (command,) = copy.apply("A model")
    assert command.startswith("python -m core.training ")
    copy.shorten()
    copy.python(*command.split()[1:], "--steps", "2")  # enough to be written; what it learns is not the point
    (page,) = copy.open(("home", {"model": "scribe", "text": "the cat sits"}))
    assert any("Scribe" in title for offered in page["choices"] for title in offered)
    assert words(page, "lead")[0].startswith("After “")


def test_a_picture_stands_on_its_page(copy: Copy) -> None:
    copy.apply("A picture")
    (page,) = copy.open(("attention", {"stream": "encoder"}))
    assert any(heading.startswith("How far it looks") for heading in words(page, "over"))
    assert len([spec for spec in page["curves"] if "places away" in spec]) == 1


def test_a_page_stands_in_the_menu_and_opens(copy: Copy) -> None:
    copy.apply("A page")
    page, home = copy.open(("layers", {}), ("home", {}))
    assert page["titles"] == ["Layers"] and len(page["plots"]) == 9  # three layers of three streams
    assert page["menu"].index("Layers") == page["menu"].index("Attention") + 1 and "Layers" in home["links"]
    (stop,) = [stop for stop in words(home, "stop") if "spread its weight" in stop]
    assert stop.endswith("weight?opened")


def test_a_lesson_stands_on_the_road(copy: Copy) -> None:
    copy.apply("A lesson")
    page, home = copy.open(("order", {}), ("home", {}))
    assert page["titles"] == ["No order"] and len(words(page, "ask")) == 2
    assert "No order" in page["menu"]
    assert home["links"].index("No order") == home["links"].index("Transductive learning") + 1
    (stop,) = [stop for stop in words(home, "stop") if "which token comes first" in stop]
    assert "0 of 2 answered" in stop
