"""A connection to SQLite whose statement is one trip to its thread.

aiosqlite keeps each connection in a thread of its own, and SQLAlchemy goes there for the cursor, for the statement, for
the rows, to close the cursor, and to roll back what was never begun. A statement takes SQLite a few microseconds; the
trips are what a turn pays for.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

import aiosqlite

AHEAD = 1000
"""Rows that come back with their statement. Others stay in SQLite until they are asked for."""

Row = tuple[Any, ...]


def connect(database: str, **options: Any) -> "Connection":
    """A connection, to be awaited, for `async_creator_fn` of SQLAlchemy; it takes what `sqlite3.connect` takes."""
    return Connection(partial(sqlite3.connect, database, **options), AHEAD)


class Connection(aiosqlite.Connection):
    """Its cursors save trips, and it makes none to end a transaction that was not begun."""

    _adrift = False
    """Whether somebody stopped waiting for the thread, which may still be at work for them."""

    def cursor(self) -> "Cursor":  # type: ignore[override]  # aiosqlite's is awaited; SQLAlchemy only enters it
        """A cursor, made without a trip."""
        return Cursor(self)

    async def commit(self) -> None:
        """Commit what was begun, if anything was."""
        if self._adrift or self.in_transaction:
            await super().commit()

    async def rollback(self) -> None:
        """Roll back what was begun, if anything was."""
        if self._adrift or self.in_transaction:
            await super().rollback()

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            result = await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        except (asyncio.CancelledError, GeneratorExit):
            self._adrift = True
            raise
        self._adrift = False  # the thread works in order: all that was asked for before is done
        return result


class Cursor:
    """A cursor as SQLAlchemy uses it: entered, one statement, its rows, closed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cursor: sqlite3.Cursor | None = None
        self._ahead: list[Row] = []
        self._more = False
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    @property
    def description(self) -> Any:
        """The columns of the statement's rows, None if it gives none."""
        return self._cursor.description if self._cursor else None

    @property
    def rowcount(self) -> int:
        """How many rows the statement changed; -1 if it changes none."""
        return self._cursor.rowcount if self._cursor else -1

    @property
    def lastrowid(self) -> int | None:
        """The row that was inserted last."""
        return self._cursor.lastrowid if self._cursor else None

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement and bring its first rows along."""
        self._cursor, self._ahead, self._more = await self._connection._execute(
            _execute, self._connection._conn, sql, parameters
        )

    async def executemany(self, sql: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each of the parameters."""
        self._cursor = await self._connection._execute(self._connection._conn.executemany, sql, parameters)

    async def fetchall(self) -> list[Row]:
        """The rows that are left."""
        rows, self._ahead = self._ahead, []
        if self._more and self._cursor:
            self._more = False
            rows += await self._connection._execute(self._cursor.fetchall)
        return rows

    async def fetchmany(self, size: int) -> list[Row]:
        """The next rows, none at the end."""
        if not self._ahead and self._more and self._cursor:
            self._ahead = await self._connection._execute(self._cursor.fetchmany, AHEAD)
            self._more = len(self._ahead) == AHEAD
        rows, self._ahead = self._ahead[:size], self._ahead[size:]
        return rows

    async def close(self) -> None:
        """Let go of the rows that nobody asked for. A statement that came to its end has none."""
        if self._more and self._cursor:
            self._more = False
            await self._connection._execute(self._cursor.close)


def _execute(
    connection: sqlite3.Connection, sql: str, parameters: Sequence[Any]
) -> tuple[sqlite3.Cursor, list[Row], bool]:
    cursor = connection.execute(sql, parameters)
    rows = cursor.fetchmany(AHEAD) if cursor.description else []
    return cursor, rows, len(rows) == AHEAD
