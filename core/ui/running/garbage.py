"""Telling Python's garbage collector what need not be looked at again.

After every run of a script Streamlit collects garbage in full, and holds all threads meanwhile: with torch and the other
libraries loaded that is a walk over a quarter of a million objects that never go, longer than the run itself.
"""

from __future__ import annotations

import gc


def settle() -> None:
    """Leave out of later collections what is there now: the libraries and the models. What is garbage by now goes first."""
    # what an earlier call laid by may be garbage today: a model that was put away
    gc.unfreeze()
    gc.collect()
    gc.freeze()
