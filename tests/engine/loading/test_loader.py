"""Whatever a name or a folder holds, loading it gives a lens, or one of our errors: never another exception, no hang."""

from __future__ import annotations

import contextlib
import json
import math
import os
import pickle
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import core
import core.engine
from core.engine import files
from core.errors import (
    HubUnreachableError,
    LensError,
    ModelError,
    ModelFileError,
    ModelNotFoundError,
    NotAPredictor,
    UnsupportedModelError,
)
from tests import families

FOUR = ("ours", "gpt2", "bert", "t5")
EACH = pytest.mark.parametrize("name", FOUR)
THEIRS = pytest.mark.parametrize("name", FOUR[1:])
MANY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def refused(kind: type[LensError], name: object, **options: Any) -> LensError:
    """Load what must not load: the error is of exactly that kind, in three parts, within seconds."""
    begin = time.process_time()
    with pytest.raises(LensError) as caught:
        core.load(name, device=options.pop("device", "cpu"), **options)  # type: ignore[arg-type]
    assert time.process_time() - begin < 10
    error = caught.value
    assert type(error) is kind, repr(error)
    assert error.expected and error.got and error.todo, repr(error)
    assert str(error).startswith("Expected ") and "\n" not in str(error) and len(str(error)) < 1300
    return error


@pytest.fixture
def copy(folder_of: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A folder of one's own to spoil."""
    return lambda name: Path(shutil.copytree(folder_of(name), tmp_path / name))


def configure(folder: Path, **values: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


def weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> Path:
    path = folder / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})
    return folder


# names


