"""Models of the Hugging Face hub. A model is fetched once and kept in the hub's own cache, where it is found without a network."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.engine.files import Found, budget_of, check_bytes, shipped, weight_files
from core.errors import HubUnreachableError, LensError, ModelFileError, ModelNotFoundError, UnsupportedModelError

NAME = re.compile(r"[A-Za-z0-9_][\w.-]{0,95}(/[A-Za-z0-9_][\w.-]{0,95})?", re.ASCII)
REVISION = re.compile(r"[\w.-]+(/[\w.-]+)*", re.ASCII)
BESIDE = (".json", ".model", ".spm", ".txt", ".jinja")  # endings of the files of tokenizers and configurations
PATIENCE = 10  # seconds to wait for the hub's first answer


def fetch(
    name: str,
    revision: str | None,
    local_only: bool,
    budget: int | None,
    say: Callable[[str], None],
    check: Callable[[Found], object],
) -> Found:
    """A folder on this machine with the files of a hub model: the newest ones where the hub answers, else those fetched before.

    Size and family (`check`) are examined before any weight is fetched. say: called with a sentence at each stage. Raises
    ModelNotFoundError where there is no such model, HubUnreachableError where the hub does not answer and nothing was fetched
    before, and the errors of `check` and of the budget.
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
    """The files of a repository that we need: (weights, configuration and tokenizer). Files inside folders are left out."""
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
    """Fetch the model from the hub. identity: its name with its revision, as a person sees it."""
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    say("Asking the hub")
    place = _place()
    with _refusals(identity, revision):
        about = HfApi(endpoint=place["endpoint"]).model_info(
            name, revision=revision, files_metadata=True, timeout=PATIENCE
        )
        sizes = {file.rfilename: file.size or 0 for file in about.siblings or ()}
        weights, beside = wanted(sizes)
        if not weights and "adapter_config.json" in sizes:
            raise UnsupportedModelError(
                "a model with weights of its own", f"the adapter “{identity}”",
                "Download it to a folder, put its base's folder beside it, and open the adapter's folder",
            )  # fmt: skip
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
            name, revision=revision, allow_patterns=[*weights, *beside], tqdm_class=_progress_bar(say, size), **place
        )
    return Found(identity, Path(folder))


@contextmanager
def _refusals(identity: str, revision: str | None) -> Iterator[None]:
    """Turn the hub's errors into our own."""
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
    """The folder of a model that was fetched before, or None where it is missing or not complete. Asks no hub."""
    from huggingface_hub import snapshot_download

    try:
        place = {"cache_dir": _place()["cache_dir"]}
        config = ["config.json"]
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True, allow_patterns=config, **place))
        weight_files(folder)
    except Exception:  # whatever is missing, there is no complete model
        return None
    return folder if (folder / "config.json").is_file() else None


def _place() -> dict[str, Any]:
    """Which hub and which cache to use, from the environment variables of huggingface_hub. We read them now, because the package
    itself reads them when it is imported."""
    return {
        "endpoint": os.environ.get("HF_ENDPOINT", "").rstrip("/") or None,
        "cache_dir": os.environ.get("HF_HUB_CACHE") or None,
    }


def _progress_bar(say: Callable[[str], None], size: int) -> type:
    """A class of progress bars for the hub's client. It draws nothing, and calls `say` with how much of `size` bytes has come."""
    from tqdm.auto import tqdm

    class ProgressBar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            self.received, self.reported, self.counts_bytes = 0, 0, kwargs.get("unit") == "B"
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            self.received += int(n or 0)
            if self.counts_bytes and size and self.received - self.reported >= size / 50:
                self.reported = self.received
                say(f"Fetching {min(self.received, size) / 1e6:,.0f} of {size / 1e6:,.0f} MB from the hub")

    return ProgressBar


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
