"""SQLite's write-ahead log (https://www.sqlite.org/wal.html): readers beside one writer."""

import sqlite3
import time
from typing import Any, Protocol

PATIENCE = 10.0
"""Seconds until a file that stays locked is reported."""


class Executes(Protocol):
    """A cursor or a connection, of sqlite3 or in its likeness."""

    def execute(self, statement: str, /) -> Any: ...


def write_ahead(connection: Executes) -> None:
    """Switch this file to the write-ahead log, where it is not.

    SQLite does not wait for its busy timeout while another connection makes the same switch, as processes do that
    start at once on a new file; so this looks again by itself.

    Raises:
        sqlite3.OperationalError: the file stayed locked.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
