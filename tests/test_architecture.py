"""The shape of the repository, held by reading it: import directions, dangerous calls, dependencies, what lies where.

Each rule is a function from text to a list of complaints, and each is shown a violation, for a rule that cannot fail holds nothing.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions

import pytest

from tests.repository import ROOT, clean, files, read, sources

TOP = {"README.md", "requirements.txt", "app.py", "pages", "core", "assets", "tests", "Makefile", "LICENSE", "NOTICE"}
TOP |= {"docs", "CONTRIBUTING.md", "CHANGELOG.md"}
TOP |= {"pyproject.toml"}  # tool configuration; dotfiles are free

VOCABULARY = (  # each may import those before it
    "core.paths", "core.brief", "core.errors", "core.checks", "core.sites", "core.masks", "core.interventions", "core.request",
    "core.request_json", "core.tokens", "core.attention", "core.answer", "core.saving", "core.frame", "core.trace", "core.inside",
)  # fmt: skip
OFFLINE = ("core.data", "core.training", "core.evaluation")  # what made the weights and data that ship; the app imports none
LIBRARY = ("core.engine", "core.model", "core.analysis", "core.figures", "core.export")  # what the app is made of
SHELVES = ("core.ui.session", "core.ui.running", "core.ui.kit", "core.ui.shell")  # of the app, each over those before it
MAY_IMPORT = {  # layer → what of ours it may import, beside itself and the vocabulary
    **{name: VOCABULARY[:n] for n, name in enumerate(VOCABULARY)},
    "core": ("core.engine",),
    "core.model": (),
    "core.data": ("core.model",),
    "core.training": ("core.model", "core.data"),
    "core.evaluation": ("core.model", "core.data", "core.training", "core.engine", "core.analysis"),
    "core.engine": ("core.model",),
    "core.analysis": (),
    "core.figures": ("core.analysis",),
    "core.export": ("core.analysis",),
    "core.ui": ("core", *LIBRARY, *SHELVES),  # a page's own folder
    **{name: ("core", *LIBRARY, *SHELVES[:n]) for n, name in enumerate(SHELVES)},
    "core.ui.warm": ("core", *LIBRARY, "core.ui"),
    "core.ui.main": ("core", *LIBRARY, *SHELVES),
    "pages": ("core.ui", "core.figures", "core.analysis", "core.export"),
    "app": ("core.ui",),
}
LIVES_IN = {
    "torch": ("core.model", "core.engine", *OFFLINE),
    "transformers": ("core.engine", *OFFLINE),
    "streamlit": ("core.ui", "pages", "app"),
    "starlette": ("core.ui", "pages", "app"),
}
DANGEROUS = {
    "innerHTML": "text becomes markup; use textContent",
    "outerHTML": "text becomes markup; use textContent",
    "insertAdjacentHTML": "text becomes markup; use textContent",
    "document.write": "text becomes markup; use textContent",
    "unsafe_allow_html": "text becomes markup",
    "allow_pickle=True": "a file could run code",
    "weights_only=False": "a file could run code",
    "trust_remote_code=True": "a model could run code",
    "torch.load(": "a file could run code; read safetensors",
}
RUNS_CODE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
LONGEST, LONGEST_TEST = 390, 610  # lines
THINKS = {"tests/bench/students.py"}  # it measures a class, whose students pause between two texts
OUTSIDE = "." + "./shared"  # a folder that only developers have


def module_of(path: str) -> str:
    """core/model/__init__.py → core.model."""
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def within(module: str, *parents: str) -> bool:
    return any(module == parent or module.startswith(parent + ".") for parent in parents)


def folder_of(module: str) -> str:
    """core.ui.masks.gallery → core.ui.masks: a page's folder, which no other page may use."""
    return ".".join(module.split(".")[:3])


def home(name: str) -> str:
    """Where a name that `core` re-exports really lives: load → core.engine. Other names stay in core."""
    from core import _HOME

    return _HOME.get(name, "core")


