"""Security headers on every HTTP answer."""

import contextlib

import pytest

from core.ui.shell.headers import SecurityHeaders, inline_hashes


def ask(host: bytes = b"127.0.0.1:8501", kind: str = "http", given: list | None = None) -> dict[str, str]:
    """The headers of one answer."""
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": given or []})

    async def send(message):
        sent.append(message)

    scope = {"type": kind, "headers": [(b"host", host)]}
    with contextlib.suppress(StopIteration):
        SecurityHeaders(app)(scope, None, send).send(None)  # nothing in it waits, so no event loop is needed
    names = [name.decode() for name, _ in sent[0]["headers"]]
    assert len(names) == len(set(names))
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


def directives(policy: str) -> dict[str, list[str]]:
    return {part.split()[0]: part.split()[1:] for part in policy.split("; ")}


def test_nothing_may_be_loaded_from_or_sent_to_another_site():
    policy = directives(ask()["content-security-policy"])
    assert policy["default-src"] == ["'self'"]
    assert policy["connect-src"] == ["'self'", "ws://127.0.0.1:8501", "wss://127.0.0.1:8501"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert "'unsafe-inline'" not in policy["script-src"]
    for sources in policy.values():
        for source in sources:
            assert source.startswith(("'", "ws://127.0.0.1", "wss://127.0.0.1")) or source in ("data:", "blob:")


@pytest.mark.parametrize("host", [b"evil.example; script-src *", b"a b", b"", b"x" * 400, b"\xff\xfe"])
def test_a_crafted_host_adds_nothing(host):
    policy = directives(ask(host)["content-security-policy"])
    assert policy["connect-src"] == ["'self'"]
    assert "*" not in policy["script-src"]


def test_the_other_headers_are_there_and_replace_older_ones():
    headers = ask(given=[(b"X-Frame-Options", b"ALLOWALL"), (b"content-type", b"text/html")])
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-type"] == "text/html"


def test_web_sockets_are_left_alone():
    assert ask(kind="websocket") == {}


def test_streamlits_own_inline_script_is_named_by_its_hash():
    assert inline_hashes()
    assert all(name.startswith("'sha256-") for name in inline_hashes())
