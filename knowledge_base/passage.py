"""The values that travel through the knowledge base: a document, its passages, and what a search found."""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Document:
    """One file of the knowledge base, read and cleaned.

    `id` is stable across runs (for a file: the ingested folder's name and the path below it, with forward slashes),
    `text` is Markdown without front matter, and `content_hash` (sha256, hex) is of the bytes that were read.
    """

    id: str
    title: str
    text: str
    source: str
    content_hash: str
    url: str | None = None
    topic: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    level: str | None = None
    updated: date | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document that fits the embedding model's window and stays under one heading.

    `text` is what a reader sees and what may be quoted; title and headings are kept beside it, not in it.
    `url` ends in the fragment of the nearest heading when the document has a URL.
    """

    id: str
    document_id: str
    ordinal: int
    title: str
    heading_path: tuple[str, ...]
    text: str
    url: str | None = None
    topic: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    level: str | None = None
    updated: date | None = None

    @property
    def heading(self) -> str:
        """The nearest heading, or the document's title where the passage stands above the first heading."""
        return self.heading_path[-1] if self.heading_path else self.title


@dataclass(frozen=True, slots=True)
class Utterance:
    """One message of a conversation, as the search needs it."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that a search found. `score` is comparable between queries and lies in 0..1; the parts are None where
    that half of the search did not find the passage (`vector_score` is a cosine, `lexical_score` a BM25 value; higher
    is better)."""

    passage: Passage
    score: float
    vector_score: float | None = None
    lexical_score: float | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What one search found, best first.

    `query` is the self-contained form that was searched, `confidence` the calibrated probability (0..1) that the
    documents answer the question, and `answerable` whether that is above the retriever's threshold. `vector`
    (dimensions,) is the unit vector of the question alone, as the search embedded it: None where nothing was embedded.
    `alone` says that nothing which was said before belongs to the question.
    """

    query: str
    hits: tuple[Hit, ...]
    confidence: float
    answerable: bool
    vector: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    alone: bool = False
