"""A bot on a scripted assistant, talking to a Discord on loopback through the real library."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.assistant import Assistant
from tests.fakes import ScriptedAssistant
from tests.ui.discord_bot.discord_double import TOKEN, DiscordDouble, discord_double
from tools.doorways.deliveries import DeliveryStore
from tools.doorways.threads import ThreadStore
from tools.identities.store import IdentityStore
from ui.discord_bot.bot import DiscordBot
from ui.linking import Linking
from ui.threads import Threads

BotOf = Callable[..., AbstractAsyncContextManager[DiscordBot]]


@pytest.fixture
async def discord(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordDouble]:
    """The double, at the addresses that the library takes for Discord's."""
    async with discord_double() as double:
        monkeypatch.setattr(Route, "BASE", f"{double.url}/api")
        gateway = yarl.URL(double.url.replace("http", "ws") + "/gateway/")
        monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", gateway)
        yield double


@pytest.fixture
def bot_of(discord: DiscordDouble, engine: AsyncEngine) -> BotOf:
    """Makes a bot that is connected; several may share the database, as processes do."""

    @asynccontextmanager
    async def connected(assistant: Assistant, *, follow_ups: bool = False) -> AsyncIterator[DiscordBot]:
        identities = IdentityStore(engine)
        before = len(discord.identified)
        bot = DiscordBot(
            assistant,
            threads=Threads(assistant, ThreadStore(engine), identities),
            deliveries=DeliveryStore(engine),
            linking=Linking(identities),
            follow_ups=follow_ups,
            guild_ready_timeout=0,
        )
        running = asyncio.create_task(bot.start(TOKEN))
        while len(discord.identified) == before:
            assert not running.done(), running.exception()
            await asyncio.sleep(0.01)
        try:
            await asyncio.wait_for(bot.wait_until_ready(), 5)
            yield bot
        finally:
            await bot.aclose(patience=2)
            await running

    return connected


@pytest.fixture
async def bot(bot_of: BotOf, assistant: ScriptedAssistant) -> AsyncIterator[DiscordBot]:
    async with bot_of(assistant) as connected:
        yield connected
