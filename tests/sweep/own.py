"""What single families need beside the sizes that all share, nested as their configurations are."""

from __future__ import annotations

from typing import Any

OWN: dict[str, dict[str, Any]] = {}
