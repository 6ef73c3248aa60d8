"""python -m ui discord"""

import asyncio

from discord import LoginFailure, PrivilegedIntentsRequired

from agent.errors import SettingsError
from agent.settings import Settings
from ui.commands.bots import open_parts, required, until_told_to_stop
from ui.commands.output import messages
from ui.commands.running import new_runner
from ui.configuration import load_settings
from ui.discord_bot.bot import DiscordBot
from ui.logs import set_up_logging

PAGE = "docs/discord.md"


def run() -> None:
    """Answer in Discord until a signal.

    Raises:
        SettingsError: the token is missing or refused.
    """
    settings = load_settings()
    token = required(settings.discord_token, "ATTUNE_DISCORD_TOKEN", PAGE)
    set_up_logging()
    with new_runner() as runner:
        runner.run(serve(settings, token))


async def serve(settings: Settings, token: str) -> None:
    """Connect and answer until SIGINT or SIGTERM. Raises SettingsError when Discord refuses us."""
    async with open_parts(settings) as parts:
        bot = DiscordBot(
            parts.assistant,
            threads=parts.threads,
            deliveries=parts.deliveries,
            linking=parts.linking,
            follow_ups=settings.discord_follow_ups,
        )
        connection = asyncio.ensure_future(bot.start(token))
        messages().print(f"{settings.title} answers in Discord. Ctrl-C stops it.")
        try:
            await _until_told_or_refused(connection)
        finally:
            await bot.aclose()
            await asyncio.gather(connection, return_exceptions=True)


async def _until_told_or_refused(connection: "asyncio.Future[None]") -> None:
    """Errors of the connection would vanish in its task: they end the program with a word instead."""
    told = asyncio.ensure_future(until_told_to_stop())
    await asyncio.wait({connection, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not connection.done():
        return
    try:
        await connection
    except LoginFailure as error:
        raise SettingsError("Discord refused ATTUNE_DISCORD_TOKEN; expected the token of a bot.") from error
    except PrivilegedIntentsRequired as error:
        raise SettingsError(
            "ATTUNE_DISCORD_FOLLOW_UPS needs the message content intent: allow it for the bot in Discord's developer "
            "portal, or leave the setting out."
        ) from error
