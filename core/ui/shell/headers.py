"""Security headers on every answer: nothing is loaded from, sent to or framed by another site."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import streamlit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
HOST = re.compile(rb"[A-Za-z0-9.\-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")


class SecurityHeaders:
    """Plain ASGI middleware: adds the headers to HTTP answers, leaves web sockets alone."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app
        self.scripts = " ".join(inline_hashes())

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        ours = self.headers(host.decode() if HOST.fullmatch(host) else "")
        names = {name for name, _ in ours}

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in names]
                message = {**message, "headers": [*kept, *ours]}
            await send(message)

        await self.app(scope, receive, dressed)

    def headers(self, host: str) -> list[tuple[bytes, bytes]]:
        """The headers for a server that was called by this name."""
        # older browsers do not count web sockets of the same host as 'self'
        sockets = f" ws://{host} wss://{host}" if host else ""
        policy = {
            "default-src": "'self'",
            # Vega and Plotly compile functions; the hashes are of Streamlit's own inline lines; blob: is how components load
            "script-src": f"'self' 'unsafe-eval' blob: {self.scripts}".strip(),
            "style-src": "'self' 'unsafe-inline'",
            "img-src": "'self' data: blob:",
            "font-src": "'self' data:",
            "connect-src": f"'self'{sockets}",
            "worker-src": "'self' blob:",
            "object-src": "'none'",
            "base-uri": "'self'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
        }
        values = {
            "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=()",
        }
        return [(name.encode(), value.encode()) for name, value in values.items()]


def inline_hashes() -> list[str]:
    """The inline scripts of Streamlit's page, each as the hash by which a policy names it."""
    page = Path(streamlit.__file__).parent / "static" / "index.html"
    scripts = re.findall(r"<script>(.*?)</script>", page.read_text("utf-8"), re.DOTALL) if page.is_file() else []
    return [f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts]
