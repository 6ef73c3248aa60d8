"""HTTP mode: only what Slack has signed just now comes in, and nothing twice."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.fakes import ScriptedAssistant
from tests.ui.slack_bot.conftest import make_bot
from tests.ui.slack_bot.slack_double import SlackDouble, mention, signed
from tests.ui.slack_bot.test_bot import done
from tests.ui.until import quiet, until
from ui.slack_bot.running import PATH, http_mode


@pytest.fixture
async def client(
    slack: SlackDouble, engine: AsyncEngine, assistant: ScriptedAssistant
) -> AsyncIterator[httpx.AsyncClient]:
    bot = make_bot(slack, engine, assistant)
    async with (
        http_mode(bot, "127.0.0.1", 0) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        yield client
    await bot.aclose()


def encoded(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload).encode()


async def test_a_signed_event_is_answered_once(
    slack: SlackDouble, client: httpx.AsyncClient, assistant: ScriptedAssistant
):
    body = encoded(mention("How does escrow work?"))
    headers = signed(body)
    assert (await client.post(PATH, content=body, headers=headers)).status_code == 200
    await until(done(slack))
    again = await client.post(PATH, content=body, headers={**headers, "X-Slack-Retry-Num": "1"})
    assert again.status_code == 200
    await quiet()
    assert (len(assistant.turns), len(slack.replies())) == (1, 1)


async def test_slack_can_verify_the_address(client: httpx.AsyncClient):
    body = encoded({"type": "url_verification", "challenge": "c", "token": "t"})
    answer = await client.post(PATH, content=body, headers=signed(body))
    assert answer.json() == {"challenge": "c"}


@pytest.mark.parametrize("attack", ["unsigned", "other secret", "no secret", "other body", "old", "from the future"])
async def test_whatever_slack_did_not_sign_just_now_is_refused(
    attack: str, slack: SlackDouble, client: httpx.AsyncClient, assistant: ScriptedAssistant
):
    body = encoded(mention("How does escrow work?"))
    headers = {
        "unsigned": {"Content-Type": "application/json"},
        "other secret": signed(body, secret="guessed"),
        "no secret": signed(body, secret=""),
        "other body": signed(body + b" "),
        "old": signed(body, at=time.time() - 301),
        "from the future": signed(body, at=time.time() + 400),
    }[attack]
    assert (await client.post(PATH, content=body, headers=headers)).status_code == 401
    await quiet(0.05)
    assert assistant.turns == []
    assert slack.replies() == []


async def test_oversized_requests_and_other_paths_are_refused(client: httpx.AsyncClient):
    body = encoded(mention("x" * 2_000_000))
    assert (await client.post(PATH, content=body, headers=signed(body))).status_code == 413
    assert (await client.get(PATH)).status_code == 405
    assert (await client.post("/", content=b"{}")).status_code == 404
