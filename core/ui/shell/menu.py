"""The pages there are, in the order of the road: the menu and Home read them here."""

from __future__ import annotations

from core.paths import PAGES as FOLDER

_PAGES = {
    "Start": [("home", "Home")],
    "Learn": [
        ("sequence", "Sequence modelling"), ("rnn", "From RNN to attention"), ("hand", "Self-attention by hand"),
        ("encoder", "The encoder"), ("decoder", "The decoder"), ("transductive", "Transductive learning"),
    ],
    "Explore": [("attention", "Attention"), ("masks", "Masks"), ("translate", "Translate"), ("generate", "Generate")],
}  # fmt: skip
PAGES = {group: [p for p in pages if (FOLDER / f"{p[0]}.py").is_file()] for group, pages in _PAGES.items()}
