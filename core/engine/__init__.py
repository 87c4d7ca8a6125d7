"""Running a model: Request → Trace. The heavy parts (torch, transformers) are imported when a model is loaded."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.engine.lens import Lens as Lens

from core.engine.files import shipped as shipped


def load(name: str, **options: Any) -> "Lens":
    """Load a shipped model, a local folder, a .gguf file or a hub name; see core.engine.loading.load."""
    from core.engine.loading import load as load_now

    return load_now(name, **options)
