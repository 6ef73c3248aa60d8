"""python -m ui discord: what an operator is told when it cannot work, and an orderly end."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.errors import SettingsError
from agent.settings import Settings
from tests.ui.discord_bot.discord_double import DM, TOKEN, DiscordDouble
from tests.ui.discord_bot.test_bot import answered
from tests.ui.until import until
from ui.__main__ import app
from ui.commands.on_discord import serve

MESSAGE_CONTENT = 1 << 15


def test_a_missing_token_is_named(tmp_path: Path) -> None:
    environment = {"ATTUNE_DISCORD_TOKEN": None, "ATTUNE_DATA_DIR": str(tmp_path)}
    done = CliRunner().invoke(app, ["discord"], env=environment)
    assert done.exit_code == 2
    assert "ATTUNE_DISCORD_TOKEN" in done.stderr


async def test_a_refused_token_is_an_error_with_a_reason(discord: DiscordDouble, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="refused ATTUNE_DISCORD_TOKEN"):
        await serve(Settings(_env_file=None, data_dir=tmp_path), "wrong")


async def test_a_privilege_that_was_not_given_is_named(discord: DiscordDouble, tmp_path: Path) -> None:
    discord.disallowed_intents = MESSAGE_CONTENT
    with pytest.raises(SettingsError, match="ATTUNE_DISCORD_FOLLOW_UPS"):
        await serve(Settings(_env_file=None, data_dir=tmp_path, discord_follow_ups=True), TOKEN)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_it_answers_until_a_signal(discord: DiscordDouble, tmp_path: Path) -> None:
    serving = asyncio.create_task(serve(Settings(_env_file=None, data_dir=tmp_path), TOKEN))
    await asyncio.wait_for(discord.ready(), 20)
    await discord.write("Who are you?", channel=DM)
    await until(answered(discord), 20)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, 20)
