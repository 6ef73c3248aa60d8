"""Every curl command of docs/api.md is run against the application, in the order of the page."""

import asyncio
import json
import re
import shutil
from pathlib import Path

import httpx
import pytest

from agent.build import open_assistant
from agent.settings import Settings
from tests.ui.live import serving
from tools.recommender.model import Item
from ui.app import create_api

ITEM = Item("articles/payments/escrow.md", "How escrow protects a payment", facets={"topic": ("Escrow",)})
PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)


async def run(commands: str) -> str:
    """What these commands print; every one must succeed, and be answered by a success."""
    script = (
        f'set -euo pipefail\nexport ATTUNE_KEY=any\ncurl() {{ command curl --fail-with-body "$@"; echo; }}\n{commands}'
    )
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", script, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, commands + output.decode()
    return output.decode()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
async def test_every_command_of_the_page_does_what_it_says(settings: Settings):
    settings.data_dir.mkdir(parents=True)
    async with open_assistant(settings) as assistant, serving(create_api(settings, assistant=assistant)) as (url, _):
        await assistant.recommender.catalogue.put([ITEM], source="test")
        async with httpx.AsyncClient() as client:
            asked = (await client.post(f"{url}/api/query", json={"user_id": "ada", "query": "Hello?"})).json()
        for block in BLOCKS:
            commands = block.replace("http://127.0.0.1:7860", url)
            commands = commands.replace("CONVERSATION_ID", asked["conversation_id"])
            await run(commands.replace("MESSAGE_ID", asked["message_id"]))
        assert len(BLOCKS) > 6


def test_the_page_shows_every_resource_of_its_subject():
    described = create_api(Settings(_env_file=None)).openapi()["paths"].items()
    subject = {"query", "conversations", "feedback", "openai", "operations", "health"}
    subject |= {"profile", "me", "taxonomies", "recommendations", "interactions", "predictions"}
    ours = [
        path for path, operations in described if subject & {tag for one in operations.values() for tag in one["tags"]}
    ]
    assert [path for path in ours if path.partition("/{")[0] not in PAGE] == []


def test_the_bodies_of_the_page_are_json():
    bodies = re.findall(r"-d '(\{.*?\})'", PAGE, flags=re.DOTALL)
    assert all(json.loads(body) for body in bodies)
