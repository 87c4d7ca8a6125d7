"""The auto-regressive loop: read, choose a token, append it, read again. The loop is our own, so that every step can be seen.

Keys and values are reused only inside one call; they belong to the caller that iterates over the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from core.engine.masking import looks_ahead
from core.engine.runner import Runner
from core.errors import RequestError
from core.request import Request, Sampling, Stream
from core.trace import Beam, CacheUse, Candidate, Step, Token, Trace, largest, log_softmax

SHOWN = 50  # candidates a step reports
LONGEST_WORD = 12  # tokens


def generate(runner: Runner, request: Request, sampling: Sampling, steps: int, first: int = 0) -> Iterator[Step]:
    """Yield one Step for each token. A pass computes only the new position, unless a mask lets an earlier token see it.

    Raises NotAPredictor, and RequestError for fewer than one step or a first below 0.
    """
    runner.predicts()
    if steps < 1 or first < 0:
        raise RequestError("at least one step, counted from 0 up", f"{steps} from {first}")
    return _steps(runner, request, sampling, steps, first)


def _steps(runner: Runner, request: Request, sampling: Sampling, steps: int, first: int) -> Iterator[Step]:
    state: Any = None
    for index in range(first, first + steps):
        written = request.target or ()
        anew = index > first and (state is None or not cache_holds(runner, request))
        reused = 0 if index == first or anew else len(written) - 1
        rows = [runner.row(request)]
        traces, result = runner.forward(rows, reused, state if reused else None, keep_state=True)
        state, trace = result.state, traces[0]
        assert trace.next_logits is not None
        choice, candidates = choose(trace.next_logits, sampling, index, trace.token_text)
        finished = choice.id in runner.ends or len(written) + 1 >= runner.info.max_tokens
        held = 0 if state is None else runner.backend.state_bytes(state)
        cache = CacheUse(held, reused, len(written) - reused)
        yield Step(index, request, choice, candidates, cache, finished, trace, anew)
        if finished:
            return
        request = request.append(choice.id)


def cache_holds(runner: Runner, request: Request) -> bool:
    """Whether a new token changes nothing in the earlier rows: none of them sees it, nothing is averaged over rows, and the
    text does not just become so long that the model computes all of it anew."""
    change = request.intervention
    if any(a.how == "mean" and a.head.stream is not Stream.ENCODER for a in change.ablated):
        return False
    if not runner.info.causal or len(request.target or ()) - 1 in runner.info.turns:
        return False
    # a new token is shuffled in among the others, so that the earlier ones move
    if any(rule.how == "shuffled" and rule.stream is Stream.DECODER for rule in change.positions):
        return False
    if not any(rule.stream is Stream.DECODER for rule in change.masks):
        return True
    length = len(request.target or ())
    native = np.tri(length, dtype=bool)
    padding = runner.row(request).target_pad
    return not any(looks_ahead(change, site, native, padding) for site in runner.info.at(Stream.DECODER))


def distribution(
    logits: np.ndarray, sampling: Sampling, logprobs: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities before and after temperature and filters, float64 [vocab] each, and which filter cut each token, uint8
    [vocab]: 0 none, 1 greedy, 2 top-k, 3 top-p, 4 min-p. logprobs: log_softmax(logits), where the caller has it already.
    """
    before = np.exp(log_softmax(logits) if logprobs is None else logprobs)
    cut = np.zeros(len(logits), dtype=np.uint8)
    if sampling.temperature == 0:
        cut[:] = 1
        cut[int(np.argmax(logits))] = 0
        return before, (cut == 0).astype(np.float64), cut
    # the largest logit becomes 0 first, so that a tiny temperature gives the likeliest token everything and not infinity
    with np.errstate(over="ignore"):
        after = np.exp(log_softmax((logits.astype(np.float64) - logits.max()) / sampling.temperature))
    if sampling.top_k is not None:
        cut[:] = 2
        cut[largest(after, sampling.top_k)] = 0
    if sampling.top_p is not None:
        order = np.argsort(-after, kind="stable")
        kept = order[cut[order] == 0]
        mass = np.cumsum(after[kept] / after[kept].sum())
        # the token that reaches top_p stays in, so that at least one does
        cut[kept[int(np.searchsorted(mass, min(sampling.top_p, mass[-1]))) + 1 :]] = 3
    if sampling.min_p is not None:
        cut[(cut == 0) & (after < sampling.min_p * after.max())] = 4
    after = np.where(cut == 0, after, 0.0)
    return before, after / after.sum(), cut


