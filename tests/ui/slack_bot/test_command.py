"""python -m ui slack, as an operator runs it: a process of its own against a Slack on loopback."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.ui.slack_bot.slack_double import APP_TOKEN, BOT_TOKEN, SlackDouble, direct
from tests.ui.until import until
from ui.__main__ import app

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "ATTUNE_SLACK_BOT_TOKEN"),
        ({"ATTUNE_SLACK_BOT_TOKEN": "xoxb-1"}, "ATTUNE_SLACK_APP_TOKEN"),
        ({"ATTUNE_SLACK_BOT_TOKEN": "xoxb-1", "ATTUNE_SLACK_MODE": "http"}, "ATTUNE_SLACK_SIGNING_SECRET"),
    ],
)
def test_a_missing_secret_is_named(given: dict[str, str], missing: str, tmp_path: Path) -> None:
    environment = {name: None for name in os.environ if name.startswith("ATTUNE_SLACK_")} | given
    done = CliRunner().invoke(app, ["slack"], env={**environment, "ATTUNE_DATA_DIR": str(tmp_path)})
    assert done.exit_code == 2
    assert missing in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_it_answers_until_a_signal(slack: SlackDouble, tmp_path: Path) -> None:
    known = {name: value for name, value in os.environ.items() if not name.startswith(("ATTUNE_", "OPENAI_", "SLACK_"))}
    environment = known | {
        "ATTUNE_DATA_DIR": str(tmp_path / "data"),
        "ATTUNE_SLACK_BOT_TOKEN": BOT_TOKEN,
        "ATTUNE_SLACK_APP_TOKEN": APP_TOKEN,
        "ATTUNE_SLACK_URL": f"{slack.url}/api/",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "ui", "slack", cwd=ROOT, env=environment)
    try:
        await slack.push(direct("Who are you?"))
        await until(lambda: [one.state for one in slack.replies()] == ["done"], 30)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
    assert slack.replies()[0].shown
