"""Fenced blocks of Markdown, for the tests that run what the documents show."""

from __future__ import annotations

import re
from typing import NamedTuple


def python_blocks(document: str) -> str:
    """The Python blocks of a document as one program; its lines stand where they stand in the document, so that an error names
    the line there."""
    lines, inside = [], False
    for line in document.splitlines():
        fence = line.startswith("```")
        if fence:
            inside = line == "```python"
        lines.append(line if inside and not fence else "")
    return "\n".join(lines) + "\n"


def section(document: str, title: str) -> str:
    """What stands under a heading of the second rank, up to the next one."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", document, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


class Changes(NamedTuple):
    """What a recipe does: files to write (path → text), edits (path, lines before, lines after), commands to run."""

    files: dict[str, str]
    edits: list[tuple[str, str, str]]
    commands: list[str]


def changes(recipe: str) -> Changes:
    """The fenced blocks of a recipe. The file of a block is the last one that stood alone on a line before it, in backquotes.

    A python block is a whole new file. A diff block shows lines of the file as they stand and, with a plus, those to be added.
    A console block holds commands.
    """
    made, path, kind, lines = Changes({}, [], []), "", "", list[str]()
    for line in recipe.splitlines():
        if line.startswith("```"):
            if kind == "python":
                made.files[path] = "\n".join(lines) + "\n"
            elif kind == "diff":
                before = [one[1:] for one in lines if not one.startswith("+")]
                made.edits.append((path, "\n".join(before) + "\n", "\n".join(one[1:] for one in lines) + "\n"))
            elif kind == "console":
                made.commands.extend(lines)
            kind, lines = "" if kind else line[3:], []
        elif kind:
            lines.append(line)
        elif found := re.fullmatch(r"`(\S+)`", line):
            path = found[1]
    return made
