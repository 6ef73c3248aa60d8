"""The SQLite file that says which documents and passages are alive.

Vectors live in another store (index.py) that shares no transaction with this one. So this file decides: a passage
exists when it is here, whatever vectors may be found. Its words (lexical.py) change in the passage's transaction.
"""

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from knowledge_base import lexical
from knowledge_base.errors import IndexMismatch
from knowledge_base.passage import Document, Passage
from knowledge_base.write_ahead import write_ahead

SCHEMA_VERSION = 1
BUSY_TIMEOUT = 10_000  # milliseconds that a statement waits for another process's transaction
IDS_PER_QUERY = 500  # stays under the 999 variables that old SQLite builds allow

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    source TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    url TEXT,
    topic TEXT,
    category TEXT,
    tags TEXT NOT NULL,
    level TEXT,
    updated TEXT,
    version TEXT NOT NULL,
    root TEXT,
    path TEXT UNIQUE
);
CREATE TABLE IF NOT EXISTS passages (
    id TEXT PRIMARY KEY,
    document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    title TEXT NOT NULL,
    heading_path TEXT NOT NULL,
    text TEXT NOT NULL,
    url TEXT,
    topic TEXT,
    category TEXT,
    tags TEXT NOT NULL,
    level TEXT,
    updated TEXT,
    embedded TEXT NOT NULL,
    UNIQUE (document_id, ordinal)
);
"""

_DOCUMENT = "id, title, text, source, content_hash, url, topic, category, tags, level, updated"
_PASSAGE = "id, document_id, ordinal, title, heading_path, text, url, topic, category, tags, level, updated"
_INSERT_DOCUMENT = f"INSERT INTO documents ({_DOCUMENT}, version, root, path) VALUES ({', '.join('?' * 14)})"  # noqa: S608
_INSERT_PASSAGE = f"INSERT INTO passages ({_PASSAGE}, embedded) VALUES ({', '.join('?' * 13)})"  # noqa: S608


@dataclass(frozen=True, slots=True)
class IndexIdentity:
    """Which embedding model made the vectors, of what size, and the name of the collection that holds them."""

    embedder: str
    dimensions: int
    collection: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a stored document came from. `root` is the folder that was ingested and `path` the file, both absolute with
    links resolved; None for a document that came from no file. `version` changes with the content and with the code
    that reads and splits it."""

    version: str
    root: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document ready to be kept: `embedded` holds, passage by passage, a digest of the text that was embedded."""

    document: Document
    origin: Origin
    passages: tuple[Passage, ...]
    embedded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    documents: int
    passages: int


@dataclass(frozen=True, slots=True)
class TopicCount:
    topic: str
    documents: int


@dataclass(frozen=True, slots=True)
class Outline:
    """What a document is about, for a table of contents: headings in reading order, each once."""

    document_id: str
    title: str
    topic: str | None
    headings: tuple[str, ...]


class Store:
    """Reads from any thread, on connections of their own; writes one at a time. Readers never wait for a writer."""

    def __init__(self, path: Path | str) -> None:
        """Opens the file, making it (and its folder) where it is missing.

        Raises IndexMismatch when a newer version of Attune wrote it.
        """
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._idle: list[sqlite3.Connection] = []
        self._idle_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._closed = False
        self._writer = self._connect()
        self._create()

    def close(self) -> None:
        """Closes every connection; reads that are under way finish first on theirs."""
        with self._idle_lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in (*idle, self._writer):
            connection.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Reading

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for this thread alone, until the block ends. For lexical.search and queries of your own."""
        with self._idle_lock:
            connection = self._idle.pop() if self._idle else None
        connection = connection or self._connect()
        try:
            yield connection
        finally:
            with self._idle_lock:
                keep = not self._closed
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def identity(self) -> IndexIdentity | None:
        """None until something was ingested."""
        meta = self._meta("embedder", "dimensions", "collection")
        if len(meta) < 3:
            return None
        return IndexIdentity(meta["embedder"], int(meta["dimensions"]), meta["collection"])

    def stamp(self) -> str:
        """Changes with every write, whichever process did it."""
        return self._meta("stamp").get("stamp", "")

    def counts(self) -> Counts:
        with self.reading() as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM passages)"
            ).fetchone()
        return Counts(*row)

    def passages(self, ids: Sequence[str]) -> dict[str, Passage]:
        """The passages that are alive, by id, in the order asked for; ids that are not are left out."""
        found: dict[str, Passage] = {}
        with self.reading() as connection:
            for start in range(0, len(ids), IDS_PER_QUERY):
                some = ids[start : start + IDS_PER_QUERY]
                marks = ", ".join("?" * len(some))
                rows = connection.execute(f"SELECT {_PASSAGE} FROM passages WHERE id IN ({marks})", some)  # noqa: S608
                found.update((row[0], _passage(row)) for row in rows)
        return {id: found[id] for id in ids if id in found}

    def document(self, id: str) -> Document | None:
        with self.reading() as connection:
            row = connection.execute(f"SELECT {_DOCUMENT} FROM documents WHERE id = ?", (id,)).fetchone()  # noqa: S608
        return _document(row) if row else None

    def documents(self) -> list[Document]:
        """Every document, ordered by id."""
        with self.reading() as connection:
            return [_document(row) for row in connection.execute(f"SELECT {_DOCUMENT} FROM documents ORDER BY id")]  # noqa: S608

    def document_passages(self, document_id: str, *, first: int = 0, last: int | None = None) -> list[Passage]:
        """The document's passages in reading order; `first` and `last` (inclusive) are ordinals."""
        query = f"SELECT {_PASSAGE} FROM passages WHERE document_id = ? AND ordinal BETWEEN ? AND ? ORDER BY ordinal"  # noqa: S608
        with self.reading() as connection:
            rows = connection.execute(query, (document_id, first, 2**62 if last is None else last)).fetchall()
        return [_passage(row) for row in rows]

    def topics(self) -> list[TopicCount]:
        """The topics that documents have, the commonest first."""
        query = (
            "SELECT topic, count(*) FROM documents WHERE topic IS NOT NULL GROUP BY topic ORDER BY count(*) DESC, topic"
        )
        with self.reading() as connection:
            return [TopicCount(topic, count) for topic, count in connection.execute(query)]

    def outlines(self) -> list[Outline]:
        """Every document's title, topic and headings, ordered by id."""
        query = (
            "SELECT d.id, d.title, d.topic, p.heading_path FROM documents d"
            " JOIN passages p ON p.document_id = d.id ORDER BY d.id, p.ordinal"
        )
        about: dict[str, tuple[str, str | None]] = {}
        headings: dict[str, dict[str, None]] = {}
        with self.reading() as connection:
            for id, title, topic, path in connection.execute(query):
                about[id] = (title, topic)
                headings.setdefault(id, {}).update(dict.fromkeys(json.loads(path)))
        return [Outline(id, *about[id], tuple(headings[id])) for id in about]

    def passage_ids(self) -> set[str]:
        with self.reading() as connection:
            return {id for (id,) in connection.execute("SELECT id FROM passages")}

    def embedded(self, document_ids: Sequence[str]) -> dict[str, str]:
        """The digests of what was embedded for these documents' passages, by passage id."""
        with self.reading() as connection:
            return {
                id: digest
                for document_id in document_ids
                for id, digest in connection.execute(
                    "SELECT id, embedded FROM passages WHERE document_id = ?", (document_id,)
                )
            }

    def origins(self) -> dict[str, Origin]:
        """Where every document came from, by id."""
        with self.reading() as connection:
            rows = connection.execute("SELECT id, version, root, path FROM documents").fetchall()
        return {id: Origin(version, root, path) for id, version, root, path in rows}

    def stored(self, document_id: str) -> StoredDocument | None:
        """A document with all that is kept about it."""
        document = self.document(document_id)
        with self.reading() as connection:
            query = "SELECT version, root, path FROM documents WHERE id = ?"
            origin = connection.execute(query, (document_id,)).fetchone()
            query = "SELECT embedded FROM passages WHERE document_id = ? ORDER BY ordinal"
            embedded = tuple(digest for (digest,) in connection.execute(query, (document_id,)))
        if document is None or origin is None:
            return None
        return StoredDocument(document, Origin(*origin), tuple(self.document_passages(document_id)), embedded)

    def is_unfinished(self) -> bool:
        """Whether an ingest began to write and never said that it was done: vectors may be missing or left over."""
        return "unfinished" in self._meta("unfinished")

    def abandoned(self) -> list[str]:
        """Collections of vectors that nothing refers to: of a rebuild that was cut off, or from before one."""
        names: list[str] = json.loads(self._meta("abandoned").get("abandoned", "[]"))
        return names

    # Writing

    def begin(self, collection: str) -> None:
        """Notes, before vectors change, that an ingest is under way, and which collection it writes to: until a change
        names that collection, it is worth nothing."""
        names = list(dict.fromkeys([*self.abandoned(), collection]))
        with self._writing() as connection:
            _set_meta(connection, unfinished="1", abandoned=json.dumps(names))

    def apply(
        self, documents: Sequence[StoredDocument], removed: Sequence[str] = (), *, identity: IndexIdentity
    ) -> None:
        """Replaces or adds these documents, drops the removed ones, and says where the vectors are: all at once."""
        with self._writing() as connection:
            _delete(connection, [*(stored.document.id for stored in documents), *removed])
            for stored in documents:
                _insert(connection, stored)
            _name(connection, identity, self.identity(), self.abandoned())

    def replace_all(self, documents: Sequence[StoredDocument], *, identity: IndexIdentity) -> None:
        """Puts these documents, and the vectors of another collection, in the place of everything, at once."""
        with self._writing() as connection:
            _delete(connection, [id for (id,) in connection.execute("SELECT id FROM documents")])
            for stored in documents:
                _insert(connection, stored)
            _name(connection, identity, self.identity(), self.abandoned())

    def finish(self) -> None:
        """Notes that vectors and passages agree, and that abandoned collections are gone."""
        with self._writing() as connection:
            connection.execute("DELETE FROM meta WHERE key IN ('unfinished', 'abandoned')")

    def move(self, origins: Mapping[str, Origin]) -> None:
        """Notes that unchanged documents, by id, now lie elsewhere."""
        if not origins:
            return
        rows = [(origin.version, origin.root, origin.path, id) for id, origin in origins.items()]
        with self._writing() as connection:
            connection.executemany("UPDATE documents SET version = ?, root = ?, path = ? WHERE id = ?", rows)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of the block or nothing."""
        with self._write_lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                _set_meta(self._writer, stamp=uuid.uuid4().hex)
                self._writer.execute("COMMIT")
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise

    def _connect(self) -> sqlite3.Connection:
        # A connection serves one thread at a time, but not always the same one.
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
        write_ahead(connection)
        connection.execute(
            "PRAGMA synchronous = FULL"
        )  # a commit that was acted upon in the vectors survives a power cut
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _create(self) -> None:
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            self._writer.close()
            raise IndexMismatch(
                f"{self.path} has format {version}, and this version of Attune reads up to {SCHEMA_VERSION}. "
                "Update Attune, or choose another ATTUNE_DATA_DIR."
            )
        if version == SCHEMA_VERSION:
            return
        with self._writing() as connection:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
            lexical.create(connection)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _meta(self, *keys: str) -> dict[str, str]:
        marks = ", ".join("?" * len(keys))
        with self.reading() as connection:
            return dict(connection.execute(f"SELECT key, value FROM meta WHERE key IN ({marks})", keys))  # noqa: S608


def new_collection() -> str:
    """A name for a collection that no other knowledge base on the same Chroma server has."""
    return f"attune-{uuid.uuid4().hex[:16]}"


def _set_meta(connection: sqlite3.Connection, **values: str) -> None:
    connection.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", list(values.items()))


def _name(
    connection: sqlite3.Connection, identity: IndexIdentity, before: IndexIdentity | None, abandoned: Sequence[str]
) -> None:
    """Notes whose vectors count from now on; the collection that they replace is the last of the abandoned ones."""
    names = [name for name in abandoned if name != identity.collection]
    if before and before.collection != identity.collection:
        names = [*(name for name in names if name != before.collection), before.collection]
    _set_meta(
        connection,
        embedder=identity.embedder,
        dimensions=str(identity.dimensions),
        collection=identity.collection,
        abandoned=json.dumps(names),
    )


def _delete(connection: sqlite3.Connection, document_ids: Iterable[str]) -> None:
    for document_id in document_ids:
        rows = connection.execute("SELECT id FROM passages WHERE document_id = ?", (document_id,))
        passage_ids = [id for (id,) in rows]
        lexical.remove(connection, passage_ids)
        connection.execute("DELETE FROM documents WHERE id = ?", (document_id,))


def _insert(connection: sqlite3.Connection, stored: StoredDocument) -> None:
    origin = stored.origin
    connection.execute(_INSERT_DOCUMENT, (*_document_row(stored.document), origin.version, origin.root, origin.path))
    pairs = zip(stored.passages, stored.embedded, strict=True)
    connection.executemany(_INSERT_PASSAGE, [(*_passage_row(passage), digest) for passage, digest in pairs])
    lexical.add(connection, stored.passages)


def _document_row(document: Document) -> tuple[str | None, ...]:
    return (
        document.id,
        document.title,
        document.text,
        document.source,
        document.content_hash,
        document.url,
        *_facets(document),
    )


def _passage_row(passage: Passage) -> tuple[str | int | None, ...]:
    return (
        passage.id,
        passage.document_id,
        passage.ordinal,
        passage.title,
        json.dumps(passage.heading_path, ensure_ascii=False),
        passage.text,
        passage.url,
        *_facets(passage),
    )


def _facets(value: Document | Passage) -> tuple[str | None, ...]:
    updated = value.updated.isoformat() if value.updated else None
    return value.topic, value.category, json.dumps(value.tags, ensure_ascii=False), value.level, updated


def _document(row: Sequence[str]) -> Document:
    id, title, text, source, content_hash, url, topic, category, tags, level, updated = row
    when = date.fromisoformat(updated) if updated else None
    return Document(id, title, text, source, content_hash, url, topic, category, tuple(json.loads(tags)), level, when)


def _passage(row: Sequence[str]) -> Passage:
    id, document_id, ordinal, title, path, text, url, topic, category, tags, level, updated = row
    return Passage(
        id,
        document_id,
        int(ordinal),
        title,
        tuple(json.loads(path)),
        text,
        url,
        topic,
        category,
        tuple(json.loads(tags)) if tags != "[]" else (),
        level,
        date.fromisoformat(updated) if updated else None,
    )
