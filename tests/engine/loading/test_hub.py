"""Hub names against a hub of our own on this machine: what is asked, fetched, kept, refused, and found again without it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import core
from core.engine.loading import hub as hub_module
from core.errors import (
    HubUnreachableError,
    LensError,
    ModelFileError,
    ModelNotFoundError,
    ModelTooLargeError,
    UnsupportedModelError,
)
from tests import families


@dataclass
class Repository:
    """Files by revision. gated, private: what the real hub answers to a stranger."""

    revisions: dict[str, dict[str, bytes]]
    gated: bool = False
    private: bool = False

    def commit(self, revision: str) -> str | None:
        for name, held in self.revisions.items():
            sha = hashlib.sha1(name.encode() + b"".join(held.values())).hexdigest()
            if revision in (name, sha):
                return sha
        return None

    def files(self, revision: str) -> dict[str, bytes]:
        return next(held for name, held in self.revisions.items() if revision in (name, self.commit(name)))


@dataclass
class Hub:
    """A hub on loopback. asked: every path that was asked for; fails: paths that break off in the middle, by pattern."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fails: str = ""
    stalls: threading.Event | None = None  # while it stands and is not set, nobody gets an answer
    address: str = ""
    pauses: list[float] = field(default_factory=list)  # seconds that its client would have waited

    def weights_asked(self) -> bool:
        return any(path.startswith("GET") and path.endswith(".safetensors") for path in self.asked)


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *words: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            hub.asked.append(f"{self.command} {path}")
            if hub.stalls:
                hub.stalls.wait()
            about = re.fullmatch(r"/api/models/(.+?)(?:/(revision|tree)/([^/]+))?", path)
            file = re.fullmatch(r"/(.+?)/resolve/([^/]+)/(.+)", path)
            name = (about or file)[1] if about or file else ""
            repository = hub.repositories.get(name)
            if repository is None or repository.private:
                return self.answer(
                    401, b"{}", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
                )
            revision = (about[3] if about else file[2]) or "main"  # type: ignore[index]
            sha = repository.commit(revision)
            if sha is None:
                return self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "no revision"})
            if repository.gated and file:
                return self.answer(403, b"{}", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"})
            held = repository.files(revision)
            if about and about[2] == "tree":
                return self.reply([{"type": "file", "path": p, "size": len(b), "oid": git(b)} for p, b in held.items()])
            if about:
                listed = [{"rfilename": path, "size": len(body), "blobId": git(body)} for path, body in held.items()]
                return self.reply({"id": name, "sha": sha, "siblings": listed, "tags": [], "private": False})
            if file is None or file[3] not in held:
                return self.answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Error-Message": "no file"})
            self.answer(200, held[file[3]], {"ETag": f'"{git(held[file[3]])}"', "X-Repo-Commit": sha})

        def reply(self, value: Any) -> None:
            self.answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

        def answer(self, code: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            if hub.fails and re.search(hub.fails, self.path):
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.wfile.write(body)

    return Handler


def git(body: bytes) -> str:
    return hashlib.sha1(body).hexdigest()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """The hub, asked instead of the real one, with an empty cache."""
    made = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(made))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    made.address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", made.address)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    for name in ("HF_TOKEN", "LOOKBACK_MODEL_BYTES", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    # its client waits between tries; here nobody gains from that, and a test may ask how long it would have been
    monkeypatch.setattr(time, "sleep", made.pauses.append)
    try:
        yield made
    finally:
        if made.stalls:
            made.stalls.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def off(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Pull the plug: nobody listens there any more."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return lambda: monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")


def read(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def tiny(folder_of: Callable[[str], Path]) -> dict[str, bytes]:
    return read(folder_of("gpt2"))


def refused(kind: type[LensError], name: str, **options: Any) -> LensError:
    with pytest.raises(LensError) as caught:
        core.load(name, device="cpu", **options)
    assert type(caught.value) is kind, repr(caught.value)
    assert caught.value.expected and caught.value.got and caught.value.todo
    return caught.value


def same(one: Any, other: Any) -> bool:
    a, b = (lens.run(families.ask(lens)) for lens in (one, other))
    return all(np.array_equal(x.pattern, y.pattern) for x, y in zip(a.attention, b.attention, strict=True))


def test_a_hub_model_is_fetched_kept_and_found_again_without_the_hub(hub, off, tiny, lens_of, tmp_path):
    hub.repositories["owner/tiny"] = Repository({"main": tiny})
    said: list[str] = []
    lens = core.load("owner/tiny", device="cpu", progress=said.append)
    assert (lens.info.id, lens.info.name) == ("owner/tiny", "owner/tiny")
    assert same(lens, lens_of("gpt2")) and lens.encode("w5 w6") == (5, 6)
    assert said[:2] == ["Looking for the model", "Asking the hub"] and any(
        re.search(r" of .* MB from the hub", words) for words in said
    )
    assert "Reading the weights" in said
    assert list((tmp_path / "cache").rglob("model.safetensors"))

    hub.asked.clear()
    assert same(core.load("owner/tiny", device="cpu"), lens)  # nothing has changed: nothing is fetched again
    assert not hub.weights_asked()

    hub.asked.clear()
    assert same(core.load("owner/tiny", device="cpu", local_only=True), lens)
    assert hub.asked == []

    off()
    assert same(core.load("owner/tiny", device="cpu"), lens)
    refused(HubUnreachableError, "owner/other")


def test_what_changed_on_the_hub_is_fetched(hub, tiny, folder_of, tmp_path):
    hub.repositories["owner/tiny"] = Repository({"main": tiny})
    before = core.load("owner/tiny", device="cpu")
    newer = read(families.build("gpt2", tmp_path / "newer", seed=1))
    hub.repositories["owner/tiny"].revisions["main"] = newer
    assert not same(core.load("owner/tiny", device="cpu"), before)


def test_a_revision_is_honoured(hub, off, tiny, tmp_path):
    other = read(families.build("gpt2", tmp_path / "other", seed=1))
    hub.repositories["owner/tiny"] = Repository({"main": tiny, "v2": other})
    main, second = core.load("owner/tiny", device="cpu"), core.load("owner/tiny", device="cpu", revision="v2")
    assert second.info.id == "owner/tiny@v2" and not same(main, second)
    commit = hub.repositories["owner/tiny"].commit("v2")
    assert same(core.load("owner/tiny", device="cpu", revision=commit), second)
    error = refused(ModelNotFoundError, "owner/tiny", revision="v3")
    assert "v3" in error.got
    off()
    assert same(core.load("owner/tiny", device="cpu", revision="v2"), second)
    assert same(core.load("owner/tiny", device="cpu", revision=commit), second)
    refused(HubUnreachableError, "owner/tiny", revision="v3")


@pytest.mark.parametrize("revision", ["", "..", "../../x", "a b", "\0", "x" * 300, 7, "refs/../../x", "v\n"])
def test_a_revision_that_can_be_none(revision, hub, tiny):
    hub.repositories["owner/tiny"] = Repository({"main": tiny})
    refused(ModelNotFoundError, "owner/tiny", revision=revision)
    assert hub.asked == []


def test_shards_are_fetched_and_nothing_that_is_not_needed(hub, tiny, folder_of, lens_of, tmp_path):
    from tests.engine.loading.test_loader import shard

    folder = shard(Path(shutil.copytree(folder_of("gpt2"), tmp_path / "sharded")))
    held = read(folder) | {"pytorch_model.bin": b"x" * 99, "onnx/model.safetensors": b"x", "model.fp16.safetensors": b"x",
                           "consolidated.safetensors": b"x", "modeling_x.py": b"raise", "README.md": b"x"}  # fmt: skip
    hub.repositories["owner/sharded"] = Repository({"main": held})
    assert same(core.load("owner/sharded", device="cpu"), lens_of("gpt2"))
    fetched = {path.rsplit("/", 1)[-1] for path in hub.asked if path.startswith("GET /owner")}
    assert {"model-00001-of-00003.safetensors", "model.safetensors.index.json", "tokenizer.json"} <= fetched
    assert not fetched & {"pytorch_model.bin", "model.fp16.safetensors", "consolidated.safetensors", "modeling_x.py"}
    assert not any("onnx" in path for path in hub.asked)


def test_a_budget_is_held_before_anything_is_fetched(hub, tiny, monkeypatch):
    hub.repositories["owner/tiny"] = Repository({"main": tiny})
    size = len(tiny["model.safetensors"])
    assert "MB" in refused(ModelTooLargeError, "owner/tiny", budget=size - 1).got
    monkeypatch.setenv("LOOKBACK_MODEL_BYTES", "1e3")
    refused(ModelTooLargeError, "owner/tiny")
    monkeypatch.setenv("LOOKBACK_MODEL_BYTES", "lots")
    refused(ModelTooLargeError, "owner/tiny")
    assert not any("resolve" in path for path in hub.asked)
    assert core.load("owner/tiny", device="cpu", budget=size).info.layers == 2


def test_a_family_that_cannot_be_watched_is_refused_before_its_weights_are_fetched(hub, tiny):
    config = json.loads(tiny["config.json"]) | {"model_type": "longformer", "architectures": ["LongformerForMaskedLM"]}
    hub.repositories["owner/longformer"] = Repository({"main": tiny | {"config.json": json.dumps(config).encode()}})
    assert "longformer" in refused(UnsupportedModelError, "owner/longformer").got
    own = config | {"model_type": "x", "auto_map": {"AutoConfig": "configuration_x.X"}}
    hub.repositories["owner/own"] = Repository({"main": tiny | {"config.json": json.dumps(own).encode()}})
    assert "code of its own" in refused(UnsupportedModelError, "owner/own").got
    assert not hub.weights_asked()


def test_an_adapter_of_the_hub_says_what_to_do(hub, tiny):
    held = {name: body for name, body in tiny.items() if not name.endswith(".safetensors")}
    own = {"adapter_config.json": b"{}", "adapter_model.safetensors": b""}
    hub.repositories["owner/tuned"] = Repository({"main": held | own})
    error = refused(UnsupportedModelError, "owner/tuned")
    assert "adapter" in error.got and "base" in error.todo and not hub.weights_asked()


def test_a_repository_without_safetensors_is_refused_before_anything_is_fetched(hub, tiny):
    held = {name: body for name, body in tiny.items() if not name.endswith(".safetensors")}
    hub.repositories["owner/pickled"] = Repository({"main": held | {"pytorch_model.bin": b"\x80\x04."}})
    error = refused(ModelFileError, "owner/pickled")
    assert "pytorch_model.bin" in error.got and "run code" in error.todo
    hub.repositories["owner/empty"] = Repository({"main": {}})
    refused(ModelFileError, "owner/empty")
    hub.repositories["owner/bare"] = Repository({"main": {"model.safetensors": tiny["model.safetensors"]}})
    assert "config.json" in refused(ModelFileError, "owner/bare").expected
    assert not any(path.startswith("GET") and "resolve" in path for path in hub.asked)


def test_names_the_hub_does_not_know_or_does_not_show(hub, tiny):
    hub.repositories["owner/private"] = Repository({"main": tiny}, private=True)
    hub.repositories["owner/gated"] = Repository({"main": tiny}, gated=True)
    assert "none of that name" in refused(ModelNotFoundError, "owner/nothing").got
    refused(ModelNotFoundError, "nothing")
    refused(ModelNotFoundError, "owner/private")
    error = refused(ModelNotFoundError, "owner/gated")
    assert "agreement" in error.got and "hf auth login" in error.todo
    assert not hub.weights_asked()


def test_a_fetch_that_breaks_off_is_no_model_and_is_taken_up_again(hub, off, tiny, lens_of, monkeypatch):
    hub.repositories["owner/tiny"] = Repository({"main": tiny})
    hub.fails = r"model\.safetensors$"
    refused(HubUnreachableError, "owner/tiny")
    off()
    refused(HubUnreachableError, "owner/tiny")
    refused(HubUnreachableError, "owner/tiny", local_only=True)
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    hub.fails = ""
    assert same(core.load("owner/tiny", device="cpu"), lens_of("gpt2"))


def test_a_hub_that_never_answers_is_not_waited_for_long(hub, tiny, monkeypatch):
    hub.repositories["owner/tiny"] = Repository({"main": tiny})
    core.load("owner/tiny", device="cpu")
    hub.stalls = threading.Event()  # set when the test is over: who waits for an answer never comes back
    monkeypatch.setattr(hub_module, "PATIENCE", 1)
    refused(HubUnreachableError, "owner/other")
    assert core.load("owner/tiny", device="cpu").info.layers == 2  # what was fetched before will do
    assert sum(hub.pauses) < 15


def test_without_a_network_an_unknown_name_is_refused_within_seconds(hub, off):
    off()
    for _ in range(2):
        error = refused(HubUnreachableError, "owner/name")
        assert sum(hub.pauses) < 15
    assert "Connect to the network" in error.todo and "classroom" in error.expected


def test_an_answer_that_is_none(hub, tiny, monkeypatch):
    hub.repositories["owner/tiny"] = Repository({"main": tiny})
    monkeypatch.setenv("HF_ENDPOINT", f"{hub.address}/nowhere")
    refused(ModelNotFoundError, "owner/tiny")
    for address in ("http://", "nonsense", "ftp://127.0.0.1", "http://127.0.0.1:1"):
        monkeypatch.setenv("HF_ENDPOINT", address)
        refused(HubUnreachableError, "owner/tiny")


@pytest.mark.parametrize("name", ["ours", "t5", "bert"])
def test_every_kind_of_model_may_come_from_the_hub(name, hub, folder_of, lens_of):
    hub.repositories[f"owner/{name}"] = Repository({"main": read(folder_of(name))})
    assert same(core.load(f"owner/{name}", device="cpu"), lens_of(name))


def test_two_threads_fetching_the_same_model(hub, tiny, lens_of):
    hub.repositories["owner/tiny"] = Repository({"main": tiny})
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(core.load("owner/tiny", device="cpu"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(same(lens, lens_of("gpt2")) for lens in found)