def imports(path: str, source: str) -> Iterator[tuple[int, str]]:
    """(line, dotted module) of every import, at any depth of the file, by statement or by importlib with a literal."""
    package = module_of(path) if path.endswith("__init__.py") else module_of(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *(node.module or "").split(".")]).rstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                spot = ROOT / inner.replace(".", "/")
                is_module = spot.with_suffix(".py").is_file() or (spot.is_dir() and within(base, "core", "pages", "tests"))
                yield node.lineno, inner if is_module else home(alias.name) if base == "core" else base
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


# The rules


def wrong_imports(path: str, source: str) -> list[str]:
    """DESIGN: imports go one way; torch stops at the engine, Streamlit starts at the ui; the app
    knows nothing of training; no page's folder knows another's."""
    me = module_of(path)
    layer = max((name for name in MAY_IMPORT if me == name or (name != "core" and within(me, name))), key=len, default=None)
    if layer is None:
        return [f"{path}: has no place in the layout of the repository"]
    itself = (folder_of(me),) if layer == "core.ui" else () if layer == "core" else (layer,)
    allowed = (*MAY_IMPORT[layer], *(() if layer in VOCABULARY else VOCABULARY), *itself)
    complaints = []
    for line, other in imports(path, source):
        if within(other, "core", "pages", "tests", "app"):
            # "core" itself gives what the library exports, not every module below it
            if not (other == "core" and "core" in allowed) and not within(other, *(name for name in allowed if name != "core")):
                complaints.append(f"{path}:{line}: {layer} may not import {other}")
        elif (homes := LIVES_IN.get(other.partition(".")[0])) and not within(me, *homes):
            complaints.append(f"{path}:{line}: {other} may be imported in {', '.join(homes)} only")
    return complaints


def circles(texts: Mapping[str, str]) -> list[str]:
    """No file needs, step by step, itself: one can read the files one after another, and move any of them. texts: path → source;
    imports that only a type checker follows count too."""
    paths = {module_of(path): path for path in texts}
    needs = {me: {other for _, other in imports(path, texts[path])} & paths.keys() - {me} for me, path in paths.items()}
    while ends := {me for me in needs if not needs[me]} | (needs.keys() - set().union(*needs.values())):
        needs = {me: found - ends for me, found in needs.items() if me not in ends}  # nothing below it, or nothing above
    return [f"{paths[me]}: in a circle with {', '.join(sorted(found))}" for me, found in needs.items()]


def dangerous(path: str, source: str) -> list[str]:
    """Words and calls by which outside text or files could run code."""
    lines = enumerate(source.splitlines(), 1)
    found = [f"{path}:{n}: {word}: {why}" for n, line in lines for word, why in DANGEROUS.items() if word in line]
    if path.endswith(".py"):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
                found.append(f"{path}:{node.lineno}: {node.func.id}(): outside text could run code")
        found += [f"{path}:{n}: {name} runs code" for n, name in imports(path, source) if name.split(".")[0] in RUNS_CODE]
    return found


