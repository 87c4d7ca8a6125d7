"""Two real models, loaded once: by Lookback, and by transformers alone with its eager attention."""

from __future__ import annotations

import os

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from typing import Any

import pytest
import torch
import transformers

import core
from core.engine.lens import Lens
from tests.real import packages

torch.set_num_threads(1)
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()


@pytest.fixture(scope="session")
def smollm2() -> Lens:
    return core.load(str(packages.smollm2()), device="cpu")


@pytest.fixture(scope="session")
def smollm2_eager(smollm2: Lens) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(
        packages.smollm2(), dtype=torch.float32, attn_implementation="eager"
    ).eval()


@pytest.fixture(scope="session")
def minilm() -> Lens:
    return core.load(str(packages.minilm()), device="cpu")


@pytest.fixture(scope="session")
def minilm_eager(minilm: Lens) -> Any:
    return transformers.AutoModel.from_pretrained(
        packages.minilm(), dtype=torch.float32, attn_implementation="eager"
    ).eval()
