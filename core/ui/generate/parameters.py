"""What the page Generate keeps in a link: how tokens are chosen, how many, the part in view, the visitor's own words."""

from __future__ import annotations

import re

from core.checks import LONGEST_TEXT
from core.request import Sampling
from core.ui.running.writing import GREEDY, MOST
from core.ui.session.links import Parameter, below, declare, matching, short_enough, text


def write_sampling(sampling: Sampling) -> str:
    """“t0.8_k40_p0.9_m0.1_s3”: temperature, top-k, top-p, min-p, seed; what is not set is left out."""
    parts = {"t": sampling.temperature, "k": sampling.top_k, "p": sampling.top_p, "m": sampling.min_p, "s": sampling.seed}
    return "_".join(f"{name}{value:g}" if name != "s" else f"s{value}" for name, value in parts.items() if value is not None)


def _sampling(raw: str) -> Sampling:
    found = re.fullmatch(r"t([0-9.]{1,8})(?:_k([0-9]{1,6}))?(?:_p([0-9.]{1,8}))?(?:_m([0-9.]{1,8}))?_s([0-9]{1,18})", raw)
    if found is None:
        raise ValueError(raw)
    t, k, p, m, s = found.groups()
    top_p, min_p = (None if value is None else float(value) for value in (p, m))
    return Sampling(float(t), None if k is None else int(k), top_p, min_p, int(s))


def _length(raw: str) -> int:
    if not 0 < (length := below(raw, MOST + 1)):
        raise ValueError(raw)
    return length


SAMPLING = declare(Parameter("sampling", GREEDY, _sampling, write_sampling))
# which part of the page is in view, with its numbers: "beam.3.8"
PART = declare(Parameter("part", "", matching(r"[a-z]{1,12}(\.[0-9]{1,4}){0,40}")))
OWN = declare(Parameter("own", "", text, short_enough, longest=LONGEST_TEXT))
# how many tokens were asked for; None as it begins
LENGTH = declare(Parameter[int | None](
    "length", None, _length, str, forgotten_with=("model", "text", "target", "forced", "sampling"),
))  # fmt: skip
