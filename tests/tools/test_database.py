"""Migrations and tables say the same, and opening twice changes nothing."""

import asyncio
import sqlite3
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.tools.conftest import on_postgres
from tools import database
from tools.database import HEAD, MIGRATIONS, _prepare_sqlite, for_single_reads, metadata, open_database


def test_head_names_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


async def test_migrations_make_the_tables_that_the_code_uses(tmp_path: Path):
    async with open_database(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}") as engine, engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)
        )
    assert differences == []


async def test_the_database_can_do_the_arithmetic_of_fading(engine):
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT power(0.5, 3.0)")).scalar() == 0.125


async def test_closing_waits_for_a_read_that_somebody_left_behind(database_url: str):
    begun = asyncio.Event()

    async def read(engine: AsyncEngine) -> int:
        async with engine.connect() as connection:
            begun.set()
            await asyncio.sleep(0.05)
            found: int = (await connection.execute(text("SELECT 7"))).scalar_one()
            return found

    async with open_database(database_url) as engine:
        reading = asyncio.ensure_future(read(engine))
        await begun.wait()
    assert reading.done()
    assert reading.result() == 7


async def test_a_read_that_never_ends_is_named_and_left(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(database, "PATIENCE", 0.02)
    async with open_database(database_url) as engine:
        left_open = await engine.connect()
    assert "1 database connections were still in use" in caplog.text
    await left_open.invalidate()
    await left_open.close()


async def _backends(engine: AsyncEngine) -> list[int]:
    """What the server calls the engine's connections: four of them."""
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(engine.connect()) for _ in range(4)]
        return [(await one.execute(text("SELECT pg_backend_pid()"))).scalar_one() for one in connections]


@on_postgres
async def test_connections_that_the_server_ended_meanwhile_are_made_again(database_url: str):
    end = text("SELECT pg_terminate_backend(pid, 5000) FROM unnest(:pids) pid")
    async with open_database(database_url) as engine, open_database(database_url) as other:
        ended = await _backends(engine)
        async with other.connect() as connection:
            await connection.execute(end, {"pids": ended})
        async with for_single_reads(engine).connect() as connection:
            assert (await connection.execute(text("SELECT 7"))).scalar() == 7
        async with engine.begin() as connection:
            assert (await connection.execute(text("SELECT 8"))).scalar() == 8
        assert not set(ended) & set(await _backends(engine))


def test_a_sqlite_without_mathematics_is_given_some():
    def missing(_base: float, _exponent: float) -> float:
        raise NotImplementedError

    connection = sqlite3.connect(":memory:")
    connection.create_function("power", 2, missing)
    _prepare_sqlite(connection, None)
    assert connection.execute("SELECT power(2, 4)").fetchone() == (16.0,)
    connection.close()


async def test_opening_again_keeps_what_was_there(tmp_path: Path):
    url = f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"
    for _ in range(2):
        async with open_database(url) as engine, engine.begin() as connection:
            count = (await connection.exec_driver_sql("SELECT count(*) FROM alembic_version")).scalar()
            mode = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar()
    assert (count, mode) == (1, "wal")


async def test_an_error_does_not_repeat_what_people_wrote(engine: AsyncEngine):
    with pytest.raises(DBAPIError) as raised:
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO nowhere VALUES (:said)"), {"said": "my secret question"})
    assert "nowhere" in str(raised.value)
    assert "my secret question" not in str(raised.value)
