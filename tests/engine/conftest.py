"""Every tiny model is built and loaded once for all tests of a process, when first asked for."""

from __future__ import annotations

import os

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import core
from core.engine.lens import Lens
from core.request import Request
from tests import families

torch.set_num_threads(1)
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model, by name."""
    root = tmp_path_factory.mktemp("models")
    return cache(lambda name: families.build(name, root / name))


@pytest.fixture(scope="session")
def lens_of(folder_of: Callable[[str], Path]) -> Callable[[str], Lens]:
    """The lens on a tiny model, by name."""
    return cache(lambda name: core.load(str(folder_of(name)), device="cpu"))


@pytest.fixture(scope="session")
def eager_of(folder_of: Callable[[str], Path]) -> Callable[[str], Any]:
    """The same folder, loaded by transformers alone with its eager attention."""

    def load(family: str) -> Any:
        architecture = getattr(transformers, (families.FAMILIES | families.READ_ONLY)[family][0])
        model = architecture.from_pretrained(folder_of(family), attn_implementation="eager", dtype=torch.float32)
        return model.eval()

    return cache(load)


@pytest.fixture(scope="session")
def ask(lens_of: Callable[[str], Lens]) -> Callable[..., Request]:
    """A request of given lengths to a tiny model: ask("t5", 9, target=5, salt=1, keep=…)."""
    return lambda name, length=9, target=6, salt=0, **how: families.ask(lens_of(name), length, target, salt, **how)
