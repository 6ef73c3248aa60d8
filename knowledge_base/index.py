"""Vectors by passage id, in Chroma: a folder of this machine by default, a server when a URL is given.

The only module that knows Chroma. It keeps our own vectors and nothing else. Which passages are alive, whose vectors
these are and where they lie is written in the store (store.py), which every search asks.

Chroma's local client is made for one process: it does not notice what another one writes, and a process that is killed
while it saves can leave an index that no longer opens. So a local index never changes. Writers work on a copy, close
it, and let the store name the copy in the transaction that also swaps the passages; readers go where the store points.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from knowledge_base.errors import IndexMismatch, IndexUnavailable
from knowledge_base.store import IndexIdentity, new_collection

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.collection_configuration import CreateCollectionConfiguration
    from chromadb.api.models.Collection import Collection

Vectors = NDArray[np.float32]

# Malkov & Yashunin 2018 (arXiv:1603.09320). Chroma's graph, searched twice as widely as by default: of the true nearest
# 50 among 20,000 real sentences 99.95 % are found (99.6 % by default), for 1.3 instead of 1 ms.
HNSW: "CreateCollectionConfiguration" = {"hnsw": {"space": "cosine", "ef_search": 200}}
WRITE_BATCH = 2_000  # Chroma refuses more than about 5,400 at once
LOCAL_COLLECTION = "passages"
REBUILD = "Run: python -m ui ingest --rebuild PATH…"


class Truth(Protocol):
    """What the index asks the store."""

    def identity(self) -> IndexIdentity | None: ...


def require_embedder(identity: IndexIdentity | None, embedder: str) -> None:
    """Raises IndexMismatch unless the index is empty or was made by this model: other vectors mean nothing to it."""
    if identity is not None and identity.embedder != embedder:
        raise IndexMismatch(
            f"The index was made with the embedding model {identity.embedder!r} ({identity.dimensions} dimensions), "
            f"and {embedder!r} is configured. Set ATTUNE_EMBEDDINGS back, or make the index anew. {REBUILD}"
        )


class VectorIndex:
    """Nearest passages by cosine. Safe to share between threads, and between processes."""

    def __init__(self, store: Truth, embedder: str, *, path: Path | None = None, url: str | None = None) -> None:
        """`embedder` is the name of the model whose vectors come; `path` a folder, or `url` a Chroma server.

        Opens nothing yet: the first call does, or `open`.
        """
        if (path is None) == (url is None):
            raise ValueError("VectorIndex needs either a path or a url")
        self._store = store
        self._embedder = embedder
        self._place: _Folder | _Server = _Server(url) if url else _Folder(cast(Path, path))
        self._lock = threading.Lock()
        self._reader: _Reader | None = None

    def open(self) -> None:
        """Opens the client and loads the vectors' graph now, so that the first search need not."""
        identity = self._identity()
        if identity:
            self.search(np.eye(1, identity.dimensions, dtype=np.float32)[0], 1)

    def close(self) -> None:
        """Lets go of Chroma as soon as nobody searches. The index may be used again."""
        with self._lock:
            self._switch(None)
            self._place.close()

    def exists(self, collection: str) -> bool:
        """Whether the collection is there, as far as can be told without opening anything: a server is believed."""
        return self._place.exists(collection)

    # Reading

    def search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """The passages nearest to a unit vector with their cosines, best first; perhaps also some that are no longer
        alive, which the store leaves out.

        Raises IndexMismatch when another model made the index, IndexUnavailable when Chroma fails.
        """
        try:
            return self._search(vector, limit)
        except _CollectionGone:  # another process replaced it just now: the store names the new one
            return self._search(vector, limit)

    def _search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        identity = self._identity()
        if identity is None:
            return []
        if vector.shape != (identity.dimensions,):
            raise IndexMismatch(
                f"The index holds vectors of {identity.dimensions} dimensions, not {vector.shape}. {REBUILD}"
            )
        with self._reading(identity.collection) as collection:
            found = collection.query(query_embeddings=vector[np.newaxis], n_results=limit, include=["distances"])
        distances = found["distances"] or [[]]
        return [(id, 1.0 - float(distance)) for id, distance in zip(found["ids"][0], distances[0], strict=True)]

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """(n, dimensions), a row for each id; zeros where there is none."""
        identity = self._identity()
        if identity is None:
            return np.zeros((len(ids), 0), np.float32)
        rows: dict[str, Any] = {}
        with self._reading(identity.collection) as collection:
            for some in _batches(list(dict.fromkeys(ids))):
                found = collection.get(ids=some, include=["embeddings"])
                rows.update(zip(found["ids"], _present(found["embeddings"]), strict=True))
        nothing = np.zeros(identity.dimensions, np.float32)
        return np.array([rows.get(id, nothing) for id in ids], np.float32).reshape(len(ids), identity.dimensions)

    def ids(self, collection: str) -> set[str]:
        """Every id that has a vector in this collection. Raises IndexUnavailable when there is no such collection."""
        with self._reading(collection) as opened:
            return set(opened.get(include=[])["ids"])

    # Writing, by one process at a time

    def stage(self, base: str | None, announce: Callable[[str], None]) -> "Staging":
        """Begins a change of the collection `base`, or a new one; see Staging.

        `announce` hears the name of the collection that is written to before anything is.
        """
        name = self._place.next_name(base)
        announce(name)
        with _translated(self._place.name):
            return self._place.stage(base, name)

    def discard(self, collections: Sequence[str], *, current: str) -> None:
        """Deletes collections that the store no longer names, the one named last at the end; unknown ones are ignored.

        Locally this also deletes what runs that were cut off have left, and spares the last until the next time.
        """
        with _translated(self._place.name):
            self._place.discard(collections, current)

    def _identity(self) -> IndexIdentity | None:
        identity = self._store.identity()
        require_embedder(identity, self._embedder)
        return identity

    @contextmanager
    def _reading(self, name: str) -> "Iterator[Collection]":
        with _translated(self._place.name), self._current(name).using() as collection:
            yield collection

    def _current(self, name: str) -> "_Reader":
        reader = self._reader
        if reader is None or reader.name != name:
            with self._lock:
                if self._reader is None or self._reader.name != name:
                    self._switch(_Reader(name, self._place.open(name)))
                reader = cast(_Reader, self._reader)
        return reader

    def _switch(self, reader: "_Reader | None") -> None:
        before, self._reader = self._reader, reader
        if before:
            before.retire()


