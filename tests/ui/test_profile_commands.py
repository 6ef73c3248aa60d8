"""The commands for profiles and the taxonomy, on a data folder of the test's own."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner, Result

from agent.checkpoints import open_checkpoints
from tools.conversations import ConversationStore
from tools.database import open_database
from tools.profile.model import FactTold, Interaction, Lessons, Signal, TagSeen
from tools.profile.store import ProfileStore
from tools.profile.taxonomy import DEMO
from ui.__main__ import app

Run = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def run(data: Path) -> Run:
    def invoke(*arguments: object, typed: str | None = None) -> Result:
        runner = CliRunner(env={"ATTUNE_DATA_DIR": str(data)})
        return runner.invoke(app, [str(one) for one in arguments], input=typed)

    return invoke


@pytest.fixture
def known(data: Path) -> None:
    """Ada asked about escrow and said what she does."""
    asyncio.run(_on(data, _talk))


async def _on(data: Path, work: Callable[[AsyncEngine], Awaitable[Any]]) -> None:
    async with open_database(f"sqlite+aiosqlite:///{data / 'attune.db'}") as engine:
        await work(engine)


async def _talk(engine: AsyncEngine) -> None:
    conversations, profiles = ConversationStore(engine), ProfileStore(engine)
    for number in range(5):
        lessons = Lessons(
            [Signal("topic", "Escrow", 0.5, "how does escrow work")],
            [TagSeen("Escrow", 0.8, "escrow")],
            [FactTold("role", "designer", "I'm a designer")],
        )
        async with conversations.transaction() as connection:
            said: dict[str, Any] = {"question": f"Escrow {number}?", "reply": "{}", "channel": "test"}
            await conversations.append(connection, "ada", "c", f"m{number}", **said)
            asked = Interaction("question", metadata={"text": f"Escrow {number}?"})
            await profiles.learn(connection, "ada", asked, lessons, message_id=f"m{number}")


def test_a_profile_is_shown_to_people_and_as_json(run, known):
    shown = run("profile", "show", "ada").stdout
    for expected in ("5 interactions", "Payments Specialist", "role: designer", "+0.34", "Escrow 4?", "×5"):
        assert expected in shown
    profile = json.loads(run("profile", "show", "ada", "--json").stdout)
    assert profile["facts"][0]["quote"] == "I'm a designer"
    assert profile["personas"][0]["name"] == "Payments Specialist"


def test_nothing_is_known_of_a_stranger(run):
    result = run("profile", "show", "bob")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Nothing is known of 'bob'" in result.stderr
    assert json.loads(run("profile", "show", "bob", "--json").stdout)["preferences"] == []


def test_a_rebuild_shows_the_same_profile(run, known):
    before = json.loads(run("profile", "show", "ada", "--json").stdout)
    after = json.loads(run("profile", "rebuild", "ada", "--json").stdout)
    assert after["tags"] == before["tags"]
    assert after["preferences"][0]["score"] == pytest.approx(before["preferences"][0]["score"])


def test_an_export_holds_everything(run, known):
    held = json.loads(run("profile", "export", "ada").stdout)
    assert len(held["exchanges"]) == len(held["interactions"]) == 5
    assert len(held["evidence"]) == 15


def test_forgetting_asks_first_counts_and_leaves_nothing(run, known, data):
    async def keep_a_state() -> None:
        async with open_checkpoints(data / "checkpoints.db") as saver:
            await saver.conn.execute("INSERT INTO checkpoints (thread_id, checkpoint_id) VALUES ('c', '1')")
            await saver.conn.commit()

    async def states() -> list[Any]:
        async with open_checkpoints(data / "checkpoints.db") as saver:
            return [row async for row in await saver.conn.execute("SELECT thread_id FROM checkpoints")]

    asyncio.run(keep_a_state())
    assert run("profile", "forget", "ada", typed="n\n").exit_code == 1
    assert json.loads(run("profile", "show", "ada", "--json").stdout)["interactions"] == 5
    forgotten = json.loads(run("profile", "forget", "ada", "--yes", "--json").stdout)
    assert (forgotten["before"]["evidence"], forgotten["before"]["exchanges"]) == (15, 5)
    assert set(forgotten["after"].values()) == {0}
    assert asyncio.run(states()) == []
    assert "Nothing was held of 'ada'" in run("profile", "forget", "ada", "--yes").stdout


def test_forgetting_shows_what_there_was(run, known):
    shown = run("profile", "forget", "ada", "--yes").stdout
    assert [line.split() for line in shown.splitlines() if "exchanges" in line] == [["exchanges", "5", "0"]]


def test_a_taxonomy_is_loaded_and_loaded_again(run):
    assert json.loads(run("taxonomy", "load", DEMO, "--json").stdout)["added"] > 40
    assert "0 added, 0 changed" in run("taxonomy", "load", DEMO).stdout


def test_a_wrong_taxonomy_is_refused_entry_by_entry(run, tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text("taxonomy:\n  - {name: A, category: colour}\n  - {category: topic}\n", "utf-8")
    result = run("taxonomy", "load", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "entry 1 (A)" in result.stderr
    assert "entry 2" in result.stderr