def deaf(path: str, source: str) -> list[str]:
    """A value that a browser sends for a widget is taken through `heard` alone; and no page ends by st.stop(), after which
    Streamlit forgets what it has told the browser."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "on_change":
            means = ast.unparse(node.value)
            if means not in ("'rerun'", "'ignore'") and not re.match(r"(state\.)?heard\(", means):
                found.append(f"{path}:{node.value.lineno}: on_change={means}: wrap it in heard()")
        elif isinstance(node, ast.Attribute) and ast.unparse(node) == "st.stop":
            found.append(f"{path}:{node.lineno}: st.stop: raise trouble.PageEnds")
    return found


def outside_reads(path: str, source: str) -> list[str]:
    """Nothing may reach for a folder beside the repository."""
    pattern = re.compile(re.escape(OUTSIDE) + r"|/\s*[\"']shared[\"']")
    return [f"{path}:{n}: reaches outside" for n, line in enumerate(source.splitlines(), 1) if pattern.search(line)]


def reaches_in(path: str, source: str) -> list[str]:
    """The ui asks the lens: what a backend or a tokenizer holds has a name there, the same for every family of models."""
    pattern = re.compile(r"(?<!engine)\.backend\b|\blens\.text\b")
    return [f"{path}:{n}: asks behind the lens" for n, line in enumerate(source.splitlines(), 1) if pattern.search(line)]


def thick(path: str, source: str, most: int = 100) -> list[str]:
    count = len(source.splitlines())
    return [f"{path}: {count} lines, a page has {most} at most"] if count > most else []


def long(path: str, source: str) -> list[str]:
    """A file is one idea, read in one go: what grows beyond this holds two."""
    most = LONGEST_TEST if path.startswith("tests/") else LONGEST
    count = len(source.splitlines())
    return [f"{path}: {count} lines, a file has {most} at most; split it by idea"] if count > most else []


def crowded(paths: Iterable[str], most: int = 16) -> list[str]:
    """A folder one takes in at a glance; what grows beyond this holds two ideas."""
    counts = Counter(path.rpartition("/")[0] for path in paths if not path.endswith("/__init__.py"))
    return [f"{folder}: {n} modules, a folder has {most} at most" for folder, n in sorted(counts.items()) if n > most]


def counts_parents(path: str, source: str) -> list[str]:
    """Where files lie is known to core/paths.py alone, so that a file may move without counting the folders above it."""
    if path == "core/paths.py":
        return []
    lines = enumerate(source.splitlines(), 1)
    return [f"{path}:{n}: counts folders; core/paths.py knows them" for n, line in lines if ".parents" in line]


def fixed_waits(path: str, source: str) -> list[str]:
    """A test waits for what it needs, never for a time: a busy machine needs longer, an idle one waits in vain. Only `until`,
    which asks again and again whether something holds, may sleep."""
    tree = ast.parse(source)
    polls = {id(node) for one in ast.walk(tree) if getattr(one, "name", "") == "until" for node in ast.walk(one)}
    found = [node for node in ast.walk(tree) if id(node) not in polls and waits(node)]
    return [f"{path}:{node.lineno}: waits for a time; wait for what is needed (tests/waiting.py)" for node in found]


def waits(node: ast.AST) -> bool:
    """Whether it waits for a time: a call of sleep, a wait for an event that nobody can set, a timer in a browser's script."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and re.search(r"setTimeout\s*\(", node.value) is not None
    if not isinstance(node, ast.Call):
        return False
    called = getattr(node.func, "attr", getattr(node.func, "id", ""))
    fresh = called == "wait" and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call)
    return called in ("sleep", "wait_for_timeout") or (fresh and "Event" in ast.unparse(node.func.value))


def unmatched(paths: Iterable[str]) -> list[str]:
    """A payload and the component that draws it bear the same name."""
    paths = list(paths)
    drawn = {path.split("/")[2] for path in paths if path.startswith("assets/components/")}
    made = {path.split("/")[3].removesuffix(".py") for path in paths if re.fullmatch(r"core/figures/payloads/[^_]\w*\.py", path)}
    return [f"core/figures/payloads/{name}.py: no component of that name draws it" for name in sorted(made - drawn)]


def shadows(names: Iterable[str], packages: Iterable[str]) -> list[str]:
    """core/ui comes first on sys.path when the app runs: no module there may hide a package that someone imports."""
    return [f"core/ui/{name} hides the package {name}" for name in sorted(set(names) & set(packages))]


def misplaced(paths: Iterable[str]) -> list[str]:
    tops = {path.split("/")[0] for path in paths}
    return [f"{top}: not a name for the top of the repository" for top in sorted(tops - TOP) if not top.startswith(".")]


def pins(text: str) -> tuple[set[str], set[str], list[str]]:
    """(packages that running needs, packages for tests or kept apart, complaints) of a requirements.txt."""
    running: set[str] = set()
    other: set[str] = set()
    complaints = []
    for number, line in enumerate(text.splitlines(), 1):
        if apart := re.match(r"# (?:peer|by hand): ((?:\S+==\S+ +)+)\w", line):
            other |= {canonical(pin.split("==")[0]) for pin in apart[1].split()}
        elif line.strip() and not line.startswith("#"):
            found = re.fullmatch(r"([A-Za-z0-9._-]+)==[0-9][0-9A-Za-z.!]*\s+# (test only: )?\S.{7,}", line)
            if not found:
                complaints.append(f"requirements.txt:{number}: “{line}” is not “name==release  # why”")
            elif found[2]:
                other.add(canonical(found[1]))
            else:
                running.add(canonical(found[1]))
    return running, other, complaints


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def undeclared(path: str, source: str, declared: set[str]) -> list[str]:
    """Imports from the package index that requirements.txt does not list."""
    ours = {"core", "pages", "tests", "app", *sys.stdlib_module_names}
    complaints = []
    for line, name in imports(path, source):
        top = name.split(".")[0]
        if top not in ours and not declared & {canonical(each) for each in distributions().get(top, [top])}:
            complaints.append(f"{path}:{line}: {top} is not in requirements.txt (or only among what tests need)")
    return complaints


