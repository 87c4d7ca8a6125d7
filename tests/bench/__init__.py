"""Benchmarks: our figure, the peer's, and their ratio, measured side by side in one run. Never part of the tests."""
