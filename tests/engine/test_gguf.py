"""GGUF files: a whole one is a model with its tokenizer, a spoilt one an error of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

import core
from core.errors import LensError, ModelFileError, ModelTooLargeError
from tests import families

WIDTH, LAYERS, HEADS, KEYS, INNER, LIMIT = 32, 2, 4, 2, 64, 64


def write(path: Path, family: str = "llama", finite: bool = True, kind: str = "gpt2") -> Path:
    """A tiny Llama with grouped queries and a tokenizer of single bytes and one merge."""
    from tokenizers import pre_tokenizers

    tokens = ["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "th", "the"]
    file = gguf.GGUFWriter(path, family)
    file.add_context_length(LIMIT)
    file.add_embedding_length(WIDTH)
    file.add_block_count(LAYERS)
    file.add_feed_forward_length(INNER)
    file.add_head_count(HEADS)
    file.add_head_count_kv(KEYS)
    file.add_rope_dimension_count(WIDTH // HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_vocab_size(len(tokens))
    file.add_tokenizer_model(kind)
    file.add_tokenizer_pre("default")
    file.add_token_list(tokens)
    file.add_token_types([3, 3, *[1] * (len(tokens) - 2)])
    file.add_token_merges(["t h", "th e"])
    file.add_bos_token_id(0)
    file.add_eos_token_id(1)
    random = np.random.default_rng(0)

    def add(name: str, *shape: int) -> None:
        values = random.normal(size=shape).astype(np.float32) * shape[-1] ** -0.5 if len(shape) > 1 else np.ones(shape)
        file.add_tensor(name, values.astype(np.float32))

    add("token_embd.weight", len(tokens), WIDTH)
    for n in range(LAYERS):
        for name, rows in (("attn_q", WIDTH), ("attn_k", WIDTH // 2), ("attn_v", WIDTH // 2), ("attn_output", WIDTH)):
            add(f"blk.{n}.{name}.weight", rows, WIDTH)
        add(f"blk.{n}.ffn_gate.weight", INNER, WIDTH)
        add(f"blk.{n}.ffn_up.weight", INNER, WIDTH)
        add(f"blk.{n}.ffn_down.weight", WIDTH, INNER)
        add(f"blk.{n}.attn_norm.weight", WIDTH)
        add(f"blk.{n}.ffn_norm.weight", WIDTH)
    if not finite:
        file.add_tensor("output.weight", np.full((len(tokens), WIDTH), np.nan, dtype=np.float32))
    add("output_norm.weight", WIDTH)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def refused(path: Path, kind: type[LensError] = ModelFileError, **options: object) -> LensError:
    with pytest.raises(LensError) as caught:
        core.load(str(path), device="cpu", **options)  # type: ignore[arg-type]
    assert type(caught.value) is kind, repr(caught.value)
    assert caught.value.expected and caught.value.got and caught.value.todo
    return caught.value


def test_a_gguf_file_is_a_model_with_its_tokenizer(whole, capfd):
    lens = core.load(str(whole), device="cpu")
    assert (lens.info.kind, lens.info.layers, lens.info.heads, lens.info.kv_heads) == ("decoder", LAYERS, HEADS, KEYS)
    assert (lens.info.d_model, lens.info.max_tokens, lens.info.name) == (WIDTH, LIMIT, "tiny.gguf")
    assert lens.info.can_predict and lens.info.causal and lens.info.dtype == "float32"
    request = lens.request("the cat")
    assert lens.text.token_text(request.target[-1]) == "t" and "the" in [lens.text.token_text(i) for i in request.target]
    trace = lens.run(request)
    with torch.inference_mode():
        from transformers import AutoModelForCausalLM

        plain = AutoModelForCausalLM.from_pretrained(
            whole.parent, gguf_file=whole.name, dtype=torch.float32, attn_implementation="eager"
        )
        theirs = plain(torch.tensor([request.target]), output_attentions=True)
    for mine, other in zip(trace.attention, theirs.attentions, strict=True):
        assert np.array_equal(mine.pattern, other[0].numpy())
    assert np.abs(trace.next_logits - theirs.logits[0, -1].numpy()).max() < 1e-5


def test_loading_a_gguf_file_writes_nothing(whole, capfd):
    said: list[str] = []
    core.load(str(whole), device="cpu", progress=said.append)
    assert any(words.startswith("Reading weight 1 of ") for words in said)
    written = capfd.readouterr()
    assert (written.out, written.err) == ("", "")


def test_a_truncated_gguf_file_wherever_it_is_cut(whole, tmp_path):
    body, path = whole.read_bytes(), tmp_path / "cut.gguf"
    for cut in sorted(
        {0, 1, 4, 8, 23, 24, 100, len(body) - 1, len(body) - 64, *(len(body) * n // 9 for n in range(1, 9))}
    ):
        path.write_bytes(body[:cut])
        assert path.name in str(refused(path))


def test_what_is_no_gguf_file(tmp_path):
    for body in (b"GGUF", b"GGUF\xff\xff\xff\xff" * 9, b"\x80\x04.", b"PK\x03\x04" * 9, b"{}", os.urandom(4000)):
        (tmp_path / "x.gguf").write_bytes(body)
        refused(tmp_path / "x.gguf")


def test_a_gguf_file_of_a_family_nobody_reads(tmp_path):
    refused(write(tmp_path / "x.gguf", family="nobodys"))


def test_a_gguf_file_with_weights_that_are_not_finite(tmp_path):
    assert "NaN" in refused(write(tmp_path / "x.gguf", finite=False)).got


def test_a_budget_holds_for_gguf_files(whole):
    size = whole.stat().st_size
    refused(whole, ModelTooLargeError, budget=size - 1)
    assert core.load(str(whole), device="cpu", budget=size).info.layers == LAYERS


@pytest.mark.parametrize("number", [1, 2, 13])
def test_a_part_of_a_split_file_says_what_it_is_and_what_to_do(number, whole, tmp_path):
    path = Path(shutil.copy(whole, tmp_path / f"tiny-Q4_0-{number:05}-of-00013.gguf"))
    error = refused(path)
    assert f"part {number} of 13" in error.got
    assert "llama-gguf-split --merge tiny-Q4_0-00001-of-00013.gguf tiny-Q4_0.gguf" in error.todo


def test_a_split_file_of_one_part_is_whole(whole, tmp_path):
    assert core.load(shutil.copy(whole, tmp_path / "tiny-00001-of-00001.gguf"), device="cpu").info.layers == LAYERS


def test_a_gguf_file_with_the_weights_of_another_family(tmp_path):
    refused(write(tmp_path / "x.gguf", family="bloom"))


FLIP = """
import random, resource, signal, sys
resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
import core
from pathlib import Path
from core.engine.loading import verification
from core.errors import LensError
from tests import families
verification.check = lambda lens, seconds: None  # it has tests of its own; here a pass follows anyway

