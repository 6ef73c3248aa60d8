"""Several processes on one database, databases of an earlier version, and processes that die: nothing is lost.

What needs PostgreSQL runs where `ATTUNE_TEST_POSTGRES` gives a URL, what needs Redis where `ATTUNE_TEST_REDIS` does.
"""

# ruff: noqa: F811 - fixtures of other folders are imported, and asked for by their names

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic import command
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from agent.assistant import Assistant, Turn
from agent.build import open_assistant
from agent.errors import MessageNotText
from agent.settings import Settings
from knowledge_base.passage import Document
from tests.agent.conftest import settings  # noqa: F401 - a fixture
from tests.tools.conftest import POSTGRES, database_url, on_postgres  # noqa: F401 - a fixture
from tools.conversations import ConversationStore
from tools.database import HEAD, MIGRATIONS, open_database
from tools.profile.store import ProfileStore
from tools.recommender.catalogue import CatalogueStore
from ui.app import create_api

REDIS = os.environ.get("ATTUNE_TEST_REDIS")
ROOT = Path(__file__).parents[1]
QUESTIONS = ("How does escrow work?", "When is money released?", "Who may approve a payment?")


def on(settings: Settings, database_url: str, **changes: Any) -> Settings:
    """The installation of these settings on this database; SQLite's stays in its data folder."""
    if make_url(database_url).get_backend_name() == "sqlite":
        return settings.model_copy(update=changes)
    shared = {"database_url": SecretStr(database_url), "redis_url": SecretStr(REDIS) if REDIS else None}
    return settings.model_copy(update=shared | changes)


# Migrations


async def _revision(url: str) -> str:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found: str = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
    await engine.dispose()
    return found


