"""Who is looking at the page while nobody signs in: a random name in a cookie that no script can read.

The page is served with the cookie, every later request of it must carry it, and the user id is a digest of it, so that
an id that is seen somewhere (in a log, in the API) doesn't let anyone act as that visitor here.
"""

import hashlib
import re
import secrets

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "attune_visitor"
MAX_AGE = 400 * 24 * 3600  # the longest that browsers keep a cookie
_NAME = re.compile(r"[A-Za-z0-9_-]{22}")  # 128 bits

# Nothing on this page may load or send anything elsewhere, whatever an answer talks it into. Gradio starts from inline
# scripts and makes functions from text, hence the two "unsafe" words.
HEADERS = {
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        ]
    ),
    "Cache-Control": "private, no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def visitor(request: Request) -> str | None:
    """The user id of whoever sent this request; None when the page never gave them a cookie."""
    name = _name(request)
    if name is None:
        return None
    return "visitor-" + hashlib.sha256(name.encode()).hexdigest()[:32]


class VisitorCookie:
    """Serves the page at `path` with a visitor's cookie and with the rules that its browser shall hold to."""

    def __init__(self, app: ASGIApp, path: str = "/") -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        known = _name(Request(scope))
        name = known or secrets.token_urlsafe(16)
        if not known:  # Gradio asks who this is while it makes the page
            scope = {**scope, "headers": [*scope["headers"], (b"cookie", f"{COOKIE}={name}".encode())]}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.append("Set-Cookie", _set_cookie(name))
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _name(request: Request) -> str | None:
    name = request.cookies.get(COOKIE, "")
    return name if _NAME.fullmatch(name) else None


def _set_cookie(name: str) -> str:
    # Not "Secure": in open mode the page is on http://127.0.0.1. Lax, so that a link to a conversation opens it.
    return f"{COOKIE}={name}; Path=/; Max-Age={MAX_AGE}; HttpOnly; SameSite=Lax"
