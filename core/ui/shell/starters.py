"""Texts to begin with: six for each kind of model, each with one line on what to look for; a test holds each to the trace.

A shipped model gets those of its task. Where its config.json says `"starters": true`, the lines are true of its weights and the
test holds them; every other model is asked the questions instead.
"""
from __future__ import annotations

from dataclasses import dataclass, field

from core.analysis.head_scores import HEAD_SCORES as SORT
from core.engine.files import shipped
from core.request import Stream
from core.trace import Trace

ENCODER, DECODER, CROSS = Stream.ENCODER, Stream.DECODER, Stream.CROSS
Seen = tuple[int, int, float]


@dataclass(frozen=True, slots=True)
class Starter:
    """A text, and what to look for in it.

    look: the line for the shipped model; ask: a question that any model of the kind can be asked. at: the stream it speaks of;
    its head is the one that shows it most clearly (`head_of`). sees: (query, key, weight at least), each the largest of its row.
    ignored: a column that all rows together give less than half of one row. next: the likeliest next token. target: what the
    decoder has written; written: what it writes by itself.
    """

    text: str
    look: str
    ask: str
    at: Stream | None = None
    sees: tuple[Seen, ...] = ()
    ignored: int | None = None
    next: str = ""
    target: str | None = None
    written: str = field(default="")


CONTINUES = (
    Starter(
        "gen ai is", "The sentence that Lookback opens with: the decoder writes “interesting”, then “domain”.",
        "The sentence that Lookback opens with: how does this model go on?", written="interesting domain",
    ),
    Starter(
        "she reads a new book every", "“a” and “new” both look ahead at “book”, the noun they belong to.",
        "Which head lets “new” look ahead at “book”?", ENCODER, ((2, 4, 0.9), (3, 4, 0.9)),
    ),
    Starter(
        "my old teacher", "Under Cross: while the decoder writes on, this head keeps reading “teacher”.",
        "Under Cross: which word of the source is read while the verb is written?", CROSS, ((1, 2, 0.6), (2, 2, 0.6)),
    ),
    Starter(
        "school starts at", "Under Cross: while the decoder writes the time, this head keeps reading “at”.",
        "Under Cross: which word of the source is read while the time is written?", CROSS, ((1, 2, 0.7), (2, 2, 0.7)),
    ),
    Starter(
        "my brother does not like cold soup", "Every token gives nearly all to the end sign: such a column is called a sink.",
        f"Sort by “{SORT['received'].says}”: which head gives nearly all to one token? Such a column is called a sink.", ENCODER,
        tuple((place, 7, 0.8) for place in range(7)),
    ),
    Starter(
        "the children play in the", "“children” and “in” give nearly everything to the verb, “play”.",
        "Which head looks at the verb?", ENCODER, ((1, 2, 0.9), (3, 2, 0.9)),
    ),
)  # fmt: skip
TRANSLATES = (
    Starter(
        "the black cat sleeps on the red sofa",
        "Noun and adjective change places: after “o” it reads “cat”, and only then, after “gato”, it reads “black”.",
        "Under Cross: where does the path leave the diagonal?", CROSS, ((1, 2, 0.8), (2, 1, 0.9)),
        target="o gato preto dorme no sofá vermelho",
    ),
    Starter(
        "the little girl reads a book in the garden",
        "Each article looks ahead at its noun: “the” at “girl”, “a” at “book”, “the” at “garden”.",
        "Which head lets an article look ahead at its noun?", ENCODER, ((0, 2, 0.9), (4, 5, 0.9), (7, 8, 0.9)),
    ),
    Starter(
        "where is the blue umbrella",
        "One word becomes several tokens: after “o”, “guarda” and “-” this head still reads “umbrella”.",
        "Under Cross: what is read while one long word is written in tokens?", CROSS,
        ((3, 4, 0.9), (4, 4, 0.9), (5, 4, 0.9)), target="onde está o guarda-chuva azul",
    ),
    Starter(
        "my brother does not like cold soup", "“does” is hardly read at all: the translation has no word for it.",
        "Under Cross: which word of the source is hardly read?", CROSS, ignored=2,
        target="meu irmão não gosta de sopa fria",
    ),
    Starter(
        "she drinks coffee with milk every morning",
        "Both languages put these words in the same order: the path runs straight down as far as “every”.",
        "Under Cross: how far does the path keep to the diagonal?", CROSS, tuple((place, place, 0.9) for place in range(6)),
        target="ela bebe café com leite todas as manhãs",
    ),
    Starter(
        "two white horses run in the field", "“cavalos” and “brancos” both look back at “dois”, the number they agree with.",
        "In the decoder: which earlier word do a noun and its adjective look back at?", DECODER, ((2, 1, 0.9), (3, 1, 0.9)),
        target="dois cavalos brancos correm no campo",
    ),
)  # fmt: skip
WRITES = (
    Starter(
        "one two three one two three one", "This head looks one token back: a line just under the diagonal.",
        f"Sort by “{SORT['previous'].says}”: which head does that most?", DECODER, tuple((n + 1, n, 0.8) for n in range(1, 7)),
    ),
    Starter(
        "the young engineers are going to read the book", "“are” and “to” look back at “engineers”, those who act.",
        "Which head lets the verb look back at who acts?", DECODER, ((4, 3, 0.9), (6, 3, 0.9)),
    ),
    Starter(
        "the river bank and the money bank",
        "Each “bank” looks at the word before it: the first at “river”, the second at “money”.",
        "One spelling, two meanings: what does each “bank” look at?", DECODER, ((3, 2, 0.9), (7, 6, 0.9)),
    ),
    Starter(
        "the cats on the table are", "Every token gives nearly all to the start sign: such a column is called a sink.",
        f"Sort by “{SORT['first'].says}”: which heads give nearly all to the first token? Such a column is called a sink.", DECODER,
        tuple((place, 0, 0.8) for place in range(1, 7)),
    ),
    Starter(
        "gen ai is interesting", "The opening sentence, written so far: “domain” is by far the likeliest next token.",
        "The sentence that Lookback opens with: what comes next?", next=" domain",
    ),
    Starter(
        "the cats on the red sofa are", "“are” has to agree with “cats”, far back; this head reads its neighbour “sofa”.",
        "Does any head let “are” look back at “cats”?", DECODER, ((7, 6, 0.9),),
    ),
)  # fmt: skip
FILLS = (
    Starter(
        "the black cat sleeps on the red sofa", "“the” and “black” look ahead at “cat”, the noun they belong to.",
        "Which head looks from a noun’s companions to the noun?", ENCODER, ((0, 2, 0.9), (1, 2, 0.9)),
    ),
    Starter(
        "she drinks coffee with milk every morning", "“with” looks back at “coffee”, the word it belongs to.",
        "Which head lets “with” look back at “coffee”?", ENCODER, ((3, 2, 0.7),),
    ),
    Starter(
        "the old teacher reads a new book", "“the” looks at “old” and “old” at “teacher”: one token ahead.",
        f"Sort by “{SORT['next'].says}”: which head does that most?", ENCODER, ((0, 1, 0.8), (1, 2, 0.8)),
    ),
    Starter(
        "the river bank and the money bank", "“river” and “money” each look ahead at their own “bank”.",
        "One spelling, two meanings: which tokens look at which “bank”?", ENCODER, ((1, 2, 0.5), (5, 6, 0.5)),
    ),
    Starter(
        "my brother does not like cold soup", "“like” and “cold” both look ahead at “soup”, what they speak of.",
        "Which head looks ahead at “soup”?", ENCODER, ((4, 6, 0.7), (5, 6, 0.8)),
    ),
    Starter(
        "one two three one two three", "This head, too, looks one token back: each “two” at the “one” before it.",
        "A repetition: does a word look at its other self?", ENCODER, ((1, 0, 0.3), (4, 3, 0.3)),
    ),
)  # fmt: skip
REPEATS = (
    Starter("abcdefabc", "After the second “abc” it expects “d”: it repeats.", "What comes after the second “abc”?", next="d"),
    Starter("x7y8z9x7y", "After the second “y” it expects “8”, as after the first.", "What comes after the second “y”?", next="8"),
    Starter("kite 7 kit", "After the second “kit” it expects “e”.", "What comes after the second “kit”?", next="e"),
    Starter("ACGTTGCA ACG", "After the second “ACG” it expects “T”.", "What comes after the second “ACG”?", next="T"),
    Starter("2468 1357 246", "After the second “246” it expects “8”.", "What comes after the second “246”?", next="8"),
    Starter("see the sea see the s", "After “see the s” it expects “e”, as the first time.", "What follows “see the s”?", next="e"),
)  # fmt: skip
# sentences whose words mean different things in different company, so that a word alone does not say how to translate it
AMBIGUOUS = (
    "the flies fly over the fruit", "we park the car in the park", "the right answer is on the right",
    "the light bag is near the light", "she left the left bag on the table", "my watch is new but I watch the old one",
    "he can open a can of soup", "the second boy waits a second", "we play football and she plays the piano",
    "the teacher is tired and the girl is tired too", "the old houses are white", "did you see the movie last night",
    "what time is it", "the cats are hungry and tired",
)  # fmt: skip
TASKS = {"continue": CONTINUES, "translate": TRANSLATES, "write": WRITES, "fill": FILLS, "repeat": REPEATS}
KINDS = {"encoder-decoder": TRANSLATES, "decoder": WRITES, "encoder": FILLS}


