"""python -m ui slack"""

from contextlib import AbstractAsyncContextManager
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from agent.settings import Settings
from ui.commands.bots import open_parts, required, until_told_to_stop
from ui.commands.output import messages
from ui.commands.running import new_runner
from ui.configuration import load_settings
from ui.logs import set_up_logging
from ui.slack_bot.bot import SlackBot
from ui.slack_bot.running import http_mode, socket_mode

PAGE = "docs/slack.md"


def run() -> None:
    """Answer in Slack until a signal.

    Raises:
        SettingsError: a token or the signing secret is missing; the message names the variable.
    """
    settings = load_settings()
    bot_token = required(settings.slack_bot_token, "ATTUNE_SLACK_BOT_TOKEN", PAGE)
    if settings.slack_mode == "socket":
        required(settings.slack_app_token, "ATTUNE_SLACK_APP_TOKEN", PAGE)
    else:
        required(settings.slack_signing_secret, "ATTUNE_SLACK_SIGNING_SECRET", PAGE)
    set_up_logging()
    with new_runner() as runner:
        runner.run(_serve(settings, bot_token))


async def _serve(settings: Settings, bot_token: str) -> None:
    secret = settings.slack_signing_secret
    async with open_parts(settings) as parts:
        bot = SlackBot(
            AsyncWebClient(bot_token, base_url=settings.slack_url),
            parts.assistant,
            threads=parts.threads,
            deliveries=parts.deliveries,
            linking=parts.linking,
            signing_secret=secret.get_secret_value() if secret is not None else "",
        )
        async with _listening(bot, settings):
            messages().print(f"{settings.title} answers in Slack ({settings.slack_mode} mode). Ctrl-C stops it.")
            await until_told_to_stop()
        await bot.aclose()


def _listening(bot: SlackBot, settings: Settings) -> AbstractAsyncContextManager[Any]:
    if settings.slack_mode == "socket":
        return socket_mode(bot, required(settings.slack_app_token, "ATTUNE_SLACK_APP_TOKEN", PAGE))
    return http_mode(bot, settings.slack_host, settings.slack_port)
