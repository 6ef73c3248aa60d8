"""A bot on a scripted assistant, talking to a Slack on loopback through the real libraries."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.assistant import Assistant
from tests.fakes import ScriptedAssistant
from tests.ui.slack_bot.slack_double import APP_TOKEN, BOT_TOKEN, SECRET, SlackDouble, slack_double
from tools.doorways.deliveries import DeliveryStore
from tools.doorways.threads import ThreadStore
from tools.identities.store import IdentityStore
from ui.linking import Linking
from ui.slack_bot.bot import SlackBot
from ui.slack_bot.running import socket_mode
from ui.threads import Threads

BotOf = Callable[..., AbstractAsyncContextManager[SlackBot]]


@pytest.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with slack_double() as double:
        yield double


@pytest.fixture
def bot_of(slack: SlackDouble, engine: AsyncEngine) -> BotOf:
    """Makes a bot that is connected over Socket Mode; several may share the database, as processes do."""

    @asynccontextmanager
    async def connected(assistant: Assistant, *, lease: float = 30) -> AsyncIterator[SlackBot]:
        bot = make_bot(slack, engine, assistant, lease=lease)
        async with socket_mode(bot, APP_TOKEN):
            yield bot
        await bot.aclose()

    return connected


def make_bot(slack: SlackDouble, engine: AsyncEngine, assistant: Assistant, *, lease: float = 30) -> SlackBot:
    identities = IdentityStore(engine)
    return SlackBot(
        AsyncWebClient(BOT_TOKEN, base_url=f"{slack.url}/api/"),
        assistant,
        threads=Threads(assistant, ThreadStore(engine), identities),
        deliveries=DeliveryStore(engine, lease=lease),
        linking=Linking(identities),
        signing_secret=SECRET,
    )


@pytest.fixture
async def bot(bot_of: BotOf, assistant: ScriptedAssistant) -> AsyncIterator[SlackBot]:
    async with bot_of(assistant) as connected:
        yield connected
