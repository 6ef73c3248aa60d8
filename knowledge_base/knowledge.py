"""The knowledge base as everything above sees it: one folder, opened once, searched from any thread."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from knowledge_base.disk import writing_to
from knowledge_base.embeddings import Embedder
from knowledge_base.index import VectorIndex, require_embedder
from knowledge_base.passage import Passage, SearchResult, Utterance
from knowledge_base.retrieve import Retriever
from knowledge_base.store import Outline, Store


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """Documents and passages (`store`), their vectors (`index`), and the search over both."""

    store: Store
    index: VectorIndex
    embedder: Embedder
    retriever: Retriever

    def search(
        self,
        query: str,
        *,
        history: Sequence[Utterance] = (),
        limit: int = 6,
        prefer: Mapping[str, float] | None = None,
    ) -> SearchResult:
        """The passages that answer a question best; `history` is what was said before it, oldest first, and `prefer`
        how much the reader likes a topic (0..1, above 0.7), which decides among passages that match about equally well.

        Raises:
            IndexMismatch, IndexUnavailable, EmbeddingsUnavailable: what to do is in the message.
        """
        return self.retriever.search(query, history=history, limit=limit, prefer=prefer)

    def article(self, document_id: str) -> list[Passage]:
        """A document's passages in reading order; empty when there is no such document."""
        return self.store.document_passages(document_id)

    def require_embedder(self) -> None:
        """Raise IndexMismatch when another embedding model made the index."""
        require_embedder(self.store.identity(), self.embedder.name)

    def warm_up(self) -> None:
        """Load what the first search would otherwise wait for: the model's weights and the vectors' graph.

        Raises:
            IndexUnavailable, EmbeddingsUnavailable: searches will fail in the same way.
        """
        self.index.open()
        self.embedder.embed_query("How does it work?")

    def outlines(self) -> list[Outline]:
        """What every document is about."""
        return self.store.outlines()

    def topics(self) -> list[str]:
        """The topics that documents carry."""
        return [one.topic for one in self.store.topics()]

    def forget_questions(self) -> None:
        """Drop what was kept of searches to make the next ones faster: it holds words that users wrote."""
        self.retriever.forget()


@contextmanager
def open_knowledge_base(folder: Path, embedder: Embedder, *, chroma_url: str | None = None) -> Iterator[KnowledgeBase]:
    """The knowledge base kept in `folder`, made where it is missing; its vectors in a Chroma server if a URL is given.

    Raises:
        IndexMismatch: A newer version of Attune wrote it.
        IndexUnavailable: The folder takes no writes.
    """
    with writing_to(folder):
        opened = Store(folder / "knowledge.db")
    with opened as store:
        index = VectorIndex(store, embedder.name, path=None if chroma_url else folder / "chroma", url=chroma_url)
        try:
            yield KnowledgeBase(store, index, embedder, Retriever(store, index, embedder))
        finally:
            index.close()
