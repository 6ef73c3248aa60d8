"""What SQLAlchemy sees of a SQLite file does not depend on how many trips its statements make."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tools import sqlite_trips
from tools.sqlite_trips import AHEAD, Connection

MANY = 2 * AHEAD + 7


class Counted(Connection):
    """Remembers each trip."""

    trips = 0

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        Counted.trips += 1
        return await super()._execute(fn, *args, **kwargs)


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncEngine]:
    """One connection, on a table of numbers."""

    def connect(database: str, **options: Any) -> Counted:
        return Counted(partial(sqlite3.connect, database, **options), AHEAD)

    engine = create_async_engine(
        f"sqlite+aiosqlite:///{tmp_path / 'a.db'}",
        connect_args={"async_creator_fn": connect},
        pool_size=1,
        max_overflow=0,
    )
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)"))
        await connection.execute(text("INSERT INTO numbers VALUES (:n)"), [{"n": n} for n in range(MANY)])
    monkeypatch.setattr(Counted, "trips", 0)
    yield engine
    await engine.dispose()


async def test_a_read_is_one_trip(engine: AsyncEngine):
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT n FROM numbers WHERE n = 3"))).scalar_one() == 3
    assert Counted.trips == 1


async def test_a_write_is_one_trip_and_its_commit_another(engine: AsyncEngine):
    async with engine.begin() as connection:
        added = await connection.execute(text("INSERT INTO numbers VALUES (-1) RETURNING n"))
        assert added.scalar_one() == -1
    assert Counted.trips == 2


@pytest.mark.parametrize("count", [0, 1, AHEAD - 1, AHEAD, AHEAD + 1, MANY])
async def test_all_rows_come_however_many(engine: AsyncEngine, count: int):
    some = text("SELECT n FROM numbers ORDER BY n LIMIT :count")
    async with engine.connect() as connection:
        found = (await connection.execute(some, {"count": count})).scalars().all()
        streamed = [row.n async for row in await connection.stream(some, {"count": count})]
    assert found == streamed == list(range(count))


async def test_rows_that_nobody_asked_for_are_let_go(engine: AsyncEngine):
    async with engine.connect() as connection:
        streamed = await connection.stream(text("SELECT n FROM numbers ORDER BY n"))
        assert await streamed.fetchmany(3) == [(0,), (1,), (2,)]
        await streamed.close()
    async with engine.begin() as connection:  # a statement that was still at work would keep the table
        await connection.execute(text("DROP TABLE numbers"))


async def test_what_a_statement_changed_is_counted(engine: AsyncEngine):
    async with engine.begin() as connection:
        assert (await connection.execute(text("DELETE FROM numbers WHERE n < 5"))).rowcount == 5


async def test_errors_are_those_of_the_database_and_leave_the_connection_good(engine: AsyncEngine):
    async with engine.connect() as connection:
        with pytest.raises(OperationalError, match="no such table"):
            await connection.execute(text("SELECT 1 FROM nowhere"))
        with pytest.raises(IntegrityError):
            await connection.execute(text("INSERT INTO numbers VALUES (1)"))
        await connection.rollback()
        assert (await connection.execute(text("SELECT count(*) FROM numbers"))).scalar_one() == MANY


async def test_what_was_not_committed_is_rolled_back(engine: AsyncEngine):
    async with engine.connect() as connection:
        await connection.execute(text("DELETE FROM numbers"))
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM numbers"))).scalar_one() == MANY


async def test_a_write_that_nobody_waits_for_any_more_is_rolled_back(tmp_path: Path):
    """The thread may begin the transaction only after the connection was asked whether there is one."""
    started, go_on = threading.Event(), threading.Event()

    def pause() -> int:
        started.set()
        go_on.wait(10)
        return 1

    connection = sqlite_trips.connect(str(tmp_path / "a.db"))
    async with connection:
        await connection.create_function("pause", 0, pause)
        cursor = connection.cursor()
        await cursor.execute("CREATE TABLE t (a)")
        writing = asyncio.ensure_future(cursor.execute("INSERT INTO t SELECT pause()"))
        await asyncio.to_thread(started.wait, 10)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        go_on.set()
        await connection.rollback()
        assert not connection.in_transaction
        await cursor.execute("SELECT count(*) FROM t")
        assert await cursor.fetchall() == [(0,)]
