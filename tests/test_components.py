"""The JavaScript of assets/components: linted, every component joined from its entry file, nothing written for nobody."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sysconfig

from core.ui.kit import bundle
from tests.repository import ROOT, clean, read, sources

FOLDER = "assets/components/"


def scripts() -> list[str]:
    """Every script, named like "loop/loop"."""
    return [path.removeprefix(FOLDER).removesuffix(".js") for path in sources(FOLDER, suffix=".js")]


def entries() -> list[str]:
    """Those that Streamlit mounts."""
    return [name for name in scripts() if "export default" in read(f"{FOLDER}{name}.js")]


def test_the_linter_finds_nothing():
    linter = shutil.which("oxlint", path=sysconfig.get_path("scripts"))
    assert linter, "oxlint is in requirements.txt"
    found = subprocess.run([linter, "--format=unix", FOLDER], cwd=ROOT, capture_output=True, text=True)
    clean([] if found.returncode == 0 else [found.stdout + found.stderr])


def test_a_component_bears_its_folders_name_or_names_its_folder():
    mounted = {name for path in sources("core/ui/") for name in re.findall(r'= (?:component\.)?component\("([\w/]+)"', read(path))}
    assert sorted(name if "/" in name else f"{name}/{name}" for name in mounted) == sorted(entries())


def test_every_file_and_every_export_is_used():
    joined = {one.name: one for entry in entries() for one in bundle.ordered(entry)}
    clean(f"{FOLDER}{name}.js: no component is built on it" for name in scripts() if name not in joined)
    used = {(source, name) for one in joined.values() for source, names in one.imports for name in names}
    offered = [(one.name, name) for one in joined.values() for name in sorted(one.exports)]
    clean(f"{FOLDER}{source}.js: {name} is exported for nobody" for source, name in offered if (source, name) not in used)


def callbacks() -> list[tuple[str, str, str, ast.expr]]:
    """(file, component, name, what is given) of every on_NAME_change that a mounted component is given."""
    found = []
    for path in sources("core/ui/"):
        tree = ast.parse(read(path))
        mounts = {
            node.targets[0].id: node.value.args[0].value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and "component" in ast.unparse(node.value.func)
        }
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            component = mounts.get(call.func.id) if isinstance(call.func, ast.Name) else None
            for keyword in call.keywords if component else ():
                if event := re.fullmatch(r"on_(\w+)_change", keyword.arg or ""):
                    found.append((path, component, event[1], keyword.value))
    return found


def test_every_message_is_heard_and_sent_by_turns():
    """A component that tells Python of a gesture numbers it, and Python answers by number: shared/turns.js, kit/turns.py."""
    heard = callbacks()
    assert len(heard) >= 12, "the components that answer were not found"
    for path, component, name, given in heard:
        asked = isinstance(given, ast.Call) and isinstance(given.func, ast.Attribute) and given.func.attr == "hears"
        assert asked and ast.literal_eval(given.args[0]) == name, f"{path}: on_{name}_change is not turns(…).hears(“{name}”, …)"
        files = [one.name for one in bundle.ordered(f"{component}/{component}")]
        assert "shared/turns" in files, f"{component} does not count its gestures"
        said = [f"{file}.js" for file in files if re.search(rf'\bturns(\.next\(\))?\.send\("{name}"', read(f"{FOLDER}{file}.js"))]
        assert said, f"no file of {component} sends “{name}” by its turns"
    clean(
        f"{FOLDER}{name}.js: sends past shared/turns.js"
        for name in scripts()
        if re.search(r"set(Trigger|State)Value\(|\btrigger\(", read(f"{FOLDER}{name}.js")) and name != "shared/turns"
    )