def late(*_):
    raise TimeoutError("too slow")

signal.signal(signal.SIGPROF, late)
path = Path(sys.argv[1])
whole, chance = path.read_bytes(), random.Random(0)
core.load(str(path), device="cpu")
for _ in range(60):
    spoilt = bytearray(whole)
    places = [chance.randrange(24 if chance.random() < 0.3 else 6000) for _ in range(chance.choice([1, 1, 2]))]
    for place in places:
        spoilt[place] = chance.choice([0, 1, 255, 127, chance.randrange(256)])
    path.write_bytes(spoilt)
    signal.setitimer(signal.ITIMER_PROF, 20)
    try:
        lens = core.load(str(path), device="cpu", local_only=True)
        lens.run(families.ask(lens))
    except LensError:
        pass
    except BaseException as error:
        print(places, [spoilt[place] for place in places], repr(error)[:300])
    signal.setitimer(signal.ITIMER_PROF, 0)
print("done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of memory and time are of Unix")
def test_flipped_bytes_in_a_gguf_file_load_or_are_refused(whole, tmp_path):
    path = Path(shutil.copy(whole, tmp_path / "flipped.gguf"))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FLIP, str(path)],
        capture_output=True, text=True, timeout=500, cwd=Path(core.__file__).parents[1],
        env={**os.environ, "PYTHONPATH": ".", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.stdout == "done\n", done.stdout[-3000:] + done.stderr[-3000:]


def test_a_gguf_run_is_like_any_other(whole):
    lens = core.load(str(whole), device="cpu")
    steps = list(lens.generate(families.ask(lens), steps=3))
    assert len(steps) == 3 and steps[-1].cache.reused > 0