@pytest.mark.parametrize(
    "name",
    ["", " ", "\0", "a\0b", "../../etc/passwd-not", "/no/such/folder", "a/b/c", "a" * 300, "a/" * 2000, "x" * 10_000,
     "https://huggingface.co/openai-community/gpt2", r"C:\models\gpt2", "~nosuchuser/model", "\ud800", "owner/",
     "/owner", "owner/..", "owner/a..b", "-", "\u202egpt2", "модель", "owner/name@main", "a b", "🙂", "/dev/null"],
    ids=lambda name: ascii(name[:24]),
)  # fmt: skip
def test_a_name_that_can_be_none_is_refused_without_asking_anyone(name, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", pytest.fail)
    refused(ModelNotFoundError, name)


@pytest.mark.parametrize("name", [None, 7, b"classroom", ["classroom"], object()], ids=lambda name: type(name).__name__)
def test_a_name_is_a_text_or_a_path(name):
    refused(ModelNotFoundError, name)


def test_a_path_object_is_a_name(folder_of):
    assert core.load(folder_of("ours_decoder"), device="cpu").info.kind == "decoder"


@MANY
@given(name=st.text(max_size=60))
def test_no_name_brings_another_exception(name):
    with contextlib.suppress(LensError):
        core.load(name, device="cpu", local_only=True)


def test_with_local_only_an_unknown_hub_name_is_refused_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", pytest.fail)
    refused(HubUnreachableError, "owner/name", local_only=True)  # the first call imports the hub's client
    monkeypatch.setattr(time, "sleep", pytest.fail)
    refused(HubUnreachableError, "owner/name", local_only=True)


def test_nothing_local_asks_the_network(folder_of, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", pytest.fail)
    monkeypatch.setattr(socket, "getaddrinfo", pytest.fail)
    for name in FOUR:
        core.load(str(folder_of(name)), device="cpu")


# folders


def test_a_folder_without_weights(copy):
    folder = copy("gpt2")
    (folder / "model.safetensors").unlink()
    assert "model.safetensors" in str(refused(ModelFileError, str(folder)))
    assert "config.json" in str(refused(ModelFileError, str(folder.parent)))


@EACH
@pytest.mark.parametrize("pickled", ["pytorch_model.bin", "model.pt", "model.ckpt", "weights.pkl", "tf_model.h5"])
def test_a_folder_with_pickles_alone(name, pickled, copy):
    folder = copy(name)
    (folder / "model.safetensors").rename(folder / pickled)
    error = refused(ModelFileError, str(folder))
    assert pickled in error.got and "save_pretrained" in error.todo


class Trap:
    """A pickle that leaves a mark when it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@EACH
@pytest.mark.parametrize("how", ["zip", *range(pickle.HIGHEST_PROTOCOL + 1)])
def test_a_pickle_under_the_name_of_safetensors_is_not_opened(name, how, copy, tmp_path):
    folder, mark = copy(name), tmp_path / "ran"
    if how == "zip":
        torch.save({"weight": Trap(mark)}, folder / "model.safetensors")
    else:
        (folder / "model.safetensors").write_bytes(pickle.dumps(Trap(mark), protocol=int(how)))
    refused(ModelFileError, str(folder))
    assert not mark.exists()


def test_a_configuration_cannot_choose_other_weights(copy, tmp_path):
    folder, mark = copy("gpt2"), tmp_path / "ran"
    (folder / "adapter_model.bin").write_bytes(pickle.dumps(Trap(mark)))
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/other", "peft_type": "LORA"}')
    for other in ("adapter_model.bin", "../../x.safetensors", "pytorch_model.bin"):
        configure(folder, transformers_weights=other)
        assert core.load(str(folder), device="cpu", local_only=True).info.can_predict
    assert not mark.exists()


def test_a_git_lfs_pointer_says_what_it_is(copy):
    folder = copy("gpt2")
    (folder / "model.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 548105171\n"
    )
    assert "git lfs pull" in refused(ModelFileError, str(folder)).todo


@pytest.mark.parametrize("file", ["notes.txt", "model.safetensors", "pytorch_model.bin", "config.json"])
def test_a_folder_that_is_a_file(file, tmp_path):
    (tmp_path / file).write_bytes(b"\x80\x04.")
    error = refused(ModelFileError, str(tmp_path / file))
    assert file in error.got


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of Unix")
@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "x"])
def test_a_pipe_under_the_name_of_a_file_is_not_waited_for(file, copy):
    folder = copy("gpt2")
    (folder / file).unlink(missing_ok=True)
    os.mkfifo(folder / file)
    refused(ModelFileError, str(folder))


def test_a_link_to_nowhere(copy):
    folder = copy("gpt2")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(folder / "gone")
    refused(ModelFileError, str(folder))
    (folder / "loop").symlink_to(folder / "loop")
    refused(ModelNotFoundError, str(folder / "loop"))


# weights


@EACH
def test_truncated_weights_wherever_they_are_cut(name, copy):
    folder = copy(name)
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    cuts = {0, 1, 7, 8, 9, header // 2, header - 1, header, header + 1, header + 4, len(whole) - 4, len(whole) - 1}
    for cut in sorted(cuts | {len(whole) * n // 12 for n in range(1, 12)}):
        file.write_bytes(whole[:cut])
        assert file.name in refused(ModelFileError, str(folder)).expected
    file.write_bytes(whole + b"\0")
    refused(ModelFileError, str(folder))


@pytest.fixture(scope="module")
def victims(folder_of, tmp_path_factory) -> dict[str, tuple[Path, bytes]]:
    """Folders whose weights are rewritten by every example."""
    root = tmp_path_factory.mktemp("victims")
    copies = {name: Path(shutil.copytree(folder_of(name), root / name)) for name in FOUR}
    return {name: (folder, (folder / "model.safetensors").read_bytes()) for name, folder in copies.items()}


@MANY
@given(data=st.data())
def test_flipped_bytes_in_the_header_load_or_are_refused(data, victims):
    name = data.draw(st.sampled_from(FOUR))
    folder, whole = victims[name]
    header = 8 + int.from_bytes(whole[:8], "little")
    spoilt = bytearray(whole)
    for place in data.draw(st.lists(st.integers(0, header - 1), min_size=1, max_size=3)):
        spoilt[place] = data.draw(st.integers(0, 255))
    (folder / "model.safetensors").write_bytes(spoilt)
    try:
        lens = core.load(str(folder), device="cpu")
        lens.run(families.ask(lens))
    except ModelError as error:
        assert type(error) is ModelFileError and error.todo, repr(error)


ODD = [
    b"[]", b"null", b'"x"', b"{", b'{"a": 1}', b'{"a": {}}', b'{"a": {"dtype": "F32", "shape": 3, "data_offsets": [0,0]}}',
    b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 9]}}',
    b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}',
    b'{"a": {"dtype": "F32", "shape": [1e3], "data_offsets": [0, 4]}}',
    b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "b": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}',
    b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}',
    b'{"a": {"dtype": "F32", "shape": [99999999999, 99999999999], "data_offsets": [0, 8]}}',
    b'{"a": {"dtype": 7, "shape": [1], "data_offsets": [0, 4]}}', b"[" * 5000, b"{}", b"\xff\xfe{}",
]  # fmt: skip


@pytest.mark.parametrize("header", ODD, ids=lambda header: header[:50].decode("latin-1"))
@pytest.mark.parametrize("name", ["ours", "gpt2"])
def test_headers_that_are_none(name, header, copy):
    folder = copy(name)
    for body in (b"", b"\0" * 4, b"\0" * 8):
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + body)
        refused(ModelFileError, str(folder))
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 2**63 - 1) + header)
    refused(ModelFileError, str(folder))


@EACH
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite_name_the_first(name, value, copy):
    def spoil(tensors: dict[str, torch.Tensor]) -> None:
        biggest = max(tensors, key=lambda key: tensors[key].numel())
        tensors[biggest].view(-1)[-3] = value

    error = refused(ModelFileError, str(weights(copy(name), spoil)))
    assert "NaN or infinity in " in error.got


def test_a_buffer_that_is_not_finite(copy):
    folder = weights(copy("bart"), lambda tensors: tensors["final_logits_bias"].fill_(math.nan))
    assert "final_logits_bias" in refused(ModelFileError, str(folder)).got


def test_finite_weights_whose_sum_is_not_are_no_error(copy):
    def enlarge(tensors: dict[str, torch.Tensor]) -> None:
        tensors["transformer.wpe.weight"][-1] = 3e38  # the last place, which no text here reaches

    lens = core.load(str(weights(copy("gpt2"), enlarge)), device="cpu")
    assert np.isfinite(lens.run(families.ask(lens)).attention[0].pattern).all()


@pytest.mark.parametrize("name", ["ours", "ours_decoder", "gpt2", "bert"])
def test_weights_too_large_to_compute_with_are_refused(name, copy):
    def enlarge(tensors: dict[str, torch.Tensor]) -> None:
        for tensor in tensors.values():
            tensor.fill_(1e38)

    refused(ModelFileError, str(weights(copy(name), enlarge)))


@EACH
def test_weights_of_half_precision_load_as_float32(name, copy):
    folder = copy(name)
    plain = core.load(str(folder), device="cpu")
    half = {key: tensor.to(torch.bfloat16) for key, tensor in load_file(folder / "model.safetensors").items()}
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    lens = core.load(str(folder), device="cpu")
    assert lens.info.dtype == "float32" == plain.info.dtype
    assert lens.info.parameters == plain.info.parameters
    lens = core.load(str(folder), device="cpu", dtype="bfloat16")
    assert lens.info.dtype == "bfloat16" and torch.get_default_dtype() == torch.float32


@EACH
@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
def test_a_file_saved_over_changes_no_lens_that_was_made_of_it(name, stored, copy):
    folder = copy(name)
    file = folder / "model.safetensors"
    save_file({key: tensor.to(stored) for key, tensor in load_file(file).items()}, file, metadata={"format": "pt"})
    lens = core.load(str(folder), device="cpu")
    before = lens.run(families.ask(lens))
    with file.open("r+b") as stream:  # in place, as save_pretrained does it
        stream.write(bytes(file.stat().st_size))
    for mine, other in zip(lens.run(families.ask(lens)).attention, before.attention, strict=True):
        assert np.array_equal(mine.pattern, other.pattern)


# shards


def shard(folder: Path, parts: int = 3) -> Path:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names, table = sorted(tensors), {}
    for n in range(parts):
        file = f"model-{n + 1:05}-of-{parts:05}.safetensors"
        save_file({name: tensors[name] for name in names[n::parts]}, folder / file, metadata={"format": "pt"})
        table |= dict.fromkeys(names[n::parts], file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": table}))
    return folder


@THEIRS
def test_shards_are_one_model(name, copy, lens_of):
    lens, whole = core.load(str(shard(copy(name))), device="cpu"), lens_of(name)
    request = families.ask(lens)
    mine, other = lens.run(request), whole.run(families.ask(whole))
    for a, b in zip(mine.attention, other.attention, strict=True):
        assert np.array_equal(a.pattern, b.pattern)


@pytest.mark.parametrize(
    "file",
    ["../x.safetensors", "/etc/passwd.safetensors", "a/b.safetensors", "..\\x.safetensors", "C:x.safetensors",
     "pytorch_model-00001-of-00001.bin", "x\0.safetensors", 7, None, ["x.safetensors"], {"a": 1}],
    ids=repr,
)  # fmt: skip
def test_a_shard_cannot_lie_elsewhere(file, copy):
    folder = shard(copy("gpt2"))
    shutil.copy(next(folder.glob("model-00001*")), folder.parent / "x.safetensors")
    index = folder / "model.safetensors.index.json"
    listed = json.loads(index.read_text())
    listed["weight_map"]["transformer.wte.weight"] = file
    index.write_text(json.dumps(listed))
    error = refused(ModelFileError, str(folder))
    assert "shards named *.safetensors" in error.expected


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', "7", "\x00"])
def test_an_index_that_is_none(text, copy):
    folder = shard(copy("gpt2"))
    (folder / "model.safetensors.index.json").write_text(text)
    refused(ModelFileError, str(folder))


def test_a_shard_that_is_gone_or_cut(copy):
    folder = shard(copy("gpt2"))
    last = folder / "model-00003-of-00003.safetensors"
    whole = last.read_bytes()
    last.write_bytes(whole[:-5])
    assert last.name in refused(ModelFileError, str(folder)).expected
    last.unlink()
    assert last.name in refused(ModelFileError, str(folder)).got


def test_where_an_index_lies_beside_a_whole_file_the_whole_file_counts(copy):
    folder = copy("gpt2")
    whole = (folder / "model.safetensors").read_bytes()
    shard(folder)
    for part in folder.glob("model-0*"):
        part.write_bytes(b"not read")
    (folder / "model.safetensors").write_bytes(whole)
    assert core.load(str(folder), device="cpu").info.layers == 2


# a configuration and a file that disagree

SIZES = {
    "ours": {"layers": ("encoder_layers", "decoder_layers"), "width": ("d_model", "d_ff"), "vocab": "vocab"},
    "gpt2": {"layers": ("n_layer",), "width": ("n_embd", "n_positions"), "vocab": "vocab_size"},
    "bert": {"layers": ("num_hidden_layers",), "width": ("hidden_size", "intermediate_size"), "vocab": "vocab_size"},
    "t5": {"layers": ("num_layers", "num_decoder_layers"), "width": ("d_model", "d_ff", "d_kv"), "vocab": "vocab_size"},
    "bart": {"layers": ("encoder_layers", "decoder_layers"), "width": ("d_model", "encoder_ffn_dim"), "vocab": "vocab_size"},
}  # fmt: skip


@pytest.mark.parametrize("by", [-1, 1, 2])
@pytest.mark.parametrize("name", SIZES)
def test_other_layers_than_the_files(name, by, copy):
    folder = copy(name)
    before = json.loads((folder / "config.json").read_text())
    for key in SIZES[name]["layers"]:
        error = refused(ModelFileError, str(configure(folder, **{key: 2 + by})))
        assert "configuration" in error.todo.lower()
        configure(folder, **{key: before[key]})
    assert core.load(str(folder), device="cpu").info.layers == 2


@pytest.mark.parametrize("name", SIZES)
def test_another_width_or_vocabulary_than_the_files(name, copy):
    folder = copy(name)
    before = json.loads((folder / "config.json").read_text())
    for key in (*SIZES[name]["width"], SIZES[name]["vocab"]):
        for value in (16, 64, 40) if key == SIZES[name]["vocab"] else (16, 128):
            error = refused(ModelFileError, str(configure(folder, **{key: value})))
            assert "configuration" in error.todo or "config.json" in error.expected, str(error)
        configure(folder, **{key: before[key]})


@THEIRS
def test_a_shape_that_disagrees_is_named_with_both_shapes(name, copy):
    vocab = {SIZES[name]["vocab"]: 50}
    error = refused(ModelFileError, str(configure(copy(name), **vocab)))
    assert "shape [50" in error.expected and "shape [61" in error.got


# weights that are not there

TRUNK = {
    "ours": "decoder.1.ff.inner.weight",
    "gpt2": "transformer.h.1.mlp.c_fc.weight",
    "bert": "bert.encoder.layer.1.attention.self.query.weight",
    "t5": "decoder.block.1.layer.1.EncDecAttention.q.weight",
    "llama": "model.layers.1.self_attn.q_proj.weight",
    "bart": "model.encoder.layers.0.fc1.weight",
    "albert": "albert.encoder.albert_layer_groups.0.albert_layers.0.attention.query.weight",
}


@pytest.mark.parametrize("name", TRUNK)
def test_a_weight_missing_in_the_trunk_is_an_error(name, copy):
    error = refused(ModelFileError, str(weights(copy(name), lambda tensors: tensors.pop(TRUNK[name]))))
    assert TRUNK[name].split(".", 1)[-1] in str(error)


def strip(tensors: dict[str, torch.Tensor], *starts: str) -> None:
    for name in [name for name in tensors if name.startswith(starts)]:
        del tensors[name]


HEAD = {"bert": "cls.", "llama": "lm_head.", "roberta": "lm_head.", "distilbert": "vocab_"}
HEAD |= {"gpt_neox": "embed_out", "electra": "generator_"}


@pytest.mark.parametrize(("name", "head"), HEAD.items())
def test_without_an_output_head_attention_is_whole_and_nothing_is_predicted(name, head, copy, lens_of):
    lens = core.load(str(weights(copy(name), lambda tensors: strip(tensors, head))), device="cpu")
    whole = lens_of(name)
    assert not lens.info.can_predict and whole.info.can_predict
    assert lens.info.sites == whole.info.sites
    trace = lens.run(families.ask(lens))
    for mine, other in zip(trace.attention, whole.run(families.ask(whole)).attention, strict=True):
        assert np.array_equal(mine.pattern, other.pattern)
    assert trace.next_logits is None
    with pytest.raises(NotAPredictor):
        trace.next_tokens()
    with pytest.raises(NotAPredictor):
        lens.generate(families.ask(lens))


def test_a_trunk_saved_alone_is_an_embedding_model(tmp_path):
    config = transformers.BertConfig(**families.FAMILIES["bert"][2])
    transformers.BertModel(config).save_pretrained(tmp_path)
    lens = core.load(str(tmp_path), device="cpu")
    assert (lens.info.kind, lens.info.can_predict, lens.text) == ("encoder", False, None)
    with pytest.raises(NotAPredictor):
        lens.run(lens.request(ids=[5, 6, 7])).next_tokens(position=1)


# config.json


NO_CONFIGURATION = [
    "", "{", "[]", "7", "null", '"bert"', "\x00", "{}", '{"family": "lookback"}', '{"model_type": null}',
    '{"model_type": 7}', '{"model_type": ["gpt2"]}', "[" * 100_000,
]  # fmt: skip


@EACH
@pytest.mark.parametrize("text", NO_CONFIGURATION, ids=lambda text: ascii(text[:24]))
def test_a_configuration_that_is_none(name, text, copy):
    folder = copy(name)
    (folder / "config.json").write_text(text)
    refused(ModelFileError, str(folder))


def test_a_configuration_that_is_not_text(copy):
    folder = copy("gpt2")
    (folder / "config.json").write_bytes(b"\xff\xfe\x00")
    refused(ModelFileError, str(folder))
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()
    refused(ModelFileError, str(folder))


def test_a_family_nobody_knows(copy):
    error = refused(UnsupportedModelError, str(configure(copy("gpt2"), model_type="nobodys")))
    assert "nobodys" in error.got and "Llama" in error.expected


def test_the_folders_name_is_no_substitute_for_a_family(copy):
    folder = copy("gpt2")
    values = json.loads((folder / "config.json").read_text())
    del values["model_type"]
    (folder / "config.json").write_text(json.dumps(values))
    assert "model_type" in refused(ModelFileError, str(folder)).expected


@pytest.mark.parametrize("key", ["pad_token_id", "eos_token_id", "bos_token_id"])
@pytest.mark.parametrize("value", [-1, 10**6])
def test_special_ids_beyond_the_vocabulary_never_reach_the_model(key, value, copy):
    try:
        lens = core.load(str(configure(copy("gpt2"), **{key: value})), device="cpu")
    except ModelFileError:
        return
    short, long = families.ask(lens, 4), families.ask(lens, 6)
    assert len(lens.run_many([short, long])) == 2
    assert len(list(lens.generate(long, steps=2))) == 2


@pytest.mark.parametrize("value", [None, -1, families.VOCAB])
def test_an_encoder_decoder_needs_a_start_token(value, copy):
    error = refused(ModelFileError, str(configure(copy("t5"), decoder_start_token_id=value)))
    assert "decoder_start_token_id" in error.expected


ABSURD = """
import json, resource, signal, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
import torch, core
from core.engine.loading import verification
from core.errors import LensError
from tests import families
torch.set_num_threads(1)
verification.check = lambda lens, seconds: None  # it has tests of its own; here a pass follows anyway

def late(*_):
    raise TimeoutError("too slow")

signal.signal(signal.SIGPROF, late)
for name in sys.argv[1:]:
    folder = Path(name)
    core.load(name, device="cpu")  # imports what there is to import
    good = json.loads((folder / "config.json").read_text())
    keys = [key for key, value in good.items() if isinstance(value, (int, float))] + ["num_labels", "fusion_config"]
    keys += ["architectures", "attn_implementation", "quantization_config", "rope_scaling", "layer_types"]
    for key in keys:
        for value in (-1, 10**9, "x"):
            (folder / "config.json").write_text(json.dumps(good | {key: value}))
            signal.setitimer(signal.ITIMER_PROF, 5)  # seconds of this process, whatever else runs
            try:
                lens = core.load(name, device="cpu", local_only=True)
                lens.run_many([families.ask(lens), families.ask(lens, 4, 3)])
            except LensError:
                pass
            except BaseException as error:
                print(folder.name, key, repr(value), repr(error)[:200])
            signal.setitimer(signal.ITIMER_PROF, 0)
print("done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of memory and time are of Unix")
@EACH
def test_absurd_sizes_take_neither_memory_nor_time(name, copy):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ABSURD, str(copy(name))],
        capture_output=True, text=True, timeout=300, cwd=Path(core.__file__).parents[1],
        env={**os.environ, "PYTHONPATH": ".", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.stdout == "done\n", done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.parametrize("name", core.engine.shipped())
def test_every_shipped_model_loads_by_its_id_and_by_its_path(name, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", pytest.fail)
    lens = core.load(name, device="cpu")
    assert lens.info.id == name and lens.info.can_predict
    text = lens.request("gen ai is", "") if lens.info.kind == "encoder-decoder" else lens.request("gen ai is")
    assert len(lens.run(text).attention) == len(lens.info.sites)
    assert core.load(files.WEIGHTS / name, device="cpu").info.sites == lens.info.sites
