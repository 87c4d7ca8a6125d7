"""Families that differ in what an attention is made of, small enough in number to be tried in seconds."""

from __future__ import annotations

# plain, bias, grouped queries, soft-caps and windows, sinks, shared bias, cross-attention, encoders with and without windows
KINDS = ("ours", "ours_encoder", "gpt2", "llama", "gemma2", "gpt_oss", "t5", "bart", "bert", "modernbert")
