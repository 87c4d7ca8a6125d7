"""What single families need beside the sizes that all share, nested as their configurations are."""

from __future__ import annotations

from typing import Any

ROPE = {"rope_type": "default", "rope_theta": 10000.0}
MAMBA = {"mamba_n_heads": 4, "mamba_d_head": 16}
ZAMBA = ["linear_attention", "hybrid", "linear_attention", "hybrid"]
NEMOTRON_H = {"n_groups": 1, "mamba_num_heads": 4, "mamba_head_dim": 16, "layers_block_type": [
    "linear_attention", "moe", "full_attention", "mlp"]}  # fmt: skip

OWN: dict[str, dict[str, Any]] = {
    "bamba": MAMBA | {"attn_layer_indices": [1]},
    "granitemoehybrid": MAMBA | {"layer_types": ["linear_attention", "full_attention"]},
    "bridgetower": {"text_config": {"num_attention_heads": 4}, "num_attention_heads": 4, "num_hidden_layers": 2},
    "chameleon": {"vocabulary_map": {"<image>": 5, "IMGIMGAAZ": 6}},
    "cohere_compass_text": {"rope_parameters": {"full_attention": ROPE, "sliding_attention": ROPE}},
    "cohere_compass": {"text_config": {"rope_parameters": {"full_attention": ROPE, "sliding_attention": ROPE}}},
    "dbrx": {"attn_config": {"rope_theta": 10000.0, "kv_n_heads": 2, "clip_qkv": 8.0},
             "ffn_config": {"moe_num_experts": 4, "moe_top_k": 2}},
    "dots3_note": {"text_config": {"num_key_value_heads": 4}},
    "fun_asr_nano": {"adaptor_config": {"intermediate_size": 8}},
    "gemma3n_text": {"num_hidden_layers": 4, "num_kv_shared_layers": 2, "hidden_size_per_layer_input": 8, "layer_types": [
        "sliding_attention", "full_attention", "sliding_attention", "full_attention"]},
    "molmo2": {"adapter_config": {"vision_feature_layer": [1, 0]}},
    "muse_spark": {"audio_config": {"num_hidden_layers": 4}},
    "nemotron_h_omni": {"vision_config": {"video_temporal_patch_size": 2}, "text_config": NEMOTRON_H},
    "neomme": {"head_dim": 16},
    "dots1": {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1},
    "emu3": {"vocabulary_map": {"<image>": 5, "<|visual token 000001|>": 6}},
    "esm": {"vocab_size": 128, "pad_token_id": 1, "mask_token_id": 4},
    "esmc": {"vocab_size": 128},
    "deepseek_v2": {"topk_method": "greedy", "num_experts_per_tok": 2, "n_routed_experts": 4, "num_key_value_heads": 4},
    "gpt_neo": {"num_layers": 2, "attention_types": [[["global", "local"], 1]]},
    "lfm2_moe": {"layer_types": ["full_attention", "conv"], "num_dense_layers": 1},
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 1},
    "mobilebert": {"embedding_size": 16, "intra_bottleneck_size": 32, "true_hidden_size": 32},
    "nemotron_h": NEMOTRON_H,
    "reformer": {"axial_pos_shape": (8, 8), "axial_pos_embds_dim": (16, 16), "attn_layers": ["local", "lsh"]},
    "zamba": {"num_hidden_layers": 4, "layers_block_type": ZAMBA, "attention_hidden_size": 64, "attention_head_dim": 16,
              "mamba_dt_rank": 4, "num_key_value_heads": 4},
    "zamba2": {"num_hidden_layers": 4, "layers_block_type": ZAMBA, "num_key_value_heads": 4, "n_mamba_heads": 4},
}  # fmt: skip
