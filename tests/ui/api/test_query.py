"""POST /api/query: the answer, what it reads, and what it refuses."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from agent.assistant import Turn
from agent.events import Failed
from agent.settings import Settings
from knowledge_base.passage import Utterance
from tests.fakes import DEFAULT_ANSWER, ScriptedAssistant, play
from ui.api.routes import MAX_BODY_SIZE
from ui.app import create_api

ASKED = {"user_id": "ada", "query": "How does escrow work?"}


def only_error(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code
    (error,) = response.json()["errors"]
    assert error["message"]
    return dict(error)


async def test_answers_with_sources_and_ids(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/query", json=ASKED)
    assert response.status_code == 200
    reply = response.json()
    assert reply["answer"] == DEFAULT_ANSWER
    assert (reply["conversation_id"], reply["message_id"]) == ("conversation-1", "message-1")
    assert (reply["answered"], reply["model"]) == (True, "scripted")
    assert {"title", "url", "heading", "quote", "score", "topic"} <= reply["sources"][0].keys()


async def test_the_turn_says_who_asks_what(client: httpx.AsyncClient, assistant: ScriptedAssistant) -> None:
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    await client.post("/api/query", json=ASKED | {"chat_history": history})
    said = (Utterance("user", "Hi"), Utterance("assistant", "Hello"))
    assert assistant.turns == [Turn("ada", "How does escrow work?", None, "api", said)]


async def test_continues_a_conversation(client: httpx.AsyncClient, assistant: ScriptedAssistant) -> None:
    first = (await client.post("/api/query", json=ASKED)).json()
    second = await client.post("/api/query", json=ASKED | {"conversation_id": first["conversation_id"]})
    assert second.json()["conversation_id"] == first["conversation_id"]
    assert len(await assistant.transcript("ada", first["conversation_id"])) == 2


@pytest.mark.parametrize(
    ("role", "key", "read_as"),
    [
        ("agent", "text", "assistant"),
        ("Bot", "content", "assistant"),
        ("human", "text", "user"),
        ("USER", "text", "user"),
    ],
)
async def test_reads_other_names_for_the_sides(
    client: httpx.AsyncClient, assistant: ScriptedAssistant, role: str, key: str, read_as: str
) -> None:
    response = await client.post("/api/query", json=ASKED | {"chat_history": [{"role": role, key: "Hi"}]})
    assert response.status_code == 200
    assert [(said.role, said.text) for said in assistant.turns[0].history] == [(read_as, "Hi")]


@pytest.mark.parametrize("conversation_id", ["", " ", None])
async def test_an_empty_conversation_id_starts_one(
    client: httpx.AsyncClient, assistant: ScriptedAssistant, conversation_id: str | None
) -> None:
    await client.post("/api/query", json=ASKED | {"conversation_id": conversation_id})
    assert assistant.turns[0].conversation_id is None


REFUSED = [
    ({"query": "x"}, "user_id"),
    ({"user_id": "ada"}, "query"),
    ({"user_id": "ada", "query": None}, "query"),
    ({"user_id": "ada", "query": 7}, "query"),
    ({"user_id": "ada", "query": "  \n"}, "query"),
    ({"user_id": "ada", "query": "x" * 20_001}, "query"),
    ({"user_id": "", "query": "x"}, "user_id"),
    ({"user_id": "   ", "query": "x"}, "user_id"),
    ({"user_id": "a\u0000b", "query": "x"}, "user_id"),
    ({"user_id": "a\nb", "query": "x"}, "user_id"),
    ({"user_id": "x" * 201, "query": "x"}, "user_id"),
    ({"user_id": 7, "query": "x"}, "user_id"),
    (ASKED | {"chat_history": "none"}, "chat_history"),
    (
        ASKED | {"chat_history": [{"role": "user", "content": "Hi"}, {"role": "owl", "content": "Hoo"}]},
        "chat_history[1].role",
    ),
    (ASKED | {"chat_history": [{"role": "user"}]}, "chat_history[0].content"),
    (ASKED | {"conversation_id": 7}, "conversation_id"),
]


@pytest.mark.parametrize("path", ["/api/query", "/api/query/stream"])
@pytest.mark.parametrize(("body", "field"), REFUSED)
async def test_names_the_field_to_change(
    client: httpx.AsyncClient, assistant: ScriptedAssistant, path: str, body: dict[str, object], field: str
) -> None:
    response = await client.post(path, json=body)
    assert response.status_code == 422
    error = only_error(response)
    assert error["field"] == field
    assert error["pointer"] == "#/" + field.replace("[", "/").replace("].", "/")
    assert assistant.turns == []


async def test_a_body_that_is_no_object_is_named(client: httpx.AsyncClient) -> None:
    response = await client.post("/api/query", json=["How?"])
    assert response.status_code == 422
    assert only_error(response) == {
        "field": "body",
        "message": "Input should be a valid dictionary or object to extract fields from",
        "pointer": "#",
    }


@pytest.mark.parametrize("escaped", [b"\\ud800", b"a\\udfff b", b"\\u0000"])
@pytest.mark.parametrize("field", ["query", "user_id", "conversation_id"])
async def test_what_no_database_keeps_is_refused(client: httpx.AsyncClient, escaped: bytes, field: str) -> None:
    body = {"user_id": b"ada", "query": b"How?", field: escaped}
    content = b"{" + b", ".join(b'"%s": "%s"' % (name.encode(), value) for name, value in body.items()) + b"}"
    response = await client.post("/api/query", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert only_error(response)["field"] == field


async def test_characters_outside_the_basic_plane_are_kept(
    client: httpx.AsyncClient, assistant: ScriptedAssistant
) -> None:
    body = b'{"user_id": "ada", "query": "\\ud83c\\udf89"}'
    await client.post("/api/query", content=body, headers={"Content-Type": "application/json"})
    assert assistant.turns[0].text == "\N{PARTY POPPER}"


@pytest.mark.parametrize("path", ["/api/query", "/api/query/stream"])
@pytest.mark.parametrize("user", ["ada", "bob"])
async def test_an_unknown_conversation_is_not_found(client: httpx.AsyncClient, path: str, user: str) -> None:
    await client.post("/api/query", json=ASKED | {"user_id": "cyd"})
    response = await client.post(path, json=ASKED | {"user_id": user, "conversation_id": "conversation-1"})
    assert response.status_code == 404
    assert only_error(response)["field"] == "conversation_id"


@pytest.mark.parametrize("body", [b"{", b"query=How", b'{"user_id": "ada",}', b"\xff\xfe"])
async def test_a_body_that_is_not_json_is_a_bad_request(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/api/query", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "headers", [{"Content-Type": "text/plain"}, {}, {"Content-Type": "application/x-www-form-urlencoded"}]
)
async def test_only_json_is_read(
    client: httpx.AsyncClient, assistant: ScriptedAssistant, headers: dict[str, str]
) -> None:
    body = b'{"user_id": "ada", "query": "How?"}'
    response = await client.post("/api/query", content=body, headers=headers)
    assert response.status_code == 415
    assert "application/json" in response.json()["detail"]
    assert assistant.turns == []


@pytest.mark.parametrize("declared", [True, False])
async def test_a_huge_body_is_refused_as_a_problem(client: httpx.AsyncClient, declared: bool) -> None:
    async def chunks() -> Any:
        for _ in range(MAX_BODY_SIZE // 65_536 + 1):
            yield b" " * 65_536

    content = b" " * (MAX_BODY_SIZE + 1) if declared else chunks()
    response = await client.post("/api/query", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["title"] == "Content Too Large"


async def test_a_body_just_below_the_limit_is_read(client: httpx.AsyncClient) -> None:
    body = b'{"user_id": "ada", "query": "How?"}'.ljust(MAX_BODY_SIZE)
    response = await client.post("/api/query", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200


async def test_a_failed_turn_is_a_server_error(
    settings: Settings, client_of: Callable[[FastAPI], httpx.AsyncClient]
) -> None:
    failed = Failed(code="internal", message="Something went wrong on our side.")
    app = create_api(settings, assistant=ScriptedAssistant(lambda turn: play(failed=failed)))
    async with client_of(app) as client:
        response = await client.post("/api/query", json=ASKED)
    assert response.status_code == 500
    assert response.json()["detail"] == "Something went wrong on our side."


async def test_a_bug_is_a_problem_without_its_words(
    settings: Settings, client_of: Callable[[FastAPI], httpx.AsyncClient]
) -> None:
    def broken(turn: Turn) -> Any:
        raise ZeroDivisionError("secret")

    async with client_of(create_api(settings, assistant=ScriptedAssistant(broken))) as client:
        response = await client.post("/api/query", json=ASKED)
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/api/nothing", 404), ("GET", "/api/query", 405)])
async def test_unknown_routes_and_methods_are_problems(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    response = await client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers.get("allow") == ("POST" if status == 405 else None)