def starters(model: str, kind: str | None = None) -> tuple[Starter, ...]:
    """The six for a model: those of its task where it came along, else those of its kind."""
    task = shipped().get(model, {}).get("task", "")
    return TASKS.get(task) or KINDS.get(kind or "", CONTINUES)


def proven(model: str) -> bool:
    """Whether the lines of its starters were found true of this model's weights."""
    return shipped().get(model, {}).get("starters") is True


def searched(model: str, kind: str | None = None) -> tuple[str, ...]:
    """The texts among which one is looked for that shows something best: those to begin with, and for a translator more."""
    texts = tuple(one.text for one in starters(model, kind))
    return texts if starters(model, kind) is CONTINUES else (*texts, *AMBIGUOUS)


def head_of(one: Starter, trace: Trace) -> tuple[int, int]:
    """The head (layer, head, from 0) that shows a starter most clearly: whose least of the weights it names is the largest, or
    that gives its ignored column the least."""
    clear: dict[tuple[int, int], float] = {}
    for attention in trace.attention:
        if attention.site.stream is not one.at:
            continue
        for head in range(attention.site.heads):
            weights = attention.head(head)
            seen = [
                float(weights[query, key])
                for query, key, _ in one.sees
                if query < len(weights) and key < weights.shape[1]
            ]
            left = 0.0 if one.ignored is None else float(weights[:, min(one.ignored, weights.shape[1] - 1)].sum())
            clear[attention.site.layer, head] = min(seen, default=0.0) - left
    return max(clear, key=lambda place: (clear[place], (-place[0], -place[1])))
