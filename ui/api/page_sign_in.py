"""Signing in to the chat page: the same credentials as the API's, kept by the browser in a cookie no script can read.

A proxy that adds the Authorization header needs none of this. Everybody else pastes an API key or a token at /sign-in.
The cookie opens the page only; the API takes the header, so that no page elsewhere can use it (SameSite, and this).
"""

from html import escape
from urllib.parse import parse_qs

from fastapi import APIRouter, FastAPI, Request
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.api.identity import SESSION_COOKIE, Authenticator
from ui.api.problems import ProblemError

PATH, OUT = "/sign-in", "/sign-out"
OURS = "same-origin"  # what browsers say of a form of ours; another site's would sign its readers in as somebody else
MOST_BYTES = 8_192
MAX_AGE = 30 * 24 * 3600  # seconds; a key that is revoked or a token that expires ends it sooner
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FORM = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:1rem/1.5 system-ui;max-width:26rem;margin:15vh auto;padding:0 1rem;color-scheme:light dark}}
input,button{{font:inherit;width:100%;box-sizing:border-box;padding:.6rem;margin:.4rem 0}}</style>
<h1>{title}</h1><form method="post"><label>API key or token
<input name="credential" type="password" autocomplete="current-password" required autofocus></label>
<button>Sign in</button></form><p role="alert">{error}</p></html>"""


class PageSignIn:
    """Who looks at the page."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def user_of(self, request: Request) -> str | None:
        """The user id of whoever sent this request, None without usable credentials."""
        try:
            return (await self._authenticator.identify(request.headers, cookies=True)).user_id
        except ProblemError:
            return None

    async def is_admin(self, request: Request) -> bool:
        """Whether whoever sent this request may look after everybody's taxonomy."""
        try:
            return (await self._authenticator.identify(request.headers, cookies=True)).is_admin
        except ProblemError:
            return False

    def can_sign_out(self, request: Request) -> bool:
        """Whether whoever sent this request came in by the form; who comes by a proxy signs out there."""
        return SESSION_COOKIE in request.cookies


def add_sign_in(app: FastAPI, authenticator: Authenticator) -> None:
    """Serve the form, and send those who are not signed in there instead of to the page."""
    router = APIRouter(include_in_schema=False)

    @router.get(PATH)
    async def form() -> Response:
        return _form(app.title, "")

    @router.post(PATH)
    async def sign_in(request: Request) -> Response:
        if request.headers.get("sec-fetch-site", OURS) != OURS:
            return _form(app.title, "Sign in here, not from another site.", 403)
        credential = await _credential(request)
        try:
            await authenticator.identify(Headers({"authorization": f"Bearer {credential}"}))
        except ProblemError as error:
            return _form(app.title, str(error), error.problem.status)
        response = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        response.set_cookie(SESSION_COOKIE, credential, MAX_AGE, httponly=True, samesite="lax", secure=secure, path="/")
        return response

    @router.post(OUT)
    async def sign_out() -> Response:
        response = RedirectResponse(PATH, 303)
        response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")
        return response

    app.include_router(router)
    app.add_middleware(ToSignIn, page=PageSignIn(authenticator))


def _form(title: str, error: str, status: int = 200) -> Response:
    return HTMLResponse(FORM.format(title=escape(title), error=escape(error)), status, HEADERS)


async def _credential(request: Request) -> str:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            return ""
    given = parse_qs(body.decode("utf-8", "replace")).get("credential", [""])[0].strip()
    return given if given.isascii() and given.isprintable() and not set(given) & set(' ;,"\\') else ""


class ToSignIn:
    """Sends a browser that opens the page without credentials to the form."""

    def __init__(self, app: ASGIApp, page: PageSignIn) -> None:
        self.app = app
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        opening = scope["type"] == "http" and scope["path"] == "/" and scope["method"] in {"GET", "HEAD"}
        if opening and await self._page.user_of(Request(scope)) is None:
            await RedirectResponse(PATH, 303, HEADERS)(scope, receive, send)
            return
        await self.app(scope, receive, send)
