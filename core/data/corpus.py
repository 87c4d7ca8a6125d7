"""The English corpus: WordNet's usage examples, and short statements made from our grammar.

    python -m core.data.corpus                       make assets/data/statements.en.txt.gz again, byte for byte
    python -m core.data.corpus --pairs FILE.tsv      copy the given English–Portuguese pairs in as well

Training reads only assets/data, through `pairs`, `statements` and `english`; sources and licences are in its README.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from random import Random

from core.data.grammar import Grammar
from core.data.typed import given_away, key
from core.paths import DATA

WORDNET, EVERYDAY, STATEMENTS = "wordnet.en-pt.tsv.gz", "everyday.en-pt.tsv.gz", "statements.en.txt.gz"
ENGLISH = {  # every source of English text → its file, and what cards and pages say of it
    "WordNet examples": (WORDNET, "real English, written by people for a dictionary"),
    "grammar statements": (STATEMENTS, "short sentences that our own grammar made"),
}
SHARES = {"everyday": 0.55, "computing": 0.25, "school": 0.20}
COUNT, SEED = 72_000, 7
# Sentences that the models' cards name as never seen: they are kept out of training, whatever their hash is.
RESERVED = (
    "the black cat sleeps on the red sofa", "the little girl reads a book in the garden",
    "my brother does not like cold soup", "where is the blue umbrella", "two white horses run in the field",
    "the teacher explains the lesson slowly", "there are three green apples on the table",
    "it is raining and my shoes are wet", "she drinks coffee with milk every morning",
    "the old man walks to the market with his dog", "our school has a big library",
    "we are going to the beach tomorrow", "the yellow bird sings in the tall tree", "do you have a small red car",
    "the students are writing a story about animals", "my grandmother made a chocolate cake yesterday",
    "the robot cannot see the wall", "the model predicts the next word", "the computer is slow because it is old",
    "the happy children play soccer in the park",
)
# Not fit for a class: usage examples about sex, cruelty and slurs, which belong in a dictionary only; and rests of its markup.
UNFIT = re.compile(
    r"\b(sex(?!t)|rap(e[ds]?|ist|ing)\b|masturbat|prostitut|whor|fuck|shit|nigger|bitch|slut|orgasm|penis|vagina"
    r"|intercourse|brothel|incest|pornogra|erotic|genital|seduc|molest|suicid|lynch|negro|faggot|bastard|copulation|sodom"
    r"|condoms?\b|nazi|hitler|exterminat|persecut|ghettoiz)|[{}]|\bn 1:", re.I)


_RESERVED = frozenset(map(key, RESERVED))


def held_out(english: str) -> bool:
    """Whether a sentence is kept out of training: one in a hundred, chosen by blake2b of its `key`, those of RESERVED, and what
    would give away a text of core.data.typed."""
    text = key(english)
    drawn = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") % 100 == 0
    return drawn or text in _RESERVED or given_away(text)


def read(name: str, data: Path = DATA) -> list[str]:
    """The lines of one gzipped text file under assets/data."""
    with gzip.open(data / name, "rt", encoding="utf-8", newline="\n") as file:
        return file.read().splitlines()


def write(path: Path, lines: Iterable[str]) -> int:
    """Write gzipped lines, without time or name in the header, so that equal lines give equal bytes. Gives the size in bytes."""
    raw = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=9) as file:
        file.write("".join(line + "\n" for line in lines).encode())
    path.write_bytes(raw.getvalue())
    return len(raw.getvalue())


def _part(split: str, english: str) -> bool:
    if split not in ("train", "held-out", "all"):
        raise ValueError(f'split is "train", "held-out" or "all", not {split!r}')
    return split == "all" or held_out(english) == (split == "held-out")


def pairs(split: str = "train", sources: Iterable[str] = (WORDNET, EVERYDAY), data: Path = DATA
          ) -> list[tuple[str, str]]:
    """[(English, Brazilian Portuguese), …] of a split ("train", "held-out", "all"), in file order. A source without a file is
    skipped, and sentences unfit for a class (UNFIT) are left out. assets/data/README.md names where the texts come from."""
    return [row for name in sources for row in _pairs(split, name, data)]


@cache
def _pairs(split: str, source: str, data: Path) -> tuple[tuple[str, str], ...]:
    """`pairs` of one source. Read once: to look through two hundred thousand sentences takes seconds."""
    rows = (line.split("\t") for line in (read(source, data) if (data / source).exists() else ()))
    return tuple((en, pt) for en, pt in rows if _part(split, en) and not UNFIT.search(en))


def statements(split: str = "train", data: Path = DATA) -> list[str]:
    """The statements made by our grammar, of a split ("train", "held-out", "all"), in file order."""
    return list(_statements(split, data))


@cache
def _statements(split: str, data: Path) -> tuple[str, ...]:
    return tuple(line for line in read(STATEMENTS, data) if _part(split, line))


def english(split: str = "train", data: Path = DATA) -> list[str]:
    """All English text of a split, each sentence once, source after source."""
    return [text for texts in english_by_source(split, data).values() for text in texts]


def english_by_source(split: str = "train", data: Path = DATA) -> dict[str, list[str]]:
    """The English text of a split by its source (a name of ENGLISH). A sentence counts once, for the first source that has it."""
    seen: set[str] = set()
    found: dict[str, list[str]] = {}
    for name, (file, _) in ENGLISH.items():
        texts = statements(split, data) if file == STATEMENTS else [en for en, _ in pairs(split, (file,), data)]
        found[name] = [text for text in dict.fromkeys(texts) if text not in seen]
        seen.update(texts)
    return found


def notes(grammar: Grammar) -> list[str]:
    """Statements like lecture notes ("gen ai is interesting domain"), about 15 for each topic. A topic prefers the words that come
    first in the grammar's rows; a model can learn this only from how often they occur."""
    tails = list(dict.fromkeys(tail for tail, _ in grammar.classes["tail"][0]))
    out: list[str] = []
    for number, (row, _) in enumerate(grammar.classes["note"][0]):
        topic, adjectives, nouns = (cell.split("|") for cell in row.split(":"))
        first, second, *_ = adjectives
        texts = [f"{first} {nouns[0]}", first, f"{second} {nouns[0]}", f"{second} {nouns[1]}", f"{first} {nouns[1]}"]
        texts += [f"{first} {nouns[0]} {tails[(number + i) % len(tails)]}" for i in range(8)]
        texts += [f"{adjectives[-1]} {nouns[-1]}"] if len(adjectives) > 2 else []
        for name in [topic[0], "Gen AI", "gen AI"] if topic[0] == "gen ai" else topic:
            out += [f"{name} is {text}" for text in texts]
    return out


