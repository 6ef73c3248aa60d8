"""What the commands for chat platforms have in common: secrets, what a bot works with, and when to stop."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from pydantic import SecretStr

from agent.assistant import Assistant
from agent.build import open_assistant
from agent.errors import SettingsError
from agent.knowledge import open_configured_database
from agent.settings import Settings
from tools.doorways.deliveries import DeliveryStore
from tools.doorways.threads import ThreadStore
from ui.linking import Linking, open_identities
from ui.threads import Threads


@dataclass(frozen=True, slots=True)
class BotParts:
    """What every bot is made of."""

    assistant: Assistant
    threads: Threads
    deliveries: DeliveryStore
    linking: Linking


@asynccontextmanager
async def open_parts(settings: Settings) -> AsyncIterator[BotParts]:
    """An assistant on these settings, and the stores that a bot shares with other processes."""
    async with AsyncExitStack() as stack:
        assistant = await stack.enter_async_context(open_assistant(settings))
        engine = await stack.enter_async_context(open_configured_database(settings))
        identities = open_identities(engine)
        threads = Threads(assistant, ThreadStore(engine), identities)
        yield BotParts(assistant, threads, DeliveryStore(engine), Linking(identities))


def required(secret: SecretStr | None, variable: str, page: str) -> str:
    """The value of a secret. Raises SettingsError when it is not set: `page` says where it comes from."""
    value = secret.get_secret_value() if secret is not None else ""
    if not value:
        raise SettingsError(
            f"{variable} is not set; expected the bot's token or secret. {page} says where it comes from."
        )
    return value


async def until_told_to_stop() -> None:
    """Wait for SIGINT or SIGTERM."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt there
            loop.add_signal_handler(number, told.set)
    await told.wait()
