"""Tiny models with random weights, one of every family Lookback works with, and the sizes that make each family's trait
visible: grouped queries, windows shorter than the text, soft-caps, sinks, shared biases, odd norms.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from core.engine.lens import Lens
from core.request import Request

VOCAB = 61
LIMIT = 64  # positions

_DECODER = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": LIMIT,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_ENCODER = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": LIMIT,
    "pad_token_id": 0,
}
_T5 = {
    "vocab_size": VOCAB,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 48,
    "num_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 12,
    "decoder_start_token_id": 0,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_BART = {
    "vocab_size": VOCAB,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": LIMIT,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "decoder_start_token_id": 2,
    # generate() would force these tokens on any model at the first and last step; the loop here lets the model choose
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
}

# family → (architecture, configuration, what differs)
FAMILIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", {"vocab_size": VOCAB, "n_embd": 32, "n_layer": 2, "n_head": 4,
             "n_positions": LIMIT, "bos_token_id": 1, "eos_token_id": 2}),
    "llama": ("LlamaForCausalLM", "LlamaConfig", _DECODER),
    "gemma2": ("Gemma2ForCausalLM", "Gemma2Config", _DECODER | {"head_dim": 8, "query_pre_attn_scalar": 20,
               "attn_logit_softcapping": 1.5, "final_logit_softcapping": 3.0, "sliding_window": 4}),
    "gpt_oss": ("GptOssForCausalLM", "GptOssConfig", _DECODER | {"head_dim": 8, "num_local_experts": 2,
                "num_experts_per_tok": 1, "sliding_window": 4}),
    "opt": ("OPTForCausalLM", "OPTConfig", {"vocab_size": VOCAB, "hidden_size": 32, "ffn_dim": 48,
            "word_embed_proj_dim": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
            "max_position_embeddings": LIMIT, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}),
    "gpt_neox": ("GPTNeoXForCausalLM", "GPTNeoXConfig",
                 {key: value for key, value in _DECODER.items() if key != "num_key_value_heads"}),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", _DECODER),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3Config", _DECODER | {"head_dim": 16}),
    "phi": ("PhiForCausalLM", "PhiConfig", _DECODER),
    "mistral": ("MistralForCausalLM", "MistralConfig", _DECODER | {"sliding_window": 4}),
    "smollm": ("LlamaForCausalLM", "LlamaConfig", _DECODER | {"hidden_size": 72, "num_attention_heads": 9,
               "num_key_value_heads": 3, "tie_word_embeddings": True}),
    "smollm3": ("SmolLM3ForCausalLM", "SmolLM3Config", _DECODER | {"num_hidden_layers": 4}),
    "phi3": ("Phi3ForCausalLM", "Phi3Config", _DECODER),
    "gemma3": ("Gemma3ForCausalLM", "Gemma3TextConfig", _DECODER | {"head_dim": 8, "sliding_window": 4,
               "layer_types": ["sliding_attention", "full_attention"]}),
    "olmo2": ("Olmo2ForCausalLM", "Olmo2Config", _DECODER),
    "granite": ("GraniteForCausalLM", "GraniteConfig", _DECODER | {"attention_multiplier": 0.3}),
    "starcoder2": ("Starcoder2ForCausalLM", "Starcoder2Config", _DECODER | {"sliding_window": 4}),
    "mixtral": ("MixtralForCausalLM", "MixtralConfig", _DECODER | {"num_local_experts": 2, "sliding_window": None}),
    # convolutions between the attentions: fewer sites than layers, and more in the cache than keys and values
    "lfm2": ("Lfm2ForCausalLM", "Lfm2Config", _DECODER | {"num_hidden_layers": 3,
             "layer_types": ["full_attention", "conv", "full_attention"]}),
    "bert": ("BertForMaskedLM", "BertConfig", _ENCODER),
    "roberta": ("RobertaForMaskedLM", "RobertaConfig", _ENCODER | {"pad_token_id": 1}),
    "xlm_roberta": ("XLMRobertaForMaskedLM", "XLMRobertaConfig", _ENCODER | {"pad_token_id": 1}),
    "distilbert": ("DistilBertForMaskedLM", "DistilBertConfig", {"vocab_size": VOCAB, "dim": 32, "hidden_dim": 48,
                   "n_layers": 2, "n_heads": 4, "max_position_embeddings": LIMIT}),
    "electra": ("ElectraForMaskedLM", "ElectraConfig", _ENCODER | {"embedding_size": 16}),
    "albert": ("AlbertForMaskedLM", "AlbertConfig", _ENCODER | {"embedding_size": 16, "num_hidden_layers": 3}),
    "modernbert": ("ModernBertForMaskedLM", "ModernBertConfig", _ENCODER | {"num_hidden_layers": 3,
                   "global_attn_every_n_layers": 2, "local_attention": 6, "cls_token_id": 3, "sep_token_id": 4,
                   "bos_token_id": 3, "eos_token_id": 4, "reference_compile": False}),
    "t5": ("T5ForConditionalGeneration", "T5Config", _T5),
    "t5_gated": ("T5ForConditionalGeneration", "T5Config", _T5 | {"feed_forward_proj": "gated-gelu",
                 "tie_word_embeddings": False}),
    "mt5": ("MT5ForConditionalGeneration", "MT5Config", _T5 | {"num_decoder_layers": 3}),
    "bart": ("BartForConditionalGeneration", "BartConfig", _BART),
    "marian": ("MarianMTModel", "MarianConfig", _BART | {"decoder_start_token_id": 0, "num_beams": 1}),
    "mbart": ("MBartForConditionalGeneration", "MBartConfig", _BART),
    "pegasus": ("PegasusForConditionalGeneration", "PegasusConfig", _BART | {"decoder_start_token_id": 0}),
}  # fmt: skip


_TWO_LAYERS = {"vocab_size": VOCAB, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": LIMIT, "bos_token_id": 1,
               "eos_token_id": 2}  # fmt: skip
_WIDE = {key: value for key, value in _DECODER.items() if key not in ("intermediate_size", "num_key_value_heads")}
_DEBERTA = _ENCODER | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}

# families beside transformers' attention interface, which are read and never changed
READ_ONLY: dict[str, tuple[str, str, dict[str, Any]]] = {
    "gpt_neo": ("GPTNeoForCausalLM", "GPTNeoConfig", {"vocab_size": VOCAB, "hidden_size": 32, "num_layers": 2, "num_heads": 4,
                "attention_types": [[["global", "local"], 1]], "window_size": 4, "max_position_embeddings": LIMIT,
                "bos_token_id": 1, "eos_token_id": 2}),
    "gptj": ("GPTJForCausalLM", "GPTJConfig", _TWO_LAYERS | {"rotary_dim": 4}),
    "codegen": ("CodeGenForCausalLM", "CodeGenConfig", _TWO_LAYERS | {"rotary_dim": 4, "n_ctx": LIMIT}),
    "openai-gpt": ("OpenAIGPTLMHeadModel", "OpenAIGPTConfig", _TWO_LAYERS),
    "bloom": ("BloomForCausalLM", "BloomConfig", {"vocab_size": VOCAB, "hidden_size": 32, "n_layer": 2, "n_head": 4,
              "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}),
    "falcon": ("FalconForCausalLM", "FalconConfig", _WIDE),
    "falcon_alibi": ("FalconForCausalLM", "FalconConfig", _WIDE | {"alibi": True, "multi_query": False}),
    "mpt": ("MptForCausalLM", "MptConfig", {"vocab_size": VOCAB, "d_model": 32, "n_layers": 2, "n_heads": 4,
            "max_seq_len": LIMIT, "bos_token_id": 1, "eos_token_id": 2}),
    "xglm": ("XGLMForCausalLM", "XGLMConfig", {"vocab_size": VOCAB, "d_model": 32, "ffn_dim": 48, "num_layers": 2,
             "attention_heads": 4, "max_position_embeddings": LIMIT, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}),
    "stablelm": ("StableLmForCausalLM", "StableLmConfig", _DECODER),
    "deberta": ("DebertaForMaskedLM", "DebertaConfig", _DEBERTA),
    "deberta_v2": ("DebertaV2ForMaskedLM", "DebertaV2Config", _DEBERTA),
    "deberta_v3": ("DebertaV2ForMaskedLM", "DebertaV2Config", _DEBERTA | {"position_buckets": 16, "share_att_key": True,
                   "norm_rel_ebd": "layer_norm", "position_biased_input": False}),
    "mpnet": ("MPNetForMaskedLM", "MPNetConfig", _ENCODER | {"pad_token_id": 1}),
    "convbert": ("ConvBertForMaskedLM", "ConvBertConfig", _ENCODER | {"embedding_size": 32, "head_ratio": 2}),
    "xlm": ("XLMWithLMHeadModel", "XLMConfig", {"vocab_size": VOCAB, "emb_dim": 32, "n_layers": 2, "n_heads": 4,
            "max_position_embeddings": LIMIT, "pad_index": 0, "pad_token_id": 0}),
    "xlnet": ("XLNetLMHeadModel", "XLNetConfig", {"vocab_size": VOCAB, "d_model": 32, "n_layer": 2, "n_head": 4,
              "d_inner": 48, "pad_token_id": 0}),
    "fsmt": ("FSMTForConditionalGeneration", "FSMTConfig", {"langs": ["en", "de"], "src_vocab_size": VOCAB,
             "tgt_vocab_size": VOCAB, **{key: value for key, value in _BART.items() if key != "vocab_size"}, "num_beams": 1}),
    "mvp": ("MvpForConditionalGeneration", "MvpConfig", _BART),
}  # fmt: skip

ENCODERS = tuple(f for f, (name, _, _) in FAMILIES.items() if name.endswith("MaskedLM"))
DECODERS = tuple(f for f, (name, _, _) in FAMILIES.items() if name.endswith(("CausalLM", "GPT2LMHeadModel")))
SEQ2SEQ = tuple(f for f in FAMILIES if f not in ENCODERS + DECODERS)

# our own transformer, in every shape its config can take
OURS: dict[str, dict[str, Any]] = {
    "ours": {"kind": "encoder-decoder"},
    "ours_decoder": {"kind": "decoder", "positions": "rotary"},
    "ours_encoder": {"kind": "encoder", "positions": "learned", "norm": "post"},
    "ours_seq2seq_post": {"kind": "encoder-decoder", "positions": "rotary", "norm": "post"},
    "ours_peeking": {"kind": "decoder", "causal": False, "positions": "learned"},
}
EVERY = (*OURS, *FAMILIES)
TEXTS = ["gen ai is interesting domain", "the black cat sleeps on the red sofa", "It's 1999, isn't it?"] * 3


def build(name: str, folder: Path, seed: int = 0) -> Path:
    """Save a tiny model into `folder`, tokenizer included: the same one for the same seed."""
    folder.mkdir(parents=True, exist_ok=True)
    return _build_ours(name, folder, seed) if name in OURS else _build_family(name, folder, seed)


def _build_family(family: str, folder: Path, seed: int) -> Path:
    import transformers

    architecture, configuration, values = (FAMILIES | READ_ONLY)[family]
    config = getattr(transformers, configuration)(**values)
    torch.manual_seed(seed)
    model = getattr(transformers, architecture)(config).eval()
    if family == "t5_gated":  # as in T5 1.1: an output head of its own, no copy of the embedding
        model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.lm_head.weight))
    enliven(model)
    model.save_pretrained(folder)
    words(config).save_pretrained(folder)
    return folder


def words(config: Any) -> Any:
    """A tokenizer of whole words, w5 w6 …, that agrees with a configuration on its special ids."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    roles = {"pad_token_id": "<pad>", "bos_token_id": "<s>", "eos_token_id": "</s>"}
    names = {token: name for role, name in roles.items() if (token := getattr(config, role, None)) is not None}
    free = [token for token in range(VOCAB) if token not in names]
    names |= {free[0]: "<mask>", free[1]: "<unk>"}
    tokens = {names.get(token, f"w{token}"): token for token in range(VOCAB)}
    tokenizer = Tokenizer(models.WordLevel(tokens, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    held = {
        "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>", "unk_token": "<unk>",
    }  # fmt: skip
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{role: name for role, name in held.items() if name in tokens}
    )


def _build_ours(name: str, folder: Path, seed: int) -> Path:
    from safetensors.torch import save_file

    from core.model.transformer import Config, Transformer
    from core.model.vocabulary import Vocabulary

    vocabulary = Vocabulary.train(TEXTS, 300)
    config = Config(vocab=len(vocabulary), d_model=32, heads=4, d_ff=48, encoder_layers=2, decoder_layers=2,
                    max_tokens=LIMIT, **OURS[name])  # fmt: skip
    torch.manual_seed(seed)
    model = Transformer(config).eval()
    enliven(model)
    save_file({key: tensor.contiguous() for key, tensor in model.state_dict().items()}, folder / "model.safetensors")
    vocabulary.save(folder / "tokenizer.json")
    about = {"family": "lookback", "name": name, **config.to_dict()}
    (folder / "config.json").write_text(json.dumps(about), "utf-8")
    return folder


def enliven(model: torch.nn.Module) -> None:
    """Random weights large enough that heads differ and prefer some keys: fresh ones are nearly uniform everywhere."""
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            if weight.ndim >= 2:
                weight.normal_(0, 1.2 * weight.shape[-1] ** -0.5)
                if name.endswith("Attention.q.weight"):  # T5 scales nothing: its weights themselves are small
                    weight.mul_(8**-0.5)
            else:
                weight.add_(0.2 * torch.randn_like(weight))


def ids(length: int, salt: int = 0, vocab: int = VOCAB) -> tuple[int, ...]:
    """Some ordinary ids, none of them special, without a pattern an attention could lean on."""
    return tuple(5 + (17 * n * n + 7 * n + 11 * salt) % (vocab - 5) for n in range(length))


def ask(lens: Lens, length: int = 9, target: int = 6, salt: int = 0, **how: Any) -> Request:
    """A request of given lengths; `target` counts the start token and matters to encoder–decoders alone."""
    written = {"target_ids": ids(target - 1, salt + 3)} if lens.info.kind == "encoder-decoder" else {}
    return lens.request(ids=ids(length, salt), **written, **how)
