"""Short statements with their topics, for the page Transductive learning. `python -m core.data.labelled` writes what ships.

The topic of a statement is the section of our grammar that made it. Of each section we take the first EACH different statements
that were held out of all training, without those that a class would type (core.data.typed). The random numbers are seeded with
the section's name.
"""

from __future__ import annotations

import argparse
from random import Random

from core.data import corpus
from core.data.grammar import Grammar
from core.data.typed import given_away
from core.paths import DATA

NAME = "labelled.en.tsv"
SECTIONS = ("everyday", "school", "computing")  # of assets/data/grammar.txt
EACH = 60  # statements of each section


def statements() -> list[tuple[str, str]]:
    """(section, statement), section after section."""
    grammar, found = Grammar(), []
    for section in SECTIONS:
        rng = Random(section)
        here: dict[str, None] = {}
        while len(here) < EACH:
            text = grammar.sentence(rng, section)
            if text and corpus.held_out(text) and not given_away(corpus.key(text)):
                here[text] = None
        found += [(section, text) for text in here]
    return found


def main() -> None:
    argparse.ArgumentParser(prog="python -m core.data.labelled", description=__doc__).parse_args()
    rows = "".join(f"{section}\t{text}\n" for section, text in statements())
    (DATA / NAME).write_text(rows, encoding="utf-8")


if __name__ == "__main__":
    main()
