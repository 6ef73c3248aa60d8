"""Every error of the API as RFC 9457 problem details, with the field that has to change.

    {"type": "about:blank", "title": "Unprocessable Content", "status": 422, "detail": "query: Field required",
     "errors": [{"field": "query", "message": "Field required", "pointer": "#/query"}]}

`pointer` is a JSON Pointer into the request's body (RFC 6901, as a URI fragment); parameters of the address have none.
`request_id` is the one in the server's log. Below /v1 the same errors have the shape that OpenAI's clients expect.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import Scope

from agent.errors import ConversationNotFound, TurnRejected
from knowledge_base.errors import AttuneError
from tools.pool import DatabaseBusy
from tools.profile.errors import ProfileInputInvalid
from ui.logs import current_request

MEDIA_TYPE = "application/problem+json"
# Titles as RFC 9110 has them: Python 3.11 and 3.12 still know some by older names.
TITLES = {413: "Content Too Large", 422: "Unprocessable Content", 499: "Client Closed Request"}


class FieldError(BaseModel):
    """One thing to change in the request."""

    field: str = Field(examples=["query", "chat_history[0].role"])
    message: str
    pointer: str | None = Field(default=None, examples=["#/query"])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []
    request_id: str | None = Field(default=None, description="As in the server's log")


class ProblemError(Exception):
    """Raised by a route to answer with a problem; `code` is what OpenAI's clients are told besides."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldError] = (),
        *,
        headers: Mapping[str, str] | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.headers = headers
        self.code = code
        self.problem = Problem(title=title(status), status=status, detail=detail, errors=list(errors))


class ProblemResponse(JSONResponse):
    """A problem as the response's body."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        named = problem.model_copy(update={"request_id": current_request()})
        super().__init__(named.model_dump(exclude_none=True), problem.status, headers)


class OpenAIError(BaseModel):
    """What went wrong, as OpenAI says it."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class OpenAIErrorBody(BaseModel):
    """The body of an error below /v1."""

    error: OpenAIError


# What OpenAI's errors are called; the rest are invalid_request_error or server_error.
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_OPENAI_CODES = {401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded"}


def openai_error(problem: Problem, code: str | None = None) -> OpenAIErrorBody:
    """The problem in OpenAI's shape."""
    kind = _OPENAI_TYPES.get(problem.status, "server_error" if problem.status >= 500 else "invalid_request_error")
    error = OpenAIError(
        message=problem.detail,
        type=kind,
        param=problem.errors[0].field if problem.errors else None,
        code=code or _OPENAI_CODES.get(problem.status),
    )
    return OpenAIErrorBody(error=error)


def answer(
    scope: Scope, problem: Problem, headers: Mapping[str, str] | None = None, *, code: str | None = None
) -> JSONResponse:
    """The problem in the shape that this path's clients expect."""
    if is_openai(scope["path"]):
        return JSONResponse(openai_error(problem, code).model_dump(), problem.status, headers)
    return ProblemResponse(problem, headers)


def is_openai(path: str) -> bool:
    """Whether a path speaks OpenAI's language."""
    return path == "/v1" or path.startswith("/v1/")


def title(status: int) -> str:
    """The standard name of a status."""
    return TITLES.get(status) or HTTPStatus(status).phrase


def problem(status: int, detail: str, errors: Sequence[FieldError] = ()) -> Problem:
    """A problem with the standard title of its status."""
    return Problem(title=title(status), status=status, detail=detail, errors=list(errors))


def rejected(error: TurnRejected, field: str | None = None, *, in_body: bool) -> Problem:
    """A request that the assistant refused: 404 for what does not exist, 422 for the rest."""
    name = field or error.field
    found = FieldError(field=name, message=str(error), pointer=f"#/{name}" if in_body else None)
    return problem(404 if isinstance(error, ConversationNotFound) else 422, str(error), [found])


def busy(error: DatabaseBusy) -> ProblemError:
    """Too much at once: 503, and when to come back."""
    return ProblemError(503, str(error), headers={"Retry-After": str(error.retry_after)})


def install_problems(app: FastAPI) -> None:
    """Answer every error of this application with problem details."""
    handlers: dict[Any, Any] = {
        RequestValidationError: _on_invalid,
        TurnRejected: _on_rejected,
        ProfileInputInvalid: _on_profile_input,
        AttuneError: _on_unavailable,
        DatabaseBusy: _on_busy,
        ProblemError: _on_problem,
        HTTPException: _on_http,
        Exception: _on_bug,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


async def _on_problem(request: Request, error: ProblemError) -> JSONResponse:
    return answer(request.scope, error.problem, error.headers, code=error.code)


async def _on_http(request: Request, error: HTTPException) -> JSONResponse:
    return answer(request.scope, problem(error.status_code, str(error.detail)), error.headers)


async def _on_rejected(request: Request, error: TurnRejected) -> JSONResponse:
    return answer(request.scope, rejected(error, in_body=request.method == "POST"))


async def _on_profile_input(request: Request, error: ProfileInputInvalid) -> JSONResponse:
    found = FieldError(field=error.field, message=str(error), pointer=f"#/{error.field}")
    return answer(request.scope, problem(422, str(error), [found]))


async def _on_unavailable(request: Request, error: AttuneError) -> JSONResponse:
    return answer(request.scope, problem(503, str(error)))


async def _on_busy(request: Request, error: DatabaseBusy) -> JSONResponse:
    return await _on_problem(request, busy(error))


async def _on_bug(request: Request, _: Exception) -> JSONResponse:
    return answer(request.scope, problem(500, "Something went wrong on our side; the server's log has the reason."))


async def _on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    wrong = _invalid(request, error)
    if wrong.status == 422 and is_openai(request.url.path):  # there, every mistake in a request is a 400
        wrong = problem(400, wrong.detail, wrong.errors)
    return answer(request.scope, wrong)


def _invalid(request: Request, error: RequestValidationError) -> Problem:
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        place, reason = found[0]["loc"][-1], found[0]["ctx"]["error"]
        return problem(400, f"The body is not JSON: {reason} at character {place}.")
    if found[0]["loc"] == ("body",) and not _is_json(request):
        sent = request.headers.get("content-type") or "no content type"
        return problem(415, f"Expected a body with Content-Type: application/json, got {sent}.")
    errors = [_field_error(one) for one in found]
    return problem(422, "; ".join(f"{one.field}: {one.message}" for one in errors), errors)


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _field_error(error: Mapping[str, Any]) -> FieldError:
    where, *path = error["loc"]
    message = str(error["msg"]).removeprefix("Value error, ")
    if where != "body":
        return FieldError(field=_dotted(path), message=message)
    return FieldError(field=_dotted(path) or "body", message=message, pointer=_pointer(path))


def _dotted(path: Sequence[str | int]) -> str:
    """('chat_history', 0, 'role') as chat_history[0].role"""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _pointer(path: Sequence[str | int]) -> str:
    escaped = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return "#" + "".join(f"/{step}" for step in escaped)


def declare_problems(schema: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI document whose error responses have the media type that they are sent with."""
    for path, operations in schema["paths"].items():
        for operation in [] if is_openai(path) else operations.values():
            for status, response in operation["responses"].items():
                if status >= "400" and "content" in response:
                    (body,) = [one for one in response["content"].values() if "schema" in one]
                    response["content"] = {MEDIA_TYPE: json.loads(json.dumps(body))}
    return schema


def may_answer(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error responses of a route, for its description."""
    return {status: {"model": Problem, "description": title(status)} for status in statuses}
