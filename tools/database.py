"""The engine, the tables and their migrations. SQL that differs between SQLite and PostgreSQL stays in this file."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
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
)
from sqlalchemy import Column as C
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0001"
"""The newest revision in `migrations/versions`; a test compares the two."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC; SQLite keeps none of the zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
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
    C("id", String(64), primary_key=True),
    C("user_id", String(200), nullable=False),
    C("title", String(200), nullable=False),
    C("created_at", UtcDateTime, nullable=False),
    C("updated_at", UtcDateTime, nullable=False),
    C("exchanges", Integer, nullable=False),
    C("last_message_id", String(64)),
    Index(None, "user_id", "updated_at"),
)

exchanges = Table(
    "exchanges",
    metadata,
    C("message_id", String(64), primary_key=True),
    C("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    C("position", Integer, nullable=False),
    C("channel", String(40), nullable=False),
    C("question", Text, nullable=False),
    C("reply", Text, nullable=False),
    C("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("conversation_id", "position"),
)

feedback = Table(
    "feedback",
    metadata,
    C("message_id", ForeignKey("exchanges.message_id", ondelete="CASCADE"), primary_key=True),
    C("rating", Integer, nullable=False),
    C("comment", Text, nullable=False),
    C("created_at", UtcDateTime, nullable=False),
)


def now() -> datetime:
    """The time that is written: aware, UTC."""
    return datetime.now(UTC)


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on `url` (`sqlite+aiosqlite:///…` or `postgresql+…`) whose tables are up to date."""
    engine = create_async_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    try:
        await _migrate(engine)
        yield engine
    finally:
        await engine.dispose()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Readers beside one writer (WAL), foreign keys kept, and a wait instead of an error when both want to write.

    `synchronous=FULL` makes a commit durable before it returns: what was acknowledged survives a power cut.
    """
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def _migrate(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        if await connection.run_sync(_revision) != HEAD:
            await connection.run_sync(_upgrade)


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
