"""Documents in: files are found, read and split; what changed is embedded and stored, what is gone is dropped.

A document is unchanged when its bytes are, and the code that reads and splits them. pipeline.py says how the rest is
written, and why a run may be cut off anywhere.
"""

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from knowledge_base import chunk, files, loaders
from knowledge_base.disk import writing_to
from knowledge_base.embeddings import Embedder
from knowledge_base.errors import DocumentRejected
from knowledge_base.files import Failure, Scan, SourceFile
from knowledge_base.index import VectorIndex
from knowledge_base.lock import only_one
from knowledge_base.passage import Document
from knowledge_base.pipeline import Pipeline, Prepared
from knowledge_base.store import Origin, Store, StoredDocument

# The modules that decide what becomes of a file's bytes. When one changes, documents are read and split again; only the
# passages whose text came out differently are embedded again.
_DECIDING = (
    "chunk",
    "decoding",
    "docx_file",
    "front_matter",
    "lexical",
    "loaders",
    "markup",
    "outline",
    "passage",
    "pdf",
    "pdf_headings",
    "pdf_lines",
    "pdf_tables",
    "plain_text",
    "web_page",
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingest is: files of `total` that are done, and passages embedded so far."""

    files: int
    total: int
    embedded: int


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did, in documents. `passages` are alive afterwards, `embedded` texts were embedded in this run."""

    added: int
    updated: int
    unchanged: int
    removed: int
    failed: tuple[Failure, ...]
    passages: int
    embedded: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Only what JSON knows."""
        return {
            **asdict(self),
            "failed": [asdict(failure) for failure in self.failed],
            "seconds": round(self.seconds, 3),
        }


def ingest(
    paths: Sequence[Path | str],
    *,
    store: Store,
    index: VectorIndex,
    embedder: Embedder,
    progress: Callable[[Progress], None] | None = None,
    prune: bool = True,
    only: bool = False,
    rebuild: bool = False,
    max_bytes: int = loaders.MAX_BYTES,
    wait: float = 30,
) -> IngestReport:
    """Brings the knowledge base in step with these files and folders.

    With `prune`, documents from below the given paths whose files are gone are dropped; those from elsewhere stay,
    unless `only` what these paths hold shall be known. A file that can no longer be read keeps its last version.
    `rebuild` makes everything anew, also what came from elsewhere, beside what is searched meanwhile, and swaps
    at the end. `wait` is how many seconds another ingest may take to finish.

    Raises IngestRunning, IndexMismatch (unless rebuilding), IndexUnavailable and EmbeddingsUnavailable.
    """
    started = time.perf_counter()
    with writing_to(store.path.parent), only_one(store.path, wait):
        found = files.scan(paths)
        run = _Run(store, index, embedder, progress, total=len(found.files), rebuild=rebuild)
        gone = [
            id
            for id, origin in run.origins.items()
            if origin.path and ((prune and found.is_gone(origin.path)) or (only and found.is_elsewhere(origin.path)))
        ]
        run.failed.extend([*found.failures, *_unknown(found, run.origins)])
        run.write(run.from_files(found.files, max_bytes), gone)
        return run.report(started)


def index_documents(
    documents: Iterable[Document],
    *,
    store: Store,
    index: VectorIndex,
    embedder: Embedder,
    progress: Callable[[Progress], None] | None = None,
    wait: float = 30,
) -> IngestReport:
    """Adds or updates documents that come from no file; removes none. Raises as `ingest` does."""
    started = time.perf_counter()
    with writing_to(store.path.parent), only_one(store.path, wait):
        given = list(documents)
        run = _Run(store, index, embedder, progress, total=len(given), rebuild=False)
        run.write(run.from_documents(given), [])
        return run.report(started)


class _Run:
    """One ingest: prepares documents, counts what becomes of them."""

    def __init__(
        self,
        store: Store,
        index: VectorIndex,
        embedder: Embedder,
        progress: Callable[[Progress], None] | None,
        *,
        total: int,
        rebuild: bool,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._progress = progress or (lambda _: None)
        self._total = total
        self._rebuild = rebuild
        self._pipeline = Pipeline(store, index, embedder, self._advanced, rebuild=rebuild)
        self._position = 0
        self.origins = store.origins()
        self._ids = _Identities(self.origins)
        self._added, self._updated, self._unchanged, self._removed = 0, 0, 0, 0
        self._moved: dict[str, Origin] = {}
        self.failed: list[Failure] = []

    def write(self, prepared: Iterator[Prepared], gone: Sequence[str]) -> None:
        self._removed = len(gone)
        self._pipeline.run(self._and_the_rest(prepared, set(gone)) if self._rebuild else prepared, gone)
        self._store.move(self._moved)
        self._advanced(self._total, self._pipeline.embedded)

    def report(self, started: float) -> IngestReport:
        return IngestReport(
            self._added,
            self._updated,
            self._unchanged,
            self._removed,
            tuple(self.failed),
            self._store.counts().passages,
            self._pipeline.embedded,
            time.perf_counter() - started,
        )

    def from_files(self, found: Iterable[SourceFile], max_bytes: int) -> Iterator[Prepared]:
        """What must be written, file by file. What goes wrong with one file is noted and stops no other."""
        for file in found:
            self._position += 1
            try:
                prepared = self._from_file(file, max_bytes)
            except DocumentRejected as error:
                self.failed.append(Failure(file.path, self._reason(str(error), file)))
            except Exception as error:  # noqa: BLE001 - whatever one file provokes, the others are read
                _log.exception("Reading %s failed", file.path)
                self.failed.append(Failure(file.path, self._reason(f"cannot be read: {error!r:.200}", file)))
            else:
                if prepared:
                    yield prepared

    def from_documents(self, documents: Iterable[Document]) -> Iterator[Prepared]:
        """What must be written of documents that are given whole."""
        for document in documents:
            self._position += 1
            try:
                prepared = self._from_document(document)
            except DocumentRejected as error:
                self.failed.append(Failure(document.id, str(error)))
            else:
                if prepared:
                    yield prepared

    def _from_document(self, document: Document) -> Prepared | None:
        version = _version(repr(astuple(document)), self._embedder.name)
        return self._prepared(document.id, Origin(version), lambda: document)

    def _from_file(self, file: SourceFile, max_bytes: int) -> Prepared | None:
        data = files.read(file.path, max_bytes)
        id, place, origin = self._ids.of(file, hashlib.sha256(data).hexdigest(), self._embedder.name)
        return self._prepared(id, origin, lambda: loaders.load(data, place, id=id, source=str(place)))

    def _prepared(self, id: str, origin: Origin, load: Callable[[], Document]) -> Prepared | None:
        """The document to write, None when it is stored as it is. Counts it as one of the two."""
        before = self.origins.get(id)
        unchanged = before is not None and before.version == origin.version
        if unchanged and not self._rebuild:
            self._unchanged += 1
            if before != origin:
                self._moved[id] = origin
            return None
        prepared = self._split(load(), origin)
        if unchanged:
            self._unchanged += 1
        elif before:
            self._updated += 1
        else:
            self._added += 1
        return prepared

    def _split(self, document: Document, origin: Origin) -> Prepared:
        passages = chunk.split(document, self._embedder)
        if not passages:
            raise DocumentRejected("holds no text, only headings")
        texts = {passage.id: chunk.embedded_text(passage) for passage in passages}
        digests = {id: _digest(text) for id, text in texts.items()}
        present = {} if self._rebuild else self._store.embedded([document.id])
        stored = StoredDocument(document, origin, tuple(passages), tuple(digests.values()))
        missing = {id: text for id, text in texts.items() if present.get(id) != digests[id]}
        return Prepared(stored, missing, self._position)

    def _and_the_rest(self, prepared: Iterator[Prepared], gone: set[str]) -> Iterator[Prepared]:
        """A rebuild also makes anew what came from elsewhere, and what cannot be read now, from the stored text."""
        done: set[str] = set()
        for item in prepared:
            done.add(item.stored.document.id)
            yield item
        for id, origin in self.origins.items():
            document = self._store.document(id) if id not in done | gone else None
            try:
                if document:
                    yield self._split(document, origin)
            except DocumentRejected as error:
                self.failed.append(Failure(id, str(error)))

    def _reason(self, reason: str, file: SourceFile) -> str:
        """The reason, and what became of the version that was read before."""
        known = self._ids.known(file.path)
        return f"{reason} (what was read from it before stays)" if known else reason

    def _advanced(self, position: int, embedded: int) -> None:
        self._progress(Progress(position, self._total, embedded))


class _Identities:
    """Gives every file the id of its document: the ingested folder's name and the path below it.

    A file keeps the id it once got, however its path is spelled or from which folder it is reached. When the name is
    taken, a file that is gone has moved here; one that is still there keeps it, and the newcomer's gets a mark.
    """

    def __init__(self, origins: dict[str, Origin]) -> None:
        self._by_id = {id: origin.path for id, origin in origins.items()}
        self._by_path = {origin.path: (id, origin) for id, origin in origins.items() if origin.path}

    def known(self, path: str) -> bool:
        return path in self._by_path

    def of(self, file: SourceFile, content_hash: str, embedder: str) -> tuple[str, PurePosixPath, Origin]:
        """Id, place and origin of a file with this content."""
        known = self._by_path.get(file.path)
        root = known[1].root if known and known[1].root else file.root
        place = files.place_of(file.path, root)
        version = _version(content_hash, str(place), embedder)
        id = known[0] if known else self._new(str(place), file)
        return id, place, Origin(version, root, file.path)

    def _new(self, name: str, file: SourceFile) -> str:
        if name in self._by_id:
            holder = self._by_id[name]
            if holder is None or os.path.exists(holder):
                folder, _, rest = name.partition("/")
                name = f"{folder}~{_digest(file.root)[:6]}/{rest}"
        self._by_id[name] = file.path
        return name


def _unknown(found: Scan, origins: dict[str, Origin]) -> Iterator[Failure]:
    """Paths that do not exist and from which nothing was ever read: probably misspelled."""
    for given, resolved in found.missing:
        if not any(origin.path and files.is_below(origin.path, resolved) for origin in origins.values()):
            yield Failure(given, "does not exist")


def _version(*parts: str) -> str:
    return _digest("\0".join((*parts, _code())))


@cache
def _code() -> str:
    """A digest of the code that decides what becomes of a file's bytes."""
    folder = Path(__file__).parent
    return hashlib.sha256(b"\0".join((folder / f"{name}.py").read_bytes() for name in _DECIDING)).hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