@cache
def distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


# The repository, held to the rules


def test_imports_go_one_way() -> None:
    clean(line for path in sources("core/", "pages/", "app.py") for line in wrong_imports(path, read(path)))


def test_no_files_import_each_other_in_a_circle() -> None:
    clean(circles({path: read(path) for path in sources("core/", "pages/", "app.py")}))


def test_no_outside_text_or_file_can_run_code() -> None:
    spots = [*sources("core/", "pages/", "app.py"), *sources("assets/", "core/", suffix=(".js", ".css", ".html", ".svg"))]
    clean(line for path in spots for line in dangerous(path, read(path)))


def test_no_widget_is_heard_but_in_the_one_way() -> None:
    clean(line for path in sources("core/ui/", "pages/") for line in deaf(path, read(path)))


def test_nothing_reads_outside_the_repository() -> None:
    spots = [*sources("core/", "pages/", "app.py", "tests/", ".ci/"), *sources("", suffix=(".toml", "Makefile", ".ci/run"))]
    clean(line for path in spots for line in outside_reads(path, read(path)))


def test_the_ui_asks_the_lens_and_nothing_behind_it() -> None:
    clean(line for path in sources("core/ui/", "pages/") for line in reaches_in(path, read(path)))


def test_no_folder_is_too_full_to_be_taken_in() -> None:
    clean(crowded(sources("core/")))


def test_one_place_knows_where_files_lie() -> None:
    clean(line for path in sources("core/", "pages/", "app.py") for line in counts_parents(path, read(path)))


def test_tests_wait_for_what_they_need() -> None:
    clean(line for path in sources("tests/") if path not in THINKS for line in fixed_waits(path, read(path)))


def test_a_payload_bears_the_name_of_its_component() -> None:
    clean(unmatched(files()))


def test_pages_are_thin() -> None:
    clean(line for path in sources("pages/") for line in thick(path, read(path)))


def test_no_file_is_too_long_to_be_one_idea() -> None:
    spots = [*sources("core/", "pages/", "tests/", "app.py", ".ci/"), *sources("assets/components/", suffix=(".js",))]
    clean(line for path in spots for line in long(path, read(path)))


def test_no_module_of_the_ui_hides_a_package() -> None:
    names = {path.split("/")[2].removesuffix(".py") for path in sources("core/ui/")} - {"__init__"}
    clean(shadows(names, {*distributions(), *sys.stdlib_module_names, "core", "pages", "tests", "assets"}))


def test_the_top_level_holds_only_what_it_should() -> None:
    clean(misplaced(files()))


def test_dependencies_are_pinned_and_explained() -> None:
    clean(pins(read("requirements.txt"))[2])


def test_every_import_is_a_declared_dependency() -> None:
    running, other, _ = pins(read("requirements.txt"))
    offline = tuple(name.replace(".", "/") for name in OFFLINE)
    clean(
        line
        for path in sources("core/", "pages/", "app.py", "tests/")
        for line in undeclared(path, read(path), running | other if path.startswith(("tests/", *offline)) else running)
    )


def test_import_core_is_light() -> None:
    """It loads a few modules of Python's own; how long that takes is a matter of the machine, how many is not."""
    code = "import sys; bare = set(sys.modules); import core; print(*set(sys.modules) - bare)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    foreign = sorted({name.partition(".")[0] for name in loaded} - {"core", *sys.stdlib_module_names})
    assert not foreign, f"import core loads {', '.join(foreign)}"
    assert "core" in loaded and len(loaded) < 60, f"import core loads {len(loaded)} modules"


