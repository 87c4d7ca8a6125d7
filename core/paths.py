"""Where the project's own files lie. The only place that counts folders: other files may move and find them as before."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "pages"
ASSETS = ROOT / "assets"
DATA = ASSETS / "data"
WEIGHTS = ASSETS / "weights"
COMPONENTS = ASSETS / "components"
