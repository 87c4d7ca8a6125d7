"""No sound configuration is refused for its counts, and no huge one begins to be built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

import core
from core.engine.files import check_counts
from core.engine.loading.pretrained import WRITTEN
from core.errors import ModelFileError
from tests import families

TABLES = ("CAUSAL_LM", "MASKED_LM", "SEQ_TO_SEQ_CAUSAL_LM", "SEQUENCE_CLASSIFICATION", "IMAGE_TEXT_TO_TEXT")
OWN = {"gemma4_assistant"}  # its own defaults are no configuration: transformers raises
# published values that no default has
PUBLISHED = [
    {"vision_feature_layer": -2}, {"mm_vision_select_layer": -2}, {"vision_config": {"feature_layer": -2}},
    {"exit_layer": -4}, {"conditional_layer": -3}, {"num_hidden_layers": 126}, {"n_routed_experts": 384}, {"layers": -1},
]  # fmt: skip


def test_no_default_configuration_of_a_text_family_is_refused():
    names = {name for table in TABLES for name in getattr(modeling_auto, f"MODEL_FOR_{table}_MAPPING_NAMES")}
    assert len(names) > 200
    for name in sorted(names - OWN):
        values = CONFIG_MAPPING[name]().to_dict()
        check_counts(values, 20_000, WRITTEN)
        # fewer tensors than any model has; Doge keeps its experts in one table
        check_counts(values, 1, rows=frozenset({values.get("num_experts")} if name == "doge" else ()))


@pytest.mark.parametrize("values", PUBLISHED, ids=str)
def test_a_published_value_is_no_reason_to_refuse(values):
    check_counts(values, 20_000, WRITTEN)
    check_counts(values, 1)


@pytest.mark.parametrize(
    "values",
    [{"n_layer": 10**9}, {"num_layers": -2}, {"text_config": {"num_hidden_layers": 10**6}}, {"num_experts": 10**7},
     {"encoder_layers": 600}, {"num_codebooks": 10**5}],
    ids=str,
)  # fmt: skip
def test_a_count_below_none_or_beyond_the_file_is_refused(values):
    with pytest.raises(ModelFileError, match="sound"):
        check_counts(values, 100)


@pytest.mark.parametrize("count", [20_001, 10**12])
def test_labels_beyond_reason_are_refused_as_written(count):
    with pytest.raises(ModelFileError, match="num_labels"):
        check_counts({"num_labels": count}, 20_000, WRITTEN)


def test_experts_in_one_table_may_be_many(tmp_path):
    config = transformers.DogeConfig(**families._DECODER, is_moe=True, num_experts=1024, num_experts_per_tok=2)
    torch.manual_seed(0)
    transformers.DogeForCausalLM(config).save_pretrained(tmp_path)
    check_counts(json.loads((tmp_path / "config.json").read_text()), 20_000, WRITTEN)
    assert core.load(str(tmp_path), device="cpu").info.can_predict


def test_experts_that_no_tensor_holds_are_refused(tmp_path):
    folder: Path = families.build("mixtral", tmp_path)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_local_experts": 9000}))
    with pytest.raises(ModelFileError, match="num_local_experts"):
        core.load(str(folder), device="cpu")
