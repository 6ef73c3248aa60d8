"""What an exception of a chat model means: its kind, whether trying again can help, and words for the log."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from agent.errors import FailureKind

_BY_STATUS: dict[int, FailureKind] = {
    401: "authentication",
    403: "authentication",
    404: "model_not_found",
    408: "timeout",
    409: "server_error",
    429: "rate_limited",
}
_RETRYABLE: set[FailureKind] = {"rate_limited", "server_error", "timeout", "connection"}
_LASTING_CODES = {"insufficient_quota", "billing_hard_limit_reached", "account_deactivated"}
_HINTS: dict[FailureKind, str] = {
    "authentication": "check OPENAI_API_KEY",
    "model_not_found": "check ATTUNE_MODEL, and that OPENAI_BASE_URL is the root of the API, such as http://host:port/v1",
    "connection": "check OPENAI_BASE_URL and that the server runs",
    "bad_response": "check that OPENAI_BASE_URL is the root of an OpenAI-compatible API, such as http://host:port/v1",
    "timeout": "see ATTUNE_MODEL_FIRST_TOKEN_TIMEOUT, ATTUNE_MODEL_IDLE_TIMEOUT and ATTUNE_MODEL_RETRY_BUDGET",
}
_KEY_LIKE = re.compile(r"\b(?:(?:sk|pk|rk)[-_]|Bearer )[\w*.\-]{8,}", re.IGNORECASE)
_SHORTEST_SECRET = 6
_URL_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")
_SHOWN_CHARS = 300
_BROKEN_READING = (LookupError, TypeError, AttributeError, AssertionError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed try. `retry_after` is what the server asked for, in seconds; `unexpected` says that no server or
    network reported it, but that reading the answer broke."""

    kind: FailureKind
    text: str
    retryable: bool
    retry_after: float | None = None
    unexpected: bool = False


class StreamBroke(ConnectionError):
    """The body of a streamed answer ended without a finish reason."""


class NoStream(ValueError):
    """The server answered 200 with something that holds no event of a chat completion."""


def diagnose(error: BaseException, secrets: Sequence[str] = ()) -> Failure:
    """Reads an exception of LangChain, of the openai client (by its attributes: this needs neither imported), of
    asyncio or of a parser. `secrets` never appear in the text, nor does anything that looks like a key."""
    kind = _kind(error)
    lasting = getattr(error, "code", None) in _LASTING_CODES or _header(error, "x-should-retry") == "false"
    hint = f" ({_HINTS[kind]})" if kind in _HINTS else ""
    return Failure(
        kind,
        _clean(_words(error), secrets) + hint,
        retryable=kind in _RETRYABLE and not lasting,
        retry_after=_retry_after(error),
        unexpected=isinstance(error, _BROKEN_READING),
    )


def _kind(error: BaseException) -> FailureKind:
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return _BY_STATUS.get(status) or ("server_error" if status >= 500 else "bad_request")
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return "timeout"
    if isinstance(error, OSError) or "ConnectionError" in type(error).__name__:
        return "connection"
    if hasattr(error, "body"):  # an error event inside the stream
        return _kind_of_event(error)
    return "bad_response"


def _kind_of_event(error: BaseException) -> FailureKind:
    said = f"{getattr(error, 'code', '')} {getattr(error, 'type', '')}".lower()
    if "rate_limit" in said or "429" in said:
        return "rate_limited"
    return "bad_request" if "invalid_request" in said or "context_length" in said else "server_error"


def _words(error: BaseException) -> str:
    status = getattr(error, "status_code", None)
    said = str(getattr(error, "message", None) or error) or type(error).__name__
    if isinstance(error, _BROKEN_READING):
        return f"the answer is malformed ({type(error).__name__}: {said})"
    if said == "Connection error.":
        said = f"{said} {_root(error)}"
    if said.startswith("Error code:") or status is None:
        return said
    return f"{status}: {said}"


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _clean(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:  # a made-up key for a local server is no secret, and may be any word
            text = text.replace(secret, "***")
    text = _URL_CREDENTIALS.sub("***@", _KEY_LIKE.sub("***", text))
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"


def _headers(error: BaseException) -> Mapping[str, Any]:
    headers = getattr(getattr(error, "response", None), "headers", None)
    return headers if isinstance(headers, Mapping) else {}


def _header(error: BaseException, name: str) -> str | None:
    value = _headers(error).get(name)
    return str(value) if value is not None else None


def _retry_after(error: BaseException) -> float | None:
    """Seconds to wait, from `retry-after-ms` or Retry-After as a number or a date (RFC 9110, section 10.2.3)."""
    milliseconds, given = _number(_header(error, "retry-after-ms")), _header(error, "retry-after")
    if milliseconds is not None:
        return milliseconds / 1000
    seconds = _number(given)
    return seconds if seconds is not None or given is None else _until(given)


def _number(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value is not None else None
    except ValueError:
        return None


def _until(date: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
