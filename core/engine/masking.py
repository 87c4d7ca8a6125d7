"""From named rules to the mask of each head. It uses NumPy only, because masks are small and are made once for each site."""

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
    """The mask of each head of a site after rules and cuts: bool [1 or head, query, key], True = may look.

    Rules apply in order, and a later rule replaces an earlier one on the heads it names. Cuts come last. Queries count from
    `query_start`, because a later step of generation has only its new rows. Raises MaskError where a row would be empty.
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
    # a decoder trained without a causal mask sees the future; only a causal one has steps of new rows alone
    causal = rule.stream is Stream.DECODER and not np.triu(native, 1 + query_start).any()
    scene = MaskScene(rule, causal, native, padding, query_start)
    return np.broadcast_to(MASKS[rule.name].allows(q, k, scene), native.shape)


def looks_ahead(intervention: Intervention, site: Site, native: np.ndarray, padding: np.ndarray) -> bool:
    """Whether an earlier position of a text sees the last one under these rules. The cache of keys and values is then useless.

    native: the model's own mask, bool [position, position].
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
