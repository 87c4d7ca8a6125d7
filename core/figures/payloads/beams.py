"""What the beam tree draws: every prefix that was considered, its log-probability, which lived on, and where each looked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.figures.labels import label, percent
from core.figures.payloads.rows import looks, names
from core.trace import Beam, Trace


def one_node(node: Beam) -> dict[str, Any]:
    """One node, without its looks: text, log-probabilities in nats of its token and of all so far, whether it lives on."""
    return {
        "parent": -1 if node.parent is None else node.parent, "step": node.step, "text": label(node.token.text, 14),
        "id": node.token.id, "nats": node.token.logprob, "total": node.logprob, "chance": percent(node.token.probability),
        "alive": node.alive, "ends": node.finished, "special": node.finished,
    }  # fmt: skip


def one_step(nodes: Sequence[Beam]) -> dict[str, Any]:
    """A step of the search: its nodes, and the looks of each prefix they came from, by the parent's index (-1: the prompt)."""
    views: dict[str, Any] = {}
    for node in nodes:
        key = str(-1 if node.parent is None else node.parent)
        if key not in views:
            views[key] = looks(node.trace)
    return {"nodes": [one_node(node) for node in nodes], "views": views}


def path(nodes: Sequence[dict[str, Any]], index: int) -> list[int]:
    """The nodes from the first token to this one, by index."""
    found = []
    while index >= 0:
        found.append(index)
        index = nodes[index]["parent"]
    return found[::-1]


def leaves(nodes: Sequence[dict[str, Any]], steps: int) -> list[int]:
    """What the search holds in the end, likeliest first: texts that ended, and those alive after the last of `steps`."""
    held = [n for n, node in enumerate(nodes) if node["alive"] and (node["ends"] or node["step"] == steps - 1)]
    return sorted(held, key=lambda n: -nodes[n]["total"])


def payload(prompt: Trace, steps: Sequence[dict[str, Any]], width: int, version: str) -> dict[str, Any]:
    """The whole tree. steps: as one_step gives them."""
    nodes = [node for step in steps for node in step["nodes"]]
    views = {key: view for step in steps for key, view in step["views"].items()}
    best = leaves(nodes, len(steps))
    return {
        "prompt": names(prompt.target), "source": names(prompt.source), "nodes": nodes, "views": views, "steps": len(steps),
        "width": width, "best": best[0] if best else 0, "held": best[:width], "version": version,
    }  # fmt: skip
