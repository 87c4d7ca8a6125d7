"""Running a model: Request → Trace. The heavy parts (torch, transformers) are imported when a model is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.engine.files import shipped as shipped

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from core.engine.lens import Lens as Lens


def load(
    name: str | os.PathLike[str],
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    local_only: bool = False,
    budget: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Lens:
    """Load a model and find its attentions. Only safetensors and GGUF files are read, so nothing in a model file can run code.

    name: a shipped id, a local folder, a .gguf file, or a name on the Hugging Face hub. revision: a branch, tag or commit of
    a hub model. local_only: use what was fetched before and ask no hub.
    device: "auto" is cuda, else mps, else cpu; a Hugging Face model too large for one GPU is spread over all of them and, as far as
    needed, the host's memory. dtype: "auto" is float32 on a CPU, and the checkpoint's own format on a GPU.
    budget: the most bytes of weights to load; None reads LOOKBACK_MODEL_BYTES. progress: called with a sentence at each stage.
    Several threads may load at once; the models themselves are built one after another.
    Raises the ModelErrors of core.errors.
    """
    from core.engine.loading.loader import load as load_now

    return load_now(name, device, dtype, revision, local_only, budget, progress)
