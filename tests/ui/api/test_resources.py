"""Conversations, feedback, starters, health, and the API's own description."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from agent.assistant import BUSY, Conversation, Turn
from agent.events import Event, Failed
from agent.settings import Settings
from tests.fakes import STARTERS, Rating, ScriptedAssistant
from tools.pool import DatabaseBusy
from ui.app import create_api


async def ask(client: httpx.AsyncClient, user: str, query: str = "How?", **more: str) -> dict[str, Any]:
    response = await client.post("/api/query", json={"user_id": user, "query": query} | more)
    assert response.status_code == 200
    return dict(response.json())


async def test_lists_only_this_users_conversations_latest_first(client: httpx.AsyncClient) -> None:
    first, _, third = (
        await ask(client, "ada", "One"),
        await ask(client, "bob", "Two"),
        await ask(client, "ada", "Three"),
    )
    found = (await client.get("/api/conversations", params={"user_id": "ada"})).json()["conversations"]
    assert [one["id"] for one in found] == [third["conversation_id"], first["conversation_id"]]
    assert found[0].keys() == {"id", "title", "created_at", "updated_at", "exchanges"}
    assert (found[0]["title"], found[0]["exchanges"]) == ("Three", 1)


async def test_limits_the_list(client: httpx.AsyncClient) -> None:
    await ask(client, "ada", "One")
    await ask(client, "ada", "Two")
    response = await client.get("/api/conversations", params={"user_id": "ada", "limit": 1})
    assert [one["title"] for one in response.json()["conversations"]] == ["Two"]


async def test_reads_a_conversation_from_its_beginning(client: httpx.AsyncClient) -> None:
    first = await ask(client, "ada", "One")
    second = await ask(client, "ada", "Two", conversation_id=first["conversation_id"])
    path = f"/api/conversations/{first['conversation_id']}"
    found = (await client.get(path, params={"user_id": "ada"})).json()
    assert found["conversation_id"] == first["conversation_id"]
    assert [one["question"] for one in found["exchanges"]] == ["One", "Two"]
    assert [one["reply"] for one in found["exchanges"]] == [first, second]
    assert found["exchanges"][0]["rating"] is None


async def test_deletes_a_conversation(client: httpx.AsyncClient) -> None:
    path = f"/api/conversations/{(await ask(client, 'ada'))['conversation_id']}"
    response = await client.delete(path, params={"user_id": "ada"})
    assert (response.status_code, response.content) == (204, b"")
    assert (await client.get(path, params={"user_id": "ada"})).status_code == 404


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_somebody_elses_conversation_is_not_there(client: httpx.AsyncClient, method: str) -> None:
    path = f"/api/conversations/{(await ask(client, 'ada'))['conversation_id']}"
    response = await client.request(method, path, params={"user_id": "bob"})
    assert response.status_code == 404
    assert [(one["field"], one.get("pointer")) for one in response.json()["errors"]] == [("conversation_id", None)]
    assert (await client.get(path, params={"user_id": "ada"})).status_code == 200


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "user_id"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "a\x7f"}, "user_id"),
        ({"user_id": "ada", "limit": "0"}, "limit"),
        ({"user_id": "ada", "limit": "many"}, "limit"),
    ],
)
async def test_wrong_parameters_are_named(client: httpx.AsyncClient, params: dict[str, str], field: str) -> None:
    response = await client.get("/api/conversations", params=params)
    assert response.status_code == 422
    assert [one["field"] for one in response.json()["errors"]] == [field]


async def test_feedback_is_kept_with_the_message(client: httpx.AsyncClient, assistant: ScriptedAssistant) -> None:
    message = (await ask(client, "ada"))["message_id"]
    body = {"user_id": "ada", "message_id": message, "rating": -1, "comment": "Too short"}
    response = await client.post("/api/feedback", json=body)
    assert (response.status_code, response.content) == (204, b"")
    assert assistant.ratings == [Rating("ada", message, -1, "Too short")]


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"rating": 5}, 422, "rating"),
        ({"rating": "good"}, 422, "rating"),
        ({"comment": "x" * 2_001}, 422, "comment"),
        ({"message_id": "nothing"}, 404, "message_id"),
        ({"user_id": "bob"}, 404, "message_id"),
    ],
)
async def test_feedback_that_cannot_be_kept(
    client: httpx.AsyncClient, assistant: ScriptedAssistant, change: dict[str, object], status: int, field: str
) -> None:
    body = {"user_id": "ada", "message_id": (await ask(client, "ada"))["message_id"], "rating": 1}
    response = await client.post("/api/feedback", json=body | change)
    assert response.status_code == status
    assert [(one["field"], one["pointer"]) for one in response.json()["errors"]] == [(field, f"#/{field}")]
    assert assistant.ratings == []


async def test_starters(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/starters")).json() == {"starters": STARTERS}


async def test_live_and_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/live")).json() == {"status": "live"}
    ready = (await client.get("/health/ready")).json()
    assert (ready["status"], ready["checks"].keys()) == ("ready", {"documents", "conversations"})


class Unreadable(ScriptedAssistant):
    """Its database is gone."""

    async def conversations(self, user_id: str, *, limit: int = 50) -> list[Conversation]:
        raise OSError("disk gone")


async def test_not_ready_when_a_database_cannot_be_read(
    settings: Settings, client_of: Callable[[FastAPI], httpx.AsyncClient]
) -> None:
    async with client_of(create_api(settings, assistant=Unreadable())) as client:
        response = await client.get("/health/ready")
        assert (await client.get("/health/live")).status_code == 200
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert "disk gone" not in response.text


class Overloaded(ScriptedAssistant):
    """Every connection to its database is in use."""

    async def conversations(self, user_id: str, *, limit: int = 50) -> list[Conversation]:
        raise DatabaseBusy("Too much at once.")

    async def stream(self, turn: Turn) -> AsyncGenerator[Event]:
        yield Failed(code=BUSY, message="Too much at once.", retryable=True)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/conversations?user_id=ada", None),
        ("POST", "/api/query", {"user_id": "ada", "query": "How?"}),
        ("POST", "/v1/chat/completions", {"model": "attune", "messages": [{"role": "user", "content": "How?"}]}),
    ],
)
async def test_too_much_at_once_is_told_with_when_to_come_back(
    settings: Settings, client_of: Callable[[FastAPI], httpx.AsyncClient], method: str, path: str, body: object
) -> None:
    async with client_of(create_api(settings, assistant=Overloaded())) as client:
        response = await client.request(method, path, json=body)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert "Too much at once." in response.text


async def test_the_reference_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "https://" not in page.text
    assert "http://" not in page.text
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"/docs/assets/{asset}" in page.text
        assert (await client.get(f"/docs/assets/{asset}")).status_code == 200


async def test_the_description_shows_every_event_of_a_stream(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    stream = schema["paths"]["/api/query/stream"]["post"]["responses"]["200"]["content"]["text/event-stream"]
    union = stream["itemSchema"]["properties"]["data"]["contentSchema"]
    assert set(union["discriminator"]["mapping"]) == {
        "turn_started",
        "tool_started",
        "tool_finished",
        "sources",
        "token",
        "notice",
        "profile_updated",
        "reply",
        "error",
    }
    for reference in union["discriminator"]["mapping"].values():
        assert reference.removeprefix("#/components/schemas/") in schema["components"]["schemas"]


async def test_the_description_shows_problems_with_their_media_type(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()
    for path in ("/api/query", "/api/query/stream", "/api/feedback"):
        responses = schema["paths"][path]["post"]["responses"]
        refused = responses["422"]["content"]
        assert refused == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert "HTTPValidationError" not in schema["components"]["schemas"]