# The rules, each shown a violation


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("core/request.py", "import core.engine"),
        ("core/request.py", "from core.trace import Trace"),
        ("core/masks.py", "from core.interventions import Cut"),
        ("core/errors.py", "from core import load"),
        ("core/model/multihead.py", "from core.engine.probe import Probe"),
        ("core/model/multihead.py", "from ..engine import probe"),
        ("core/model/multihead.py", "from core.training.examples import collate"),
        ("core/data/corpus.py", "from core.training import recipes"),
        ("core/training/run.py", "from core.evaluation import card"),
        ("core/engine/lens.py", "def late():\n    from core.analysis import changes"),
        ("core/engine/lens.py", "import core.evaluation"),
        ("core/engine/lens.py", "import streamlit as st"),
        ("core/analysis/patterns.py", "import torch"),
        ("core/analysis/patterns.py", "from core.figures.theme import Theme"),
        ("core/figures/heatmap.py", "import importlib\nimportlib.import_module('core.engine')"),
        ("core/figures/heatmap.py", "from core.ui import bar"),
        ("core/figures/heatmap.py", "import streamlit.components.v2"),
        ("core/ui/running/models.py", "import torch.nn.functional as F"),
        ("core/ui/running/models.py", "from core.training import recipes"),
        ("core/ui/running/models.py", "from core.ui.shell import bar"),
        ("core/ui/session/links.py", "from core.ui.running.scene import Scene"),
        ("core/ui/kit/charts.py", "from core.ui.masks import painter"),
        ("core/ui/masks/gallery.py", "from core.ui.attention import view"),
        ("core/ui/masks/gallery.py", "from core.data import corpus"),
        ("core/ui/running/models.py", "import pages.home"),
        ("core/utilities.py", "import os"),
        ("pages/home.py", "from core import load"),
        ("pages/home.py", "from core import engine"),
        ("pages/home.py", "import core.model.transformer"),
        ("pages/home.py", "import transformers"),
        ("app.py", "from core.engine import load"),
    ],
)
def test_a_wrong_import_is_seen(path: str, source: str) -> None:
    assert wrong_imports(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("core/__init__.py", "from core.engine import load as load\nfrom core.request import Request"),
        ("core/request.py", "from core.errors import MaskError"),
        ("core/training/run.py", "import torch\nfrom core.data import corpus\nfrom core.model import weights"),
        ("core/evaluation/__main__.py", "from core.training.examples import collate\nfrom core.engine import load"),
        ("core/ui/masks/gallery.py", "from core.ui.masks import painter\nfrom core.ui.shell import bar"),
        ("core/engine/lens.py", "import torch\nfrom core.model.multihead import Probe\nfrom . import probe"),
        ("core/figures/heatmap.py", "import numpy\nfrom core.analysis import changes\nfrom core import Stream"),
        ("core/ui/running/models.py", "import streamlit\nfrom core import load\nfrom core.engine import shipped"),
        ("pages/home.py", "import streamlit\nfrom core import Stream\nfrom core.ui.shell import bar\nfrom core import errors"),
        ("app.py", "import streamlit\nfrom core.ui.warm import warm"),
    ],
)
def test_a_right_import_is_let_through(path: str, source: str) -> None:
    assert wrong_imports(path, source) == []


def test_a_circle_is_seen_however_long_and_for_types_alone() -> None:
    straight = {"pages/home.py": "import core.trace", "core/trace.py": "from core import request"}
    straight |= {"core/request.py": "import core.errors", "core/errors.py": "import json"}
    assert circles(straight) == []
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from core.trace import Trace"
    for again in (typed, "def late():\n    import core.trace", "from core.trace import Trace"):
        found = circles(straight | {"core/request.py": again})
        assert [line.split(":")[0] for line in found] == ["core/trace.py", "core/request.py"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        *((path, f"x = {word}") for path in ("assets/a.js",) for word in DANGEROUS),
        ("core/a.py", "np.load(path, allow_pickle=True)"),
        ("core/a.py", "import pickle"),
        ("core/a.py", "from joblib import load"),
        ("pages/a.py", "eval('1 + 1')"),
    ],
)
def test_a_dangerous_call_is_seen(path: str, source: str) -> None:
    assert dangerous(path, source)
    assert dangerous(path, "model.eval()\ntext.content = 1\n") == []


