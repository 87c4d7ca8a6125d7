"""Files of a component joined along their imports, and what cannot be joined."""

import json
import re

import pytest

from core.figures.theme import DARK, LIGHT
from core.ui.kit import bundle
from core.ui.kit.bundle import BundleError, script

NEEDS, GIVES = 'import { b } from "./b.js";\n', "export const b = 1;\n"


@pytest.fixture
def folder(tmp_path):
    """Write files below a folder of its own; gives that folder."""

    def write(**texts):
        for name, text in texts.items():
            path = tmp_path / f"{name.replace('__', '/')}.js"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        return tmp_path

    return write


def test_each_file_stands_once_behind_those_it_builds_on(folder):
    home = folder(
        view__view=(
            '// The view.\nimport { draw } from "./draw.js";\nimport { one } from "../base/base.js";\n\n'
            "export default function () {\n  draw(one);\n}\n"
        ),
        view__draw=(
            'import { one, two } from "../base/base.js";\n\n'
            "export function draw(it) {\n  // what it is\n  return it + one + two;\n}\n"
        ),
        base__base="export const one = 1;\nexport const two = 2;\nconst own = 3;\nexport class Three { it = own }\n",
    )
    assert script("view/view", home).split("\n") == [
        "const one = 1;", "const two = 2;", "const own = 3;", "class Three { it = own }",
        "function draw(it) {", "return it + one + two;", "}",
        "export default function () {", "draw(one);", "}",
    ]  # fmt: skip


def test_the_colours_are_written_where_they_are_asked_for(folder):
    home = folder(
        shared__themes="export const THEMES = { light: {}, dark: {} };\n",
        shared__a='import { THEMES } from "./themes.js";\nexport default () => THEMES;\n',
    )
    found = json.loads(re.match(r"const THEMES = (.*);\n", script("shared/a", home))[1])
    assert found["light"]["ink"] == LIGHT.ink and found["dark"]["ink"] == DARK.ink


@pytest.mark.parametrize(
    "texts, says",
    [
        ({"a__a": NEEDS, "a__b": "export const c = 1;\n"}, r"a/a\.js: imports b, which a/b\.js does not export"),
        ({"a__a": NEEDS, "a__b": "const b = 1;\n"}, r"a/a\.js: imports b, which a/b\.js does not export"),
        ({"a__a": NEEDS}, r"a/b\.js: there is no such file"),
        ({"a__a": NEEDS + "export const a = 1;\n", "a__b": 'import { a } from "./a.js";\n' + GIVES},
         r"a/a\.js: imports in a circle, a/a → a/b → a/a"),
        ({"a__a": NEEDS + "function draw() {}\n", "a__b": GIVES + "function draw() {}\n"}, r"a/a\.js: draw is declared in a/b\.js"),
        ({"a__a": "function draw() {}\nfunction draw() {}\n"}, r"a/a\.js: draw is declared in a/a\.js too"),
        ({"a__a": NEEDS, "a__b": GIVES + "export default b;\n"}, r"a/b\.js: only the entry file, a/a\.js"),
        ({"a__a": 'import * as b from "./b.js";\n', "a__b": GIVES}, r"a/a\.js: “import \* as b"),
        ({"a__a": 'import { b as c } from "./b.js";\n', "a__b": GIVES}, r"a/a\.js: “import \{ b as c"),
        ({"a__a": 'import { b } from "package";\n'}, r"a/a\.js: “import \{ b \} from \"package\""),
        ({"a__a": "const b = 1;\nexport { b };\n"}, r"a/a\.js: “export \{ b \};”: an export stands before"),
        ({"a__a": "const [b, c] = [1, 2];\n"}, r"a/a\.js: “const \[b, c\]"),
    ],
)  # fmt: skip
def test_what_cannot_be_joined_says_which_file_and_why(folder, texts, says):
    with pytest.raises(BundleError, match=says):
        script("a/a", folder(**texts))


def test_a_script_is_joined_once():
    assert bundle.script("fill/fill") is bundle.script("fill/fill")
