"""Numbers out of traces: NumPy in, NumPy out, each with its formula."""

from core.analysis.attention import blocks, pooled, received, spread, strongest
from core.analysis.prediction import Change, changes, kl, logits_of, moved, probabilities
from core.analysis.summary import Cost, cost, focus_on, texts

__all__ = [
    "Change", "Cost", "blocks", "changes", "cost", "focus_on", "kl", "logits_of", "moved", "pooled", "probabilities", "received",
    "spread", "strongest", "texts",
]  # fmt: skip
