"""POST /api/query/stream over a real socket: events, errors after the start, and clients that go away."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

from agent.assistant import Turn
from agent.errors import ConversationNotFound
from agent.events import Event, Failed
from agent.settings import Settings
from knowledge_base.errors import IndexMismatch
from tests.fakes import DEFAULT_ANSWER, ScriptedAssistant, play
from tests.ui.live import serving
from ui.app import create_api

ASKED = {"user_id": "ada", "query": "How does escrow work?"}
EVENT: TypeAdapter[Event] = TypeAdapter(Event)


async def received(response: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    """(event, data) of each server-sent event."""
    found, name = [], ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            found.append((name, json.loads(line.removeprefix("data: "))))
    return found


async def events_of(app: FastAPI) -> list[tuple[str, dict[str, Any]]]:
    async with (
        serving(app) as (url, _),
        httpx.AsyncClient() as client,
        client.stream("POST", f"{url}/api/query/stream", json=ASKED) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        return await received(response)


async def until(condition: Any, seconds: float = 1) -> bool:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what happens in the server signals nothing to the test
            await asyncio.sleep(0.01)
    return True


async def test_each_event_is_one_of_the_union_under_its_name(api: FastAPI, assistant: ScriptedAssistant) -> None:
    events = await events_of(api)
    assert [name for name, _ in events] == [data["type"] for _, data in events]
    assert [EVENT.validate_python(data) for _, data in events] == play()
    assert "".join(data["text"] for name, data in events if name == "token") == DEFAULT_ANSWER
    assert len(assistant.finished) == 1


async def test_text_with_line_breaks_stays_one_event(settings: Settings) -> None:
    answer = "1. First\n2. Second\r\n\r\ndata: not an event – ünïcødé 🎉"
    events = await events_of(create_api(settings, assistant=ScriptedAssistant(lambda turn: play(answer))))
    assert events[-1][1]["reply"]["answer"] == answer


async def test_a_failed_turn_ends_in_an_error_event(settings: Settings) -> None:
    failed = Failed(code="internal", message="Sorry.", retryable=True)
    events = await events_of(create_api(settings, assistant=ScriptedAssistant(lambda turn: play(failed=failed))))
    assert events[-1] == ("error", {"type": "error", "code": "internal", "message": "Sorry.", "retryable": True})


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConversationNotFound("Gone."), "rejected"),
        (IndexMismatch("Other model."), "unavailable"),
        (KeyError("secret"), "internal"),
    ],
)
async def test_an_exception_after_the_start_is_an_error_event(settings: Settings, error: Exception, code: str) -> None:
    def broken(turn: Turn) -> Any:
        yield from play()[:5]
        raise error

    events = await events_of(create_api(settings, assistant=ScriptedAssistant(broken)))
    assert len(events) == 6
    assert (events[-1][0], events[-1][1]["code"]) == ("error", code)
    assert "secret" not in events[-1][1]["message"]


@pytest.mark.parametrize("pause", [0.02, 60])
async def test_a_client_that_goes_away_stops_the_turn(settings: Settings, pause: float) -> None:
    """While tokens flow, and while the turn is waiting for a model that says nothing."""
    events = play("word " * 5_000)
    assistant = ScriptedAssistant(lambda turn: events, pause=pause)
    async with serving(create_api(settings, assistant=assistant)) as (url, _):
        async with (
            httpx.AsyncClient() as client,
            client.stream("POST", f"{url}/api/query/stream", json=ASKED) as response,
        ):
            assert response.status_code == 200
            assert await until(lambda: assistant.turns)
        assert await until(lambda: assistant.stopped == assistant.turns)
    assert assistant.finished == []


async def test_a_client_that_reads_nothing_stops_the_turn_when_it_leaves(settings: Settings) -> None:
    """The turn is then held back by the full connection, not waiting for its next event."""
    events = play("word" * 1_000 + " " + ("word" * 1_000 + " ") * 2_000)
    assistant = ScriptedAssistant(lambda turn: events)
    body = json.dumps(ASKED).encode()
    head = f"POST /api/query/stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: application/json\r\n\r\n"
    async with serving(create_api(settings, assistant=assistant)) as (url, _):
        _, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
        writer.write(head.encode() + body)
        assert await until(lambda: assistant.turns)
        await asyncio.sleep(0.2)
        assert not assistant.finished
        writer.transport.abort()
        assert await until(lambda: assistant.stopped == assistant.turns)


async def test_a_stop_lets_a_running_turn_finish(settings: Settings) -> None:
    assistant = ScriptedAssistant(pause=0.02)
    async with (
        serving(create_api(settings, assistant=assistant), patience=10) as (url, server),
        httpx.AsyncClient() as client,
        client.stream("POST", f"{url}/api/query/stream", json=ASKED) as response,
    ):
        server.should_exit = True
        events = await received(response)
    assert events[-1][0] == "reply"
    assert len(assistant.finished) == 1


async def test_a_stop_does_not_wait_for_ever(settings: Settings) -> None:
    assistant = ScriptedAssistant(pause=60)
    async with (
        httpx.AsyncClient() as client,
        serving(create_api(settings, assistant=assistant), patience=0.1) as (url, server),
    ):
        asking = asyncio.create_task(client.post(f"{url}/api/query/stream", json=ASKED))
        assert await until(lambda: assistant.turns)
        server.should_exit = True
        with pytest.raises(httpx.HTTPError):
            await asking
    assert assistant.stopped == assistant.turns
