"""Which models are offered, and the ones that are loaded: each once a process, in a thread of its own, shared by all."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from core.errors import ModelNotFoundError
from core.ui.running import garbage
from core.ui.session.state import MODEL

GUESTS = 2  # models beside the shipped ones that stay loaded
LOOPBACK = ("127.0.0.1", "localhost", "::1")
log = logging.getLogger("lookback")
importing = threading.Lock()  # two threads importing torch at once could see it half made


@dataclass(frozen=True, slots=True)
class Offer:
    """A model one can choose. name: how links call it (a shipped id, folder:NAME, hub:owner/name); never a path."""

    name: str
    title: str
    says: str = ""
    kind: str = "shipped"


def offers() -> list[Offer]:
    """What the picker lists: the shipped models, then the folders that the server's owner opened."""
    return shipped_offers() + [Offer(f"folder:{name}", name, "local folder", "folder") for name in folders()]


def shipped_offers() -> list[Offer]:
    """The models that come with Lookback, the default first."""
    from core.engine.files import shipped

    found = [Offer(name, str(card.get("name", name)), str(card.get("says", ""))) for name, card in shipped().items()]
    return sorted(found, key=lambda offer: (offer.name != MODEL, offer.title))


def folders() -> dict[str, Path]:
    """Model folders (and .gguf files) directly inside the directories of LOOKBACK_MODELS: name → path."""
    found: dict[str, Path] = {}
    for directory in filter(None, os.environ.get("LOOKBACK_MODELS", "").split(os.pathsep)):
        try:
            entries = sorted(Path(directory).expanduser().iterdir())
        except OSError:
            log.warning("LOOKBACK_MODELS names a directory that cannot be read")
            continue
        for entry in entries:
            if entry.suffix == ".gguf" or any((entry / name).is_file() for name in ("config.json", "adapter_config.json")):
                found.setdefault(entry.name, entry)
    return found


def hub_allowed() -> bool:
    """Whether models may be asked from the hub: LOOKBACK_HUB, else only where nobody but this machine can ask."""
    wish = os.environ.get("LOOKBACK_HUB", "").strip().lower()
    if wish:
        return wish not in ("0", "no", "off", "false")
    return st.get_option("server.address") in LOOPBACK


def locate(name: str) -> str:
    """What `core.load` is to be given for an offered name. Raises ModelNotFoundError for what is not offered."""
    kind, _, garbage = name.partition(":")
    listed = ", ".join(offer.name for offer in offers()) or "none"
    if kind == "folder" and garbage:
        known = folders()
        if garbage in known:
            return str(known[garbage])
        raise ModelNotFoundError(f"one of the models offered here ({listed})", f"“{name}”", "Choose one from the list")
    if kind == "hub" and garbage:
        if not hub_allowed():
            raise ModelNotFoundError(
                f"one of the models offered here ({listed})",
                f"the hub name “{garbage}”",
                "This server does not fetch from the hub",
            )
        # a hub name that is also a path here would open that path
        if Path(garbage).exists() or garbage.startswith(("~", ".")) or garbage in {offer.name for offer in shipped_offers()}:
            raise ModelNotFoundError("a hub name like owner/name", f"“{garbage}”", "Check the spelling on the hub’s page")
        return garbage
    if any(offer.name == name for offer in shipped_offers()):
        return name
    raise ModelNotFoundError(f"one of the models offered here ({listed})", f"“{name}”", "Choose one from the list")


@dataclass(slots=True)
class Place:
    """A model that is loaded or being loaded."""

    name: str
    future: Future = field(default_factory=Future)
    says: str = "Waiting to start"
    started: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=time.monotonic)
    leases: int = 0
    admitted: bool = False

    @property
    def seconds(self) -> float:
        """How long ago it was asked for."""
        return time.monotonic() - self.started


class Shelf:
    """The loaded models. Shipped ones stay; of the others at most `guests`, the least recently used makes room.

    A model at work (leased) is never put away: who asks for one more waits. load(what, progress) → lens runs in a thread
    of its own; a load that fails is told to everyone who waits and forgotten, so that it can be tried again.
    """

    def __init__(
        self, load: Callable[..., Any], guests: int = GUESTS, gone: Callable[[Any], None] = lambda lens: None
    ) -> None:
        self._load, self._guests, self._gone = load, guests, gone
        self._places: dict[str, Place] = {}
        self._free = threading.Condition()

    def ask(self, name: str, what: str, guest: bool) -> Place:
        """The place of a model, its loading begun if nobody asked before."""
        with self._free:
            place = self._places.get(name)
            if place is None:
                place = self._places[name] = Place(name)
                worker = threading.Thread(
                    target=self._fill, args=(place, what, guest), name=f"load {name}", daemon=True
                )
                worker.start()
            place.used = time.monotonic()
            return place

    @contextmanager
    def lease(self, name: str, lens: Any) -> Iterator[Any]:
        """Keep a model from being put away while something runs on it."""
        with self._free:
            place = self._places.get(name)
            if place is not None:
                place.leases += 1
                place.used = time.monotonic()
        try:
            yield lens
        finally:
            if place is not None:
                with self._free:
                    place.leases -= 1
                    self._free.notify_all()

    def loaded(self) -> list[str]:
        """The names of the models that are there."""
        with self._free:
            return [name for name, place in self._places.items() if place.future.done()]

    def peek(self, name: str) -> Place | None:
        """The place of a model that is there, without asking for it."""
        with self._free:
            place = self._places.get(name)
            return place if place is not None and place.future.done() and place.future.exception() is None else None

    def _fill(self, place: Place, what: str, guest: bool) -> None:
        def say(words: str) -> None:
            place.says = words

        try:
            if guest:
                self._make_room(place)
            lens = self._load(what, say)
        except BaseException as error:
            with self._free:
                self._places.pop(place.name, None)
                self._free.notify_all()
            place.future.set_exception(error)
        else:
            place.future.set_result(lens)
            with self._free:
                self._free.notify_all()

    def _make_room(self, newcomer: Place) -> None:
        with self._free:
            while True:
                others = [p for p in self._places.values() if p.admitted]
                if len(others) < self._guests:
                    newcomer.admitted = True
                    return
                idle = [p for p in others if p.future.done() and not p.leases]
                if idle:
                    oldest = min(idle, key=lambda p: p.used)
                    del self._places[oldest.name]
                    self._gone(oldest.future.result())
                else:
                    newcomer.says = "Waiting for a place: the other models are at work"
                    self._free.wait(1.0)


def _load(what: str, say: Callable[[str], None]) -> Any:
    say("Starting the engine")
    with importing:
        from core.engine.loading.loader import load

    lens = load(what, local_only=not hub_allowed(), progress=say)
    garbage.settle()  # a model that made room is garbage by now; this one and its library stay
    return lens


def _forget(lens: Any) -> None:
    from core.ui.running.runs import shared

    shared.forget(lambda key: isinstance(key, tuple) and key[0] == lens.info.id)


shelf = Shelf(_load, gone=_forget)


def ask(name: str) -> Place:
    """The place of an offered model, loading it if needed. Raises ModelNotFoundError for what is not offered."""
    return shelf.ask(name, locate(name), guest=":" in name)


def kind(name: str) -> str | None:
    """What kind a model is, where it is loaded."""
    place = shelf.peek(name)
    return None if place is None else place.future.result().info.kind
