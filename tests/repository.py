"""What lies in the repository, for the tests that hold its shape."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@cache
def files() -> tuple[str, ...]:
    """Every file of the repository that git does not ignore; without git, every file outside dot folders and caches."""
    ask = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (ROOT / ".git").exists():
        said = subprocess.run(ask, capture_output=True, check=True).stdout.decode()
        return tuple(sorted(path for path in set(said.split("\0")) if path and (ROOT / path).is_file()))
    kept = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if f in (".ci", ".streamlit") or not f.startswith((".", "__pycache__", "runs"))]
        kept += [(Path(folder) / name).relative_to(ROOT).as_posix() for name in names if not name.endswith(".pyc")]
    return tuple(sorted(kept))


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def sources(*roots: str, suffix: str = ".py") -> Iterator[str]:
    return (path for path in files() if path.endswith(suffix) and path.startswith(roots))


def clean(complaints: Iterable[str]) -> None:
    if found := list(complaints):
        pytest.fail("\n".join(found), pytrace=False)
