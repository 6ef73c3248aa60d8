"""From split documents to stored ones: embed, write, publish. Three stages work side by side: whoever prepares the
documents runs ahead in a thread, this one embeds on all cores, and a third writes.

A run may be cut off anywhere. Vectors are staged (see index.py) while documents wait; then one SQLite transaction swaps
documents, passages and words and says where the vectors are. That is done every so often, so that a long run loses
little. What a run that was cut off left behind, the next one finds by the note that it made before it began, and mends:
vectors that no passage refers to are removed, and passages without a vector are embedded.
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
from knowledge_base.errors import EmbeddingsUnavailable
from knowledge_base.index import Staging, VectorIndex, require_embedder
from knowledge_base.store import IndexIdentity, Store, StoredDocument

Vectors = NDArray[np.float32]

BATCH_TEXTS = 256  # embedded and written together, over as many documents as it takes
BATCH_DOCUMENTS = 500  # that many at most, when most of their passages have vectors already
SLICE_TEXTS = 64  # embedded between two reports of progress
PUBLISH_TEXTS = 2_000  # embedded at most before they can be searched: a minute or two
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
        self._staging: Staging | None = None
        self._waiting: list[StoredDocument] = []  # for the vectors that are staged
        self._gone: list[str] = []
        self._texts = 0  # staged
        self._position = 0
        self.embedded = 0
        if not rebuild:
            require_embedder(store.identity(), embedder.name)

    def run(self, prepared: Iterator[Prepared], removed: Sequence[str]) -> None:
        """Stores what comes and drops the `removed` documents. On return vectors and passages agree.

        After an error or an interrupt every document is whole, as it was or as it is now. What was embedded until the
        keyboard or a failing embedder cut it off is kept.
        """
        try:
            if not self._rebuild:
                self._mend()
            self._write_all(prepared)
            self._gone = list(removed)
            self._publish()
        except (KeyboardInterrupt, EmbeddingsUnavailable):
            if not self._rebuild:
                self._publish()
            raise
        finally:
            if self._staging:
                self._staging.abort()
        if self._store.is_unfinished():
            self._finish()

    def _write_all(self, prepared: Iterator[Prepared]) -> None:
        with ahead(_batches(prepared), 2) as batches, self._writer() as write:
            for batch in batches:
                write(batch, self._vectors(batch))
                self._position = batch[-1].position
                self._advanced(self._position, self.embedded)

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
        if vectors:
            self._staged().add(list(vectors), np.stack(list(vectors.values())))
        self._waiting.extend(item.stored for item in batch)
        self._texts += len(vectors)
        if self._texts >= PUBLISH_TEXTS and not self._rebuild:
            self._publish()

    def _staged(self) -> Staging:
        """The change under way; begun when there is none."""
        if self._staging is None:
            before = None if self._rebuild else self._store.identity()
            base = before.collection if before and self._index.exists(before.collection) else None
            self._staging = self._index.stage(base, self._store.begin)
        return self._staging

    def _publish(self) -> None:
        """Lets what was staged and what waits for it be seen, in one step."""
        if not (self._waiting or self._gone or self._rebuild or self._staging):
            return
        staging = self._staged()
        staging.remove(sorted(self._outdated()))
        staging.close()
        identity = self._identity(staging.collection)
        if self._rebuild:
            self._store.replace_all(self._waiting, identity=identity)
        else:
            self._store.apply(self._waiting, self._gone, identity=identity)
        staging.settle()
        self._staging, self._waiting, self._gone, self._texts = None, [], [], 0
        self._index.discard(self._store.abandoned(), current=identity.collection)

    def _identity(self, collection: str) -> IndexIdentity:
        before = None if self._rebuild else self._store.identity()
        dimensions = before.dimensions if before else self._embedder.dimensions
        return IndexIdentity(self._embedder.name, dimensions, collection)

    def _outdated(self) -> set[str]:
        """The passages that are alive now and will not be after the next step."""
        if self._rebuild:
            return set()
        ids = [*(stored.document.id for stored in self._waiting), *self._gone]
        new = {passage.id for stored in self._waiting for passage in stored.passages}
        return set(self._store.embedded(ids)) - new

    def _mend(self) -> None:
        """Brings the vectors in step with the passages when an earlier run was cut off, or the vectors are lost."""
        identity = self._store.identity()
        if identity is None:
            return
        found = self._index.exists(identity.collection)
        if found and not self._store.is_unfinished():
            return
        present, alive = self._index.ids(identity.collection) if found else set(), self._store.passage_ids()
        if present == alive:
            return
        self._staged().remove(sorted(present - alive))
        missing = sorted(alive - present)
        for start in range(0, len(missing), BATCH_TEXTS):
            passages = self._store.passages(missing[start : start + BATCH_TEXTS])
            vectors = list(self._embed([chunk.embedded_text(passage) for passage in passages.values()]))
            self._staged().add(list(passages), np.stack(vectors))
        self._publish()

    def _finish(self) -> None:
        identity = self._store.identity()
        if identity:
            self._index.discard(self._store.abandoned(), current=identity.collection)
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
