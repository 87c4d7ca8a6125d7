"""Models of the benchmarks: GPT-2-small-shaped and Marian-shaped random weights, loaded once by us and once plainly."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from core import load


def saved(name: str) -> Path:
    """A folder with seeded random weights of that shape."""
    from transformers import GPT2Config, GPT2LMHeadModel, MarianConfig, MarianMTModel

    torch.manual_seed(0)
    shapes: dict[str, Any] = {
        "gpt2": lambda: GPT2LMHeadModel(GPT2Config(n_positions=1024)),
        "tiny": lambda: GPT2LMHeadModel(GPT2Config(n_layer=4, n_embd=256, n_head=4, vocab_size=8000)),
        "marian": lambda: MarianMTModel(
            MarianConfig(vocab_size=8000, d_model=512, encoder_layers=6, decoder_layers=6, pad_token_id=0,
                         decoder_start_token_id=0, eos_token_id=1, forced_eos_token_id=None)
        ),
    }  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="lookback-bench-")) / name
    shapes[name]().save_pretrained(folder)
    return folder


def pair(name: str, attention: str = "sdpa") -> tuple[Any, Any]:
    """Our lens, and the same weights as transformers runs them."""
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    folder = saved(name)
    kind = AutoModelForSeq2SeqLM if name == "marian" else AutoModelForCausalLM
    plain = kind.from_pretrained(folder, attn_implementation=attention, dtype=torch.float32).eval()
    return load(str(folder)), plain
