"""Small models of every family that reads text: which classes there are, and their configurations made small by the names of
their fields.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from transformers import PreTrainedConfig
from transformers.models.auto import modeling_auto as auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from tests.sweep.own import OWN

VOCAB, LIMIT = 128, 64  # tokens, positions
FIRST = 40  # the special ids of every family find room below this one; texts are made of the ids from here on

HEADS = (
    auto.MODEL_FOR_CAUSAL_LM_MAPPING,
    auto.MODEL_FOR_MASKED_LM_MAPPING,
    auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    auto.MODEL_FOR_MULTIMODAL_LM_MAPPING,
)

# the first pattern that fits the whole name of a field gives its size; the sizes fit together
SIZES: tuple[tuple[str, int], ...] = (
    (r".*vocab(_size|ab)?(_per_layer_input)?|vocab_size.*|n_token|entity_vocab_size", VOCAB),
    (r"(max|n|num)_?(source_|target_|2d_|rel_)?pos(ition)?(ition_embedding)?s?(_embeddings)?|n_ctx|max_seq_len|seq_length"
     r"|.*max_position_embeddings|max_seq_length|max_sequence_length", LIMIT),
    (r"(local_|attention_|attn_|sliding_)?(attention_)?window(_size|_len)?|sliding_window.*|local_attention|block_length", 4),
    (r"(num_)?(kv|key_value)_(heads?|head_num)|.*num_key_value_heads|n_head_kv|num_kv_heads|multi_query_group_num", 2),
    (r".*(num_(attention_)?heads|attention_heads|n_heads?|num_head|encoder_num_heads|linear_num_(key|value)_heads)", 4),
    (r"(d_kv|d_head|dim_head|head_dim|.*_head_dim|index_head_dim|attention_head_size|kv_channels|n_rel_dim|rotary_dim)", 8),
    (r".*(num_(hidden_|encoder_|decoder_|blocks|entity_)?layers|n_layers?|num_blocks|(en|de)coder_layers|depth)", 2),
    (r"(hidden_size|d_model|n_embd|dim|emb_dim|embed_dim|n_embed|embedding_dim|width|lstm_hidden_size|out_hidden_size"
     r"|(text|image|vision|audio|word)_?(embed|hidden|projection|embed_proj)_?(dim|size)|projection_dim|hidden_dim"
     r"|projector_hidden_size|word_embed_proj_dim|output_dim|.*backbone_hidden_size|proj_dim|lru_width|d_embed|embedding_size"
     r"|encoder_hidden_size|decoder_hidden_size|audio_hidden_size)", 32),
    (r".*(intermediate_size|ffn_dim|d_ff|d_inner|dff|n_inner|ffn_hidden_size|dim_ff|mlp_dim|ffn_intermediate_size"
     r"|centroid_intermediate_top_k|_linear_units)|shape_size|coordinate_size", 48),
    (r"(q_lora_rank|kv_lora_rank|o_lora_rank|.*_lora_rank|.*_rank|d_rel)", 16),
    (r"(num_experts_per_tok|moe_top_?k|experts_per_token|num_experts_per_token|moe_k|top_k_experts)", 2),
    (r"(n_routed_experts|num_experts|num_local_experts|moe_num_experts|n_experts|num_routed_experts)", 4),
    (r"(n_group|topk_group|n_shared_experts|num_nextn_predict_layers|first_k_dense_replace)", 1),
    (r"(index_topk)", 16),
    (r"(mamba_|ssm_)?(d_state|state_size|ssm_state_size)|state_size", 8),
    (r"image_size|crop_size", 16),
    (r"patch_size|spatial_patch_size", 8),
    (r".*(chunk_size|chunk_length)", 8),
    (r"max_rel_pos|max_rel_2d_pos|rel_extent|num_codebooks", 8),
    (r"num_mel_bins", 8),
)  # fmt: skip
PATTERNS = tuple((re.compile(pattern), size) for pattern, size in SIZES)

ROPE = {"rope_type": "default", "rope_theta": 10000.0}
# tried in turn, until a model runs on text: every head with keys of its own (latent attention), positions in three parts, whole or
# half of a head, more layers (where only some attend), and all of it
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"num_key_value_heads": 4},
    {"head_dim": 8},
    {"rope_parameters": ROPE | {"mrope_section": [2, 1, 1]}, "head_dim": 8},
    {"rope_parameters": ROPE | {"mrope_section": [2, 1, 1], "partial_rotary_factor": 0.5}, "head_dim": 16},
    {"rope_parameters": ROPE | {"mrope_section": [1, 1, 0]}},
    {"num_hidden_layers": 4},
    {"num_hidden_layers": 8},
    {"num_hidden_layers": 8, "num_key_value_heads": 4},
    {"num_hidden_layers": 4, "rope_parameters": ROPE | {"mrope_section": [2, 1, 1]}, "head_dim": 8},
)


def families() -> Iterator[tuple[str, str]]:
    """(family, class) of all: every class with an output head that reads ids; the bare model where there is none; "" where none of
    them reads ids."""
    for family in sorted(CONFIG_MAPPING.keys()):
        try:
            classes = classes_of(CONFIG_MAPPING[family])
        except (ImportError, ValueError):  # it needs a package that is not here
            continue
        for name in [cls.__name__ for cls in classes] or [""]:
            yield family, name


def classes_of(config: type) -> list[type]:
    """The classes of a configuration that read ids, those with an output head alone where there is one."""
    try:
        parts = {type(value) for value in vars(config()).values() if isinstance(value, PreTrainedConfig)}
    except Exception:  # a family whose defaults make no configuration
        parts = set()
    for mappings in (HEADS, (auto.MODEL_MAPPING,)):
        found = [mapping[config] for mapping in mappings if config in mapping]
        single = [cls for one in found for cls in (one if isinstance(one, (tuple, list)) else [one])]
        # some take a part of the configuration alone: they belong to that part's family
        single = [cls for cls in dict.fromkeys(single) if cls.config_class not in parts]
        single = [cls for cls in single if cls.main_input_name == "input_ids"]
        if single:
            return single
    return []


def small(family: str, name: str, variant: int = 0) -> Any:
    """A small configuration of a family, for one of its classes. variant: which of `VARIANTS`."""
    cls = CONFIG_MAPPING[family]
    config = cls(**values_of(cls, OWN.get(family, {}), VARIANTS[variant]))
    if config.is_encoder_decoder and re.search(r"CausalLM|Decoder$", name):
        config.is_encoder_decoder, config.is_decoder = False, True
    elif re.search(r"CausalLM|LMHeadModel|GenerationDecoder", name) and hasattr(config, "is_decoder"):
        config.is_decoder = True
    if config.is_encoder_decoder and getattr(config, "decoder_start_token_id", None) is None:
        config.decoder_start_token_id = 1
    return config


def values_of(cls: type, own: dict[str, Any], variant: dict[str, Any]) -> dict[str, Any]:
    """The arguments that make a configuration small. own: what a family needs to be different, nested like its parts."""
    try:
        usual = cls()
    except Exception:  # a family whose defaults make no configuration
        usual = None
    values: dict[str, Any] = {}
    special = 3
    for field in dataclasses.fields(cls):
        try:
            held = getattr(usual, field.name, field.default)
        except RuntimeError:  # a value that differs from layer to layer
            held = field.default
        if isinstance(held, PreTrainedConfig):
            part = own.get(field.name, {})
            values[field.name] = type(held)(**values_of(type(held), part if isinstance(part, dict) else {}, variant))
        elif field.name in own:
            values[field.name] = own[field.name]
        elif field.name in variant and "vision" not in cls.__name__.lower() and "audio" not in cls.__name__.lower():
            values[field.name] = variant[field.name]
        elif isinstance(field.default, bool) or not isinstance(field.default, int):
            continue
        elif re.fullmatch(r".*(token|_tok)_?(id|index)|.*_id|.*token_index", field.name):
            if field.default >= FIRST:
                values[field.name], special = special, special + 1
        else:
            size = next((size for pattern, size in PATTERNS if pattern.fullmatch(field.name)), None)
            if size is not None and size < field.default:
                values[field.name] = size
    return values | {name: value for name, value in own.items() if name not in values}
