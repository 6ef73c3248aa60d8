"""Open mode, where nobody signs in, serves this machine only, and no web page from elsewhere through its browser.

A page on the internet can make a visitor's browser send requests to 127.0.0.1: by a name that it rebinds to that
address (the Host header then carries the name), or straight from its own origin (the Origin header says so).
"""

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.errors import SettingsError
from agent.settings import Settings
from ui.api.problems import answer, problem

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
            f"Expected a loopback address to serve on (127.0.0.1, ::1 or localhost), got {host!r}: without "
            "authentication anyone who reaches this port could read every conversation. To let other machines in, set "
            "ATTUNE_AUTH=required and make a key (python -m ui keys create USER), or set ATTUNE_JWT_SECRET or "
            "ATTUNE_JWT_JWKS with ATTUNE_JWT_ISSUER and ATTUNE_JWT_AUDIENCE."
        )


def signs_in(settings: Settings) -> bool:
    """Whether callers have to show who they are; else this is open mode."""
    return settings.auth == "required" or settings.jwt_secret is not None or settings.jwt_jwks is not None


def require_safe_address(settings: Settings) -> None:
    """Raise SettingsError when these settings would open every conversation to a network."""
    if not signs_in(settings):
        require_loopback(settings.host)


class LoopbackOnly:
    """Refuses requests that were not meant for this machine's own user; pages of `origins` may send some too."""

    def __init__(self, app: ASGIApp, origins: Sequence[str] = ()) -> None:
        self.app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] in {"http", "websocket"} else None
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not is_loopback(host):
            detail = f"Expected a Host header that names this machine (localhost or 127.0.0.1), got {host!r}."
            return answer(scope, problem(421, detail))
        if scope.get("method") not in READ_ONLY and not self._heard(headers.get("origin")):
            return answer(scope, problem(403, f"Requests from pages of {headers['origin']!r} are not taken."))
        return None

    def _heard(self, origin: str | None) -> bool:
        return origin is None or origin in self._origins or is_loopback(origin.partition("://")[2])