async def _migrated_to(url: str, revision: str, *statements: str) -> None:
    """A database as an earlier version left it."""

    def upgrade(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


async def test_processes_that_start_at_once_on_an_empty_database_all_get_its_tables(database_url: str):
    async def start() -> None:
        async with open_database(database_url):
            pass

    await asyncio.gather(*(start() for _ in range(4)))
    assert await _revision(database_url) == HEAD


async def test_a_migration_that_breaks_half_way_leaves_the_database_as_it_was(database_url: str):
    await _migrated_to(database_url, "0001", "CREATE TABLE items (id INTEGER)")
    with pytest.raises(DBAPIError, match="items"):
        async with open_database(database_url):
            pass
    assert await _revision(database_url) == "0001"
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE items"))
    await engine.dispose()
    async with open_database(database_url):
        pass
    assert await _revision(database_url) == HEAD


async def test_conversations_of_the_first_version_are_kept(database_url: str):
    time = "'2025-11-02 10:00:00+00:00'" if database_url.startswith("postgresql") else "'2025-11-02 10:00:00.000000'"
    await _migrated_to(
        database_url,
        "0001",
        f"INSERT INTO conversations VALUES ('c1', 'ada', 'Escrow', {time}, {time}, 2, 'm2')",  # noqa: S608
        f"INSERT INTO exchanges VALUES ('m1', 'c1', 1, 'api', 'Question 1', '{{}}', {time})",  # noqa: S608
        f"INSERT INTO exchanges VALUES ('m2', 'c1', 2, 'api', 'Question 2', '{{}}', {time})",  # noqa: S608
        f"INSERT INTO feedback VALUES ('m1', 1, 'Clear.', {time})",  # noqa: S608
    )
    async with open_database(database_url) as engine:
        conversations = ConversationStore(engine)
        found = await conversations.find("ada", "c1")
        assert found is not None
        assert (found.title, found.exchanges, found.last_message_id, found.learning) == ("Escrow", 2, "m2", True)
        kept = await conversations.transcript("c1")
        assert [(one.question, one.rating) for one in kept] == [("Question 1", 1), ("Question 2", None)]
        assert kept[0].created_at == datetime.fromisoformat("2025-11-02T10:00:00+00:00")
        forgotten = await ProfileStore(engine).forget("ada")
    assert (forgotten.before["exchanges"], set(forgotten.after.values())) == (2, {0})


# The whole product on PostgreSQL and Redis


@asynccontextmanager
async def api_on(settings: Settings) -> AsyncIterator[tuple[Assistant, httpx.AsyncClient]]:
    """The assistant of these settings, and a client of its API, where a crash is a 500."""
    async with open_assistant(settings) as assistant:
        app = create_api(settings, assistant=assistant)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield assistant, client


async def _asked(client: httpx.AsyncClient, user: str, question: str, conversation: str | None = None) -> Any:
    answer = await client.post(
        "/api/query", json={"user_id": user, "query": question, "conversation_id": conversation}, timeout=60
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _got(client: httpx.AsyncClient, address: str) -> Any:
    answer = await client.get(address)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_everything_that_a_user_may_do_works_on_every_database(settings: Settings, database_url: str):
    async with api_on(on(settings, database_url)) as (assistant, client):
        first = await _asked(client, "ada", "I work as a designer. How does escrow work?")
        thread = first["conversation_id"]
        second = await _asked(client, "ada", "When is it released?", thread)

        profile = await _got(client, "/profile/ada")
        assert [fact["value"] for fact in profile["facts"]] == ["designer"]
        undone = await client.delete(f"/profile/ada/evidence/{profile['facts'][0]['evidence_id']}")
        assert undone.status_code == 200
        assert (await _got(client, "/profile/ada"))["facts"] == []

        assert (await client.post("/api/v1/me/tags/?user_id=ada", json={"name": "payments"})).status_code == 201
        assert [tag["name"] for tag in (await _got(client, "/api/v1/me/tags/manual/?user_id=ada"))["tags"]] == [
            "payments"
        ]
        liked = {"user_id": "ada", "type": "rate", "item_id": "articles/escrow.md", "rating": 9, "metadata": {"a": [1]}}
        for repeated in (False, True):
            done = await client.post("/interaction", json=liked, headers={"Idempotency-Key": "once"})
            assert done.status_code == 201
            assert ("idempotent-replayed" in done.headers) is repeated
        assert (await _got(client, "/interaction/aggregate/ada"))["by_type"] == {"question": 2, "rate": 1}

        assert "recommendations" in (await client.post("/api/recommendations", json={"user_id": "ada"})).json()
        assert (await _got(client, "/predict/ada"))["user_id"] == "ada"
        rated = {"user_id": "ada", "message_id": second["message_id"], "rating": 1}
        assert (await client.post("/api/feedback", json=rated)).status_code == 204

        rebuilt = await assistant.profiles.rebuild("ada")
        assert rebuilt.facts == ()
        await assistant.rewind("ada", thread, second["message_id"])
        kept = await _got(client, f"/api/conversations/{thread}?user_id=ada")
        assert [one["message_id"] for one in kept["exchanges"]] == [first["message_id"]]
        exported = await _got(client, "/profile/ada/export")
        assert [row["question"] for row in exported["exchanges"]] == ["I work as a designer. How does escrow work?"]

        forgotten = (await client.delete("/profile/ada/everything")).json()
        assert forgotten["before"]["exchanges"] == 1
        assert set(forgotten["after"].values()) == {0}
        assert (await _got(client, "/api/conversations?user_id=ada"))["conversations"] == []


@pytest.mark.parametrize("wrong", ["a\0b", "a\ud800b"])
async def test_text_that_no_database_keeps_is_refused_before_it_gets_there(
    settings: Settings,
    database_url: str,
    wrong: str,
):
    requests: list[tuple[str, dict[str, Any]]] = [
        ("/api/query", {"user_id": wrong, "query": "Hi"}),
        ("/api/query", {"user_id": "ada", "query": wrong}),
        ("/api/query", {"user_id": "ada", "query": "Hi", "conversation_id": wrong}),
        ("/api/query", {"user_id": "ada", "query": "Hi", "chat_history": [{"role": "user", "content": wrong}]}),
        ("/profile/ada/mutes", {"facet": "topic", "value": wrong}),
        ("/api/v1/me/tags/?user_id=ada", {"name": wrong}),
        ("/interaction", {"user_id": "ada", "type": "click", "item_id": wrong}),
        ("/interaction", {"user_id": "ada", "type": "click", "item_id": "x", "metadata": {"a": [{wrong: 1}]}}),
        ("/api/feedback", {"user_id": "ada", "message_id": "m", "rating": 1, "comment": wrong}),
        ("/predict/batch", {"user_ids": [wrong]}),
    ]
    async with api_on(on(settings, database_url)) as (assistant, client):
        for address, body in requests:
            answer = await client.post(
                address, content=json.dumps(body), headers={"Content-Type": "application/json"}, timeout=30
            )
            assert answer.status_code == 422, (address, body, answer.text)
        with pytest.raises(MessageNotText):
            await assistant.reply(Turn("ada", f"Hello {wrong}"))


async def test_a_document_that_cannot_be_suggested_keeps_no_other_from_it(database_url: str):
    def document(id: str, title: str) -> Document:
        return Document(id=id, title=title, text="Words\0.", source=id, content_hash=id)

    async with open_database(database_url) as engine:
        catalogue = CatalogueStore(engine)
        await catalogue.keep_articles([document("folder/" * 40 + "deep.md", "Deep"), document("a.md", "Nu\0l")])
        assert [(item.id, item.title, item.text) for item in await catalogue.all()] == [("a.md", "Nul", "Words.")]


async def test_a_reader_who_goes_away_loses_no_connection(database_url: str):
    lost: list[object] = []
    async with open_database(database_url) as engine:
        event.listen(engine.sync_engine, "invalidate", lambda *found: lost.append(found))
        event.listen(engine.sync_engine, "close_detached", lambda *found: lost.append(found))
        profiles = ProfileStore(engine)
        for turns in range(60):
            reading = asyncio.ensure_future(profiles.read("ada"))
            for _ in range(turns % 20):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait({reading})
        await profiles.read("ada")
    assert lost == []


# Two servers on one PostgreSQL, and servers that are killed


SERVE = """
import asyncio
from agent.settings import Settings
from ui.app import create_api
from ui.server import Server, bind
settings = Settings()
asyncio.run(Server(create_api(settings)).serve(sockets=[bind(settings.host, settings.port)]))
"""  # without the chat page, whose import takes seconds


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, asyncio.subprocess.Process]]:
    """The API in a process of its own, and a client of it."""
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ATTUNE_", "OPENAI_"))}
    environment |= {"ATTUNE_DATA_DIR": str(settings.data_dir), "ATTUNE_PORT": str(port), "PYTHONPATH": str(ROOT)}
    if settings.database_url is not None:
        environment["ATTUNE_DATABASE_URL"] = settings.database_url.get_secret_value()
    if settings.redis_url is not None:
        environment["ATTUNE_REDIS_URL"] = settings.redis_url.get_secret_value()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVE),
        cwd=settings.data_dir,
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            await _ready(client, process)
            yield client, process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def _ready(client: httpx.AsyncClient, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(60):
        while True:
            assert process.returncode is None, "the server did not start"
            try:
                if (await client.get("/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


def _copied(settings: Settings, name: str) -> Settings:
    """The same knowledge base in a data folder of its own."""
    folder = settings.data_dir.with_name(name)
    shutil.copytree(settings.data_dir, folder)
    return settings.model_copy(update={"data_dir": folder})


@on_postgres
async def test_two_servers_on_one_database_are_one_to_their_users(settings: Settings, database_url: str):
    shared = on(settings, database_url)
    async with AsyncExitStack() as stack:
        both = [serving(_copied(shared, name)) for name in ("one", "other")]
        started = await asyncio.gather(*(stack.enter_async_context(one) for one in both))
        clients = [client for client, _ in started]
        await _continue_on_both(clients)
        await _ask_at_once(clients)
        await _know_the_same(clients)


async def _continue_on_both(clients: list[httpx.AsyncClient]) -> None:
    """A conversation that changes servers with each message, and then one that both serve at the same time."""
    asked, thread = ["How does escrow work?", *["When is it released?"] * 3], None
    for number, question in enumerate(asked):
        reply = await _asked(clients[number % 2], "ada", question, thread)
        thread = reply["conversation_id"]
    assert "escrow" in reply["answer"].lower() or "released" in reply["answer"].lower()
    at_once = [f"{question} {number}" for number, question in enumerate(QUESTIONS)]
    await asyncio.gather(*(_asked(clients[n % 2], "ada", question, thread) for n, question in enumerate(at_once)))
    seen = [await _got(client, f"/api/conversations/{thread}?user_id=ada") for client in clients]
    assert seen[0] == seen[1]
    questions = [one["question"] for one in seen[0]["exchanges"]]
    assert questions[: len(asked)] == asked
    assert sorted(questions[len(asked) :]) == sorted(at_once)


async def _ask_at_once(clients: list[httpx.AsyncClient]) -> None:
    """64 turns of 16 users over both: each reply is stored with its own question, under its own user."""
    turns = [(f"user-{n % 16}", f"{QUESTIONS[n % 3]} I am number {n}.") for n in range(64)]
    replies = await asyncio.gather(*(_asked(clients[n % 2], *turn) for n, turn in enumerate(turns)))

    async def check(n: int) -> None:
        (user, question), reply = turns[n], replies[n]
        kept = await _got(clients[n // 2 % 2], f"/api/conversations/{reply['conversation_id']}?user_id={user}")
        assert [(one["question"], one["reply"]["answer"]) for one in kept["exchanges"]] == [(question, reply["answer"])]

    await asyncio.gather(*map(check, range(64)))
    profiles = await asyncio.gather(*(_got(clients[n % 2], f"/profile/user-{n}") for n in range(16)))
    assert [profile["counts"]["interactions"] for profile in profiles] == [4] * 16


async def _know_the_same(clients: list[httpx.AsyncClient]) -> None:
    """What one server learns, mutes and forgets holds on the other at once."""
    one, other = clients
    await _asked(one, "bob", "I work as a carpenter. How does escrow work?")
    known = await _got(other, "/profile/bob")
    assert [fact["value"] for fact in known["facts"]] == ["carpenter"]
    assert (await other.post("/profile/bob/mutes", json={"facet": "role", "value": "carpenter"})).status_code == 204
    assert (await _got(one, "/profile/bob"))["facts"] == []
    await _forgotten(other, "bob")
    assert (await _got(one, "/api/conversations?user_id=bob"))["conversations"] == []
    assert (await _got(one, "/profile/bob"))["counts"]["interactions"] == 0


async def _forgotten(client: httpx.AsyncClient, user: str) -> None:
    """Again, where the other server was still writing beside its last turn: the counts tell."""
    async with asyncio.timeout(20):
        while any((await client.delete(f"/profile/{user}/everything")).json()["after"].values()):  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def test_a_server_that_is_killed_leaves_every_exchange_whole_or_not_at_all(settings: Settings, database_url: str):
    killed = on(settings, database_url)
    answered: dict[str, str] = {}

    async def ask(client: httpx.AsyncClient, number: int) -> None:
        question = f"{QUESTIONS[number % 3]} I work as a designer. Number {number}."
        try:
            reply = await _asked(client, f"user-{number % 8}", question)
        except httpx.TransportError:
            return  # killed before it could answer
        answered[reply["message_id"]] = question

    async with serving(killed) as (client, process):
        turns = [asyncio.ensure_future(ask(client, number)) for number in range(48)]
        async with asyncio.timeout(60):
            while len(answered) < 5:  # noqa: ASYNC110 - the middle of the work
                await asyncio.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        await asyncio.gather(*turns)
    assert 5 <= len(answered) < 48
    await _whole(killed, answered)


async def _whole(settings: Settings, answered: dict[str, str]) -> None:
    """What was answered is there; what is there is whole, and profiles follow from it."""
    async with open_assistant(settings) as assistant:
        kept: dict[str, str] = {}
        for user in (f"user-{number}" for number in range(8)):
            mine = await assistant.conversations(user)
            for conversation in mine:
                (exchange,) = await assistant.transcript(user, conversation.id)
                assert conversation.last_message_id == exchange.message_id
                kept[exchange.message_id] = exchange.question
            read = await assistant.profiles.read(user)
            asked = [one for _, one in await assistant.profiles.interactions(user) if one.type == "question"]
            assert len(asked) == len(mine) == read.interactions
            rebuilt = await assistant.profiles.rebuild(user)
            assert (_beliefs(rebuilt), rebuilt.interactions) == (_beliefs(read), read.interactions)
        assert answered.items() <= kept.items()
        again = await assistant.reply(Turn("user-0", "How does escrow work?"))
        assert again.answered


def _beliefs(profile: Any) -> Any:
    preferences = {(one.facet, one.value): (round(one.score, 4), one.evidence) for one in profile.preferences}
    facts = {(one.slot, one.value, one.quote) for one in profile.facts}
    return preferences, {one.name for one in profile.tags}, facts


async def test_64_turns_at_once_in_one_process_all_end_up_in_their_conversations(settings: Settings, database_url: str):
    async with open_assistant(on(settings, database_url)) as assistant:
        turns = [Turn(f"user-{n % 16}", f"{QUESTIONS[n % 3]} I am number {n}.") for n in range(64)]
        replies = await asyncio.gather(*map(assistant.reply, turns))
        for turn, reply in zip(turns, replies, strict=True):
            (kept,) = await assistant.transcript(turn.user_id, reply.conversation_id)
            assert (kept.question, kept.reply.answer) == (turn.text, reply.answer)
        for number in range(16):
            did = await assistant.profiles.activity(f"user-{number}")
            assert did.by_type["question"] == 4  # beside offers that were passed over, where there was time for any
