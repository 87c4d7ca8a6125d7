"""Waiting in tests: for something that comes to hold, never for a time. The only place where a test may sleep."""

import time
from collections.abc import Callable

PATIENCE = 90  # s: the machine may be busy with other things


def until(holds: Callable[[], object], wait: float = PATIENCE, pause: Callable[[float], object] = time.sleep) -> bool:
    """Ask again and again whether something holds, and say whether it came to hold; `pause` gets the seconds between."""
    end = time.monotonic() + wait
    while not (held := bool(holds())) and time.monotonic() < end:
        pause(0.05)
    return held
