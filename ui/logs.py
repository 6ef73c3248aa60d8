"""Logging for a server: one line an event, quiet by default, and never what people wrote unless that is asked for.

On a terminal lines are for people; elsewhere each is a JSON object. Values go in `extra`, not into the message. Lines
that belong to a request or a conversation carry its id, and personal data that strays into a line is masked.
"""

import json
import logging
import re
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools.access.personal_data import mask

OURS = ("agent", "tools", "knowledge_base", "ui")
STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_request: ContextVar[str | None] = ContextVar("request_id", default=None)
_conversation: ContextVar[str | None] = ContextVar("conversation_id", default=None)

log = logging.getLogger(__name__)


def current_request() -> str | None:
    """The id of the request that is being answered, None outside of one."""
    return _request.get()


def in_conversation(conversation_id: str) -> None:
    """From here on this task's lines carry this conversation's id."""
    _conversation.set(conversation_id)


def set_up_logging(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Log to stderr: our own packages from `level` on, libraries from WARNING on."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ForPeople() if stream.isatty() else AsJson())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(level)


def _extra(record: logging.LogRecord) -> dict[str, object]:
    given = {name: _masked(value) for name, value in vars(record).items() if name not in STANDARD}
    ids = {"request_id": _request.get(), "conversation_id": _conversation.get()}
    return {name: value for name, value in ids.items() if value is not None} | given


def _masked(value: object) -> object:
    return mask(value) if isinstance(value, str) and not _ID.fullmatch(value) else value


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class AsJson(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": mask(record.getMessage()),
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = mask(self.formatException(record.exc_info))
        return json.dumps(line, default=str, ensure_ascii=False)


class ForPeople(logging.Formatter):
    """Time, level, event, then values as key=value."""

    def format(self, record: logging.LogRecord) -> str:
        values = "".join(f" {name}={value}" for name, value in _extra(record).items())
        line = f"{_time(record)[11:23]} {record.levelname.lower():7} {mask(record.getMessage())}{values}"
        return f"{line}\n{mask(self.formatException(record.exc_info))}" if record.exc_info else line


class RequestLog:
    """Gives each request an id, or keeps the one that a proxy gave it, and sends it back. Requests of the API get one
    line: method, route, status and duration; no parameters, which name users."""

    def __init__(self, app: ASGIApp, count: Callable[[str, str, int, float], None] | None = None) -> None:
        """`count` is told method, route, status and seconds of each request of the API."""
        self.app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        request_id = _id_of(scope)
        _request.set(request_id)
        headers: dict[str, str] = {"X-Request-Id": request_id}
        scope.setdefault("state", {})["response_headers"] = headers

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(headers)
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:  # answered further out, after this line is written
            status = status or 500
            raise
        finally:
            if scope["state"].get("is_api"):
                self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = scope["method"], getattr(scope.get("route"), "path", "unknown")
        log.info("request", extra={"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)})
        if self._count:
            self._count(method if method in METHODS else "other", route, status, seconds)


def _id_of(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _ID.fullmatch(given) else uuid4().hex