def make(count: int = COUNT, seed: int = SEED, skip: Iterable[str] = (), shares: dict[str, float] | None = None,
         with_notes: bool = True, progress=None) -> list[str]:
    """`count` statements with different keys (notes: with different texts), without those whose key is in `skip`. The same seed
    gives the same statements. shares: section of the grammar → its share of the statements."""
    grammar = Grammar()
    seen = set(skip)
    lines = notes(grammar) if with_notes else []
    if len(lines) > count // 10:  # so that notes are at most a tenth of a small corpus
        lines = Random(seed).sample(lines, count // 10)
    seen.update(map(key, lines))
    room = count - len(lines)
    for section, share in (shares or SHARES).items():
        goal, made, tries = round(room * share), 0, 0
        while made < goal and tries < 50 * goal + 1000:
            tries += 1
            rng = Random(f"{seed} {section} {tries}")  # one for each try, so that a changed rule changes few other sentences
            text = grammar.sentence(rng, section)
            if not text or key(text) in seen:
                continue
            seen.add(key(text))
            lines.append(_styled(text, rng))
            made += 1
            if progress and made % 10_000 == 0:
                progress(f"{section}: {made} of {goal}")
    Random(seed).shuffle(lines)
    return lines


def _styled(text: str, rng: Random) -> str:
    """The sentence; in one case of four with a capital and a stop, as people type, else in the style of WordNet's examples."""
    if rng.random() < 0.75:
        return text
    return text[0].upper() + text[1:] + ("" if text.endswith("?") else ".")


def next_words(lines: Iterable[str], prompt: str) -> Counter:
    """How often each word follows a prompt at the beginning of a line, in any letter case. The end of a line counts as ""."""
    start = prompt.lower() + " "
    rests = ((key(line) + " ").removeprefix(start) for line in lines if (key(line) + " ").startswith(start))
    return Counter(rest.partition(" ")[0] for rest in rests)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m core.data.corpus", description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=Path, help="English–Portuguese pairs, tab-separated, to copy in")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=DATA)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.pairs:
        rows = args.pairs.read_text(encoding="utf-8").splitlines()
        print(f"{WORDNET}: {len(rows)} pairs, {write(args.out / WORDNET, rows)} bytes")
    lines = make(args.count, args.seed, progress=print)
    print(f"{STATEMENTS}: {len(lines)} statements, {write(args.out / STATEMENTS, lines)} bytes")
    for prompt in ("gen ai is", "gen ai is interesting", "machine learning is", "robotics is"):
        counts = next_words(lines, prompt)
        print(f"  {prompt} → {counts.most_common(4)} of {counts.total()}")


if __name__ == "__main__":
    main()
