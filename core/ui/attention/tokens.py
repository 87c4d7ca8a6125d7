"""The text as the model gets it: tokens with their ids, bytes and words, and how each word came to its tokens, merge by merge."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from core.figures.labels import label
from core.trace import Tokens
from core.ui.attention.boxes import box
from core.ui.attention.parameters import MERGED, MERGES
from core.ui.kit import charts
from core.ui.running.focus import Focus
from core.ui.running.scene import Scene
from core.ui.session import state
from core.ui.session.state import heard, held

ROWS = 400  # tokens in the table
REPLAYED = 400  # characters whose merges are replayed
INSTEAD = {
    "wordpiece": (
        "This tokenizer (WordPiece, Schuster & Nakajima 2012) merges nothing: from the left it takes the longest token it "
        "knows, then goes on behind it."
    ),
    "unigram": (
        "This tokenizer (Unigram, Kudo 2018) merges nothing: of all ways to cut the text it takes the one whose tokens are "
        "together the likeliest."
    ),
    "words": "This tokenizer knows whole words only.",
    "other": "How this tokenizer cuts a word cannot be replayed here.",
}


def tokens_panel(view: Scene, it: Focus) -> None:
    """Opened on demand: the table of tokens, and the merges of one word."""
    opened = box("Tokens: ids, bytes, and how words were cut", "pieces")
    if not opened.open:
        return
    with opened:
        lens = view.lens
        texts = [
            (name, tokens)
            for name, tokens in (("Source", it.now.source), ("Target", it.now.target))
            if tokens is not None
        ]
        left, right = st.columns([520, 440], gap="medium")
        with left:
            for name, tokens in texts:
                st.html(table(name if len(texts) > 1 else "Text", tokens, lens.raw(tokens.ids)))
            charts.words(
                "<b>␣</b> is a space: it belongs to the token behind it. <b>Bytes</b> are what the token is in UTF-8, written in "
                "hexadecimal. Tokens of one word have the same word number; <b>special</b> tokens stand in no text."
            )
        with right:
            _merges(lens, it, texts)


def table(name: str, tokens: Tokens, raw: tuple[bytes, ...]) -> str:
    """A text's tokens as an HTML table: place, token, id, bytes, word."""
    rows = []
    for place, (text, id, word, special) in enumerate(
        zip(tokens.text[:ROWS], tokens.ids, tokens.word, tokens.special, strict=False)
    ):
        shown = escape(label(text, 40)) if special else visible(text)
        rows.append(
            f'<tr><td>{place + 1}</td><th scope="row"><bdi>{shown}</bdi></th><td>{id}</td>'
            f"<td>{raw[place].hex(' ').upper() or '–'}</td><td>{'special' if special else word + 1}</td></tr>"
        )
    more = f" The first {ROWS} of {len(tokens)} tokens." if len(tokens) > ROWS else ""
    head = "".join(f'<th scope="col">{word}</th>' for word in ("#", "token", "id", "bytes", "word"))
    return (
        f'<div class="table tokens" tabindex="0" role="region" aria-label="{escape(name)}: tokens"><table>'
        f"<caption>{escape(name)}: {len(tokens)} token{'s' * (len(tokens) > 1)}.{more}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def visible(token: str) -> str:
    """A token as HTML, its spaces as signs."""
    core = token.strip(" ")
    left = len(token) - len(token.lstrip(" "))
    if not core:
        return '<span class="space">' + "␣" * max(len(token), 1) + "</span>" if token else "∅"
    right = len(token) - left - len(core)
    space = '<span class="space">{}</span>'
    return (
        (space.format("␣" * left) if left else "")
        + escape(label(core, 40))
        + (space.format("␣" * right) if right else "")
    )


def _merges(lens: Any, it: Focus, texts: list[tuple[str, Tokens]]) -> None:
    charts.heading("How words were cut", "byte-pair encoding" if lens.has_tokenizer else "")
    written = " ".join(part for part in (it.choice.text, it.scene.written) if part)
    found = lens.splitting(written[:REPLAYED])
    words = list(dict.fromkeys(found.words))
    if found.kind != "bpe":
        charts.words(INSTEAD[found.kind])
        return
    if not found.known:
        charts.words("This model’s tokenizer has learnt no merges: every byte is a token of its own.")
        return
    if not words:
        charts.words("No word of this text can be replayed.")
        return
    longest = max(range(len(words)), key=lambda n: (len(words[n].ranks), len(words[n].steps[-1])))
    names = [label(word.word, 24) for word in words]
    place, done = it.choice[MERGES] or (longest, MERGED)
    place = place if place < len(words) else longest

    def picked(word: int) -> None:
        state.choose(merges=(word, MERGED))

    def merged(done: int) -> None:
        state.choose(merges=(place, done))

    with st.container(key="merge-word"):
        st.selectbox(
            "Word", range(len(words)), key=held("merge-of", place, tuple(names)), format_func=names.__getitem__,
            on_change=heard("merge-of", picked, range(len(words))),
        )  # fmt: skip
    if len(written) > REPLAYED:
        charts.words(f"Words of the first {REPLAYED} characters.")
    word = words[place]
    last = len(word.ranks)
    at = min(done, last)
    if last:
        at = st.select_slider(
            "Merges done", range(last + 1), key=held("merges", at, word), on_change=heard("merges", merged, range(last + 1)),
            help="Drag, or use the arrow keys.",
        )  # fmt: skip
    chips = "".join(
        f'<span class="word"><span class="chip"><bdi>{visible(part)}</bdi></span></span>' for part in word.steps[at]
    )
    st.html(f'<div class="texts merging"><div class="chips encoder">{chips}</div></div>')
    if not last:
        charts.words("Nothing to merge: it is one token, or no two of its parts were ever learnt as a pair.")
    elif at == 0:
        charts.words(f"It begins as {_count(len(word.steps[0]))}. Drag to see them merge.")
    else:
        before, after = word.steps[at - 1], word.steps[at]
        spot = next(n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
        pair = " + ".join(f"<bdi>“{visible(part)}”</bdi>" for part in before[spot : spot + 2])
        ends = f" It ends as {_tokens(len(after))}." if at == last else ""
        charts.words(
            f"Merge {at} of {last}: {pair}, learnt as number {word.ranks[at - 1]:,} of {found.known:,}. Pairs that were frequent "
            f"in the training text were learnt early, and go first.{ends}"
        )


def _count(number: int) -> str:
    return f"{number} byte or character" if number == 1 else f"{number} bytes or characters"


def _tokens(number: int) -> str:
    return "one token" if number == 1 else f"{number} tokens: no further pair was learnt"
