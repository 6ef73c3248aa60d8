"""Open mode, where nobody signs in, serves this machine only, and no web page from elsewhere through its browser.

A page on the internet can make a visitor's browser send requests to 127.0.0.1: by a name that it rebinds to that
address (the Host header then carries the name), or straight from its own origin (the Origin header says so).
"""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.errors import SettingsError
from ui.api.problems import problem

READ_ONLY = {"GET", "HEAD", "OPTIONS"}


def is_loopback(host: str) -> bool:
    """Whether a host name or address, with or without a port, means this machine."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def require_loopback(host: str) -> None:
    """Raise SettingsError when serving on this address would open every conversation to a network."""
    address = f"[{host}]" if ":" in host else host
    if not is_loopback(address):
        raise SettingsError(
            f"Expected a loopback address to serve on (127.0.0.1, ::1 or localhost), got {host!r}: nobody signs in "
            "yet, so anyone who reaches this port could read every conversation. Other machines can be "
            "let in once there is authentication, or now through a tunnel that checks who comes (ssh -L)."
        )


class LoopbackOnly:
    """Refuses requests that were not meant for this machine's own user."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _refusal(scope) if scope["type"] in {"http", "websocket"} else None
        await (refusal or self.app)(scope, receive, send)


def _refusal(scope: Scope) -> Response | None:
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if not is_loopback(host):
        return problem(421, f"Expected a Host header that names this machine (localhost or 127.0.0.1), got {host!r}.")
    if scope.get("method") not in READ_ONLY and not _same_machine(headers):
        return problem(403, f"Requests from pages of {headers['origin']!r} are not taken.")
    return None


def _same_machine(headers: Mapping[str, str]) -> bool:
    origin = headers.get("origin")
    return origin is None or is_loopback(origin.partition("://")[2])
