"""The table that `make bench ARGS=gpu` prints, with tiny shapes and the CPU in a GPU's place."""

from __future__ import annotations

import re

import torch

from tests.bench import gpu


def test_the_table_has_every_way_and_every_goal():
    tiny = gpu.llama("tiny", 32, 64, 2, 4, 2, 100)
    rows = list(gpu.table([(tiny, (24,))], "cpu", count=1, steps=2))
    assert len(rows) == 8
    names = ("floor", "nothing kept", "lazy", "float32", "u8", "eager + copy", "one head after lazy")
    assert all(re.search(rf"(: |· ){re.escape(name)} [\d.]+", rows[0]) for name in names)
    assert all("goal ≤" in row for row in (*rows[1:6], rows[7])) and "own generate" in rows[6]


def test_without_cuda_one_line_says_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (row,) = gpu.report()
    assert "needs CUDA" in row
