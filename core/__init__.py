"""Lookback's library: run a transformer and look at its attention, from a notebook, a script or the app.

    from core import load
    lens = load("classroom")
    trace = lens.run(lens.request("gen ai is"))

Importing this loads neither torch nor NumPy; each name is fetched when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.engine import load as load
    from core.request import MASKS as MASKS
    from core.request import HeadRef as HeadRef
    from core.request import Intervention as Intervention
    from core.request import MaskRule as MaskRule
    from core.request import PositionRule as PositionRule
    from core.request import Request as Request
    from core.request import Sampling as Sampling
    from core.request import Stream as Stream
    from core.trace import Trace as Trace

__version__ = "0.7.0"  # the only place; CHANGELOG.md begins with it

_HOME = {
    "load": "core.engine",
    "Trace": "core.trace",
    **dict.fromkeys(
        ("MASKS", "HeadRef", "Intervention", "MaskRule", "PositionRule", "Request", "Sampling", "Stream"),
        "core.request",
    ),
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'core' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
