"""The launcher: `streamlit run app.py`. Threads are set before torch, security headers on every answer, the model is warm."""

import os

WISH = os.environ.get("LOOKBACK_THREADS", "").strip()
THREADS = WISH if WISH.isdigit() and int(WISH) else str(min(2, os.cpu_count() or 1))
# before torch is imported: on busy cores spinning threads cost up to seventeen times the work
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = THREADS
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import sys  # noqa: E402
import threading  # noqa: E402
from contextlib import asynccontextmanager  # noqa: E402
from pathlib import Path  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent))

import streamlit as st  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402

from core.paths import ROOT  # noqa: E402
from core.ui import warm  # noqa: E402
from core.ui.kit import trouble  # noqa: E402
from core.ui.shell.headers import SecurityHeaders  # noqa: E402


@asynccontextmanager
async def lifespan(_):
    """The server answers at once; the default model is read meanwhile."""
    warm.figures()
    threading.Thread(target=warm.model, name="warm", daemon=True).start()
    yield


app = st.App(
    ROOT / "core/ui/main.py", lifespan=lifespan, middleware=[Middleware(SecurityHeaders)], on_script_error=trouble.show
)
