"""From named rules to what each head may look at. NumPy only: masks are small, and made once a site."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from core.errors import MaskError
from core.request import MASKS, Cut, Intervention, MaskRule, MaskScene, Site, Stream


def resolve(
    site: Site,
    native: np.ndarray,  # bool [query, key], True = may look: the model's own mask
    intervention: Intervention,
    padding: np.ndarray,  # bool [key], True where the key's id is the padding id
    query_start: int = 0,
) -> np.ndarray:
    """What each head of a site may look at after rules and cuts: bool [1 or head, query, key].

    Rules apply in order, a later one replacing an earlier one on the heads it names; cuts come last. Queries count from
    `query_start` (a later step of generation holds only its new rows). Raises MaskError where a row would be empty.
    """
    rules = [rule for rule in intervention.masks if rule.stream is site.stream]
    cuts = [cut for cut in intervention.cuts if cut.head.stream is site.stream and cut.head.layer == site.layer]
    last = [_last(rules, site, head) for head in range(site.heads)]
    if not cuts and all(rule is last[0] for rule in last):
        allowed = (native if last[0] is None else picture(last[0], native, padding, query_start))[None]
    else:
        drawn = {id(rule): picture(rule, native, padding, query_start) for rule in last if rule is not None}
        allowed = np.stack([native if rule is None else drawn[id(rule)] for rule in last])
        _cut(allowed, cuts, query_start)
    empty = ~allowed.any(axis=-1) & native.any(axis=-1)
    if empty.any():
        head, row = (int(n) for n in np.argwhere(empty)[0])
        where = f"{site.stream.value} layer {site.layer}" + (f", head {head}" if len(allowed) > 1 else "")
        raise MaskError(
            "every row to keep at least one key to look at",
            f"nothing left for query {row + query_start} in {where}",
            "Leave one cell of that row open",
        )
    return allowed


def picture(rule: MaskRule, native: np.ndarray, padding: np.ndarray, query_start: int = 0) -> np.ndarray:
    """One rule as bool [query, key] over the shape of `native`."""
    queries, keys = native.shape
    q = np.arange(query_start, query_start + queries)[:, None]
    k = np.arange(keys)[None, :]
    # a decoder trained to peek sees the future; a step that holds only new rows is always a causal one's
    causal = rule.stream is Stream.DECODER and not np.triu(native, 1 + query_start).any()
    scene = MaskScene(rule, causal, native, padding, query_start)
    return np.broadcast_to(MASKS[rule.name].allows(q, k, scene), native.shape)


def looks_ahead(intervention: Intervention, site: Site, native: np.ndarray, padding: np.ndarray) -> bool:
    """Whether, under these rules, the last position of a text is seen by an earlier one: then no cache can hold.

    native: bool [position, position].
    """
    rules = [rule for rule in intervention.masks if rule.stream is site.stream]
    used = {id(rule): rule for head in range(site.heads) if (rule := _last(rules, site, head)) is not None}
    return any(picture(rule, native, padding)[:-1, -1].any() for rule in used.values())


def _last(rules: list[MaskRule], site: Site, head: int) -> MaskRule | None:
    return next((rule for rule in reversed(rules) if rule.names(site, head)), None)


def _cut(allowed: np.ndarray, cuts: Iterable[Cut], query_start: int) -> None:
    for cut in cuts:
        row = cut.query - query_start
        if 0 <= row < allowed.shape[1]:
            allowed[cut.head.head, row, cut.key] = False
