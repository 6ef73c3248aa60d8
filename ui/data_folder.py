"""Whether a running server still has the data folder that it opened, and can write there.

A file that is deleted stays readable and writable for whoever has it open, so that without this nobody would notice
until the next start that everything written since is lost.
"""

import tempfile
from pathlib import Path

from knowledge_base.errors import AttuneError

PROBE_BYTES = 65_536


class DataFolderLost(AttuneError):
    """The operator: the data folder is gone, was replaced, or takes no writes. The message names no path."""


class DataFolder:
    """Remembers the databases in a folder as they are now, when the server has just opened them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened = {file: _identity(file) for file in sorted(folder.glob("*.db"))}

    def check(self) -> None:
        """Raises DataFolderLost."""
        lost = [file.name for file, opened in self._opened.items() if _identity(file) != opened]
        if lost:
            raise DataFolderLost(
                f"In the data folder {', '.join(lost)} is gone or was replaced while the server runs, and what is "
                "written now will be lost. Stop the server, put the folder back, and start it again."
            )
        try:
            with tempfile.TemporaryFile(dir=self._folder) as probe:
                probe.write(b"\0" * PROBE_BYTES)
        except OSError as error:
            raise DataFolderLost(f"The data folder takes no writes: {error.strerror or error}.") from error


def _identity(file: Path) -> tuple[int, int] | None:
    """The device and the number of this file there; None where there is no such file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
