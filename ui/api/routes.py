"""Puts the API's routers, errors and description on an application."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from ui.api import (
    chat_completions,
    content,
    conversations,
    feedback,
    health,
    interactions,
    links,
    me,
    metrics,
    predictions,
    profile,
    query,
    recommendations,
    starters,
    taxonomies,
)
from ui.api.access import Access
from ui.api.body_limit import BodyLimit
from ui.api.idempotency import Idempotency
from ui.api.identity import SignIn, is_protected
from ui.api.problems import declare_problems, install_problems, is_openai, title
from ui.api.reference import add_reference

MAX_BODY_SIZE = 1024 * 1024  # bytes; the longest message with a long history takes a fraction of it

DESCRIPTION = """Ask, and get answers from the documents with checked citations.

Where callers sign in, `Authorization: Bearer` takes an API key or a token, and says who asks; in open mode, on this
machine only, each request says it. Errors are problem details (RFC 9457): `errors` names each field that has to change,
and `request_id` the lines in the server's log. Below `/v1` they have OpenAI's shape. A POST with an `Idempotency-Key`
can be sent again. `RateLimit` says what is left, `Retry-After` when to come back.
"""
TAGS = [
    {"name": "query", "description": "Questions and answers"},
    {"name": "conversations", "description": "What was asked and answered before"},
    {"name": "feedback", "description": "What readers think of answers"},
    {"name": "profile", "description": "What is known of a user, why, and what the user wants changed"},
    {"name": "me", "description": "The same for whoever asks, under other names"},
    {"name": "taxonomies", "description": "The topics that profiles speak of"},
    {"name": "recommendations", "description": "What is worth a user's time, and why"},
    {"name": "interactions", "description": "What users did"},
    {"name": "predictions", "description": "What users probably need, and what to do about it"},
    {"name": "links", "description": "Accounts in Slack and Discord that are the same person"},
    {"name": "openai", "description": "The agent as a model, for clients of OpenAI's API"},
    {"name": "operations", "description": "Counters for monitoring"},
    {"name": "health", "description": "Whether the process lives, and can answer"},
]
RESOURCES = (
    query,
    conversations,
    feedback,
    starters,
    profile,
    me,
    taxonomies,
    recommendations,
    content,
    interactions,
    predictions,
    links,
    chat_completions,
)
SCHEME = "key or token"
ALONE = ("/recommend", "/content", "/interaction")
BELOW = (
    "/api/",
    "/v1/",
    "/health/",
    "/profile/",
    "/recommend/",
    "/predict/",
    "/content/",
    "/interaction/",
    "/results/",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def add_api(app: FastAPI) -> None:
    """Serve /api, /v1, /health, /metrics and /docs; the assistant comes from `app.state.assistant_provider`, and who
    may do what from `app.state.access`."""
    access: Access = app.state.access
    for resource in RESOURCES:
        app.include_router(resource.router)
    app.include_router(metrics.router)
    app.include_router(health.router)
    app.router.routes.append(Nowhere(app))
    app.add_middleware(Idempotency, access=lambda: access)
    app.add_middleware(BodyLimit, most=MAX_BODY_SIZE)
    app.add_middleware(SignIn, authenticator=access.authenticator)
    install_problems(app)
    add_reference(app)
    _describe(app)


class Nowhere(BaseRoute):
    """What is below the API's addresses but no route: a problem, not the chat page that takes every other address."""

    def __init__(self, app: FastAPI) -> None:
        self._before = list(app.router.routes)
        own = [route for resource in RESOURCES for route in resource.router.routes if isinstance(route, APIRoute)]
        self._own = [(route.path, route.methods) for route in own if "{" not in route.path]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Everything there; routes that stand before this one have had their turn."""
        path = scope["path"]
        ours = scope["type"] == "http" and (path in ALONE or path.startswith(BELOW))
        return (Match.FULL, {}) if ours else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as Starlette calls it
        """405 where another method would have matched, else 404."""
        if allowed := self._allowed(scope):
            raise HTTPException(405, headers={"Allow": ", ".join(allowed)})
        raise HTTPException(404)

    def _allowed(self, scope: Scope) -> list[str]:
        """An address of its own, as /predict/batch, is not taken for the user of /predict/{user_id}."""
        own = {method for path, methods in self._own if path == scope["path"] for method in methods or ()}
        return [method for method in METHODS if (method in own if own else self._answers(scope, method))]

    def _answers(self, scope: Scope, method: str) -> bool:
        asked = {**scope, "method": method}
        return any(route.matches(asked)[0] is Match.FULL for route in self._before)


def _describe(app: FastAPI) -> None:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes, tags=TAGS
            )
            app.openapi_schema = _declare_sign_in(declare_problems(_declare_bodies(schema)))
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the description


def _declare_bodies(schema: dict[str, Any]) -> dict[str, Any]:
    """The description, saying of every operation with a body what is answered to one that cannot be read."""
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            if "requestBody" in operation:
                problem = {"$ref": f"#/components/schemas/{'OpenAIErrorBody' if is_openai(path) else 'Problem'}"}
                for status in (400, 413, 415):
                    described = {"description": title(status), "content": {"application/json": {"schema": problem}}}
                    operation["responses"].setdefault(str(status), described)
    return schema


def _declare_sign_in(schema: dict[str, Any]) -> dict[str, Any]:
    """The description, saying which operations take credentials; in open mode they may be left out."""
    schemes = schema.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes[SCHEME] = {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`python -m ui keys create USER`) or a JSON Web Token. Not needed in open mode.",
    }
    for path, operations in schema["paths"].items():
        if is_protected(path):
            for operation in operations.values():
                operation["security"] = [{SCHEME: []}]
    return schema
