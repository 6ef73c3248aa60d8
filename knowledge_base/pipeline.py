"""From split documents to stored ones: embed, write, clean up. Three stages work side by side: whoever prepares the
documents runs ahead in a thread, this one embeds on all cores, and a third writes.

Order of writing, so that a run may be cut off anywhere: note that vectors are about to change; add the vectors of new
passages; swap documents, passages and words in one SQLite transaction; remove the vectors of what is gone; note that
all is done. A run that finds the first note without the last mends: vectors that no passage refers to are removed, and
passages without a vector are embedded.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from knowledge_base import chunk
from knowledge_base.background import ahead
from knowledge_base.embeddings import Embedder
from knowledge_base.index import VectorIndex, require_embedder
from knowledge_base.store import IndexIdentity, Store, StoredDocument, new_collection

Vectors = NDArray[np.float32]

BATCH_TEXTS = 256  # embedded and written together, over as many documents as it takes
BATCH_DOCUMENTS = 500  # that many at most, when most of their passages have vectors already
SLICE_TEXTS = 64  # embedded between two reports of progress
WRITES_AHEAD = 3  # batches that may wait to be written
REMEMBERED_VECTORS = 16_384  # of this run, for texts that come again: about 25 MB at 384 dimensions


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document ready to be stored, and the texts of those passages that have no vector yet, by passage id.

    `position` counts the files that were done when this one was, for the progress bar.
    """

    stored: StoredDocument
    texts: dict[str, str]
    position: int


class Pipeline:
    """Writes prepared documents to a store and its index. One run uses it once, while it holds the lock."""

    def __init__(
        self,
        store: Store,
        index: VectorIndex,
        embedder: Embedder,
        advanced: Callable[[int, int], None],
        *,
        rebuild: bool,
    ) -> None:
        """`advanced` hears the position of the last document written and how many texts were embedded so far.

        Raises IndexMismatch unless this embedder made the index, or everything is rebuilt.
        """
        self._store = store
        self._index = index
        self._embedder = embedder
        self._advanced = advanced
        self._rebuild = rebuild
        self._known: LRUCache[str, Vectors] = LRUCache(REMEMBERED_VECTORS)
        self._identity = store.identity()
        self._began = False
        self._rebuilt: list[StoredDocument] = []
        self._position = 0
        self.embedded = 0
        if not rebuild:
            require_embedder(self._identity, embedder.name)

    def run(self, prepared: Iterator[Prepared], removed: Sequence[str]) -> None:
        """Stores what comes and drops the `removed` documents. On return vectors and passages agree.

        An interrupt leaves whole documents only, each as it was or as it is now.
        """
        if not self._rebuild:
            self._mend()
        with ahead(_batches(prepared), 2) as batches, self._writer() as write:
            for batch in batches:
                vectors = self._vectors(batch)
                write(batch, vectors)
                self._position = batch[-1].position
                self._advanced(self._position, self.embedded)
        if self._rebuild:
            self._swap()
        elif removed:
            self._begin()
            self._forget(self._store.apply([], removed))
        self._finish()

    @contextmanager
    def _writer(self) -> Iterator[Callable[[list[Prepared], dict[str, Vectors]], None]]:
        """Hands batches to a thread that writes them in order, and waits at the end until all are written."""
        pending: deque[Future[None]] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="write") as thread:

            def write(batch: list[Prepared], vectors: dict[str, Vectors]) -> None:
                pending.append(thread.submit(self._write, batch, vectors))
                while len(pending) > WRITES_AHEAD:
                    pending.popleft().result()

            try:
                yield write
                while pending:
                    pending.popleft().result()
            finally:
                for waiting in pending:  # after an error the batches behind it are not written
                    waiting.cancel()

    def _vectors(self, batch: list[Prepared]) -> dict[str, Vectors]:
        """A vector for each passage of the batch that needs one; equal texts are embedded once."""
        texts = {id: text for item in batch for id, text in item.texts.items()}
        new = [text for text in dict.fromkeys(texts.values()) if text not in self._known]
        fresh = dict(zip(new, self._embed(new), strict=True))
        vectors = {id: fresh[text] if text in fresh else self._known[text] for id, text in texts.items()}
        self._known.update(fresh)
        return vectors

    def _embed(self, texts: list[str]) -> Iterator[Vectors]:
        for start in range(0, len(texts), SLICE_TEXTS):
            some = texts[start : start + SLICE_TEXTS]
            yield from self._embedder.embed(some)
            self.embedded += len(some)
            self._advanced(self._position, self.embedded)

    def _write(self, batch: list[Prepared], vectors: dict[str, Vectors]) -> None:
        identity = self._begin()
        if vectors:
            self._index.add(identity.collection, list(vectors), np.stack(list(vectors.values())))
        documents = [item.stored for item in batch]
        if self._rebuild:
            self._rebuilt.extend(documents)
        else:
            self._forget(self._store.apply(documents))

    def _begin(self) -> IndexIdentity:
        """Notes once, before the first vector changes, that this run is writing."""
        if self._began and self._identity:
            return self._identity
        if self._rebuild or self._identity is None:
            self._identity = IndexIdentity(self._embedder.name, self._embedder.dimensions, new_collection())
        if self._rebuild:
            self._store.begin_rebuild(self._identity.collection)
        else:
            self._store.begin(self._identity)
        self._began = True
        return self._identity

    def _forget(self, passage_ids: set[str]) -> None:
        if passage_ids and self._identity:
            self._index.remove(self._identity.collection, sorted(passage_ids))

    def _swap(self) -> None:
        """Puts what was rebuilt in the place of what was there."""
        self._store.replace_all(self._rebuilt, self._begin())

    def _mend(self) -> None:
        """Brings the vectors in step with the passages when an earlier run was cut off, or the vectors are lost."""
        lost = self._store.counts().passages > 0 and not self._index.exists()
        if self._identity is None or not (lost or self._store.is_unfinished()):
            return
        self._begin()
        present, alive = self._index.ids(self._identity.collection), self._store.passage_ids()
        self._forget(present - alive)
        missing = sorted(alive - present)
        for start in range(0, len(missing), BATCH_TEXTS):
            passages = self._store.passages(missing[start : start + BATCH_TEXTS])
            vectors = self._embedder.embed([chunk.embedded_text(passage) for passage in passages.values()])
            self._index.add(self._identity.collection, list(passages), vectors)
            self.embedded += len(passages)

    def _finish(self) -> None:
        abandoned = self._store.abandoned()
        if abandoned:
            self._index.drop(abandoned)
        if abandoned or self._began:
            self._store.finish()


def _batches(prepared: Iterator[Prepared]) -> Iterator[list[Prepared]]:
    batch: list[Prepared] = []
    texts = 0
    for item in prepared:
        batch.append(item)
        texts += len(item.texts)
        if texts >= BATCH_TEXTS or len(batch) >= BATCH_DOCUMENTS:
            yield batch
            batch, texts = [], 0
    if batch:
        yield batch
