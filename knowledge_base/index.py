"""Vectors by passage id, in Chroma: a folder of this machine by default, a server when a URL is given.

The only module that knows Chroma. It keeps our own vectors and nothing else; which passages are alive, who made the
vectors and which collection holds them is written in the store (store.py), which every call asks.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from knowledge_base.errors import IndexMismatch, IndexUnavailable
from knowledge_base.store import IndexIdentity

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.collection_configuration import CreateCollectionConfiguration
    from chromadb.api.models.Collection import Collection

Vectors = NDArray[np.float32]

# Malkov & Yashunin 2018 (arXiv:1603.09320). Chroma's graph, searched twice as widely as by default: of the true nearest
# 50 among 20,000 real sentences 99.95 % are found (99.6 % by default), for 1.3 instead of 1 ms.
HNSW: "CreateCollectionConfiguration" = {"hnsw": {"space": "cosine", "ef_search": 200}}
WRITE_BATCH = 2_000  # Chroma refuses more than about 5,400 at once
REBUILD = "Run: python -m ui ingest --rebuild PATH…"


class Truth(Protocol):
    """What the index asks the store."""

    def identity(self) -> IndexIdentity | None: ...

    def foreign_stamp(self) -> str: ...


def require_embedder(identity: IndexIdentity | None, embedder: str) -> None:
    """Raises IndexMismatch unless the index is empty or was made by this model: other vectors mean nothing to it."""
    if identity is not None and identity.embedder != embedder:
        raise IndexMismatch(
            f"The index was made with the embedding model {identity.embedder!r} ({identity.dimensions} dimensions), "
            f"and {embedder!r} is configured. Set ATTUNE_EMBEDDINGS back, or make the index anew. {REBUILD}"
        )


class _CollectionGone(IndexUnavailable):
    """The collection that the store names is not there."""


class VectorIndex:
    """Nearest passages by cosine. Safe to share between threads; one object for each knowledge base and process.

    Chroma's local client does not notice what another process writes. The store's foreign stamp tells when one did,
    and then the client is opened again, which takes about as long as starting it.
    """

    def __init__(self, store: Truth, embedder: str, *, path: Path | None = None, url: str | None = None) -> None:
        """`embedder` is the name of the model whose vectors come; `path` a folder, or `url` a Chroma server.

        Opens nothing yet: the first call does, or `open`.
        """
        if (path is None) == (url is None):
            raise ValueError("VectorIndex needs either a path or a url")
        self._store = store
        self._embedder = embedder
        self._path = path
        self._url = url
        self._gate = _Gate()
        self._opening = threading.Lock()
        self._client: Client | None = None
        self._collections: dict[str, Collection] = {}
        self._stamp = ""

    def open(self) -> None:
        """Opens the client and loads the vectors' graph now, so that the first search need not."""
        identity = self._identity()
        if identity:
            self.search(np.eye(1, identity.dimensions, dtype=np.float32)[0], 1)

    def close(self) -> None:
        with self._gate.alone():
            self._drop_client()

    def exists(self) -> bool:
        """Whether anything was ever written here, told without opening it; a server is believed to have everything."""
        return self._path is None or (self._path / "chroma.sqlite3").is_file()

    # Reading

    def search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """The passages nearest to a unit vector with their cosines, best first; also some that are no longer alive,
        which the store leaves out.

        Raises IndexMismatch when another model made the index, IndexUnavailable when Chroma fails.
        """
        try:
            return self._search(vector, limit)
        except _CollectionGone:  # a rebuild elsewhere ended just now: the store names another collection
            return self._search(vector, limit)

    def _search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        identity = self._identity()
        if identity is None:
            return []
        if vector.shape != (identity.dimensions,):
            raise IndexMismatch(
                f"The index holds vectors of {identity.dimensions} dimensions, not {vector.shape}. {REBUILD}"
            )
        with self._collection(identity.collection) as collection:
            found = collection.query(query_embeddings=vector[np.newaxis], n_results=limit, include=["distances"])
        distances = found["distances"] or [[]]
        return [(id, 1.0 - float(distance)) for id, distance in zip(found["ids"][0], distances[0], strict=True)]

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """(n, dimensions), a row for each id; zeros where there is none."""
        identity = self._identity()
        if identity is None:
            return np.zeros((len(ids), 0), np.float32)
        rows: dict[str, Any] = {}
        with self._collection(identity.collection) as collection:
            for some in _batches(list(dict.fromkeys(ids))):
                found = collection.get(ids=some, include=["embeddings"])
                rows.update(zip(found["ids"], _present(found["embeddings"]), strict=True))
        nothing = np.zeros(identity.dimensions, np.float32)
        return np.array([rows.get(id, nothing) for id in ids], np.float32).reshape(len(ids), identity.dimensions)

    def ids(self, collection: str) -> set[str]:
        """Every id that has a vector in this collection."""
        with self._collection(collection, create=True) as opened:
            return set(opened.get(include=[])["ids"])

    # Writing: by name of the collection, since a rebuild fills a new one beside the one that is searched

    def add(self, collection: str, ids: Sequence[str], vectors: Vectors) -> None:
        """Adds unit vectors, (n, dimensions), or replaces those of ids that have one."""
        with self._collection(collection, create=True) as opened:
            for start in range(0, len(ids), WRITE_BATCH):
                end = start + WRITE_BATCH
                opened.upsert(ids=list(ids[start:end]), embeddings=vectors[start:end])

    def remove(self, collection: str, ids: Sequence[str]) -> None:
        """Forgets these vectors; unknown ids are ignored."""
        with self._collection(collection, create=True) as opened:
            for some in _batches(ids):
                opened.delete(ids=some)

    def drop(self, collections: Sequence[str]) -> None:
        """Deletes whole collections; unknown names are ignored."""
        with self._gate.alone(), _translated(self._place):
            client = self._opened()
            for name in {found.name for found in client.list_collections()} & set(collections):
                client.delete_collection(name)
                self._collections.pop(name, None)

    def _identity(self) -> IndexIdentity | None:
        identity = self._store.identity()
        require_embedder(identity, self._embedder)
        return identity

    @contextmanager
    def _collection(self, name: str, *, create: bool = False) -> "Iterator[Collection]":
        self._refresh()
        with self._gate.together(), _translated(self._place):
            yield self._collections.get(name) or self._find(name, create=create)

    def _find(self, name: str, *, create: bool) -> "Collection":
        client = self._opened()
        if create:  # without an embedding function: Chroma's own would download a model
            collection = client.get_or_create_collection(name, embedding_function=None, configuration=HNSW)
        else:
            collection = client.get_collection(name, embedding_function=None)
        self._collections[name] = collection
        return collection

    def _refresh(self) -> None:
        """Lets go of a local client when another process wrote since it was opened."""
        if self._url or self._store.foreign_stamp() == self._stamp:
            return
        with self._gate.alone():
            self._drop_client()
            self._stamp = self._store.foreign_stamp()

    def _opened(self) -> "Client":
        """The client; several threads may come here at once."""
        with self._opening:
            if self._client is None:
                self._client = _connect(self._path, self._url)
            return self._client

    def _drop_client(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None
        self._collections = {}

    @property
    def _place(self) -> str:
        return f"the Chroma server at {self._url}" if self._url else f"the Chroma folder {self._path}"


def _connect(path: Path | None, url: str | None) -> "Client":
    import chromadb
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False)
    if url is None:
        return cast("Client", chromadb.PersistentClient(str(path), settings=settings))
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 8000)
    return cast("Client", chromadb.HttpClient(parts.hostname or "localhost", port, ssl=secure, settings=settings))


@contextmanager
def _translated(place: str) -> Iterator[None]:
    """Chroma's errors, and those of the connection to its server, as IndexUnavailable."""
    import httpx
    from chromadb.errors import ChromaError, NotFoundError

    try:
        yield
    except NotFoundError as error:
        raise _CollectionGone(f"{place.capitalize()} lacks the vectors that the index needs. {REBUILD}") from error
    except (ChromaError, httpx.HTTPError, ValueError, OSError) as error:
        raise IndexUnavailable(
            f"Cannot use {place}: {str(error)[:300] or type(error).__name__}. "
            f"Check that it is there and may be written; if it is damaged, delete it. {REBUILD}"
        ) from error


def _batches(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), WRITE_BATCH):
        yield list(ids[start : start + WRITE_BATCH])


def _present(embeddings: Any) -> Any:
    """Chroma answers None or an array, which has no truth value."""
    return [] if embeddings is None else embeddings


class _Gate:
    """Many together, or one alone. One who waits to be alone lets nobody new in."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextmanager
    def together(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._closed = True
            self._changed.wait_for(lambda: self._inside == 0)
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()