class Staging:
    """A change under way. Add and remove, then `close`, then let the store name `collection`, then `settle`.

    Where nobody may see the change before (a folder), it is made to a copy; in a server's collection additions are made
    at once, since passages that the store does not know are left out, and removals only by `settle`.
    """

    def __init__(self, collection: str, opened: "_Opened", folder: Path | None) -> None:
        self.collection = collection
        self._opened = opened.collection
        self._release = opened.release
        self._folder = folder
        self._removed: list[str] = []

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Adds unit vectors, (n, dimensions), or replaces those of ids that have one."""
        with _translated(self.collection):
            for start in range(0, len(ids), WRITE_BATCH):
                end = start + WRITE_BATCH
                self._opened.upsert(ids=list(ids[start:end]), embeddings=vectors[start:end])

    def remove(self, ids: Sequence[str]) -> None:
        """Forgets these vectors; unknown ids are ignored."""
        self._removed.extend(ids)
        if self._folder:
            self._remove()

    def close(self) -> None:
        """From here on the change survives this process, and the machine's power."""
        if self._folder:
            self._release()
            _sync(self._folder)

    def settle(self) -> None:
        """After the store named the collection: what had to wait for that."""
        if not self._folder:
            self._remove()
            self._release()

    def abort(self) -> None:
        """Drops the change; what a server's collection was given already, the next run removes."""
        self._release()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _remove(self) -> None:
        removed, self._removed = self._removed, []
        with _translated(self.collection):
            for some in _batches(removed):
                self._opened.delete(ids=some)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A collection, and how to let go of what was opened for it."""

    collection: "Collection"
    release: Callable[[], None]


class _Reader:
    """An open collection; lets go of it when it was retired and nobody uses it any more."""

    def __init__(self, name: str, opened: _Opened) -> None:
        self.name = name
        self._opened = opened
        self._lock = threading.Lock()
        self._users = 0
        self._retired = False

    @contextmanager
    def using(self) -> "Iterator[Collection]":
        with self._lock:
            if self._retired and not self._users:
                raise _CollectionGone(f"The vectors {self.name} were replaced meanwhile. Search again.")
            self._users += 1
        try:
            yield self._opened.collection
        finally:
            self._leave(-1)

    def retire(self) -> None:
        self._retired = True
        self._leave(0)

    def _leave(self, change: int) -> None:
        with self._lock:
            self._users += change
            last = self._retired and not self._users
        if last:
            self._opened.release()


class _Folder:
    """Local collections, each in a folder of its own below `path`, never changed once they are named."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self.name = f"The vectors in {path}"

    def exists(self, collection: str) -> bool:
        return (self._path / collection / "chroma.sqlite3").is_file()

    def open(self, collection: str) -> _Opened:
        if not self.exists(collection):
            raise _CollectionGone(f"{self.name} are missing: there is no {collection}. {REBUILD}")
        client = _persistent(self._path / collection)
        return _Opened(client.get_collection(LOCAL_COLLECTION, embedding_function=None), client.close)

    def close(self) -> None:
        """Nothing is open but what readers have."""

    def next_name(self, _base: str | None) -> str:
        return new_collection()

    def stage(self, base: str | None, name: str) -> Staging:
        folder = self._path / name
        if base is None:
            folder.mkdir(parents=True)
        else:
            shutil.copytree(self._path / base, folder)
        client = _persistent(folder)
        return Staging(name, _Opened(_get_or_create(client, LOCAL_COLLECTION), client.close), folder)

    def discard(self, collections: Sequence[str], current: str) -> None:
        """Removes everything but the current collection and the one before: somebody may be searching that still."""
        kept = {current, *collections[-1:]}
        for folder in self._path.iterdir() if self._path.is_dir() else ():
            if folder.is_dir() and folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)  # what is open and cannot be deleted, a later run deletes


