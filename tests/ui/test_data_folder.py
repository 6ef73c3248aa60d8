import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ui.data_folder import DataFolder, DataFolderLost


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("attune.db", "knowledge.db"):
        (tmp_path / name).write_bytes(b"rows")
    return tmp_path


def test_a_folder_as_it_was_is_well_and_nothing_is_left_in_it(folder: Path):
    DataFolder(folder).check()
    assert sorted(path.name for path in folder.iterdir()) == ["attune.db", "knowledge.db"]


def test_a_folder_that_is_deleted_is_noticed(folder: Path):
    opened = DataFolder(folder)
    shutil.rmtree(folder)
    with pytest.raises(DataFolderLost, match=r"attune\.db, knowledge\.db is gone or was replaced"):
        opened.check()


def test_a_database_that_is_replaced_is_noticed(folder: Path):
    opened = DataFolder(folder)
    (folder / "backup").write_bytes(b"older rows")
    os.replace(folder / "backup", folder / "attune.db")
    with pytest.raises(DataFolderLost, match=r"folder attune\.db is gone or was replaced"):
        opened.check()


def test_a_database_that_grows_is_well(folder: Path):
    opened = DataFolder(folder)
    with (folder / "attune.db").open("ab") as file:
        file.write(b"more rows")
    opened.check()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_no_writes_is_noticed(folder: Path, monkeypatch: pytest.MonkeyPatch, code: int):
    def refuse(**_: Any) -> None:
        raise OSError(code, os.strerror(code))

    opened = DataFolder(folder)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(DataFolderLost, match=f"takes no writes: {os.strerror(code)}"):
        opened.check()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_the_right_to_write_is_noticed(folder: Path):
    opened = DataFolder(folder)
    folder.chmod(0o500)
    try:
        with pytest.raises(DataFolderLost, match="takes no writes: Permission denied"):
            opened.check()
    finally:
        folder.chmod(0o700)
