"""Training on a GPU: it can be taken up again, and what it ships is read on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.model import weights
from core.training.run import device_of
from tests.training.test_training import RECIPE, TEXTS, Run, Vocabulary, continuations

pytestmark = pytest.mark.gpu


def test_a_run_on_a_gpu_can_be_taken_up_again_and_ships(tmp_path: Path) -> None:
    vocabulary = Vocabulary.train(TEXTS, 320)
    examples = continuations(TEXTS, vocabulary, RECIPE.seed, 32)

    def fresh(folder: str) -> Run:
        return Run(RECIPE, vocabulary, examples, examples(99), tmp_path / folder, device=device_of("auto"))

    straight, half = fresh("straight"), fresh("half")
    straight.train(report=5)
    for _ in range(10):
        half.train_step()
    half.save()
    again = fresh("half")
    again.resume()
    again.train(report=5)
    assert again.device.type == "cuda" and straight.held_out_loss() == pytest.approx(again.held_out_loss(), rel=1e-3)
    again.export(tmp_path / "shipped")
    model, _, about = weights.load(tmp_path / "shipped")
    assert {tensor.device for tensor in model.parameters()} == {torch.device("cpu")}
    assert about["machine"] == torch.cuda.get_device_name()
