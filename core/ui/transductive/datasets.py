"""What is there to be labelled: points in a plane, scikit-learn's digits, short texts as our encoder sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.analysis.embedding import mean_pooled
from core.analysis.transductive import pointsets
from core.analysis.transductive.pointsets import PointSet
from core.paths import DATA
from core.request import Stream
from core.ui.running.runs import shared
from core.ui.running.scene import work_on
from core.ui.running.waiting import work

if TYPE_CHECKING:
    from core.engine.lens import Lens

SAID = {"moons": "Two moons", "rings": "Rings", "blobs": "Three clouds", "across": "Across the grain"}
READER = "filler"  # the shipped encoder
TOPICS = {"everyday": "everyday life", "school": "school", "computing": "computing"}  # sections of assets/data/grammar.txt
EACH = 60  # texts a topic


def plane(name: str, seed: int) -> PointSet:
    """A set in the plane, the same for the same seed."""
    return shared.ask(("transductive", "points", name, seed), lambda: pointsets.draw(name, seed)).result()


def digits() -> PointSet:
    """scikit-learn's digits: 1,797 handwritten digits of 8 × 8 pixels, each brought to 0 … 1 (Alpaydin and Kaynak 1998). They come
    with the package: nothing is fetched."""

    def load() -> PointSet:
        from sklearn.datasets import load_digits

        bunch = load_digits()
        return PointSet(bunch.data / 16, bunch.target.astype(np.int64), tuple(str(name) for name in bunch.target_names))

    return work(("transductive", "digits"), load, "Reading the digits.")


def texts() -> tuple[tuple[str, ...], PointSet]:
    """EACH short statements of each topic, and their vectors: the encoder's last layer, mean over the tokens, length 1.

    A statement's topic is the section of our grammar that wrote it (core/data/labelled.py).
    """

    def compute(lens: Lens) -> tuple[tuple[str, ...], PointSet]:
        found = statements()
        traces = lens.run_many([lens.request(text).keeping("residual") for text in found])
        x = np.stack([vector(trace) for trace in traces])
        return found, PointSet(x, np.repeat(np.arange(len(TOPICS)), EACH), tuple(TOPICS.values()))

    return work_on(READER, ("texts",), compute, f"The encoder reads {EACH * len(TOPICS)} texts.")


def statements() -> tuple[str, ...]:
    """The statements themselves, topic after topic."""
    rows = (DATA / "labelled.en.tsv").read_text("utf-8").splitlines()
    return tuple(text for section, text in (row.split("\t") for row in rows) if section in TOPICS)


def vector(trace: Any) -> np.ndarray:
    """A trace's text as one vector: float64 [d]."""
    return mean_pooled(trace.residual[Stream.ENCODER][-1], trace.source.special)
