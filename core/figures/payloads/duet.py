"""Teacher forcing beside free running: two target texts over one source, step by step, and where they part."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from core.figures.labels import percent
from core.figures.payloads.theatre import block, label, sharpest, words
from core.request import Stream
from core.trace import Trace, log_softmax

END = -1  # stands for any id that ends a text


def payload(given: Trace, free: Trace, ended: bool, ends: Collection[int], version: str) -> dict[str, Any]:
    """given: the trace of the text that was given, free: that of the one the model wrote; both with predictions, both with
    the source that they share. ended: whether the model ended its own text, or was stopped. ends: the ids that end a text."""
    assert given.source is not None
    sides = [side(given, True, ends), side(free, ended, ends)]
    first = first_difference([one["id"] for one in sides[0]["steps"]], [one["id"] for one in sides[1]["steps"]])
    return {
        "version": version, "source": words(given.source), "given": sides[0], "free": sides[1], "first": first,
        "best": sharpest(free),
    }  # fmt: skip


def side(trace: Trace, ended: bool, ends: Collection[int]) -> dict[str, Any]:
    """One text: its steps, the probability of all of it (the product of its tokens' own), and its cross-attention."""
    assert trace.target is not None and trace.predictions is not None and trace.next_logits is not None
    target, expected = words(trace.target), trace.predictions
    steps, total = [], 0.0
    for row in range(len(target)):
        best = int(expected.top_ids[row][0])
        if row < len(target) - 1:
            id, logprob = int(trace.target.ids[row + 1]), float(expected.actual_logprob[row])
            shown = {key: target[row + 1][key] for key in ("text", "special", "joins")}
        elif ended and ends:
            logprobs = log_softmax(trace.next_logits)
            likeliest = max(ends, key=lambda one: float(logprobs[one]))
            id, logprob = END, float(logprobs[likeliest])
            shown = {"text": label(trace.token_text(likeliest), 18), "special": True, "joins": False}
        else:
            continue
        total += logprob
        own = best == id or (id == END and best in ends)
        said, instead = percent(float(np.exp(logprob))), label(trace.token_text(best), 18)
        top = percent(float(np.exp(expected.top_logprob[row][0])))
        steps.append({"id": id, **shown, "said": said, "own": own, "best": instead, "top": top})
    return {"steps": steps, "logprob": total, "odds": odds(total), "cross": block(trace, Stream.CROSS)}


def first_difference(one: list[int], other: list[int]) -> int | None:
    """The first step at which two texts write different tokens, or one of them stops; None where they are the same."""
    for step in range(max(len(one), len(other))):
        if step >= len(one) or step >= len(other) or one[step] != other[step]:
            return step
    return None


def odds(logprob: float) -> str:
    """A probability given by its logarithm, in words: per cent while that can be read, else "1 in 4 200", "1 in 10¹⁸"."""
    if logprob > np.log(0.001):
        return percent(float(np.exp(logprob)))
    power = -logprob / np.log(10)
    if power < 6:
        inverse = np.exp(-logprob)
        digits = 10 ** max(0, int(np.floor(power)) - 1)
        return f"1 in {int(round(inverse / digits) * digits):,}"
    return f"1 in 10{str(round(power)).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
