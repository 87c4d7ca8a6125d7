"""The cells of a trace as columns, one row for each head, query and key; what tables and data frames are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from core.attention import Attention
from core.errors import InputError
from core.request import Stream
from core.tokens import Tokens

CELLS = 5_000_000  # rows of one data frame


def sides(stream: Stream, source: Tokens | None, target: Tokens | None) -> tuple[Tokens, Tokens]:
    """The tokens of a stream's queries and of its keys."""
    queries = source if stream is Stream.ENCODER else target
    keys = target if stream is Stream.DECODER else source
    assert queries is not None and keys is not None
    return queries, keys


def data_frame(
    attentions: Iterable[Attention], source: Tokens | None, target: Tokens | None, head: int | None = None
) -> Any:
    """A pandas.DataFrame of these attentions, of one head or of all. Raises InputError for more than CELLS rows, or without
    pandas; NoSuchHeadError for a head that is not there; NotKeptError where neither patterns nor scores were kept."""
    try:
        import pandas
    except ImportError:
        raise InputError("the package pandas", "a Python without it", "Install pandas, or take the arrays") from None
    chosen = tuple(attentions)
    rows = sum(int(np.prod(one.shape[head is not None :])) for one in chosen)
    if rows > CELLS:
        raise InputError(f"at most {CELLS:,} rows of a data frame", f"{rows:,}", "Choose a stream, a layer or a head")
    parts = [_columns(one, *sides(one.site.stream, source, target), head) for one in chosen]
    frame = pandas.DataFrame(
        {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}
    )
    for name in ("stream", "query_token", "key_token"):
        if name in frame:
            frame[name] = frame[name].astype("category")
    return frame


def _columns(one: Attention, queries: Tokens, keys: Tokens, head: int | None) -> dict[str, np.ndarray]:
    heads = range(one.site.heads) if head is None else (head,)
    one.kv_of(heads[0])  # raises for a head that is not there
    _, rows, width = one.shape
    cells = len(heads) * rows * width
    h, q, k = (axis.ravel() for axis in np.meshgrid(np.array(heads), np.arange(rows), np.arange(width), indexing="ij"))
    q += one.query_start
    found: dict[str, np.ndarray] = {
        "stream": np.full(cells, one.site.stream.value, object), "layer": np.full(cells, one.site.layer), "head": h,
        "query": q, "query_token": np.array(queries.text, object)[q], "key": k, "key_token": np.array(keys.text, object)[k],
        "allowed": np.stack([one.allowed[n] for n in heads]).ravel(),
    }  # fmt: skip
    if "pattern" in one.keeps or "scores" not in one.keeps:
        found["weight"] = np.stack([one.head(n) for n in heads]).ravel()
    if "scores" in one.keeps:
        found["score"] = np.stack([one.scores[n] for n in heads]).ravel()
    return found