@pytest.mark.parametrize(
    "line",
    [
        "time.sleep(0.2)",
        "sleep(pause)",
        "for _ in range(9): page.wait_for_timeout(40)",
        "compute = lambda: time.sleep(0.01) or 1",
        "threading.Event().wait(0.1)",
        "page.evaluate('new Promise(done => set" + "Timeout(done, 40))')",
    ],
)
def test_a_fixed_wait_is_seen(line: str) -> None:
    assert fixed_waits("tests/test_a.py", f"def test_a():\n    {line}")
    assert fixed_waits("tests/a.py", "def until(holds, gate):\n    gate.wait(60)\n    while not holds(): time.sleep(0.05)") == []


def test_a_widget_that_is_heard_in_another_way_is_seen() -> None:
    assert deaf("core/ui/a.py", "st.toggle('a', key=held('a', 1), on_change=turned)")
    assert deaf("core/ui/a.py", "st.stop()")
    assert deaf("core/ui/a.py", "st.toggle('a', on_change=state.heard('a', turned)); st.popover('b', on_change='rerun')") == []


def test_reads_outside_thick_pages_long_files_and_stray_names_are_seen() -> None:
    assert outside_reads("core/a.py", f"open('{OUTSIDE}/data/a.tsv')")
    assert outside_reads("core/a.py", "ROOT.parent / " + "'shared' / 'data'")
    assert outside_reads("core/a.py", "shared = Runs(); from core.ui.runs import shared") == []
    assert reaches_in("core/ui/a.py", "config = lens.backend.model.config") and reaches_in("core/ui/a.py", "lens.text.mask")
    assert reaches_in("core/ui/a.py", "config = lens.config") == []
    assert thick("pages/a.py", "\n" * 101)
    assert thick("pages/a.py", "\n" * 100) == []
    assert long("core/a.py", "\n" * (LONGEST + 1)) and long("assets/components/a/a.js", "\n" * (LONGEST + 1))
    assert long("core/a.py", "\n" * LONGEST) == long("tests/a.py", "\n" * LONGEST_TEST) == []
    assert crowded([f"core/a/m{n}.py" for n in range(17)]) and not crowded([f"core/a/m{n}.py" for n in range(16)])
    assert counts_parents("core/a/b.py", "ROOT = Path(__file__).resolve().parents[2]")
    assert counts_parents("core/paths.py", "ROOT = Path(__file__).resolve().parents[1]") == []
    assert counts_parents("core/a/b.py", "path.parent.mkdir(parents=True)") == []
    assert unmatched(["core/figures/payloads/loop.py", "assets/components/loops/loop.js"])
    assert unmatched(["core/figures/payloads/loop.py", "assets/components/loop/loop.js"]) == []
    assert shadows({"click", "bar"}, {"click", "numpy"}) == ["core/ui/click hides the package click"]
    assert misplaced(["core/a.py", "setup.py", ".ci/run"]) == ["setup.py: not a name for the top of the repository"]


@pytest.mark.parametrize("line", ["numpy  # arrays of traces", "numpy>=2  # arrays of traces", "numpy==2.4.6", "numpy==2.4.6  # x"])
def test_a_loose_or_unexplained_pin_is_seen(line: str) -> None:
    assert pins(line)[2]


def test_an_undeclared_import_is_seen() -> None:
    running, other, complaints = pins(
        "numpy==2.4.6  # arrays of traces\npytest==9.2.0  # test only: runs the tests\n# peer: bertviz==1.4.1   a view\n"
    )
    assert (running, other, complaints) == ({"numpy"}, {"pytest", "bertviz"}, [])
    assert undeclared("core/a.py", "import numpy as np\nimport json\nfrom core import load", running) == []
    assert undeclared("core/a.py", "import pytest", running)
    assert undeclared("core/a.py", "def f():\n    import no_such_package", running)
