"""What keeps SQLite from opening or writing its file, in words: a full disk, a folder that takes no writes."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from knowledge_base.errors import IndexUnavailable


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Raises IndexUnavailable where SQLite can't do its work in this folder."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise IndexUnavailable(
            f"Expected to write to {folder}, but SQLite says: {error}. See that the disk has room and that the folder "
            "may be written to, then run this again: what was indexed before is still there."
        ) from error
