"""The files of a component joined into the one script that Streamlit takes: ES modules whose imports are followed here.

A file says `import { a, b } from "../folder/name.js";`, one line for each file that it builds on, and `export` before what
others may import; the entry file alone has an `export default`. Joined, the files share one scope: so no two of them may
declare the same name, and a name keeps the name it was exported by.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from core.figures.theme import DARK, LIGHT
from core.paths import COMPONENTS

IMPORT = re.compile(r'import \{ ([\w$]+(?:, [\w$]+)*) \} from "(\.[\w./]+)\.js";')
EXPORT = re.compile(r"export (?=(?:async )?(?:function|class|const|let)\b)")
DECLARED = re.compile(r"(?:async )?(?:function|class|const|let) ([A-Za-z_$][\w$]*)")
DEFAULT = "export default "
THEMES = "shared/themes"  # its text is written here, from core.figures.theme


class BundleError(ValueError):
    """Files that cannot be joined; says which file and why."""


@dataclass(frozen=True, slots=True)
class Module:
    """One file, named like "shared/draw". imports: (file, names) in order. text: without its import and export words."""

    name: str
    imports: tuple[tuple[str, tuple[str, ...]], ...]
    exports: frozenset[str]
    declares: tuple[str, ...]
    text: str


@cache
def script(entry: str, folder: Path = COMPONENTS) -> str:
    """The entry file and all it builds on, as one script.

    Comments and indentation stay here: a browser fetches this text with every page that shows the component.
    """
    return "\n".join(one.text for one in ordered(entry, folder) if one.text)


def ordered(entry: str, folder: Path = COMPONENTS) -> list[Module]:
    """The files that an entry file needs, each behind those it builds on. Raises BundleError."""
    found: dict[str, Module] = {}
    _follow(entry, folder, (), found)
    owner: dict[str, str] = {}
    for module in found.values():
        if module.name != entry and DEFAULT in module.text:
            raise BundleError(f"{module.name}.js: only the entry file, {entry}.js, has an export default")
        for name in module.declares:
            if name in owner:
                raise BundleError(f"{module.name}.js: {name} is declared in {owner[name]}.js too; joined, they share one scope")
            owner[name] = module.name
    return list(found.values())


def _follow(name: str, folder: Path, way: tuple[str, ...], found: dict[str, Module]) -> None:
    if name in way:
        raise BundleError(f"{name}.js: imports in a circle, {' → '.join((*way[way.index(name) :], name))}")
    if name in found:
        return
    module = read(name, folder)
    for source, names in module.imports:
        _follow(source, folder, (*way, name), found)
        for missing in sorted(set(names) - found[source].exports):
            raise BundleError(f"{name}.js: imports {missing}, which {source}.js does not export")
    found[name] = module


@cache
def read(name: str, folder: Path = COMPONENTS) -> Module:
    """One file. Raises BundleError where it is missing, or imports or exports in a way that is not understood here."""
    path = folder / f"{name}.js"
    if not path.is_file():
        raise BundleError(f"{name}.js: there is no such file")
    lines = path.read_text("utf-8").splitlines()
    imports = tuple(_imports(name, lines))
    kept = [EXPORT.sub("", line) if line.startswith("export ") else line for line in lines if not line.startswith("import ")]
    for line in kept:
        if line.startswith("export ") and not line.startswith(DEFAULT):
            raise BundleError(f"{name}.js: “{line}”: an export stands before a function, a class, a const or a let")
        if line.startswith(("const [", "const {", "let [", "let {", "var ")):
            raise BundleError(f"{name}.js: “{line}”: declare names of a whole file one by one, so that they can be told apart")
    exports = frozenset(found[1] for line in lines if EXPORT.match(line) and (found := DECLARED.search(line)))
    declares = tuple(found[1] for line in kept if (found := DECLARED.match(line)))
    return Module(name, imports, exports, declares, _themes() if name == THEMES else _bare(kept))


def _imports(name: str, lines: list[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for line in lines:
        if line.startswith("import "):
            if not (found := IMPORT.fullmatch(line)):
                raise BundleError(f"{name}.js: “{line}” is not: import {{ a, b }} from \"./file.js\";")
            yield _beside(name, found[2]), tuple(found[1].split(", "))


def _beside(name: str, address: str) -> str:
    """The file at an address, seen from another file: "../rows/rows" from "loop/loop" is "rows/rows"."""
    steps = name.split("/")[:-1]
    for step in address.split("/"):
        if step == "..":
            steps.pop()
        elif step != ".":
            steps.append(step)
    return "/".join(steps)


def _bare(lines: list[str]) -> str:
    stripped = (line.strip() for line in lines)
    return "\n".join(line for line in stripped if line and not line.startswith("//"))


def _themes() -> str:
    return f"const THEMES = {json.dumps({theme.name: asdict(theme) for theme in (LIGHT, DARK)})};"
