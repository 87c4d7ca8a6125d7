"""Models of the Hugging Face hub: fetched once, kept in the hub's own cache, found there again without a network."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.engine.files import Found, budget_of, check_bytes, shipped, weight_files
from core.errors import HubUnreachableError, LensError, ModelFileError, ModelNotFoundError

NAME = re.compile(r"[A-Za-z0-9_][\w.-]{0,95}(/[A-Za-z0-9_][\w.-]{0,95})?", re.ASCII)
REVISION = re.compile(r"[\w.-]+(/[\w.-]+)*", re.ASCII)
BESIDE = (".json", ".model", ".spm", ".txt", ".jinja")  # what a tokenizer and a configuration are made of
PATIENCE = 10  # seconds to wait for the hub's first word


def fetch(
    name: str,
    revision: str | None,
    local_only: bool,
    budget: int | None,
    say: Callable[[str], None],
    check: Callable[[Found], object],
) -> Found:
    """A hub model's folder on this machine: the hub's newest where it answers, else what was fetched before.

    Size and family (`check`) are looked at before any weight is fetched. Raises ModelNotFoundError where there is no such
    model, HubUnreachableError where nobody can tell, and the errors of `check` and of the budget.
    """
    _check_name(name, revision)
    identity = name if revision is None else f"{name}@{revision}"
    why = "the hub was not asked"
    if not local_only:
        try:
            return _ask(name, revision, identity, budget, say, check)
        except LensError:
            raise
        except Exception as error:  # network errors differ from version to version of the hub's client
            why = _why(error)
    folder = _cached(name, revision)
    if folder is not None:
        return Found(identity, folder)
    raise HubUnreachableError(
        f"“{identity}” as a shipped model ({_ours()}), as a folder, or on the hub",
        f"nothing whole of that name on this machine, and no answer from the hub ({why})",
        "Connect to the network and try again, or choose a shipped model",
    )


def wanted(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Which of a repository's files a model is made of: its weights, and what stands beside them. Nothing of folders."""
    top = sorted(name for name in names if "/" not in name and not set(name) & set("*?[]"))
    weights = [name for name in top if name == "model.safetensors"]
    if not weights and "model.safetensors.index.json" in top:
        weights = [name for name in top if re.fullmatch(r"model-\d+-of-\d+\.safetensors", name)]
    return weights, [name for name in top if name.endswith(BESIDE)]


def _ask(
    name: str,
    revision: str | None,
    identity: str,
    budget: int | None,
    say: Callable[[str], None],
    check: Callable[[Found], object],
) -> Found:
    """The model fetched from the hub. identity: how it is named to a person, the revision with it."""
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    say("Asking the hub")
    place = _place()
    with _refusals(identity, revision):
        about = HfApi(endpoint=place["endpoint"]).model_info(
            name, revision=revision, files_metadata=True, timeout=PATIENCE
        )
        sizes = {file.rfilename: file.size or 0 for file in about.siblings or ()}
        weights, beside = wanted(sizes)
        if not weights:
            raise ModelFileError(
                f"model.safetensors in “{identity}”",
                f"a repository of {', '.join(sorted(sizes)[:5]) or 'nothing'}",
                "Choose a model that was saved as safetensors; other weights can run code, or are of another kind",
            )
        size = sum(sizes[file] for file in weights)
        limit = budget_of(budget)
        if limit is not None:
            check_bytes(size, limit)
        config = hf_hub_download(name, "config.json", revision=revision, **place)
        check(Found(identity, Path(config).parent))
        say(f"Fetching {size / 1e6:,.0f} MB from the hub")
        folder = snapshot_download(
            name, revision=revision, allow_patterns=[*weights, *beside], tqdm_class=_teller(say, size), **place
        )
    return Found(identity, Path(folder))


@contextmanager
def _refusals(identity: str, revision: str | None) -> Iterator[None]:
    """What the hub answers where it gives no model, as our own errors."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError:
        raise ModelNotFoundError(
            "a model of the hub that is open to all",
            f"“{identity}”, whose owner asks for an agreement first",
            "Agree on its page and log in with “hf auth login”, or choose another",
        ) from None
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        what = f"no revision “{revision}”" if isinstance(error, RevisionNotFoundError) else "none of that name there"
        raise ModelNotFoundError(
            f"“{identity}” as a shipped model ({_ours()}), as a folder, or on the hub",
            f"{what}, or a private one",
            "Check the spelling on the hub's page",
        ) from None
    except EntryNotFoundError:
        raise ModelFileError(f"config.json in “{identity}”", "no such file", "Choose another model") from None


def _cached(name: str, revision: str | None) -> Path | None:
    """What was fetched before, if it is whole. Asks no hub."""
    from huggingface_hub import snapshot_download

    try:
        place = {"cache_dir": _place()["cache_dir"]}
        config = ["config.json"]
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True, allow_patterns=config, **place))
        weight_files(folder)
    except Exception:  # whatever is missing: there is nothing whole to load
        return None
    return folder if (folder / "config.json").is_file() else None


def _place() -> dict[str, Any]:
    """Which hub and which cache: as huggingface_hub's own variables say, read now and not when it was imported."""
    return {
        "endpoint": os.environ.get("HF_ENDPOINT", "").rstrip("/") or None,
        "cache_dir": os.environ.get("HF_HUB_CACHE") or None,
    }


def _teller(say: Callable[[str], None], size: int) -> type:
    """A progress bar that draws nothing and says, now and then, how much has come."""
    from tqdm.auto import tqdm

    class Teller(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            self.come, self.told, self.counts_bytes = 0, 0, kwargs.get("unit") == "B"
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            self.come += int(n or 0)
            if self.counts_bytes and size and self.come - self.told >= size / 50:
                self.told = self.come
                say(f"Fetching {min(self.come, size) / 1e6:,.0f} of {size / 1e6:,.0f} MB from the hub")

    return Teller


def _check_name(name: str, revision: str | None) -> None:
    if not NAME.fullmatch(name) or ".." in name or "--" in name:
        raise ModelNotFoundError(
            f"a shipped model ({_ours()}), a folder, a .gguf file or a hub name like owner/name",
            f"“{name[:80]}”",
            "Check the spelling of the path",
        )
    if revision is not None and (
        not isinstance(revision, str) or not REVISION.fullmatch(revision) or ".." in revision or len(revision) > 200
    ):
        raise ModelNotFoundError(
            "a revision: a branch, a tag or a commit", f"{revision!r}"[:80], "Leave it out for the newest"
        )


def _ours() -> str:
    return ", ".join(shipped()) or "none"


def _why(error: Exception) -> str:
    name = type(error).__name__
    return f"{name}: {error.strerror}" if isinstance(error, OSError) and error.strerror else name
