"""What the first visitor would wait for, done before anyone comes.

Libraries are imported here, once and by one thread: two sessions importing the same library at the same time can see it half
made.
"""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path

import numpy as np

from core.figures import heatmap
from core.figures.distribution import Bar, bars
from core.figures.theme import LIGHT
from core.request import Stream
from core.ui.attention import heads  # noqa: F401 (what nearly every page is made of, before the model is read)
from core.ui.running import garbage, models, scene
from core.ui.session import state

log = logging.getLogger("lookback")


def figures() -> None:
    """Draw one of each: the first figure of a process loads what the later ones share."""
    one = np.ones((1, 1), dtype=np.float32)
    heatmap.heatmap(one, one > 0, ["a"], ["a"], Stream.ENCODER, (0, 0), LIGHT).to_json()
    bars([Bar("a", 1.0)], LIGHT.encoder, LIGHT)


def model() -> None:
    """Read the default model and answer its opening text. Failing here is no failure: the page will say why."""
    try:
        lens = models.ask(state.MODEL).future.result()
        base = lens.request(state.TEXT, "") if lens.info.kind == "encoder-decoder" else lens.request(state.TEXT)
        scene.ask_growth(state.MODEL, lens, base).result()
    except Exception:
        log.exception("The default model could not be read ahead")
    pages()
    garbage.settle()


def pages() -> None:
    """Import what the pages are made of, after the model and its libraries: each would else cost its first visitor."""
    ui = Path(__file__).parent
    for file in sorted(ui.rglob("[!_]*.py")):
        if file != ui / "main.py":  # the script that every session runs
            import_module(".".join(("core.ui", *file.relative_to(ui).with_suffix("").parts)))
