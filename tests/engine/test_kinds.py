"""Every kind of model is opened as what it is, or refused in plain words: families whose code raises, decoders that also see,
pairs of two models, configurations with parts.
"""

from __future__ import annotations

import pytest

import core
from core.errors import ModelFileError, UnsupportedModelError
from tests.sweep import trial


@pytest.mark.parametrize(
    ("family", "name"),
    [("aimv2", "Aimv2Model"), ("chinese_clip", "ChineseCLIPModel"), ("exaone4_5_vision", "Exaone4_5_VisionModel"),
     ("pegasus_x", "PegasusXForConditionalGeneration"), ("clipseg", "CLIPSegModel")],
)  # fmt: skip
def test_whatever_a_familys_code_raises_becomes_a_refusal_that_names_the_family(family, name, tmp_path):
    trial.build(family, name, tmp_path / "model")
    with pytest.raises((UnsupportedModelError, ModelFileError)) as caught:
        core.load(str(tmp_path / "model"), device="cpu")
    assert family in caught.value.got and caught.value.todo
