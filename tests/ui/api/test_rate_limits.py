"""How much one caller may ask, and what it is told about it."""

import asyncio
import os
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from agent.settings import Settings
from tests.fakes import ScriptedAssistant
from tests.ui.live import serving
from tests.ui.signed_in import SignedIn, bearer, opened, token
from ui.app import create_api

REDIS = os.environ.get("ATTUNE_TEST_REDIS")
ASKED = {"query": "How does escrow work?"}


def changed(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(update=changes)


async def ask(closed: SignedIn, user: str = "ada", path: str = "/api/query") -> httpx.Response:
    return await closed.client.post(path, json=ASKED, headers=bearer(token(user)))


def assert_too_many(response: httpx.Response) -> None:
    assert response.status_code == 429
    assert response.headers["content-type"] == "application/problem+json"
    assert 1 <= int(response.headers["retry-after"]) <= 60


async def test_says_what_is_left(closed_settings: Settings, assistant: ScriptedAssistant):
    async with opened(changed(closed_settings, turn_rate_limit="2/minute"), assistant) as closed:
        first, second, third = [await ask(closed) for _ in range(3)]
    assert [first.status_code, second.status_code] == [200, 200]
    assert_too_many(third)
    assert {response.headers["ratelimit-policy"] for response in (first, second, third)} == {'"turns";q=2;w=60'}
    assert [response.headers["ratelimit"].split(";t=")[0] for response in (first, second, third)] == [
        '"turns";r=1',
        '"turns";r=0',
        '"turns";r=0',
    ]
    assert len(assistant.turns) == 2


async def test_counts_each_caller_and_each_route_apart(closed_settings: Settings, assistant: ScriptedAssistant):
    async with opened(changed(closed_settings, turn_rate_limit="1/minute"), assistant) as closed:
        assert (await ask(closed, "ada")).status_code == 200
        assert (await ask(closed, "bob")).status_code == 200
        assert (await ask(closed, "ada", "/api/query/stream")).status_code == 200
        assert_too_many(await ask(closed, "ada"))
        assert (await closed.client.get("/api/starters", headers=bearer(token("ada")))).status_code == 200


async def test_requests_without_turns_are_counted_too(closed_settings: Settings, assistant: ScriptedAssistant):
    async with opened(changed(closed_settings, rate_limit="1/hour"), assistant) as closed:
        headers = bearer(token())
        assert (await closed.client.get("/api/starters", headers=headers)).status_code == 200
        response = await closed.client.get("/api/starters", headers=headers)
    assert response.status_code == 429
    assert response.headers["ratelimit-policy"] == '"requests";q=1;w=3600'


async def test_openais_clients_are_told_in_their_way(closed_settings: Settings, assistant: ScriptedAssistant):
    body = {"model": "attune", "messages": [{"role": "user", "content": "Hi"}]}
    async with opened(changed(closed_settings, turn_rate_limit="1/minute"), assistant) as closed:
        for _ in range(2):
            response = await closed.client.post("/v1/chat/completions", json=body, headers=bearer(token()))
    assert response.status_code == 429
    assert response.json()["error"]["type"] == "rate_limit_error"
    assert "retry-after" in response.headers


async def test_there_are_limits_by_default_where_callers_sign_in(closed: SignedIn):
    assert (await ask(closed)).headers["ratelimit-policy"] == '"turns";q=60;w=60'


async def test_open_mode_is_not_limited_unless_asked(settings: Settings, assistant: ScriptedAssistant):
    asked = ASKED | {"user_id": "ada"}
    async with opened(settings, assistant) as open_:
        assert "ratelimit" not in (await open_.client.post("/api/query", json=asked)).headers
    async with opened(changed(settings, turn_rate_limit="1/minute"), assistant) as open_:
        await open_.client.post("/api/query", json=asked)
        assert_too_many(await open_.client.post("/api/query", json=asked))


async def test_an_outage_of_the_counters_is_not_ours(closed_settings: Settings, assistant: ScriptedAssistant):
    nowhere = changed(closed_settings, rate_limit_url=SecretStr("redis://127.0.0.1:9/0"))
    async with opened(nowhere, assistant) as closed:
        assert (await ask(closed)).status_code == 200
        ready = await closed.client.get("/health/ready")
    assert (ready.status_code, ready.json()["without"]) == (200, ["rate limits"])


@pytest.mark.skipif(not REDIS, reason="Redis: ATTUNE_TEST_REDIS gives no URL")
async def test_several_processes_count_together(closed_settings: Settings, assistant: ScriptedAssistant):
    settings = changed(closed_settings, turn_rate_limit="3/minute", rate_limit_url=SecretStr(str(REDIS)))
    user = uuid4().hex
    async with opened(settings, assistant) as one, opened(settings, ScriptedAssistant()) as other:
        statuses = [(await ask(closed, user)).status_code for closed in (one, other, one, other)]
        assert (await one.client.get("/health/ready")).status_code == 200
    assert statuses == [200, 200, 200, 429]


async def test_answers_at_once_are_limited_by_user(closed_settings: Settings):
    assistant = ScriptedAssistant(pause=0.05)
    settings = changed(closed_settings, max_streams=2, host="127.0.0.1")
    async with serving(create_api(settings, assistant=assistant)) as (url, _), httpx.AsyncClient() as client:

        async def stream(user: str) -> httpx.Response:
            return await client.post(f"{url}/api/query/stream", json=ASKED, headers=bearer(token(user)))

        responses = await asyncio.gather(*map(stream, ["ada", "ada", "ada", "bob"]))
        assert sorted(response.status_code for response in responses) == [200, 200, 200, 429]
        assert responses[3].status_code == 200
        assert (await stream("ada")).status_code == 200


@pytest.mark.parametrize("path", ["/api/query/stream", "/v1/chat/completions"])
async def test_a_turn_that_lasts_too_long_is_stopped_and_kept(settings: Settings, path: str):
    assistant = ScriptedAssistant(pause=0.05)
    async with opened(changed(settings, turn_timeout=0.3), assistant) as open_:
        body = ASKED | {"user_id": "local", "model": "attune", "stream": True}
        body |= {"messages": [{"role": "user", "content": "Hi"}]}
        response = await open_.client.post(path, json=body)
        assert response.status_code == 200
        assert "took longer" in response.text
        assert assistant.stopped == assistant.turns
        (kept,) = await assistant.transcript("local", "conversation-1")
        assert kept.reply.cut
    async with opened(changed(settings, turn_timeout=0.1), ScriptedAssistant(pause=0.1)) as open_:
        assert (await open_.client.post("/api/query", json=ASKED | {"user_id": "ada"})).status_code == 504
