"""Which files lie below the paths that were given, and why some are not read."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from knowledge_base import loaders
from knowledge_base.errors import DocumentRejected

SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read; both paths are absolute, without links."""

    path: str
    root: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A file or folder that was not read, and the reason in plain words."""

    path: str
    reason: str


@dataclass(slots=True)
class Scan:
    """What lies below the given paths.

    `paths` are those of the files, `missing` the given paths that do not exist, as given and resolved. `covered` are
    those below which everything was looked at, but for the `uncertain` ones: a document from there that was not found
    is gone.
    """

    files: list[SourceFile] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    covered: list[str] = field(default_factory=list)
    uncertain: list[str] = field(default_factory=list)

    def is_gone(self, path: str) -> bool:
        """Whether a file that was ingested once from `path` is known to be there no longer."""
        if path in self.paths:
            return False
        return any(is_below(path, folder) for folder in self.covered) and not any(
            is_below(path, folder) for folder in self.uncertain
        )

    def is_elsewhere(self, path: str) -> bool:
        """Whether `path` lies below none of the given paths, all of which were there to look at: a misspelled one must
        not make everything else look foreign."""
        given = [*self.covered, *self.uncertain]
        return bool(given) and not self.missing and not any(is_below(path, folder) for folder in given)


def scan(paths: Iterable[Path | str]) -> Scan:
    """Looks through files and folders, each file once, in the order of names. Hidden files and folders are passed over,
    and in folders also the files of formats that are not read."""
    found = Scan()
    for given in paths:
        path = Path(given).expanduser()
        resolved = os.path.realpath(path)
        try:
            mode = os.stat(resolved).st_mode
        except OSError as error:
            _missing_or_closed(found, str(path), resolved, error)
            continue
        found.covered.append(resolved)
        if stat.S_ISDIR(mode):
            files: Iterable[str] = _walk(resolved, resolved, found)
            root = resolved
        else:
            files, root = [resolved], os.path.dirname(resolved)
        for file in files:
            if file not in found.paths:
                found.paths.add(file)
                found.files.append(SourceFile(file, root))
    return found


def read(path: str, limit: int) -> bytes:
    """The file's bytes, at most `limit`. Raises DocumentRejected when it is larger, no file or not readable."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise DocumentRejected("is not a regular file")
        if status.st_size > limit:
            raise DocumentRejected(_too_large(status.st_size, limit))
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise DocumentRejected(f"cannot be read: {error.strerror or error}") from error
    if len(data) > limit:  # it grew meanwhile
        raise DocumentRejected(_too_large(len(data), limit))
    return data


def place_of(path: str, root: str) -> PurePosixPath:
    """The path from the root on, the root's own name first. Raises DocumentRejected for a name that is no text."""
    relative = os.path.relpath(path, root).replace(os.sep, "/")
    place = PurePosixPath(os.path.basename(root) or "root", relative)
    try:
        str(place).encode()
    except UnicodeEncodeError as error:
        raise DocumentRejected("has a name that is not valid UTF-8: rename it") from error
    return place


def is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _missing_or_closed(found: Scan, given: str, resolved: str, error: OSError) -> None:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        found.missing.append((given, resolved))
        found.covered.append(resolved)
    else:
        found.failures.append(Failure(given, f"cannot be read: {error.strerror or error}"))


def _walk(folder: str, root: str, found: Scan) -> Iterator[str]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        found.failures.append(Failure(folder, f"cannot be listed: {error.strerror or error}"))
        found.uncertain.append(folder)
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in SKIPPED_FOLDERS:
            continue
        if entry.is_symlink():
            yield from _follow(entry.path, root, found)
        elif entry.is_dir():
            yield from _walk(entry.path, root, found)
        elif loaders.is_supported(entry.name):
            yield entry.path


def _follow(link: str, root: str, found: Scan) -> Iterator[str]:
    """The file behind a link, when it lies inside the folder that was given; a folder inside is walked anyway."""
    target = os.path.realpath(link)
    is_folder = os.path.isdir(target)
    if not is_folder and not loaders.is_supported(link):
        return
    if not os.path.exists(target):
        found.failures.append(Failure(link, "is a link to something that does not exist"))
    elif not is_below(target, root):
        found.failures.append(
            Failure(link, "is a link that leads out of the folder: add its target to the command instead")
        )
    elif not is_folder and loaders.is_supported(target):
        yield target


def _too_large(size: int, limit: int) -> str:
    return f"is too large: {size / 2**20:.0f} MB, and at most {limit / 2**20:.0f} MB are read"
