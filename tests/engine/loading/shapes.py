"""Tiny models that keep more than keys and values, change with the length of a text, or ask for their attention by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers

from tests.families import _BART, _DECODER, _T5, enliven, words

TURN = 12  # tokens; beyond them a long-context rope takes its other factors


def _rope(**more: Any) -> dict[str, Any]:
    return {"rope_type": "longrope", "rope_theta": 10000.0, "short_factor": [1.0] * 4, "long_factor": [2.0, 3.0, 4.0, 5.0],
            "original_max_position_embeddings": TURN, "factor": 4.0, **more}  # fmt: skip


_MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 8, "mamba_chunk_size": 8}
_LINEAR = {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
_LATENT = {"num_key_value_heads": 4, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8,
           "v_head_dim": 8}  # fmt: skip
# more index heads than a tiny model has heads: with few, many of their scores are exactly 0, and of equal ones any may win
_INDEX = _LATENT | {"index_n_heads": 8, "index_head_dim": 16, "index_topk": 4, "n_routed_experts": 4, "n_group": 1,
                    "topk_group": 1, "num_experts_per_tok": 2, "moe_intermediate_size": 16}  # fmt: skip
_SWITCH = {"num_decoder_layers": 2, "num_sparse_encoder_layers": 1, "num_sparse_decoder_layers": 1}
_NLLB = {"num_experts": 4, "encoder_sparse_step": 2, "decoder_sparse_step": 2}

# name → (architecture, configuration, values)
Shape = tuple[str, str, dict[str, Any]]
LONG: dict[str, Shape] = {
    "phi3": ("Phi3ForCausalLM", "Phi3Config", _DECODER | {"original_max_position_embeddings": TURN,
             "rope_parameters": _rope()}),
    "phimoe": ("PhimoeForCausalLM", "PhimoeConfig", _DECODER | {"num_local_experts": 2, "sliding_window": None,
               "original_max_position_embeddings": TURN, "rope_parameters": _rope(short_mscale=1.1, long_mscale=1.3)}),
    "llama": ("LlamaForCausalLM", "LlamaConfig", _DECODER | {"rope_parameters": _rope()}),
    "minicpm3": ("MiniCPM3ForCausalLM", "MiniCPM3Config", _DECODER | _LATENT | {"rope_parameters": _rope()}),
}  # fmt: skip
HYBRID: dict[str, Shape] = {
    "falcon_h1": ("FalconH1ForCausalLM", "FalconH1Config", _DECODER | {"mamba_d_ssm": 32, "mamba_n_heads": 4,
                  "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 8, "mamba_chunk_size": 8}),
    "bamba": ("BambaForCausalLM", "BambaConfig", _DECODER | _MAMBA | {"num_hidden_layers": 3,
              "attn_layer_indices": [1]}),
    "granite_hybrid": ("GraniteMoeHybridForCausalLM", "GraniteMoeHybridConfig", _DECODER | _MAMBA | {
                       "num_hidden_layers": 3, "layer_types": ["mamba", "attention", "mamba"], "num_local_experts": 2,
                       "num_experts_per_tok": 1, "shared_intermediate_size": 32}),
    "olmo_hybrid": ("OlmoHybridForCausalLM", "OlmoHybridConfig", _DECODER | _LINEAR | {"num_hidden_layers": 2,
                    "layer_types": ["linear_attention", "full_attention"]}),
    "recurrent_gemma": ("RecurrentGemmaForCausalLM", "RecurrentGemmaConfig", _DECODER | {"num_hidden_layers": 3,
                        "block_types": ["recurrent", "recurrent", "attention"], "lru_width": 32,
                        "attention_window_size": 16, "num_key_value_heads": 1}),
}  # fmt: skip
EXPERTS: dict[str, Shape] = {
    "switch": ("SwitchTransformersForConditionalGeneration", "SwitchTransformersConfig", _T5 | _SWITCH | {
               "num_experts": 2, "expert_capacity": 5000}),
    "switch_full": ("SwitchTransformersForConditionalGeneration", "SwitchTransformersConfig", _T5 | _SWITCH | {
                    "num_experts": 4, "expert_capacity": 3}),
    "nllb_moe": ("NllbMoeForConditionalGeneration", "NllbMoeConfig", _BART | _NLLB | {"expert_capacity": 64}),
    "nllb_moe_full": ("NllbMoeForConditionalGeneration", "NllbMoeConfig", _BART | _NLLB | {"expert_capacity": 4,
                      "moe_eval_capacity_token_fraction": 0.4}),
}  # fmt: skip
BY_NAME: dict[str, Shape] = {
    "deepseek_v32": ("DeepseekV32ForCausalLM", "DeepseekV32Config", _DECODER | _INDEX | {"first_k_dense_replace": 1}),
    "glm_moe_dsa": ("GlmMoeDsaForCausalLM", "GlmMoeDsaConfig", _DECODER | _INDEX | {"first_k_dense_replace": 1,
                    "qk_head_dim": 16}),
    "axk2": ("AXK2ForCausalLM", "AXK2Config", _DECODER | _INDEX | {"n_group": None, "topk_group": None,
             "gated_norm_rank": 4, "head_dim": 8}),
    "hy_v4": ("HYV4ForCausalLM", "HYV4Config", _DECODER | _INDEX | {"hc_mult": 2, "head_dim": 16}),
    # by that name it takes a way of its own, which our function never sees
    "gpt2_upcast": ("GPT2LMHeadModel", "GPT2Config", {"vocab_size": 61, "n_embd": 32, "n_layer": 2, "n_head": 4,
                    "n_positions": 64, "bos_token_id": 1, "eos_token_id": 2, "reorder_and_upcast_attn": True}),
}  # fmt: skip
OTHERS: dict[str, Shape] = {
    # its last layers look with the last token alone, where the answer is wanted there alone
    "gemma4": ("Gemma4ForCausalLM", "Gemma4TextConfig", _DECODER | {"head_dim": 8, "global_head_dim": 8,
               "num_hidden_layers": 4, "sliding_window": 4, "vocab_size_per_layer_input": 61,
               "hidden_size_per_layer_input": 8, "num_kv_shared_layers": 2,
               "layer_types": ["sliding_attention", "full_attention"] * 2}),
    # two attentions make one map
    "diffllama": ("DiffLlamaForCausalLM", "DiffLlamaConfig", _DECODER),
    "t5gemma": ("T5GemmaForConditionalGeneration", "T5GemmaConfig", {"vocab_size": 61, "decoder_start_token_id": 1,
                "encoder": _DECODER | {"head_dim": 8, "sliding_window": 4}, "pad_token_id": 0, "eos_token_id": 2,
                "decoder": _DECODER | {"head_dim": 8, "sliding_window": 4, "cross_attention_hidden_size": 32}}),
}  # fmt: skip
SHAPES = LONG | HYBRID | EXPERTS | BY_NAME | OTHERS


def folders(root: Path) -> Callable[[str], Path]:
    """The folder of a tiny model, by name, made when it is first asked for."""

    def build(name: str) -> Path:
        architecture, configuration, values = SHAPES[name]
        config = getattr(transformers, configuration)(**values)
        torch.manual_seed(0)
        model = getattr(transformers, architecture)(config).eval()
        enliven(model)
        model.save_pretrained(root / name)
        words(config).save_pretrained(root / name)
        return root / name

    return cache(build)
