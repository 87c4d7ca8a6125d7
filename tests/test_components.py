"""The JavaScript of assets/components: linted, every component joined from its entry file, nothing written for nobody."""

from __future__ import annotations

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
