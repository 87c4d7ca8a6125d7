"""Which models are offered, and the shelf they are kept on."""

import threading
from types import SimpleNamespace

import pytest

from core.errors import ModelFileError, ModelNotFoundError
from core.ui.running import models
from core.ui.running.models import Shelf
from tests.waiting import PATIENCE, until


class Loader:
    """Loads names; can be held back, can fail, and counts."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.failing: set[str] = set()

    def __call__(self, what, say):
        self.calls.append(what)
        say("Reading")
        self.gate.wait(PATIENCE)
        if what in self.failing:
            raise ModelFileError("a whole file", "half of one")
        return SimpleNamespace(info=SimpleNamespace(id=what))


@pytest.fixture
def loader():
    return Loader()


def get(shelf: Shelf, name: str):
    return shelf.ask(name, name, guest=":" in name).future.result(PATIENCE)


def test_a_model_is_loaded_once_for_all_who_ask(loader):
    shelf = Shelf(loader)
    loader.gate.clear()
    places = [shelf.ask("classroom", "classroom", False) for _ in range(30)]
    loader.gate.set()
    assert len({id(place.future.result(PATIENCE)) for place in places}) == 1
    assert loader.calls == ["classroom"]


def test_asking_does_not_wait_for_the_loading(loader):
    shelf = Shelf(loader)
    loader.gate.clear()
    place = shelf.ask("hub:a/b", "a/b", True)
    assert get(shelf_of_its_own := Shelf(Loader()), "classroom")
    assert shelf_of_its_own.loaded() == ["classroom"]
    assert until(lambda: place.says == "Reading")
    assert not place.future.done()
    loader.gate.set()
    assert place.future.result(PATIENCE)


def test_a_failed_load_is_told_and_can_be_tried_again(loader):
    shelf = Shelf(loader)
    loader.failing = {"hub:a"}
    with pytest.raises(ModelFileError):
        get(shelf, "hub:a")
    loader.failing = set()
    assert get(shelf, "hub:a").info.id == "hub:a"


def test_of_the_guests_the_least_recently_used_makes_room_and_shipped_ones_stay(loader):
    gone = []
    shelf = Shelf(loader, guests=2, gone=lambda lens: gone.append(lens.info.id))
    for name in ("classroom", "writer", "hub:a", "hub:b"):
        get(shelf, name)
    get(shelf, "hub:a")
    get(shelf, "hub:c")
    assert gone == ["hub:b"]
    assert sorted(shelf.loaded()) == ["classroom", "hub:a", "hub:c", "writer"]


def test_a_model_at_work_is_never_put_away(loader):
    shelf = Shelf(loader, guests=2)
    first, second = get(shelf, "hub:a"), get(shelf, "hub:b")
    with shelf.lease("hub:a", first):
        get(shelf, "hub:c")
        assert sorted(shelf.loaded()) == ["hub:a", "hub:c"]
        third = get(shelf, "hub:c")
        with shelf.lease("hub:c", third):
            place = shelf.ask("hub:d", "hub:d", True)
            assert until(lambda: place.says.startswith("Waiting for a place"))
            assert not place.future.done()
    assert place.future.result(PATIENCE).info.id == "hub:d"
    assert second.info.id == "hub:b"  # who still held it keeps it


def test_many_guests_at_once_do_not_wait_for_one_another(loader):
    shelf = Shelf(loader, guests=2)
    places = [shelf.ask(f"hub:{n}", f"{n}", True) for n in range(6)]
    assert [place.future.result(PATIENCE).info.id for place in places] == [str(n) for n in range(6)]
    assert len(shelf.loaded()) == 2


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """A directory the owner opened: one model folder, one gguf, one folder that is none; and a secret beside it."""
    for name in ("mine", "not-a-model"):
        (tmp_path / "open" / name).mkdir(parents=True)
    (tmp_path / "open" / "mine" / "config.json").write_text("{}")
    (tmp_path / "open" / "tiny.gguf").write_bytes(b"GGUF")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "config.json").write_text("{}")
    monkeypatch.setenv("LOOKBACK_MODELS", str(tmp_path / "open"))
    monkeypatch.setenv("LOOKBACK_HUB", "0")
    return tmp_path


def test_folders_are_offered_by_name_never_by_path(opened):
    assert sorted(models.folders()) == ["mine", "tiny.gguf"]
    assert models.locate("folder:mine") == str(opened / "open" / "mine")
    assert all(str(opened) not in offer.name + offer.title for offer in models.offers())


@pytest.mark.parametrize(
    "name",
    [
        "folder:../secret", "folder:secret", "folder:not-a-model", "folder:", "/etc", "..", "hub:gpt2", "", "nonsense",
        "folder:mine/../../secret", "hub:",
    ],
)  # fmt: skip
def test_what_is_not_offered_is_not_found(opened, name):
    with pytest.raises(ModelNotFoundError) as caught:
        models.locate(name)
    assert str(opened) not in str(caught.value)


def test_a_hub_name_can_never_be_a_path(opened, monkeypatch):
    monkeypatch.setenv("LOOKBACK_HUB", "1")
    monkeypatch.chdir(opened)
    assert models.locate("hub:someone/some-model") == "someone/some-model"
    for name in ("hub:secret", "hub:./secret", "hub:~/x", f"hub:{opened}/secret", "hub:classroom"):
        with pytest.raises(ModelNotFoundError):
            models.locate(name)


@pytest.mark.parametrize(
    ("wish", "address", "allowed"),
    [
        ("", "127.0.0.1", True),
        ("", "0.0.0.0", False),
        ("", None, False),
        ("1", "0.0.0.0", True),
        ("0", "127.0.0.1", False),
    ],
)
def test_the_hub_is_asked_only_where_the_owner_or_nobody_else_can(monkeypatch, wish, address, allowed):
    monkeypatch.setenv("LOOKBACK_HUB", wish)
    monkeypatch.setattr(models.st, "get_option", lambda name: address)
    assert models.hub_allowed() is allowed


def test_an_unreadable_directory_offers_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("LOOKBACK_MODELS", str(tmp_path / "nowhere"))
    assert models.folders() == {}
