"""The sweep: every family that transformers can build small, loaded and held against its own untouched code."""
