"""What a visitor changes on Translate, as requests: tokens forced, steps that read only some words, an earlier encoder layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from core.errors import InputError, TooLongError
from core.figures.payloads.theatre import SHOWN
from core.request import MaskRule, Request, Sampling, Site, Stream
from core.trace import Trace
from core.ui.running.scene import Scene
from core.ui.session import links
from core.ui.session.links import Parameter, declare, joined, matching
from core.ui.session.rules import LINK, Edge, Reads, read_reads, write_reads

if TYPE_CHECKING:
    from core.engine.lens import Lens

KEPT = 4  # branches for comparison, beside the one in view
LONGEST = 64  # tokens written at most
WORD = 60  # characters of a word typed by hand


def _branches(raw: str) -> tuple[tuple[int, ...], ...]:
    branches = tuple(links.ids(one) for one in raw.split("_"))
    if len(branches) > KEPT or len(set(branches)) < len(branches):
        raise ValueError(raw)
    return branches


def _depth(depth: int | None, sites: tuple[Site, ...]) -> tuple[int | None, str]:
    """A depth that the encoder has."""
    most = sum(site.stream is Stream.ENCODER for site in sites)
    if depth is None or depth <= most:
        return depth, ""
    return None, f"This encoder has {most} layers, so the decoder cannot read past {depth} of them."


# steps that may read only some source tokens
READS = declare(Parameter[Reads](
    "reads", (), read_reads, write_reads, forgotten_with=("model", "text", "target"), changes=True,
))  # fmt: skip
# how many encoder layers the decoder reads past; None: all
DEPTH = declare(Parameter[int | None]("depth", None, lambda raw: int(matching("[0-9]{1,3}")(raw)), str, fit=_depth, changes=True))
# other branches to compare the one in view with
BRANCHES = declare(Parameter[tuple[tuple[int, ...], ...]](
    "branches", (), _branches, lambda branches: "_".join(map(joined, branches)), forgotten_with=("model", "text", "target"),
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Played:
    """A text written to its end: request holds all of it. given: tokens after the start that the model did not choose freely.
    written: the ids it wrote by itself. ended: whether it wrote the end, or was stopped."""

    request: Request
    given: int
    written: tuple[int, ...]
    ended: bool


def asked(view: Scene, forced: tuple[int, ...] = (), reads: Reads = (), depth: int | None = None) -> Request:
    """The question the theatre's text begins with: what is given, the visitor's masks, and what they changed here.

    Raises LensError where a changed row or an id is not there.
    """
    request = view.base.keeping()
    request = request.append(*forced) if forced else request
    for rule in confined(fitting(view.choice.mask, request), closed(reads, len(request.source or ()))):
        request = request.with_mask(rule)
    return request.with_depth(depth) if depth is not None else request


def fitting(rules: Iterable[MaskRule], request: Request) -> tuple[MaskRule, ...]:
    """Rules without the cells of rows that are not written yet: a mask painted over a longer target."""
    source, target = len(request.source or ()), len(request.target or ())
    found = []
    for rule in rules:
        queries = source if rule.stream is Stream.ENCODER else target
        keys = target if rule.stream is Stream.DECODER else source
        edges = tuple((q, k) for q, k in rule.edges if (q is None or q < queries) and k < keys)
        if edges or not rule.edges:
            found.append(replace(rule, edges=edges))
    return tuple(found)


def closed(reads: Reads, source: int) -> tuple[Edge, ...]:
    """The cells (row, source token) that are shut when those rows may read only those tokens. Raises TooLongError for more
    cells than a link's mask may have."""
    _few(len(reads) * source)
    return tuple((row, key) for row, keys in reads for key in sorted({*range(source)}.difference(keys)))


def confined(rules: tuple[MaskRule, ...], shut: tuple[Edge, ...]) -> tuple[MaskRule, ...]:
    """The rules with further cells of cross-attention shut in every head, whatever cells a rule there had shut already.

    Raises TooLongError for more cells than a link's mask may have.
    """
    if not shut:
        return rules
    _few(len(shut) * (1 + sum(rule.stream is Stream.CROSS for rule in rules)))
    found = [MaskRule(Stream.CROSS, "custom", edges=shut)]
    for rule in rules:
        found.append(rule if rule.stream is not Stream.CROSS else replace(rule, name="custom", edges=(*rule.edges, *shut)))
    return tuple(found)