class _Server:
    """Collections in a Chroma server, all reached by one client."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._client: Client | None = None
        self.name = f"The Chroma server at {url}"

    def exists(self, collection: str) -> bool:
        return bool(collection)

    def open(self, collection: str) -> _Opened:
        return _Opened(self._connected().get_collection(collection, embedding_function=None), _nothing)

    def next_name(self, base: str | None) -> str:
        return base or new_collection()

    def stage(self, _base: str | None, name: str) -> Staging:
        return Staging(name, _Opened(_get_or_create(self._connected(), name), _nothing), None)

    def discard(self, collections: Sequence[str], current: str) -> None:
        client = self._connected()
        for name in {found.name for found in client.list_collections()} & set(collections) - {current}:
            client.delete_collection(name)

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client:
            client.close()
            for part in (client, client._admin_client):  # which leaves their connections open
                cast(Any, part)._server._session.close()

    def _connected(self) -> "Client":
        with self._lock:
            if self._client is None:
                self._client = _http(self._url)
            return self._client


def _nothing() -> None:
    """A server's client stays open for the next."""


def _http(url: str) -> "Client":
    import chromadb

    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 8000)
    return cast("Client", chromadb.HttpClient(parts.hostname or "localhost", port, ssl=secure, settings=_settings()))


def _persistent(folder: Path) -> "Client":
    import chromadb

    return cast("Client", chromadb.PersistentClient(str(folder), settings=_settings()))


def _settings() -> Any:
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False)


def _get_or_create(client: "Client", name: str) -> "Collection":
    # Without an embedding function: Chroma's own would download a model.
    return client.get_or_create_collection(name, embedding_function=None, configuration=HNSW)


def _sync(folder: Path) -> None:
    """Waits until the files, and their names, are on the disk."""
    for path in [*folder.rglob("*"), folder, folder.parent]:
        if path.is_file() or os.name == "posix":  # elsewhere a folder cannot be opened
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


class _CollectionGone(IndexUnavailable):
    """The collection that the store named is not there."""


@contextmanager
def _translated(place: str) -> Iterator[None]:
    """Chroma's errors, and those of the connection to its server, as IndexUnavailable."""
    import httpx
    from chromadb.errors import ChromaError, NotFoundError

    try:
        yield
    except NotFoundError as error:
        raise _CollectionGone(f"{place} lack the collection that the index needs. {REBUILD}") from error
    except (ChromaError, httpx.HTTPError, ValueError, OSError) as error:
        raise IndexUnavailable(
            f"{place} cannot be used: {str(error)[:300] or type(error).__name__}. "
            f"Check that it is there and may be written; if it is damaged, make it anew. {REBUILD}"
        ) from error


def _batches(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), WRITE_BATCH):
        yield list(ids[start : start + WRITE_BATCH])


def _present(embeddings: Any) -> Any:
    """Chroma answers None or an array, which has no truth value."""
    return [] if embeddings is None else embeddings
