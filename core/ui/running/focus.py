"""One head of one run, ready to be drawn: what is in focus, how it reads, and what changed against the model as trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.analysis import Change, blocks, changes, focus_on, kl, logits_of, pooled, strongest, texts, verdicts
from core.figures import markup
from core.figures.distribution import Bar
from core.figures.heatmap import CLICKABLE
from core.figures.labels import divergence, label, labels, percent
from core.request import Stream
from core.trace import Tokens, Trace
from core.ui.running import verdict
from core.ui.running.scene import Scene, said
from core.ui.session.state import SAID, Choice

NEXT = 6  # candidates shown
WHOLE, BLOCKS = 384, 256  # tokens: up to WHOLE the large map shows every cell, above it BLOCKS × BLOCKS blocks


@dataclass(frozen=True, slots=True)
class Focus:
    """now is the run under the visitor's mask, native the same without; they are one object where there is no mask.

    pattern float32 and allowed bool [query, key] of the head in view; rows and columns the labels of its queries and keys.
    """

    scene: Scene
    choice: Choice
    now: Trace
    native: Trace
    pattern: np.ndarray
    allowed: np.ndarray
    queries: Tokens
    keys: Tokens
    query: int
    key: int

    @property
    def stream(self) -> Stream:
        """The stream in view, settled before anything is drawn."""
        assert self.choice.stream is not None
        return self.choice.stream

    @property
    def rows(self) -> list[str]:
        return labels(self.queries)

    @property
    def columns(self) -> list[str]:
        return labels(self.keys)

    @property
    def changed(self) -> bool:
        """Whether a mask of the visitor is at work."""
        return self.now is not self.native

    @property
    def name(self) -> str:
        """The head in view, as people count."""
        return said(self.stream, self.choice.layer, self.choice.head)

    @property
    def fills(self) -> bool:
        """Whether the model is an encoder that can say what fits at a place."""
        return self.scene.info.kind == "encoder" and self.scene.info.can_predict

    @property
    def says(self) -> bool:
        """Whether `next` has something to show: next tokens, what fits at a place, or a classifier's answer."""
        return self.scene.writes or self.fills or verdict.has_probabilities(self.scene.info)

    def drawn(self) -> tuple[Any, ...]:
        """What the large map is drawn from: pattern, allowed, rows, columns, stream, focus.

        A text of more than WHOLE tokens is pooled to blocks, each shown by its largest weight; `pooled` tells.
        """
        if not self.pooled:
            return self.pattern, self.allowed, self.rows, self.columns, self.choice.stream, (self.query, self.key)
        small = pooled(np.where(self.allowed, self.pattern, np.nan), BLOCKS)
        down, across = blocks(len(self.queries), BLOCKS), blocks(len(self.keys), BLOCKS)
        focus = int(np.searchsorted(down, self.query, "right")) - 1, int(np.searchsorted(across, self.key, "right")) - 1
        rows, columns = self.rows, self.columns
        names = [rows[i] for i in down], [columns[i] for i in across]
        return np.nan_to_num(small), ~np.isnan(small), *names, self.choice.stream, focus

    def map_says(self) -> str:
        """What is special about the map of a long text."""
        zoom = "Drag over the map to zoom in, double-click to see all of it."
        if self.pooled:
            return f"A long text: each cell shows the strongest look of its block. {zoom}"
        return zoom if self.pattern.size > CLICKABLE else ""

    @property
    def pooled(self) -> bool:
        """Whether the text is too long for a map of every cell."""
        return max(self.pattern.shape) > WHOLE

    def row(self, k: int = 8, cells: np.ndarray | None = None) -> list[Bar]:
        """What the focused query looks at, strongest first. cells: bool [query, key], the only ones told, unless the whole row
        lies outside of them; None tells all."""
        weights, may = self.pattern[self.query], self.allowed[self.query]
        if cells is not None and cells[self.query].any():
            may = may & cells[self.query]
        order = [int(key) for key in np.argsort(-weights, kind="stable") if may[key]][:k]
        names = self.columns
        return [Bar(names[key], float(weights[key])) for key in order]

    def next(self) -> list[Change]:
        """The likeliest next tokens now, with their probability before; for an encoder what fits at the focused place, for a
        classifier its likeliest answers."""
        if self.scene.info.answers is not None:
            return verdicts(self.now, self.native if self.changed else None, NEXT, self.query)
        if not self.fills:
            return changes(self.now, self.native if self.changed else None, NEXT)
        found = self.now.next_tokens(NEXT, self.query)
        ids = tuple(token.id for token in found)
        # a trace keeps the likeliest alone: what a mask brought up may not have been among them before
        past = self.scene.chances(self.native.request, self.query, ids) if self.changed else (None,) * len(ids)
        return [Change(t.id, t.text, t.probability, before) for t, before in zip(found, past, strict=True)]

    def next_bars(self) -> list[Bar]:
        """The same as rows of a picture."""
        words = self.scene.info.answers is not None
        return [Bar(change.text, change.now, change.before, words) for change in self.next()]

    def next_title(self) -> tuple[str, str]:
        """What the candidates are candidates for: a heading and its qualifier."""
        if self.scene.info.answers is not None:
            return verdict.title(self.scene.info, self.rows[self.query])
        if self.fills:
            return "What fits here", f"in place of “{self.rows[self.query]}”"
        return "Next token", f"after “{self.scene.ending()}”"

    def divergence(self) -> str | None:
        """KL(native ‖ now) of the next token in nats; None where nothing changed or no token is next."""
        before, now = logits_of(self.native), logits_of(self.now)
        if not self.changed or before is None or now is None:
            return None
        return divergence(kl(before, now))

    def mask_says(self) -> str:
        """What the switch does, or did, in words of ours."""
        stream = self.choice.stream
        others = sorted({SAID[rule.stream] for rule in self.choice.mask if rule.stream is not stream})
        also = f" A mask is on the {' and the '.join(others)}." if others else ""
        if any(rule.stream is stream for rule in self.choice.mask):
            return "Same weights, another mask. A tick on a bar: before." + also
        if stream is Stream.CROSS or len(self.queries) < 2 or self.scene.info.reason:
            return also.strip()
        if stream is Stream.DECODER and self.scene.info.causal:
            return "Switch it off: same weights, but each token also sees what comes after it." + also
        return "Switch it on: same weights, but no token sees what comes after it." + also

    def sentence(self) -> list[str | tuple[str]]:
        """The numbers of the focused cell in words, and what the mask did to the next token."""
        ours = [rule for rule in self.choice.mask if rule.stream is self.choice.stream]
        parts = markup.lead(
            self.rows[self.query], self.columns[self.key], float(self.pattern[self.query, self.key]),
            ahead=self.key > self.query and self.choice.stream is not Stream.CROSS,
            allowed=bool(self.allowed[self.query, self.key]), stream=self.stream, mask=ours[-1].name if ours else None,
        )  # fmt: skip
        if self.changed and (best := self._turned()):
            parts = [*parts[:-1], str(parts[-1]).rstrip("."), *best]
        return parts

    def turned(self) -> str:
        """How the mask moved the next token, as the end of a sentence; "" where there is no mask or no next token."""
        return "".join(part if isinstance(part, str) else part[0] for part in self._turned()) if self.changed else ""

    def next_words(self) -> list[str | tuple[str]]:
        """The next token as the end of a sentence: what the mask made of it, or what it is; a full stop where there is none."""
        if self.changed:
            return self._turned() or ["."]
        best = changes(self.now, k=1)
        return ["; the next token is “", (label(best[0].text),), "” (", (percent(best[0].now),), ")."] if best else ["."]

    def _turned(self) -> list[str | tuple[str]]:
        before, now = changes(self.native, k=1), changes(self.now, self.native, 1)
        if not before or not now:
            return []
        if before[0].id == now[0].id:
            return [
                "; the next token stays “",
                (label(now[0].text),),
                f"” ({percent(before[0].now)} → {percent(now[0].now)}).",
            ]
        return ["; the next token turns from “", (label(before[0].text),), "” to “", (label(now[0].text),), "”."]


def focus_of(scene: Scene) -> Focus:
    """Run what the visitor chose, and find what is in focus. Raises LensError."""
    scene = scene.renewed()
    choice = scene.choice
    reads = scene.info.kind == "encoder" and scene.info.can_predict
    keep = ("pattern", "predictions") if reads or scene.info.answers is not None else ("pattern",)
    native = scene.run((), keep)
    now = scene.run(choice.mask, keep) if choice.mask else native
    assert choice.stream is not None  # settled above
    attention = now.at(choice.stream, choice.layer)
    pattern, allowed = attention.head(choice.head), attention.allowed[choice.head]
    queries, keys = texts(now, choice.stream)
    query, key = focus_on(pattern, queries.special)
    if choice.cell is not None and choice.cell[0] < len(queries):
        query, wanted = choice.cell
        key = strongest(pattern, query) if wanted is None or wanted >= len(keys) else wanted
    return Focus(scene, choice, now, native, pattern, allowed, queries, keys, query, key)
