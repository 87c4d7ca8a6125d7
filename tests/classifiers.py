"""Tiny classifiers with random weights: sequences, tokens, spans and next sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import processors

from tests import families

HEADS = {
    "text": ("ForSequenceClassification", ("bert", "roberta", "modernbert", "gpt2", "bart", "t5")),
    "token": ("ForTokenClassification", ("electra", "albert", "gpt_neox", "t5")),
    "span": ("ForQuestionAnswering", ("bert", "distilbert", "qwen2", "t5")),
    "next": ("ForNextSentencePrediction", ("bert", "megatron-bert", "mobilebert")),
}
LABELS = {0: "bad", 1: "so-so", 2: "good"}
MORE: dict[str, dict[str, Any]] = {
    "megatron-bert": {},
    "mobilebert": {"intra_bottleneck_size": 32, "embedding_size": 32, "true_hidden_size": 32},
}


def built(folder: Path, family: str, head: str, **changes: Any) -> Path:
    """A tiny classifier with random weights and a tokenizer, saved."""
    if family in MORE:
        own = transformers.AutoConfig.for_model(family)
        values, stem = families._ENCODER | MORE[family], type(own).__name__.removesuffix("Config")
        configuration = type(own)
    else:
        _, name, values = families.FAMILIES[family]
        configuration, stem = getattr(transformers, name), name.removesuffix("Config")
    labels = {"id2label": LABELS} if head in ("ForSequenceClassification", "ForTokenClassification") else {}
    config = configuration(**values | labels | changes)
    torch.manual_seed(0)
    model = getattr(transformers, stem + head)(config).eval()
    families.enliven(model)
    model.save_pretrained(folder)
    tokenizer = families.words(config)
    if config.is_encoder_decoder:  # such heads look for the end of the text
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single="$A </s>", special_tokens=[("</s>", config.eos_token_id)]
        )
    tokenizer.save_pretrained(folder)
    return folder