CUTS = (None, "greedy", "top-k", "top-p", "min-p")


def choose(logits: np.ndarray, sampling: Sampling, index: int, token_text: Any) -> tuple[Token, tuple[Candidate, ...]]:
    """The token of step `index` and the candidates it was chosen from. The same seed and step give the same draw."""
    if sampling.temperature == 0:
        return likeliest(logits, token_text)
    logprobs = log_softmax(logits)
    before, after, cut = distribution(logits, sampling, logprobs)
    # the draw depends on the seed and the step alone, so that a branch from step n repeats the steps before it
    random = np.random.default_rng((sampling.seed, index)).random()
    chosen = int(min(np.searchsorted(np.cumsum(after), random, side="right"), np.flatnonzero(after)[-1]))
    order = largest(before, SHOWN)
    if chosen not in order:
        order = np.append(order[:-1], chosen)

    def token(i: int) -> Token:
        return Token(int(i), token_text(int(i)), float(logprobs[i]), float(before[i]))

    return token(chosen), tuple(Candidate(token(i), float(before[i]), float(after[i]), CUTS[cut[i]]) for i in order)


def likeliest(logits: np.ndarray, token_text: Any) -> tuple[Token, tuple[Candidate, ...]]:
    """The greedy choice and its candidates: what `distribution` gives, without probabilities of tokens that nobody is shown."""
    order = largest(logits, SHOWN)
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    logprobs = shifted[order] - np.log(np.exp(shifted).sum())
    tokens = [
        Token(int(token), token_text(int(token)), float(logprob), float(probability))
        for token, logprob, probability in zip(order, logprobs, np.exp(logprobs), strict=True)
    ]
    shown = (Candidate(token, token.probability, float(n == 0), "greedy" if n else None) for n, token in enumerate(tokens))
    return tokens[0], tuple(shown)


def next_words(runner: Runner, request: Request, k: int) -> list[Token]:
    """The k likeliest next tokens, each completed greedily to a whole word, sorted by their joint probability.

    Raises NotAPredictor, and RequestError for a k below 1.
    """
    runner.predicts()
    if k < 1:
        raise RequestError("at least one word", f"{k}")
    plain = request.keeping()
    first = runner.run(plain).next_tokens(k)
    words: list[tuple[int, ...]] = [(token.id,) for token in first]
    logprobs = [token.logprob for token in first]
    open_words = [n for n, word in enumerate(words) if word[0] not in runner.ends]
    for _ in range(LONGEST_WORD - 1):
        open_words = [n for n in open_words if len(request.target or ()) + len(words[n]) < runner.info.max_tokens]
        traces = runner.run_many([plain.append(*words[n]) for n in open_words])
        going = []
        for n, trace in zip(open_words, traces, strict=True):
            best = trace.next_tokens(1)[0]
            joined = runner.tokens((*words[n], best.id))
            if joined.word[-1] == joined.word[-2] and not joined.special[-1]:
                words[n], logprobs[n] = (*words[n], best.id), logprobs[n] + best.logprob
                going.append(n)
        open_words = going
        if not open_words:
            break
    found = [
        Token(word[0], _joined(runner, word), logprob, float(np.exp(logprob)))
        for word, logprob in zip(words, logprobs, strict=True)
    ]
    return sorted(found, key=lambda token: -token.logprob)


def _joined(runner: Runner, ids: Sequence[int]) -> str:
    """A word's text with the space before it; byte tokens become the characters they make together."""
    tokens = runner.tokens(ids)
    text = runner.text.decode(ids) if runner.text is not None else ""
    lead = " " if tokens.text[0].startswith(" ") and not text.startswith(" ") else ""
    return lead + text if text.strip() else "".join(tokens.text)


