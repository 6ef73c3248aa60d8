"""Puts the API's routers, errors and description on an application."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from ui.api import conversations, feedback, health, query, starters
from ui.api.problems import PlainErrorsAsProblems, declare_problems, install_problems
from ui.api.reference import add_reference

MAX_BODY_SIZE = 1024 * 1024  # bytes; the longest message with a long history takes a fraction of it

DESCRIPTION = """Ask, and get answers from the documents with checked citations.

Errors are problem details (RFC 9457): `errors` names each field that has to change.
"""


def add_api(app: FastAPI) -> None:
    """Serve /api, /health and /docs; the assistant comes from `app.state.assistant_provider`."""
    for resource in (query, conversations, feedback, starters):
        app.include_router(resource.router, max_body_size=MAX_BODY_SIZE)
    app.include_router(health.router)
    app.router.routes.append(Nowhere(app))
    app.add_middleware(PlainErrorsAsProblems, max_body_size=MAX_BODY_SIZE)
    install_problems(app)
    add_reference(app)
    _describe(app)


class Nowhere(BaseRoute):
    """What is below /api or /health but no route: a problem, not the chat page that takes every other address."""

    def __init__(self, app: FastAPI) -> None:
        self._before = list(app.router.routes)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Everything there; routes that stand before this one have had their turn."""
        ours = scope["type"] == "http" and scope["path"].startswith(("/api/", "/health/"))
        return (Match.FULL, {}) if ours else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as Starlette calls it
        """405 where another method would have matched, else 404."""
        wrong_method = any(route.matches(scope)[0] is Match.PARTIAL for route in self._before)
        raise HTTPException(405 if wrong_method else 404)


def _describe(app: FastAPI) -> None:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
            app.openapi_schema = declare_problems(schema)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the description
