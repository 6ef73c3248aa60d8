"""Puts the API's routers, errors and description on an application."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

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
    app.add_middleware(PlainErrorsAsProblems, max_body_size=MAX_BODY_SIZE)
    install_problems(app)
    add_reference(app)
    _describe(app)


def _describe(app: FastAPI) -> None:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
            app.openapi_schema = declare_problems(schema)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the description
