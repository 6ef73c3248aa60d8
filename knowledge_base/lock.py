"""One ingest at a time, also between processes."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from knowledge_base.errors import IngestRunning

_POLL = 0.1  # seconds; short, so that an interrupt from the keyboard is heard


@contextmanager
def only_one(store: Path, wait: float) -> Iterator[None]:
    """Holds the lock beside the store's file; waits up to `wait` seconds for it. Raises IngestRunning.

    SQLite's own file lock serves: it works on every platform, and the system lets go of it when the process dies.
    """
    path = store.with_name(f"{store.name}.ingest-lock")
    deadline = time.monotonic() + wait
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)) as lock:
        while not _taken(lock):
            if time.monotonic() >= deadline:
                raise IngestRunning(
                    f"Another ingest is writing to {store.parent} and did not finish within {wait:g} seconds. "
                    "Wait for it to end, then run this one again."
                )
            time.sleep(_POLL)
        yield


def _taken(lock: sqlite3.Connection) -> bool:
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
