"""Numbers out of traces: NumPy in, NumPy out, each with its formula."""

from core.analysis.cell import Cell, cell, scaling_name, stages
from core.analysis.flow import brought, rollout
from core.analysis.patterns import blocks, effective_tokens, moved_share, pooled, received, strongest
from core.analysis.prediction import Change, changes, kl, logits_of, moved, probabilities, verdicts
from core.analysis.summary import RunCost, cost, focus_on, texts

__all__ = [
    "Cell", "Change", "RunCost", "blocks", "brought", "cell", "changes", "cost", "effective_tokens", "focus_on", "kl",
    "logits_of", "moved", "moved_share", "pooled", "probabilities", "received", "rollout", "scaling_name", "stages", "strongest",
    "texts", "verdicts",
]  # fmt: skip
