"""A writing request that is sent again acts once, and is answered the same."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import select

from agent.build import open_assistant
from agent.events import Failed
from agent.settings import Settings
from tests.fakes import ScriptedAssistant, play
from tests.ui.live import serving
from tests.ui.signed_in import SignedIn, bearer, opened, token
from tools.access.tables import idempotent_replies
from tools.database import open_database
from ui.app import create_api

ASKED = {"user_id": "ada", "query": "How does escrow work?"}
KEY = {"Idempotency-Key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
CHAT = {"model": "attune", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
async def open_(settings: Settings, assistant: ScriptedAssistant) -> AsyncIterator[SignedIn]:
    async with opened(settings, assistant) as application:
        yield application


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/query", ASKED),
        ("/api/query/stream", ASKED),
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions", CHAT | {"stream": True}),
    ],
)
async def test_acts_once(open_: SignedIn, path: str, body: dict[str, object]):
    first = await open_.client.post(path, json=body, headers=KEY)
    again = await open_.client.post(path, json=body, headers=KEY)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.content == again.content
    assert first.headers["content-type"] == again.headers["content-type"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len(open_.assistant.turns) == 1


async def test_an_answer_without_a_body_is_given_again(open_: SignedIn):
    message = (await open_.client.post("/api/query", json=ASKED)).json()["message_id"]
    body = {"user_id": "ada", "message_id": message, "rating": 1}
    responses = [await open_.client.post("/api/feedback", json=body, headers=KEY) for _ in range(2)]
    assert [(response.status_code, response.content) for response in responses] == [(204, b""), (204, b"")]
    assert len(open_.assistant.ratings) == 1


@pytest.mark.parametrize(
    ("path", "body", "user"),
    [
        ("/api/query", ASKED, "ada"),
        ("/api/query/stream", ASKED, "ada"),
        ("/v1/chat/completions", CHAT | {"user": "ada"}, "ada"),
        ("/api/links/codes?user_id=ada", {}, "ada"),
        ("/profile/ada/mutes", {"facet": "topic", "value": "Escrow"}, "ada"),
        ("/predict/batch", {"user_ids": ["ada", "bob"]}, None),
    ],
)
async def test_what_is_kept_says_whom_it_is_about(
    settings: Settings, path: str, body: dict[str, object], user: str | None
):
    async with (
        open_assistant(settings) as assistant,
        serving(create_api(settings, assistant=assistant)) as (url, _),
        httpx.AsyncClient() as client,
        open_database(f"sqlite+aiosqlite:///{settings.data_dir / 'attune.db'}") as engine,
    ):
        for _ in range(2):  # the second waits until the first is kept
            assert (await client.post(url + path, json=body, headers=KEY)).is_success
        async with engine.connect() as connection:
            kept = (await connection.execute(select(idempotent_replies.c.user_id, idempotent_replies.c.status))).all()
    assert [(whose, status // 100) for whose, status in kept] == [(user, 2)]


async def test_another_body_is_refused(open_: SignedIn):
    await open_.client.post("/api/query", json=ASKED, headers=KEY)
    response = await open_.client.post("/api/query", json=ASKED | {"query": "Who pays?"}, headers=KEY)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert len(open_.assistant.turns) == 1


async def test_another_path_is_another_request(open_: SignedIn):
    await open_.client.post("/api/query", json=ASKED, headers=KEY)
    assert (await open_.client.post("/api/query/stream", json=ASKED, headers=KEY)).status_code == 422


async def test_keys_of_two_callers_have_nothing_to_do_with_each_other(closed: SignedIn):
    body = {"query": "How?"}
    answers = [
        await closed.client.post("/api/query", json=body, headers=KEY | bearer(token(user))) for user in ("ada", "bob")
    ]
    assert [turn.user_id for turn in closed.assistant.turns] == ["ada", "bob"]
    assert answers[0].json()["conversation_id"] != answers[1].json()["conversation_id"]


async def test_many_at_once_act_once(settings: Settings):
    assistant = ScriptedAssistant(pause=0.02)
    async with serving(create_api(settings, assistant=assistant)) as (url, _), httpx.AsyncClient() as client:
        sent = (client.post(f"{url}/api/query", json=ASKED, headers=KEY) for _ in range(12))
        responses = await asyncio.gather(*sent)
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert len(assistant.turns) == 1


async def test_what_failed_may_be_tried_again(settings: Settings):
    failed = Failed(code="internal", message="Sorry.")
    scripts = iter([play(failed=failed), play()])

    async with opened(settings, ScriptedAssistant(lambda turn: next(scripts))) as open_:
        statuses = [(await open_.client.post("/api/query", json=ASKED, headers=KEY)).status_code for _ in range(2)]
        refused = await open_.client.post("/api/query", json={"user_id": "ada"}, headers={"Idempotency-Key": "b"})
    assert statuses == [500, 200]
    assert refused.status_code == 422


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_that_is_none_is_refused(open_: SignedIn, key: str):
    response = await open_.client.post("/api/query", json=ASKED, headers={"Idempotency-Key": key})
    assert response.status_code == 400
    assert open_.assistant.turns == []


async def test_a_body_that_is_too_long_is_still_refused(open_: SignedIn):
    headers = KEY | {"Content-Type": "application/json"}
    assert (await open_.client.post("/api/query", content=b" " * 2**21, headers=headers)).status_code == 413


async def test_a_client_that_hangs_up_finds_its_answer_later(settings: Settings):
    assistant = ScriptedAssistant(pause=0.02)
    async with serving(create_api(settings, assistant=assistant)) as (url, _), httpx.AsyncClient() as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(f"{url}/api/query", json=ASKED, headers=KEY, timeout=0.1)
        response = await client.post(f"{url}/api/query", json=ASKED, headers=KEY)
    assert response.status_code == 200
    assert len(assistant.turns) == 1
    assert not response.json()["cut"]


async def test_without_a_key_a_client_that_hangs_up_stops_its_turn(settings: Settings):
    assistant = ScriptedAssistant(pause=0.05)
    async with serving(create_api(settings, assistant=assistant)) as (url, _), httpx.AsyncClient() as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(f"{url}/api/query", json=ASKED, timeout=0.2)
        async with asyncio.timeout(1):
            while assistant.stopped != assistant.turns:  # noqa: ASYNC110 - the fake has no event for it
                await asyncio.sleep(0.01)
        (kept,) = await assistant.transcript("ada", "conversation-1")
    assert kept.reply.cut