def beams(runner: Runner, request: Request, sampling: Sampling, width: int, steps: int) -> Iterator[tuple[Beam, ...]]:
    """Beam search (Sutskever et al. 2014): each step keeps the `width` likeliest prefixes, finished ones included.

    Yields the nodes of each step: the 2 · width best, kept or not, in order of their sum of log-probabilities. The sums are in
    nats and are not divided by length; the logits are divided by sampling.temperature first (0 counts as 1). The source is
    read once. A step computes one position for each prefix, all in one pass, unless a mask lets an earlier token see a new one.
    Raises NotAPredictor, and RequestError for a width or steps below 1.
    """
    runner.predicts()
    if width < 1 or steps < 1:
        raise RequestError("a width and steps of at least 1", f"width {width}, steps {steps}")
    return _beams(runner, request, sampling.temperature or 1.0, width, steps)


def _beams(runner: Runner, request: Request, temperature: float, width: int, steps: int) -> Iterator[tuple[Beam, ...]]:
    count = 0
    live: list[tuple[int | None, Request, float]] = [(None, request, 0.0)]
    state: Any = None
    parents: list[int] = []  # for each prefix that was kept: its place among the prefixes of the step before
    done: list[Beam] = []
    for step in range(steps):
        traces, state = _read_on(runner, [asked for _, asked, _ in live], state, parents)
        options = _options(traces, [score for _, _, score in live], temperature, 2 * width)
        pool = sorted([*(beam.logprob for beam in done), *(option[0] for option in options)], reverse=True)
        bar = pool[min(width, len(pool)) - 1]
        grown: list[tuple[int | None, Request, float]] = []
        parents = []
        nodes: list[Beam] = []
        for score, logprob, n, token in options[: 2 * width]:
            alive = score >= bar and len(grown) < width
            ended = token in runner.ends
            node = Beam(
                index=count + len(nodes),
                parent=live[n][0],
                step=step,
                token=Token(token, traces[n].token_text(token), logprob, float(np.exp(logprob))),
                logprob=score,
                alive=alive,
                finished=ended,
                trace=traces[n],
            )
            nodes.append(node)
            if alive and ended:
                done.append(node)
            elif alive:
                longer = live[n][1].append(token)
                if len(longer.target or ()) <= runner.info.max_tokens:
                    grown.append((node.index, longer, score))
                    parents.append(n)
        yield tuple(nodes)
        count, live = count + len(nodes), grown
        if not live:
            return


def _options(
    traces: list[Trace], scores: list[float], temperature: float, most: int
) -> list[tuple[float, float, int, int]]:
    """The `most` likeliest tokens after each prefix, best first: (score with the token, log-probability of the token, place of
    the prefix, token id). scores: for each prefix the sum of its log-probabilities, in nats."""
    options = []
    for n, trace in enumerate(traces):
        assert trace.next_logits is not None
        logprobs = log_softmax(trace.next_logits.astype(np.float64) / temperature)
        found = ((float(logprobs[token]), int(token)) for token in largest(logprobs, most))
        options += [(scores[n] + logprob, logprob, n, token) for logprob, token in found]
    return sorted(options, key=lambda option: (-option[0], option[2], option[3]))


def _read_on(runner: Runner, requests: list[Request], state: Any, parents: list[int]) -> tuple[list[Trace], Any]:
    """The traces of prefixes of one length, and their keys and values for the next step (None where they are not kept).

    state: keys and values of the step before, or None; parents: the row of `state` that each prefix continues. The texts are
    read from the beginning where there is no state, or where a mask makes it useless.
    """
    alone = runner.info.batches or len(requests) == 1
    if state is not None and alone and all(cache_holds(runner, request) for request in requests):
        held = len(requests[0].target or ()) - 1
        traces, result = runner.forward(
            [runner.row(request) for request in requests], held, runner.backend.pick(state, parents), keep_state=True
        )
        return traces, result.state
    if len(requests) > 1 or not cache_holds(runner, requests[0]):
        return runner.run_many(requests), None
    traces, result = runner.forward([runner.row(requests[0])], keep_state=True)
    return traces, result.state
