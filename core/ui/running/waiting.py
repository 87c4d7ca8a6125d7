"""Waiting for what is under way, told in words once it takes longer than a moment; and the one way to share a computation."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from html import escape
from typing import TypeVar, cast

import streamlit as st

from core.ui.running.runs import Ticket, shared

T = TypeVar("T")
Says = str | Callable[[], str]  # what is going on, in a sentence; a function where it changes meanwhile
SOON = 0.4  # seconds before waiting is worth a word


def wait(settled: Callable[[float], bool], says: Callable[[], str], soon: float = SOON) -> None:
    """Wait for something under way, telling what and for how long once it takes longer than `soon` seconds."""
    if settled(soon):
        return
    slot = st.empty()
    while not settled(0.25):
        slot.html(f'<p class="busy" role="status">{escape(says())}</p>')
    slot.empty()


def wait_for(ticket: Ticket, says: Says, soon: float | None = None) -> None:
    """The same for a question that was asked: what is costly tells at once, and how many stand before it."""

    def words() -> str:
        queue = f" {ticket.before} before this one." if ticket.before else ""
        return f"{says if isinstance(says, str) else says()}{queue} {ticket.seconds:.0f} s"

    wait(ticket.settled, words, (0.0 if ticket.costly else SOON) if soon is None else soon)


def work(
    key: Hashable, compute: Callable[[], T], says: Says, weights: int = 0, soon: float | None = None, keep: bool = True
) -> T:
    """The answer to a question that sessions share: computed once, kept while it fits, waited for in words.

    key: a small value that says all the answer depends on. weights: attention weights that it computes, which makes it costly
    or not. keep=False: a turn of work, forgotten when it is done. Raises what `compute` raises.
    """
    ticket = shared.ask(key, compute, weights, keep)
    wait_for(ticket, says, soon)
    return cast(T, ticket.result())
