"""Sentences from a hand-written grammar (assets/data/grammar.txt, where the notation is explained)."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

from core.paths import DATA

GRAMMAR = DATA / "grammar.txt"
WORDS = range(3, 15)  # allowed sentence lengths, in words
REPEATED = re.compile(r"\b(\w+) \1\b", re.I)

# base, past, participle
IRREGULAR = {
    base: (past, participle)
    for base, past, participle in (
        row.split()
        for row in """be was been|beat beat beaten|become became become|begin began begun|break broke broken
        bring brought brought|build built built|buy bought bought|catch caught caught|choose chose chosen|come came come
        cost cost cost|cut cut cut|dig dug dug|do did done|draw drew drawn|drink drank drunk|drive drove driven
        eat ate eaten|fall fell fallen|feed fed fed|feel felt felt|find found found|fly flew flown
        forget forgot forgotten|get got gotten|give gave given|go went gone|grow grew grown|hang hung hung|have had had
        hear heard heard|hide hid hidden|hurt hurt hurt|know knew known|lay laid laid|leave left left|lie lay lain
        lose lost lost|make made made|meet met met|pay paid paid|put put put|read read read|ride rode ridden
        run ran run|say said said|see saw seen|sell sold sold|send sent sent|show showed shown|sing sang sung
        sit sat sat|sleep slept slept|speak spoke spoken|spend spent spent|stand stood stood|steal stole stolen
        swim swam swum|take took taken|teach taught taught|tell told told|think thought thought|throw threw thrown
        understand understood understood|wake woke woken|wear wore worn|win won won
        write wrote written""".replace("\n", "|").split("|")
    )
}
DOUBLED = {"forget", "begin", "prefer"}  # stressed on the last syllable; monosyllables follow the rule in _doubled
AN_BEFORE = re.compile(r"(hour|honest|heir|honor|[aeiou])", re.I)
A_BEFORE = re.compile(r"(uni|use|usu|eu|one\b|once|u-)", re.I)
POSSESSIVE = {"I": "my", "you": "your", "w": "our", "p": "their", "f": "her", "m": "his", "n": "its"}


def with_articles(text: str) -> str:
    """Write "an" before a vowel sound and "a" before other sounds."""

    def fix(match: re.Match) -> str:
        article, word = match.group(1)[0], match.group(2)
        vowel = bool(AN_BEFORE.match(word)) and not A_BEFORE.match(word)
        return f"{article}{'n' if vowel else ''} {word}"

    return re.sub(r"\b([Aa]n?) ([\w-]+)", fix, text)


def plural(noun: str) -> str:
    """The regular plural of a noun phrase: "cup of tea" → "cups of tea"."""
    head, of, rest = noun.partition(" of ")
    if re.search(r"(s|x|z|ch|sh)$", head):
        head += "es"
    elif re.search(r"[^aeiou]y$", head):
        head = head[:-1] + "ies"
    else:
        head += "s"
    return head + of + rest


def _doubled(verb: str) -> bool:
    return verb in DOUBLED or bool(re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", verb))


def third(verb: str) -> str:
    """go → goes."""
    special = {"have": "has", "be": "is"}
    if verb in special:
        return special[verb]
    if re.search(r"(s|x|z|ch|sh|o)$", verb):
        return verb + "es"
    return verb[:-1] + "ies" if re.search(r"[^aeiou]y$", verb) else verb + "s"


def past(verb: str, participle: bool = False) -> str:
    """walk → walked; see → saw, as participle seen."""
    if verb in IRREGULAR:
        return IRREGULAR[verb][participle]
    if verb.endswith("e"):
        return verb + "d"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ied"
    return verb + (verb[-1] if _doubled(verb) else "") + "ed"


def ing(verb: str) -> str:
    """make → making."""
    if verb == "lie":
        return "lying"
    if re.search(r"[^eoy]e$", verb) and verb != "be":
        return verb[:-1] + "ing"
    return verb + (verb[-1] if _doubled(verb) else "") + "ing"


class Grammar:
    """The parsed grammar. `sentence(rng, section)` gives one lower-case sentence without final stop, or "" where it is too long or
    too short. All random choices use the given generator."""

    def __init__(self, path: Path = GRAMMAR):
        self.classes: dict[str, tuple[list[tuple[str, str]], list[float]]] = {}
        self.clauses: dict[str, list[tuple[str, list[str]]]] = {}
        self.templates: dict[str, tuple[list[str], list[float]]] = {}
        lines: list[str] = []
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("  ") and lines:
                lines[-1] += " " + line.strip()
            elif line.strip() and not line.startswith("#"):
                lines.append(line.rstrip())
        section = ""
        for line in lines:
            if line.startswith("["):
                section = line[1:-1]
            elif match := re.match(r"- (?:(\d+) )?(.+)", line):
                texts, weights = self.templates.setdefault(section, ([], []))
                texts.append(match.group(2))
                weights.append(float(match.group(1) or 3))
            elif match := re.match(r"([\w.]+) = (.+)", line):
                self.classes[match.group(1)] = self._items(match.group(2))
            else:
                subject, predicates = line.split(": ", 1)
                self.clauses.setdefault(section, []).append((subject, predicates.split(" ; ")))

    @staticmethod
    def _items(text: str) -> tuple[list[tuple[str, str]], list[float]]:
        """Split a class into [(singular, plural or ""), …] and their weights."""
        items, weights = [], []
        for item in re.split(r", ", text.rstrip(", ")):
            item, _, weight = item.strip().partition("*")
            singular, _, irregular = item.partition("/")
            items.append((singular, irregular))
            weights.append(float(weight or 1))
        return items, weights

    def vocabulary(self) -> set[str]:
        """Every word that occurs in a class, as written."""
        return {w for items, _ in self.classes.values() for pair in items for text in pair
                for w in re.findall(r"[A-Za-z'-]+", re.sub(r"\{[^}]*\}|~\w", " ", text))}

    def patterns(self) -> int:
        """How many sentence templates and clause predicates there are."""
        return sum(len(t) for t, _ in self.templates.values()) + sum(
            len(p) for lines in self.clauses.values() for _, p in lines)

    def expand(self, text: str, rng: Random, rows: dict, used: set) -> str:
        """Replace alternatives, then classes, by words. rows: the row of each class. used: items that must not be repeated."""
        while "(" in text:
            text = re.sub(r"\(([^()]*)\)", lambda m: rng.choice(m.group(1).split("|")), text)
        return re.sub(r"\{([\w.]+)(?:#(\d))?\}", lambda m: self._pick(m.group(1), m.group(2), rng, rows, used), text)

    def _pick(self, name: str, column: str | None, rng: Random, rows: dict, used: set) -> str:
        many = name.endswith(".pl")
        items, weights = self.classes[name.removesuffix(".pl")]
        if column is not None:
            if name not in rows:
                rows[name] = rng.choices(items, weights)[0][0].split(":")
            return self.expand(rows[name][int(column)], rng, rows, used)
        for _ in range(20):
            item = rng.choices(items, weights)[0]
            if item[0] not in used or "{" in item[0]:
                break
        used.add(item[0])
        text, irregular = item
        if many and "{" in text:
            text = re.sub(r"\{(\w+)\}([^{]*)$", r"{\1.pl}\2", text)
        elif many:
            text = irregular or plural(text.partition("~")[0])
        return self.expand(text.partition(":")[0], rng, rows, used)

    def _subject(self, spec: str, rng: Random, rows: dict, used: set, bare: bool) -> tuple[str, str, str]:
        """A subject: (text, number "s" | "p" | "I" | "you", possessive)."""
        if not spec.startswith("@"):
            number = rng.choices(["s", "p", "I", "you"], [55, 27, 12, 4 if spec != "model" else 0])[0]
            if number in ("I", "you") and spec == "model":
                number = "s"
            if number in ("I", "you"):
                return number, number, POSSESSIVE[number]
            text = self.expand(f"{{{spec}.{number}}}", rng, rows, used)
        else:
            nouns, _, adjectives = spec[1:].partition("/")
            noun = rng.choice(nouns.split(","))
            adjective = f"{{{adjectives}}} " if adjectives and rng.random() < 0.4 else ""
            number = "s" if rng.random() < 0.7 else "p"
            if number == "s":
                head = f"{{{noun}}}" if noun in self.classes else noun
                first = rng.choices(["the ", "a ", "this ", "our "], [8, 2 if adjective else 1, 1, 1])[0]
            else:
                if noun in self.classes:
                    head = f"{{{noun}.pl}}"
                else:
                    known = {singular: many for items, _ in self.classes.values() for singular, many in items if many}
                    head = known.get(noun) or plural(noun)
                first = rng.choices(["the ", "", "two ", "some ", "many ", "these "], [5, 5 * bare, 1, 1, 1, 1])[0]
            text = self.expand(first + adjective + head, rng, rows, used)
        mark = re.search(r"~(\w)", text)
        if number == "p":
            owner = "w" if "~w" in text or text == "we" else "p"
        elif mark:
            owner = mark.group(1)
        else:
            owner = "n" if spec == "model" or (spec.startswith("@") and not spec.endswith("padj")) else rng.choice("fm")
        return text, number, POSSESSIVE[owner]

    def clause(self, rng: Random, section: str) -> str:
        """A subject and its predicate, in one of about forty finite and non-finite forms."""
        lines = self.clauses[section]
        spec, predicates = rng.choices(lines, [len(p) if not s.startswith("@") else 0.6 * len(p) for s, p in lines])[0]
        rows: dict = {}
        used: set = set()
        mode = rng.choices(list(MODES), [w for w, _ in MODES.values()])[0]
        needs = MODES[mode][1]
        people = spec.endswith("/padj") if spec.startswith("@") else spec != "model"
        thing = spec == "model" or spec.endswith(("/vehadj", "/devadj", "/progadj"))
        predicate = self.expand(rng.choice(predicates), rng, rows, used)
        stative, timed = predicate.startswith("~"), "!" in predicate
        if (stative and "active" in needs) or (not people and "people" in needs) or (thing and "living" in needs):
            return ""
        general = mode in ("present", "often", "negative", "able")
        subject, number, owner = self._subject(spec, rng, rows, used, bare=general)
        verb, _, rest = predicate.lstrip("~").replace("!", "").partition(" ")
        one = number == "s"
        parts = {"S": subject, "V": verb, "C": rest, "VS": third(verb) if one else verb, "VED": past(verb),
                 "VEN": past(verb, participle=True), "VING": ing(verb), "DOES": "does" if one else "do",
                 "HAS": "has" if one else "have", "IS": {"s": "is", "I": "am"}.get(number, "are"),
                 "WAS": "was" if one or number == "I" else "were"}
        if mode in ("please", "gerund", "itis"):
            owner = "your"
        shape = rng.choice(SHAPES[mode])
        if timed or (stative and mode == "present"):  # "gets up at noon every day" would name two times
            shape = re.sub(r" ?\{\w*(tail|lead|because)\}", "", shape)
        if not people:  # a cat does not sleep after work, and a computer does not start before dinner
            shape = shape.replace("{habtail}", "{thingtail}" if thing else "{anitail}")
        shape = re.sub(r"\[(\w+)\]", lambda m: third(m.group(1)) if one else m.group(1), shape)
        text = re.sub(r"DOES|HAS|IS|WAS|VING|VED|VEN|VS|\b[SVC]\b", lambda m: parts[m.group(0)], shape)
        text = self.expand(text, rng, rows, used)
        return text.replace("POSS", owner)

    def sentence(self, rng: Random, section: str, clause_share: float = 0.62) -> str:
        if section in self.clauses and rng.random() < clause_share:
            text = self.clause(rng, section)
        else:
            texts, weights = self.templates[section]
            text = self.expand(rng.choices(texts, weights)[0], rng, {}, set())
            text = text.replace("POSS", rng.choice(["my", "her", "his", "our"]))
        text = re.sub(r"~\w|!", "", text)
        text = with_articles(re.sub(r"\s+", " ", text).replace(" ,", ",").replace(" ?", "?").strip())
        return text if len(text.split()) in WORDS and not REPEATED.search(text) else ""


# name: (weight, what it needs). SHAPES gives the forms: S subject, V verb, C the rest.
MODES = {
    "present": (14, ""), "often": (7, ""), "past": (16, ""), "progressive": (13, "active"), "background": (3, "active"),
    "future": (10, ""), "negative": (8, ""), "negative past": (6, ""), "negative future": (2, ""),
    "negative now": (2, "active"),
    "asks": (6, ""), "asks past": (5, ""), "asks now": (3, "active"), "asks more": (3, ""), "able": (6, "active"),
    "wants": (6, "active people"), "please": (4, "active people"), "gerund": (2, "active people"),
    "itis": (3, "active people"),
    "perfect": (5, ""), "thinks": (4, ""), "because": (4, "living"), "and": (4, "active people"),
}
SHAPES = {
    "present": ["S VS C"] * 4 + ["S VS C {habtail}"] * 4,
    "often": ["S {freq} VS C"],
    "past": ["S VED C"] * 3 + ["S VED C {pasttail}"] * 3 + ["{pastlead} S VED C"] * 2,
    "progressive": ["S IS VING C"] * 4 + ["S IS VING C {nowtail}"] * 2 + ["now S IS VING C", "look , S IS VING C",
                    "S IS still VING C"],
    "background": ["S WAS VING C", "S WAS VING C when {name} came home", "S WAS VING C when it started to rain",
                   "S WAS VING C at {hour}", "S WAS VING C when the phone rang"],
    "future": ["S will V C"] * 2 + ["S will V C {futtail}"] * 3 + ["S IS going to V C"] * 2 + [
               "S IS going to V C {futtail}",
               "tomorrow S will V C", "next week S will V C", "maybe S will V C"],
    "negative": ["S DOES not V C"] * 3 + ["S DOESn't V C"] * 2 + ["S DOES not V C {habtail}", "S never VS C"],
    "negative past": ["S did not V C"] * 2 + ["S didn't V C"] * 2 + ["S did not V C {pasttail}",
                      "S didn't V C {pasttail}"],
    "negative future": ["S will not V C", "S won't V C {futtail}", "S will never V C", "S IS not going to V C"],
    "negative now": ["S IS not VING C", "S IS not VING C {nowtail}"],
    "asks": ["DOES S V C?"] * 3 + ["DOES S V C {habtail}?", "DOES S often V C?", "DOESn't S V C?"],
    "asks past": ["did S V C?"] * 3 + ["did S V C {pasttail}?"] * 2,
    "asks now": ["IS S VING C?", "IS S VING C {nowtail}?", "IS S still VING C?"],
    "asks more": ["when DOES S V C?", "why DOES S V C?", "why did S V C?", "when did S V C?", "how often DOES S V C?",
                  "will S V C?", "will S V C {futtail}?", "can S V C?", "why DOESn't S V C?"],
    "able": ["S can V C", "S can V C {habtail}", "S cannot V C", "S can't V C", "S could not V C {pasttail}",
             "S must V C", "S should V C", "S might V C {futtail}", "S should not V C", "S may V C"],
    "wants": ["S [want] to V C", "S [like] to V C", "S HAS to V C", "S [try] to V C", "S wanted to V C {pasttail}",
              "S decided to V C", "S forgot to V C", "S DOES not want to V C", "S would like to V C",
              "S had to V C {pasttail}", "S started to V C", "DOES S want to V C?", "S used to V C"],
    "please": ["please V C", "do not V C", "let us V C", "let's V C {futtail}", "don't forget to V C", "never V C",
               "V C , please", "you can V C if you want", "remember to V C"],
    "gerund": ["VING C is fun", "VING C is not easy", "VING C makes me happy", "VING C takes time",
               "VING C is a good idea", "S [love] VING C", "S enjoyed VING C"],
    "itis": ["it is fun to V C", "it is easy to V C", "it is hard to V C", "it is nice to V C", "it is time to V C",
             "it is not a good idea to V C", "it is better to V C", "it was fun to V C", "is it hard to V C?"],
    "perfect": ["S HAS VEN C", "S HAS already VEN C", "S HAS never VEN C", "S HAS just VEN C", "S HAS not VEN C yet",
                "HAS S ever VEN C?", "S HAS often VEN C"],
    "thinks": ["{think} S VS C", "{think} S DOES not V C", "I hope that S will V C", "do you think that S VS C?",
               "my {kin} said that S VED C", "I am sure that S will V C"],
    "because": ["S VS C {because}", "S IS VING C because it is {weather}", "{because} S VS C",
                "if it is {weather} , S will V C", "S DOES not V C when it is {weather}", "after {meal} S VS C",
                "before {meal} S VS C"],
    "and": ["S VED C and went home", "S VED C and smiled", "S VED C and then went to the {place}",
            "S VED C while it was raining", "S wanted to V C but it was late", "S VED C but {name} did not",
            "first S VED C", "S VED C again", "S VED C for the first time"],
}
