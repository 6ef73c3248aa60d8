"""One search for weighted texts: by the middle of their vectors, and by their words.

Everything that repeats from turn to turn is kept: vectors of texts (what was said is searched again and again), and the
passages with theirs, until the store changes.
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from knowledge_base import spelling
from knowledge_base.embeddings import Embedder
from knowledge_base.fusion import Candidates, Evidence, fuse, gather
from knowledge_base.index import VectorIndex
from knowledge_base.passage import Passage
from knowledge_base.store import Store
from knowledge_base.words import Words, WordScores, WordSearch

CANDIDATES = 50  # from each half of a search
MUCH = 48  # pairs of words, from which on a query is long
CACHED_TEXTS, CACHED_PASSAGES, CACHED_TITLES = 2_000, 20_000, 20_000

Vector = NDArray[np.float32]
WeightedText = tuple[str, float]
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Probe:
    """A query ready to score passages: a unit vector (or zeros, for no texts), words, and every row's word score."""

    vector: Vector
    words: Words
    scores: WordScores

    @property
    def length(self) -> float:
        """How much the query says, from 0 for a word to 1 for a long conversation."""
        return min(1.0, len(self.words.pairs) / MUCH)

    def score(self, candidates: Candidates) -> Evidence:
        held = self.scores.words_held(candidates.rows)
        return fuse(candidates, self.vector, self.scores.by_row, held, self.length)


class Cache(Generic[Key, Value]):
    """The most recently used values by key. Safe to share between threads."""

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._kept: LRUCache[Key, Value] = LRUCache(size)

    def get(self, keys: Sequence[Key], make: Callable[[list[Key]], Sequence[Value]]) -> list[Value]:
        """The keys' values; `make` is called once, outside the lock, for those that are missing."""
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        if missing:
            found.update(zip(missing, make(missing), strict=True))
            with self._lock:
                self._kept.update((key, found[key]) for key in missing)
        return [found[key] for key in keys]

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._kept.clear()


class Prober:
    """Makes probes, and finds the candidates for them."""

    def __init__(self, store: Store, index: VectorIndex, embedder: Embedder) -> None:
        self._store, self._index, self._embedder = store, index, embedder
        self._words = WordSearch(store)
        self._texts: Cache[str, Vector] = Cache(CACHED_TEXTS)
        self._titles: Cache[str, frozenset[str]] = Cache(CACHED_TITLES)
        self._passages: Cache[tuple[str, str], _Known | None] = Cache(CACHED_PASSAGES)

    def vectors(self, texts: Sequence[str]) -> list[Vector]:
        """The texts' unit vectors; those that are new are embedded side by side."""
        return self._texts.get(texts, lambda missing: list(self._embedder.embed(missing)))

    def forget(self) -> None:
        """Drop the texts that were embedded: they are what users wrote."""
        self._texts.clear()

    def corrected(self, text: str) -> str:
        """The text with slips of the keyboard put right, as far as the documents tell."""
        return spelling.corrected(text, self._embedder.knows, self._words.holding)

    def probe(self, texts: Sequence[WeightedText]) -> Probe:
        given = [(text, weight) for text, weight in texts if weight > 0]
        vector = np.zeros(self._embedder.dimensions, np.float32)
        for (_, weight), one in zip(given, self.vectors([text for text, _ in given]), strict=True):
            vector += np.float32(weight) * one
        vector /= max(float(np.linalg.norm(vector)), 1e-9)
        words = self._words.analyse(given)
        return Probe(vector, words, self._words.search(words))

    def find(self, probe: Probe) -> list[str]:
        """The ids of the passages that either half finds, some perhaps no longer alive."""
        near = [id for id, _ in self._index.search(probe.vector, CANDIDATES)]
        best = probe.scores.best_rows(CANDIDATES)
        at = self._words.passages_at(best)
        return list(dict.fromkeys([*near, *(at[row] for row in best if row in at)]))

    def candidates(self, ids: Sequence[str]) -> tuple[Candidates, tuple[Passage, ...]]:
        """The passages with these ids that are alive, ready to be scored, and themselves."""
        known = [one for one in self._known(list(dict.fromkeys(ids))) if one]
        passages = tuple(one.passage for one in known)
        vectors = np.array([one.vector for one in known], np.float32).reshape(len(known), self._embedder.dimensions)
        documents = [passage.document_id for passage in passages]
        return gather([passage.id for passage in passages], documents, [one.row for one in known], vectors), passages

    def titles(self, passages: Sequence[Passage]) -> list[frozenset[str]]:
        """The stems of each passage's title."""
        given = [passage.title for passage in passages]
        return self._titles.get(given, lambda missing: [self._words.stems(title) for title in missing])

    def _known(self, ids: Sequence[str]) -> "list[_Known | None]":
        """What there is to know about passages in the store's present state; None for those that are not alive."""
        stamp = self._store.stamp()
        return self._passages.get([(stamp, id) for id in ids], lambda missing: self._read([id for _, id in missing]))

    def _read(self, ids: list[str]) -> "list[_Known | None]":
        passages, rows = self._store.passages(ids), self._words.rows_of(ids)
        vectors = dict(zip(ids, self._index.vectors(ids), strict=True))
        return [_Known(passages[id], rows.get(id, -1), vectors[id]) if id in passages else None for id in ids]


@dataclass(frozen=True, slots=True)
class _Known:
    """A passage, its row in the word scores, and its vector."""

    passage: Passage
    row: int
    vector: Vector
