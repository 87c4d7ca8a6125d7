"""What a mask is called, and what it did, in words. Every text from outside is escaped where it becomes HTML."""

from __future__ import annotations

from html import escape

import numpy as np

from core.request import MASKS, Stream

OWN = {"native": ("As trained", "The model’s own mask."), "yours": ("Yours", "What you painted.")}  # cards without a row in MASKS
NAMED = 3  # cells told one by one; more are counted


def title(name: str) -> str:
    """What a mask of the gallery is called."""
    return OWN[name][0] if name in OWN else MASKS[name].title


def says(name: str, width: int | None, stream: Stream) -> str:
    """What a mask of the gallery allows."""
    if name in OWN:
        return OWN[name][1]
    kind = MASKS[name]
    return ((kind.across if stream is Stream.CROSS else "") or kind.says).format(width=_tokens(width or 0))


def note(name: str, last: str) -> str:
    """A word on a mask's card; last: the last key."""
    return "" if name in OWN else MASKS[name].note.format(last=last)


def counted(native: np.ndarray, allowed: np.ndarray) -> str:
    """How many cells differ from the model as trained."""
    differ = int((native != allowed).sum())
    return f"{differ} cell" + "s" * (differ != 1)


def cells(native: np.ndarray, allowed: np.ndarray) -> str:
    """What is open, for the line under the map."""
    closed, opened = int((native & ~allowed).sum()), int((allowed & ~native).sum())
    if not closed and not opened:
        return f"This head may look where it was trained to: {int(native.sum())} of {native.size} cells."
    parts = [f"{number} {what}" for number, what in ((closed, "forbidden"), (opened, "allowed")) if number]
    return f"Against training, in this head: {' and '.join(parts)}, each marked by a dot."


def sentence(
    native: np.ndarray, allowed: np.ndarray, rows: list[str], columns: list[str], changed: bool
) -> list[str | tuple[str]]:
    """The beginning of the lead: which cells of the head in view the mask closed and opened."""
    closed, opened = np.argwhere(native & ~allowed), np.argwhere(allowed & ~native)
    if not changed:
        return [f"As trained, {int(native.sum())} of {native.size} cells of this head’s map are open"]
    if not len(closed) and not len(opened):
        return ["This head may look where it always could; the mask is on others"]
    if not len(opened) and len(closed) <= NAMED and len({int(query) for query, _ in closed}) == 1:
        said: list[str | tuple[str]] = [f"{_number(len(closed))} painted shut: “", (rows[closed[0][0]],), "” may not look at "]
        for place, (_, key) in enumerate(closed):
            said += [("", " or ", ", ")[0 if not place else 1 if place == len(closed) - 1 else 2] + "“", (columns[key],), "”"]
        return said
    parts = [f"{len(found)} of {native.size} cells {what}" for found, what in ((closed, "shut"), (opened, "opened")) if len(found)]
    return [f"{' and '.join(parts)} in this head"]


def sentences(old: str, new: str) -> str:
    """A sentence before and after, the words that differ in bold."""
    if old == new:
        return f'<p class="how">The same with and without the mask: <bdi>{escape(old) or "nothing: the text ends here"}</bdi></p>'
    before, after = old.split(), new.split()
    said = []
    for name, words, others in (("before", before, after), ("after", after, before)):
        told = " ".join(
            escape(word) if others[place : place + 1] == [word] else f"<b>{escape(word)}</b>" for place, word in enumerate(words)
        )
        said.append(f"<dt>{name}</dt><dd><bdi>{told or 'nothing: the text ends here'}</bdi></dd>")
    return f'<dl class="both">{"".join(said)}</dl>'


def points(share: float) -> str:
    """A change of a share in points of %, with its sign."""
    if abs(share) < 0.0005:
        return "less than 0.1"
    return f"{100 * share:+.1f}".replace("-", "−") if abs(share) < 0.0995 else f"{100 * share:+.0f}".replace("-", "−")


def rows_moved(total: float) -> str:
    """How many rows' worth of attention went elsewhere."""
    return "less than 0.01" if 0 < total < 0.005 else f"{total:.2f}"


def _number(count: int) -> str:
    return ("One cell", "Two cells", "Three cells")[count - 1]


def _tokens(count: int) -> str:
    return "1 token" if count == 1 else f"{count} tokens"
