"""The engine, the tables and their migrations. SQL that differs between SQLite and PostgreSQL stays in this file."""

import asyncio
import logging
import math
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    Dialect,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    event,
    inspect,
    text,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool
from sqlalchemy.util import await_only

from knowledge_base.write_ahead import write_ahead
from tools import sqlite_trips
from tools.pool import CONNECTIONS, WAIT, pool_of

PRAGMAS = ("synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000", "secure_delete=ON", "cache_size=-512")
PATIENCE = 5.0
"""Seconds that closing waits for what still reads or writes."""
MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0009"
"""The newest revision in `migrations/versions`; a test compares the two."""


log = logging.getLogger(__name__)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC; SQLite keeps none of the zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(200), nullable=False),
    Column("title", String(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("exchanges", Integer, nullable=False),
    Column("last_message_id", String(64)),
    Column("learning", Boolean, nullable=False, server_default=true()),
    Index(None, "user_id", "updated_at"),
)

exchanges = Table(
    "exchanges",
    metadata,
    Column("message_id", String(64), primary_key=True),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("channel", String(40), nullable=False),
    Column("question", Text, nullable=False),
    Column("reply", Text, nullable=False),
    Column("answered", Boolean, nullable=False, server_default=true()),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("conversation_id", "position"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("message_id", ForeignKey("exchanges.message_id", ondelete="CASCADE"), primary_key=True),
    Column("rating", Integer, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)


def now() -> datetime:
    """The time that is written: aware, UTC."""
    return datetime.now(UTC)


def upsert(connection: AsyncConnection | AsyncEngine, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, in the words of this connection's database."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


@asynccontextmanager
async def open_database(url: str, *, connections: int = CONNECTIONS, wait: float = WAIT) -> AsyncIterator[AsyncEngine]:
    """An engine on `url` (`sqlite+aiosqlite:///…` or `postgresql+…`) whose tables are up to date.

    A server may have been restarted since a connection was last used, a file can't: only the server is asked first.
    Where all `connections` are in use for `wait` seconds, who wants one gets DatabaseBusy.
    """
    # hide_parameters: what people wrote stands in statements' values, and has no place in an error that is logged.
    options = {"hide_parameters": True, **pool_of(connections, wait)}
    if url.startswith("sqlite"):
        engine = create_async_engine(url, connect_args={"async_creator_fn": sqlite_trips.connect}, **options)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        _OneWriter().watch(engine.sync_engine)
    else:
        engine = create_async_engine(url, pool_pre_ping=True, **options)
    try:
        await _migrate(engine)
        yield engine
    finally:
        await _all_returned(engine)
        await engine.dispose()


async def _all_returned(engine: AsyncEngine) -> None:
    """Wait for reads that somebody left behind, such as a turn that was stopped: a connection that is lent when its
    pool is disposed of is dropped open."""
    pool = engine.pool
    if not isinstance(pool, QueuePool):  # SQLite in memory: one connection, which nobody is lent
        return
    try:
        async with asyncio.timeout(PATIENCE):
            while pool.checkedout():  # noqa: ASYNC110 - the pool tells nobody when the last one is back
                await asyncio.sleep(0.005)
    except TimeoutError:
        log.warning("%d database connections were still in use at the end, after %g s", pool.checkedout(), PATIENCE)


class _OneWriter:
    """Puts the transactions that write to a SQLite file in a queue.

    SQLite itself lets one of them write and has the others look again every now and then, in no order: under load one
    could look at the wrong moment for so long that it failed with "database is locked". A transaction queues with its
    first writing statement, and the next one goes on when it ends, however it ends.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    def watch(self, engine: Engine) -> None:
        """Queue the writers of this engine."""
        event.listen(engine, "before_cursor_execute", self._wait)
        for ending in ("commit", "rollback"):
            event.listen(engine, ending, self._end)
        for ending in ("checkin", "invalidate", "close"):  # also where a cancelled task lost its connection
            event.listen(engine, ending, lambda _, record, *__: self._leave(record.info))

    def _wait(self, connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip()[:6].upper() in _WRITING and _WRITER not in connection.info:
            await_only(self._lock.acquire())
            connection.info[_WRITER] = self

    def _end(self, connection: Connection) -> None:
        if not connection.invalidated:
            self._leave(connection.info)

    def _leave(self, info: dict[Any, Any]) -> None:
        if info.pop(_WRITER, None) is self:
            self._lock.release()


_WRITER = "attune writer"
_WRITING = {"INSERT", "UPDATE", "DELETE"}


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Readers beside one writer (WAL), foreign keys kept, and a wait instead of an error when both want to write.

    `synchronous=FULL` makes a commit durable before it returns: what was acknowledged survives a power cut.
    `secure_delete=ON` overwrites what is deleted instead of only marking its place as free. `cache_size=-512` lets each
    connection keep 512 KiB of pages instead of 2 MiB, since the system keeps the file in memory, too: once for all.
    """
    cursor = connection.cursor()
    write_ahead(cursor)
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    try:
        cursor.execute("SELECT power(2, 3)")
    except sqlite3.OperationalError:  # a SQLite that was built without mathematics
        connection.create_function("power", 2, math.pow, deterministic=True)
    cursor.close()


def for_single_reads(engine: AsyncEngine) -> AsyncEngine:
    """The same engine for reads of one SELECT each, which need no transaction: that saves PostgreSQL the trips to begin
    and to end one. SQLite's driver begins none for a SELECT anyway."""
    return engine if engine.dialect.name == "sqlite" else engine.execution_options(isolation_level="AUTOCOMMIT")


async def wipe_deleted(engine: AsyncEngine) -> None:
    """Leave nothing of what was deleted in SQLite's log either. PostgreSQL's files are its operator's."""
    if engine.dialect.name == "sqlite":
        async with engine.connect() as connection:
            await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))


async def _migrate(engine: AsyncEngine) -> None:
    """Bring the tables up to date, in one transaction: wholly or not at all, and by one process at a time."""
    async with engine.begin() as connection:
        if await connection.run_sync(_revision) == HEAD:
            return
        await connection.execute(text(_ALONE[connection.dialect.name]))
        if await connection.run_sync(_revision) != HEAD:  # nobody was faster
            await connection.run_sync(_upgrade)


_ALONE = {
    "sqlite": "BEGIN IMMEDIATE",  # its driver begins no transaction for a CREATE TABLE
    "postgresql": "SELECT pg_advisory_xact_lock(7211685)",  # any number that nobody else takes
}


def _revision(connection: Connection) -> str | None:
    """The revision of this database. Asked without Alembic, whose import every start would otherwise pay for."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
