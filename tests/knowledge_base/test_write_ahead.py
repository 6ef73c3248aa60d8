import sqlite3
import threading
import time
from pathlib import Path

import pytest

from knowledge_base import write_ahead as module
from knowledge_base.write_ahead import write_ahead


def _mode(path: Path) -> str:
    connection = sqlite3.connect(path)
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()
    return str(mode)


def test_a_file_that_another_holds_for_a_moment_is_switched_afterwards(tmp_path: Path):
    path = tmp_path / "new.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")

    def release() -> None:
        time.sleep(0.1)
        other.execute("COMMIT")

    releasing = threading.Thread(target=release)
    releasing.start()
    connection = sqlite3.connect(path, timeout=0)
    write_ahead(connection)
    releasing.join()
    connection.close()
    other.close()
    assert _mode(path) == "wal"


def test_a_file_that_stays_locked_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    path = tmp_path / "new.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    connection = sqlite3.connect(path, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        write_ahead(connection)
    connection.close()
    other.close()
