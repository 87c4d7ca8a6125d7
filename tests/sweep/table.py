"""What a sweep found, as docs/families.md."""

from __future__ import annotations

import platform
from collections import defaultdict
from datetime import date
from pathlib import Path

import torch
import transformers

DOCUMENT = Path(__file__).parents[2] / "docs" / "families.md"

HEAD = """# Families

What becomes of every family that transformers knows, written by `make sweep` on {day} with transformers {version}, torch {torch},
Python {python}, on a CPU in float32. Each class is built small with random weights, saved, loaded as everybody loads a model, and
held against its own untouched eager code: whole passes of 9 and of 40 tokens with every map and every prediction, a few tokens of
writing against its own `generate`, and two texts of different lengths side by side. Weights and logits may differ by 0.001 (logits
on the scale of the largest).

A family is a name of `model_type` in a config.json, and may have several classes. Real models differ from these in size alone;
each one is also checked when it is loaded.

"""
MEANING = {
    "equal": "Watched, and every switch works.",
    "narrowed": "Watched, and every switch works; the lens says what is done otherwise.",
    "read-only": "Shown as its own code computes it; nothing in it can be changed.",
    "refused": "Refused at load, in these words.",
    "not built": "Not tried: transformers could not build it small here, or needs a package that is not installed.",
    "no text": "Refused at load: transformers has no class for it that reads ids (pictures, sound, parts of others).",
    "WRONG": "Opened, and not equal to its own code.",
    "EXCEPTION": "Failed with an error that is not one of ours.",
}


def document(found: list[dict[str, str]]) -> str:
    """The document: how many classes had each outcome, then each outcome with its classes; with the reason where there is one."""
    by = defaultdict(list)
    for finding in found:
        by[finding["outcome"]].append(finding)
    text = HEAD.format(
        day=date.today(), version=transformers.__version__, torch=torch.__version__.split("+")[0],
        python=platform.python_version(),
    )  # fmt: skip
    text += "| outcome | classes | |\n|---|---|---|\n"
    text += "".join(f"| {name} | {len(by[name])} | {words} |\n" for name, words in MEANING.items())
    for name in MEANING:
        if by[name]:
            text += f"\n## {name[0].upper()}{name[1:]}\n\n{_section(by[name])}"
    return text


def _section(found: list[dict[str, str]]) -> str:
    """The classes with the same reason stand together, those of the most classes first."""
    reasons = defaultdict(list)
    for finding in found:
        reasons[_plain(finding)].append(finding["name"] or finding["family"])
    if set(reasons) == {""}:
        return ", ".join(reasons[""]) + "\n"
    ranked = sorted(reasons.items(), key=lambda pair: (-len(pair[1]), pair[1]))
    return "".join(f"- {', '.join(names)}{f': {reason}' if reason else ''}\n" for reason, names in ranked)


def _plain(finding: dict[str, str]) -> str:
    """The reason without the name of the family, so that equal ones meet, and without what only a run knows."""
    words = finding["words"].replace(finding["family"] + ", ", "").replace(finding["family"], "it")
    return " ".join(words.split())[:200].replace("|", "\\|").replace("<", "&lt;")
