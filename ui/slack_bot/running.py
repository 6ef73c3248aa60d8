"""The two ways in which events reach the bot: over a socket that it opens, or over HTTP requests that Slack signs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

from ui.slack_bot.bot import SlackBot

PATH = "/slack/events"


@asynccontextmanager
async def socket_mode(bot: SlackBot, app_token: str) -> AsyncIterator[None]:
    """Connected over Socket Mode: nothing of this machine is reachable from outside."""
    handler = AsyncSocketModeHandler(bot.app, app_token)
    await handler.connect_async()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def http_mode(bot: SlackBot, host: str, port: int) -> AsyncIterator[int]:
    """Listening for signed requests at /slack/events; gives the port. Unsigned or old requests are refused with 401."""
    runner = web.AppRunner(bot.app.web_app(path=PATH, port=port))
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
