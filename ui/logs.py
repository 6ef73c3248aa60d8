"""Logging for a server: one line an event, quiet by default, and never what people wrote.

On a terminal lines are for people; elsewhere each is a JSON object. Values go in `extra`, not into the message.
"""

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import TextIO

from starlette.types import ASGIApp, Message, Receive, Scope, Send

OURS = ("agent", "tools", "knowledge_base", "ui")
STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}

log = logging.getLogger(__name__)


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
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class AsJson(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class ForPeople(logging.Formatter):
    """Time, level, event, then values as key=value."""

    def format(self, record: logging.LogRecord) -> str:
        values = "".join(f" {name}={value}" for name, value in _extra(record).items())
        line = f"{_time(record)[11:23]} {record.levelname.lower():7} {record.getMessage()}{values}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class RequestLog:
    """One line for each request of the API: method, route, status and duration; no parameters, which name users."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, note_status)
        finally:
            log.info("request", extra=_line(scope, status, time.perf_counter() - started))


def _line(scope: Scope, status: int, seconds: float) -> dict[str, object]:
    route = getattr(scope.get("route"), "path", "unknown")
    return {"method": scope["method"], "route": route, "status": status, "ms": round(seconds * 1000, 1)}
