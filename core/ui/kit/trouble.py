"""When something goes wrong: a sentence on the page, the cause in the log, never a traceback on the projector."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from html import escape
from typing import Any

import streamlit as st

from core.errors import LensError
from core.ui.running.scene import Scene

log = logging.getLogger("lookback")
CALM = "Something went wrong here, and it is not your fault. Your text is kept: change it, or reload the page."


class PageEnds(BaseException):
    """Raised where a page ends before its last line, all said. In place of st.stop(): after that one Streamlit keeps the values
    of widgets that are gone, does not send them to the browser when the widgets come back, and takes the browser's defaults
    for the visitor's own choice one message later."""


def sentence(error: BaseException) -> str:
    """What to tell about an error: a LensError's own words, or a calm line for what nobody foresaw (it goes to the log)."""
    if isinstance(error, LensError):
        return str(error)
    log.error("Unforeseen: %s", type(error).__name__, exc_info=error)
    return CALM


def tell(words: str, kind: str = "trouble") -> None:
    """A sentence in the page's flow; "trouble" is announced to screen readers at once, "note" politely."""
    role = "alert" if kind == "trouble" else "status"
    st.html(f'<p class="{kind}" role="{role}">{escape(words)}</p>')


def show(error: BaseException) -> bool:
    """Tell about an error; True, so that a server hook knows it was told."""
    tell(sentence(error))
    return True


@contextmanager
def guarded() -> Iterator[None]:
    """Whatever goes wrong inside becomes a sentence, and the page goes on."""
    try:
        yield
    except Exception as error:
        show(error)


def block(function: Callable[..., Any]) -> Callable[..., Any]:
    """A part of a page that runs again on its own when something in it is used, guarded like the page.

    A scene that it was given is as old as the last run of the whole page: each run of the part takes up what was chosen since.
    """

    @st.fragment
    @wraps(function)
    def guarded_block(*args: Any, **kwargs: Any) -> None:
        with guarded():
            function(*(one.renewed() if isinstance(one, Scene) else one for one in args), **kwargs)

    return guarded_block
