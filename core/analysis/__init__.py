"""Numbers out of traces: NumPy in, NumPy out, each with its formula."""

from core.analysis.cell import Cell, cell, scaling_name, stages
from core.analysis.flow import brought, rollout
from core.analysis.patterns import (
    QUARTERS,
    blocks,
    effective_tokens,
    in_quarter,
    moved_share,
    pooled,
    quarter_shares,
    received,
    strongest,
)  # fmt: skip
from core.analysis.prediction import Change, changes, kl, logits_of, moved, probabilities, verdicts
from core.analysis.summary import RunCost, cost, focus_on, texts

__all__ = [
    "QUARTERS", "Cell", "Change", "RunCost", "blocks", "brought", "cell", "changes", "cost", "effective_tokens", "focus_on",
    "in_quarter", "kl", "logits_of", "moved", "moved_share", "pooled", "probabilities", "quarter_shares", "received", "rollout",
    "scaling_name", "stages", "strongest", "texts", "verdicts",
]  # fmt: skip
