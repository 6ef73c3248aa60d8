"""Everything that is held of a user can be shown and is gone when they say so; other users notice nothing."""

import asyncio
import json
from typing import Any

import pytest

from tools.conversations import ConversationStore
from tools.database import metadata
from tools.profile.held import belongs_to, tables_of_users
from tools.profile.model import FactTold, Interaction, Lessons, Signal, TagSeen
from tools.profile.store import ProfileStore

SECRET = "canary-7f3a"


@pytest.fixture
async def conversations(engine) -> ConversationStore:
    return ConversationStore(engine)


@pytest.fixture
async def lives(store: ProfileStore, teach, conversations: ConversationStore) -> None:
    """Ada and Bob with something in each table that the profile and the conversations have."""
    for user, word in (("ada", SECRET), ("bob", "plain")):
        async with conversations.transaction() as connection:
            said: Any = {"question": word, "reply": word, "channel": "test"}
            await conversations.append(connection, user, f"of {user}", f"1 {user}", **said)
        await conversations.rate(user, f"1 {user}", 1, word)
        await teach(
            f"1 {user}",
            Signal("topic", word, 0.5, word),
            user=user,
            tags=[TagSeen(word, 0.5, word)],
            facts=[FactTold("role", word, word)],
            text=word,
        )
        await store.record(user, [Interaction("search", metadata={"query": word}, keywords=[word])])
        await store.mute(user, "topic", f"{word}, too")


HELD = {
    "profiles": 1,
    "interactions": 2,
    "evidence": 3,
    "preferences": 1,
    "user_tags": 1,
    "facts": 1,
    "mutes": 1,
    "conversations": 1,
    "exchanges": 1,
    "feedback": 1,
}


async def test_forgetting_empties_every_table_and_says_so(store, lives, conversations):
    forgotten = await store.forget("ada")
    assert {name: count for name, count in forgotten.before.items() if count} == HELD
    assert set(forgotten.after) == set(forgotten.before)
    assert set(forgotten.after.values()) == {0}
    assert (await store.read("ada")).is_empty
    assert await conversations.of_user("ada", 10) == []
    assert SECRET not in json.dumps(await store.export("ada"))


async def test_forgetting_one_user_leaves_the_others_as_they_were(store, lives):
    before = await store.export("bob")
    await store.forget("ada")
    assert await store.export("bob") == before


async def test_an_export_has_everything_of_one_user_as_json(store, lives):
    held = json.loads(json.dumps(await store.export("ada")))
    assert {name: len(rows) for name, rows in held.items() if rows} == HELD
    assert held["exchanges"][0]["reply"] == SECRET
    assert "bob" not in json.dumps(held)
    assert "plain" not in json.dumps(held)


async def test_forgetting_a_stranger_finds_nothing_and_leaves_nothing(store):
    assert set((await store.forget("nobody")).before.values()) == {0}
    assert not any((await store.export("nobody")).values())


async def test_forgetting_beside_turns_that_are_being_stored_blocks_nobody(store, conversations):
    async def turn(number: int) -> None:
        async with conversations.transaction() as connection:
            said: Any = {"question": "q", "reply": "r", "channel": "test"}
            await conversations.append(connection, "ada", f"c{number % 3}", f"m{number}", **said)
            lessons = Lessons([Signal("topic", "Escrow", 0.5, "q")])
            await store.learn(connection, "ada", Interaction("question"), lessons, message_id=f"m{number}")

    await asyncio.gather(*(turn(number) if number % 3 else store.forget("ada") for number in range(36)))
    assert set((await store.forget("ada")).after.values()) == {0}
    assert (await store.read("ada")).is_empty


async def test_after_forgetting_a_user_begins_as_a_stranger(store, lives, teach):
    await store.forget("ada")
    learned = await teach("1 ada", Signal("topic", "Escrow", 0.5, "q"))
    assert len(learned.evidence) == 1
    assert (await store.read("ada")).interactions == 1


def test_every_table_with_a_user_is_covered():
    covered = {table.name for table in tables_of_users()}
    assert {table.name for table in metadata.tables.values() if "user_id" in table.c} <= covered
    assert {"exchanges", "feedback"} <= covered
    assert belongs_to(metadata.tables["taxonomy"], ["ada"]) is None
    assert belongs_to(metadata.tables["taxonomy_links"], ["ada"]) is None


async def test_on_sqlite_what_was_forgotten_is_not_left_in_the_file(store, lives, engine, tmp_path):
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL's files are the operator's")
    await store.forget("ada")
    left = b"".join(path.read_bytes() for path in tmp_path.glob("attune.db*"))
    assert SECRET.encode() not in left
    assert b"plain" in left
