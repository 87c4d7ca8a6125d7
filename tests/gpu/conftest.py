"""`make test-gpu`: the laws and parity on a CUDA device. LOOKBACK_TEST_DEVICE=mps tries another one."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import core
from core.engine.lens import Lens
from tests import families

DEVICE = os.environ.get("LOOKBACK_TEST_DEVICE", "cuda")


def pytest_sessionstart(session: pytest.Session) -> None:
    if DEVICE == "cuda" and not torch.cuda.is_available():
        pytest.exit("Lookback: torch sees no CUDA device here, so there is nothing to test on it.", returncode=1)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model, by name."""
    root = tmp_path_factory.mktemp("models")
    return cache(lambda name: families.build(name, root / name))


@pytest.fixture(scope="session")
def lens_of(folder_of: Callable[[str], Path]) -> Callable[..., Lens]:
    """The lens on a tiny model on the device, or elsewhere: lens_of("t5"), lens_of("t5", device="cpu")."""

    def load(name: str, device: str = DEVICE, dtype: str = "float32") -> Lens:
        return core.load(str(folder_of(name)), device=device, dtype=dtype)

    return cache(load)


@pytest.fixture(scope="session")
def eager_of(folder_of: Callable[[str], Path]) -> Callable[..., Any]:
    """The same folder, loaded by transformers alone with its eager attention, on the device."""

    def load(family: str, dtype: str = "float32") -> Any:
        architecture = getattr(transformers, families.FAMILIES[family][0])
        numbers = getattr(torch, dtype)
        model = architecture.from_pretrained(folder_of(family), attn_implementation="eager", dtype=numbers)
        return model.eval().to(DEVICE)

    return cache(load)
