"""What a server logs, and what it never does."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fakes import ScriptedAssistant
from ui.logs import set_up_logging


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    root, level = logging.getLogger(), logging.getLogger().level
    handlers = root.handlers[:]
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("agent", "tools", "knowledge_base", "ui"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.mark.usefixtures("_logging_as_before")
async def test_a_request_is_one_line_without_names_or_words(client: httpx.AsyncClient) -> None:
    set_up_logging(stream=(stream := io.StringIO()))
    await client.post("/api/query", json={"user_id": "ada-lovelace", "query": "a secret question"})
    await client.get("/api/conversations/conversation-1?user_id=ada-lovelace")
    await client.get("/api/conversations/x?user_id=")
    await client.get("/api/secret")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    seen = [(line["method"], line["route"], line["status"]) for line in lines]
    assert seen == [
        ("POST", "/api/query", 200),
        ("GET", "/api/conversations/{conversation_id}", 200),
        ("GET", "/api/conversations/{conversation_id}", 422),
        ("GET", "unknown", 404),
    ]
    assert all(line["ms"] >= 0 and line["event"] == "request" for line in lines)
    assert "secret" not in stream.getvalue()
    assert "lovelace" not in stream.getvalue()


@pytest.mark.usefixtures("_logging_as_before")
async def test_a_request_that_breaks_is_a_500_in_the_log_and_in_the_counters(
    client: httpx.AsyncClient, assistant: ScriptedAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise LookupError("broken")

    set_up_logging(stream=(stream := io.StringIO()))
    monkeypatch.setattr(assistant, "conversations", broken)
    assert (await client.get("/api/conversations?user_id=ada")).status_code == 500
    assert [json.loads(line)["status"] for line in stream.getvalue().splitlines() if '"request"' in line] == [500]
    counted = 'attune_http_requests_total{method="GET",route="/api/conversations",status="500"} 1.0'
    assert counted in (await client.get("/metrics")).text


@pytest.mark.usefixtures("_logging_as_before")
def test_libraries_are_quiet_and_people_get_plain_lines() -> None:
    set_up_logging(stream=(stream := Terminal()))
    logging.getLogger("httpx").info("request")
    logging.getLogger("httpx").warning("slow")
    logging.getLogger("agent.graph").info("turn", extra={"ms": 7})
    assert [line.split(maxsplit=1)[1] for line in stream.getvalue().splitlines()] == [
        "warning slow",
        "info    turn ms=7",
    ]


@pytest.mark.usefixtures("_logging_as_before")
def test_an_exception_stays_on_one_line_of_json() -> None:
    set_up_logging(stream=(stream := io.StringIO()))
    try:
        {"here": 1}["gone"]
    except KeyError:
        logging.getLogger("agent").exception("turn failed")
    (line,) = stream.getvalue().splitlines()
    assert "KeyError: 'gone'" in json.loads(line)["exception"]
