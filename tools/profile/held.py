"""Everything that is held of a user, in whichever table: to show it, and to forget it.

A row is a user's when it names them (`user_id`), or belongs to a row that does. Nobody has to keep a list: a table that
a later version brings is covered because its columns say so. What names an account that is linked to the user is theirs
too: links move most rows to the person, but not all, and are rows themselves.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tools.database import conversations, exchanges, feedback, metadata, now, wipe_deleted
from tools.identities.members import members_of
from tools.profile.tables import profiles

TOOLS = Path(__file__).parents[1]
TRANSCRIPT = (conversations, exchanges, feedback)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows each table held of the user, before and after."""

    before: Mapping[str, int]
    after: Mapping[str, int]


def tables_of_users() -> list[Table]:
    """Every table that can hold rows of a user, those that others refer to first."""
    for module in TOOLS.glob("*/tables.py"):
        import_module(f"tools.{module.parent.name}.tables")
    return [table for table in metadata.sorted_tables if belongs_to(table, ()) is not None]


def belongs_to(table: Table, user_ids: Collection[str]) -> ColumnElement[bool] | None:
    """Which rows of a table are theirs; None where no row can be anyone's."""
    if "user_id" in table.c:
        return table.c.user_id.in_(user_ids)
    parents = (
        (key, belongs_to(key.column.table, user_ids)) for key in table.foreign_keys if key.column.table is not table
    )
    owned = [key.parent.in_(select(key.column).where(theirs)) for key, theirs in parents if theirs is not None]
    return or_(*owned) if owned else None


async def counts(connection: AsyncConnection, user_ids: Collection[str]) -> dict[str, int]:
    """How many rows of each table are theirs."""
    found = {}
    for table in tables_of_users():
        query = select(func.count()).select_from(table).where(_of(table, user_ids))
        found[table.name] = (await connection.execute(query)).scalar_one()
    return found


async def export(connection: AsyncConnection, user_id: str) -> dict[str, list[dict[str, Any]]]:
    """Every row that is held of the user, by table, as JSON can hold it."""
    members = await members_of(connection, user_id)
    held = {}
    for table in tables_of_users():
        rows = await connection.execute(select(table).where(_of(table, members)).order_by(*table.primary_key))
        held[table.name] = [{name: _shown(value) for name, value in row.items()} for row in rows.mappings()]
    return held


async def forget(engine: AsyncEngine, user_id: str) -> Forgotten:
    """Delete every row of the user, those that refer to others first, and count what was there and what is left.

    In two transactions: a turn that is being stored holds its conversation and waits for the profile, so that whoever
    held the profile and waited for the conversation would block both for ever.
    """
    tables = tables_of_users()
    transcript = [table for table in tables if table in TRANSCRIPT]
    async with engine.connect() as connection:
        members = await members_of(connection, user_id)
        before = await counts(connection, members)
    async with engine.begin() as connection:
        await _one_at_a_time(connection, user_id)
        await _delete(connection, members, transcript)
    async with engine.begin() as connection:
        await connection.execute(update(profiles).where(profiles.c.user_id.in_(members)).values(updated_at=now()))
        await _delete(connection, members, [table for table in tables if table not in transcript])
    await wipe_deleted(engine)
    async with engine.connect() as connection:
        return Forgotten(before, await counts(connection, members))


async def _one_at_a_time(connection: AsyncConnection, user_id: str) -> None:
    """Wait for who forgets the same user at once: the two would delete the same rows, and PostgreSQL, which may go
    through them in two orders, would end one of them as a deadlock. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(user_id, 0))))


async def _delete(connection: AsyncConnection, user_ids: Collection[str], tables: Sequence[Table]) -> None:
    for table in reversed(tables):
        await connection.execute(delete(table).where(_of(table, user_ids)))


def _of(table: Table, user_ids: Collection[str]) -> ColumnElement[bool]:
    where = belongs_to(table, user_ids)
    assert where is not None  # noqa: S101 (tables_of_users left the others out)
    return where


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