def _few(cells: int) -> None:
    if cells > LINK.cells:
        raise TooLongError(f"at most {LINK.cells:,} cells to shut", f"{cells:,}", "Change fewer steps")


def play(view: Scene, request: Request) -> Played:
    """What the model writes greedily after a request, to the end or up to LONGEST tokens; equal questions are one run."""
    count = [0]

    def compute(lens: Lens) -> tuple[tuple[int, ...], bool]:
        ids: list[int] = []
        for step in lens.generate(request, Sampling(temperature=0.0), LONGEST):
            if step.choice.id in lens.ends:
                return tuple(ids), True
            ids.append(step.choice.id)
            count[0] = len(ids)
        return tuple(ids), False

    written, ended = view.work(("theatre", request), compute, lambda: f"Writing, token by token: {count[0]} so far.")
    return Played(request.append(*written) if written else request, len(request.target or ()) - 1, written, ended)


def trace_of(view: Scene, request: Request) -> Trace:
    """The trace of source and whole target under the request's own changes: each row of the decoder is one step."""
    return view.trace(request.keeping("pattern", "predictions"))


def encoded(lens: Lens, source: tuple[int, ...], text: str) -> tuple[int, ...]:
    """A target text as ids, without what the decoder begins with. Raises InputError for one that cannot be read, or is too long."""
    begins = lens.request(ids=source).target or ()
    return (lens.request(ids=source, target=text).target or ())[len(begins) :]


def ids_of_word(lens: Lens, source: tuple[int, ...], before: tuple[int, ...], word: str) -> tuple[int, ...]:
    """A typed word as the ids that follow those written before, a space between them where the tokenizer needs one.

    Raises InputError for a word that gives none.
    """
    word = word.strip()
    ways = [encoded(lens, source, text) for text in (word, f" {word}")]
    wanted = f"{lens.decode(before)} {word}".strip()
    for ids in ways:
        if ids and lens.decode((*before, *ids)).strip() == wanted:
            return ids
    if not ways[0]:
        raise InputError("a word of at least one token", f"“{word[:20]}”", "Type another word")
    return ways[0]


def read_branch(raw: Any, version: str, trace: Trace, base: int, reads: Reads, lens: Lens) -> tuple[tuple[int, ...], Reads] | None:
    """What a browser sent, as (ids forced after the base target, rows confined); None for anything else, whatever it is.

    Three things can be sent for a step: a candidate's id, a typed word, the source tokens it may read. Raises LensError for a
    word that the tokenizer cannot read.
    """
    assert trace.source is not None and trace.target is not None and trace.predictions is not None
    if type(raw) is not dict or len(raw) != 3 or raw.get("version") != version or type(raw.get("step")) is not int:
        return None
    step = raw["step"]
    if not base - 1 <= step < len(trace.target):
        return None
    before = tuple(int(one) for one in trace.target.ids[base : step + 1])
    earlier = tuple((row, keys) for row, keys in reads if row < step)
    here = tuple((row, keys) for row, keys in reads if row == step)
    if type(raw.get("id")) is int:
        listed = raw["id"] in trace.predictions.top_ids[step][:SHOWN].tolist()
        return ((*before, raw["id"]), earlier + here) if listed else None
    word, keys = raw.get("word"), raw.get("reads")
    if type(word) is str and 0 < len(word.strip()) <= WORD:
        return (*before, *ids_of_word(lens, trace.source.ids, trace.target.ids[1 : step + 1], word)), earlier + here
    if type(keys) is list and keys and all(type(key) is int and 0 <= key < len(trace.source) for key in keys):
        chosen = tuple(sorted(set(keys)))
        return before, earlier if len(chosen) == len(trace.source) else (*earlier, (step, chosen))
    return None
