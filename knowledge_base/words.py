"""Scores passages by the words of weighted texts: BM25 of single words, and of words that stand side by side.

A score is divided by the most that the query could reach, so it lies in 0..1 and means the same for short and long
queries: about the share of the query, weighted by how rare its words are, that a passage holds.

Source: pairs as evidence: Metzler & Croft, "A Markov random field model for term dependencies" (SIGIR 2005).
"""

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from knowledge_base import lexical
from knowledge_base.lexical import Posting, Rows
from knowledge_base.stopwords import STOP_WORDS
from knowledge_base.store import Store

PAIR_SHARE = 0.35  # of a pair beside a word of the same rarity
MAX_WORDS = 64  # distinct words that a query is scored by; the weightiest, then the longest stay
MAX_PAIRS = 64
CACHED_POSTINGS = 4_000_000  # rows, about 16 bytes each

NOWHERE: Rows = np.empty(0, np.int64)

Pair = tuple[str, str]
Key = TypeVar("Key", str, Pair)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Words:
    """What a query is scored by: stems with the word to look them up by and a weight, and pairs of such words."""

    words: Mapping[str, tuple[str, float]]
    pairs: Mapping[Pair, tuple[Pair, float]]


@dataclass(frozen=True, slots=True)
class Held:
    """Which of a query's words, or of its pairs, stand in which passages: `places` (words, passages); and what each is
    worth (words,)."""

    places: NDArray[np.bool_]
    worth: NDArray[np.float64]

    def by(self, chosen: NDArray[np.bool_]) -> float:
        """What the chosen of the passages (passages,) hold together."""
        return float(self.worth[self.places[:, chosen].any(axis=1)].sum())

    def anywhere(self) -> float:
        """What all of the passages hold together."""
        return float(self.worth[self.places.any(axis=1)].sum())


@dataclass(frozen=True, slots=True)
class WordScores:
    """How well each row matches, `by_row[row]` in 0..1; what each word of the query is worth: its rarity times its
    weight; and in which rows its words and its pairs stand."""

    by_row: NDArray[np.float64]
    worth: Mapping[str, float]
    words: Mapping[str, Rows]
    pairs: Mapping[Pair, Rows]

    def words_held(self, rows: Rows) -> Held:
        """Which of the query's words each of these rows holds. Row -1 holds none."""
        return Held(self._held(list(self.words.values()), rows), np.array([self.worth[stem] for stem in self.words]))

    def pairs_held(self, rows: Rows) -> Held:
        """Which of the query's pairs each of these rows holds; a pair is worth its two words. Row -1 holds none."""
        worth = [sum(self.worth.get(stem, 0.0) for stem in pair) for pair in self.pairs]
        return Held(self._held(list(self.pairs.values()), rows), np.array(worth, np.float64))

    def _held(self, standing: Sequence[Rows], rows: Rows) -> NDArray[np.bool_]:
        """(standing, rows): which of these rows is among each of the standing."""
        held = np.zeros((len(standing), len(rows)), np.bool_)
        if not standing:
            return held
        place = np.full(max(len(self.by_row), int(rows.max(initial=-1)) + 1), -1, np.int64)
        place[rows[rows >= 0]] = np.flatnonzero(rows >= 0)
        number = np.repeat(np.arange(len(standing)), [len(one) for one in standing])
        at = place[np.concatenate(standing)]
        held[number[at >= 0], at[at >= 0]] = True
        return held

    def best_rows(self, limit: int) -> list[int]:
        """The rows that match best, best first; only rows that match at all."""
        count = min(limit, int(np.count_nonzero(self.by_row)))
        if not count:
            return []
        candidates = np.argpartition(-self.by_row, count - 1)[:count]
        order = np.lexsort((candidates, -self.by_row[candidates]))
        return [int(row) for row in candidates[order]]


class WordSearch:
    """Searches the store's words. Keeps what it looked up until the store changes. Safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stemmer = lexical.Stemmer()
        self._lock = threading.Lock()
        self._snapshot = _Snapshot("", 0, 0)

    def analyse(self, texts: Iterable[tuple[str, float]]) -> Words:
        """The content words and pairs of weighted texts; what stands in several texts adds up, with less and less
        gain."""
        words: dict[str, tuple[str, float]] = {}
        pairs: dict[Pair, tuple[Pair, float]] = {}
        for text, weight in texts:
            content = [(stem, word) for word in content_words(text) if (stem := self._stemmer.stem(word))]
            for stem, word in content:
                words[stem] = (word, words.get(stem, ("", 0.0))[1] + weight)
            for (stem, word), (next_stem, next_word) in pairwise(content):
                if stem != next_stem:
                    key = (stem, next_stem)
                    pairs[key] = ((word, next_word), pairs.get(key, (key, 0.0))[1] + weight)
        return Words(
            {stem: (word, _saturated(weight)) for stem, (word, weight) in _weightiest(words.items(), MAX_WORDS)},
            {key: (pair, _saturated(weight)) for key, (pair, weight) in _weightiest(pairs.items(), MAX_PAIRS)},
        )

    def stems(self, text: str) -> frozenset[str]:
        """The stems of a text's content words."""
        return frozenset(stem for word in content_words(text) if (stem := self._stemmer.stem(word)))

    def search(self, query: Words) -> WordScores:
        """Every passage's score for the query."""
        snapshot = self._current()
        with self._store.reading() as connection:
            tally = _Tally(snapshot, connection)
            for stem, (word, weight) in query.words.items():
                tally.add_word(stem, word, weight)
            for key, (pair, weight) in query.pairs.items():
                tally.add_pair(key, pair, weight)
        return tally.scores()

    def holding(self, words: Sequence[str]) -> list[int]:
        """How many passages hold each word, or another of its stem."""
        if not words:
            return []
        snapshot = self._current()
        with self._store.reading() as connection:
            return [len(snapshot.posting(connection, self._stemmer.stem(word), word).rows) for word in words]

    def rows_of(self, passage_ids: Sequence[str]) -> dict[str, int]:
        """Where passages stand in `by_row`."""
        with self._store.reading() as connection:
            return lexical.rows_of(connection, passage_ids)

    def passages_at(self, rows: Sequence[int]) -> dict[int, str]:
        with self._store.reading() as connection:
            return lexical.passages_at(connection, rows)

    def _current(self) -> "_Snapshot":
        """What was looked up since the store last changed."""
        stamp = self._store.stamp()
        with self._lock:
            if self._snapshot.stamp != stamp:
                with self._store.reading() as connection:
                    self._snapshot = _Snapshot(stamp, *lexical.size(connection))
            return self._snapshot


def content_words(text: str) -> list[str]:
    """The words that say what a text is about. Abbreviations count (US, IT), unless everything is in capitals."""
    found = lexical.words(text)
    shouted = text.isupper()
    return [
        word for word in found if word.lower() not in STOP_WORDS or (len(word) > 1 and word.isupper() and not shouted)
    ]


class _Snapshot:
    """What was looked up in one state of the store."""

    def __init__(self, stamp: str, count: int, highest: int) -> None:
        self.stamp, self.count, self.highest = stamp, count, highest
        self._lock = threading.Lock()
        self._postings: LRUCache[str, Posting] = LRUCache(CACHED_POSTINGS, lambda found: len(found.rows) + 8)
        self._near: LRUCache[Pair, Rows] = LRUCache(CACHED_POSTINGS // 4, lambda rows: len(rows) + 8)

    def posting(self, connection: sqlite3.Connection, stem: str, word: str) -> Posting:
        with self._lock:
            found = self._postings.get(stem)
        if found is None:
            found = self._within(lexical.posting(connection, word, self.count))
            with self._lock:
                _remember(self._postings, stem, found)
        return found

    def near(self, connection: sqlite3.Connection, key: Pair, pair: Pair) -> Rows:
        with self._lock:
            rows = self._near.get(key)
        if rows is None:
            rows = lexical.near(connection, *pair)
            rows = rows[rows <= self.highest]
            with self._lock:
                _remember(self._near, key, rows)
        return rows

    def _within(self, found: Posting) -> Posting:
        """Without rows that were written since: the next search sees them."""
        known = found.rows <= self.highest
        return found if known.all() else Posting(found.rows[known], found.scores[known], found.idf)


class _Tally:
    """Adds up the scores of one query."""

    def __init__(self, snapshot: _Snapshot, connection: sqlite3.Connection) -> None:
        self._snapshot, self._connection = snapshot, connection
        self._sums = np.zeros(snapshot.highest + 1)
        self._most = 0.0
        self._worth: dict[str, float] = {}
        self._unknown: set[str] = set()
        self._words: dict[str, Rows] = {}
        self._pairs: dict[Pair, Rows] = {}

    def add_word(self, stem: str, word: str, weight: float) -> None:
        found = self._snapshot.posting(self._connection, stem, word)
        self._worth[stem] = weight * found.idf
        self._sums[found.rows] += weight * found.scores
        self._most += weight * found.idf * (lexical.K1 + 1)
        self._words[stem] = found.rows
        if not len(found.rows):
            self._unknown.add(stem)

    def add_pair(self, key: Pair, pair: Pair, weight: float) -> None:
        """Pairs that stand nowhere score nothing: most words that meet in a question never met in a document."""
        known = not self._unknown.intersection(key)
        rows = self._pairs[key] = self._snapshot.near(self._connection, key, pair) if known else NOWHERE
        if len(rows):
            worth = PAIR_SHARE * weight * lexical.rarity(len(rows), self._snapshot.count)
            self._sums[rows] += worth
            self._most += worth

    def scores(self) -> WordScores:
        return WordScores(self._sums / self._most if self._most else self._sums, self._worth, self._words, self._pairs)


def _remember(cache: LRUCache[Key, Value], key: Key, value: Value) -> None:
    """Keeps the value, unless it alone is larger than the cache."""
    with suppress(ValueError):
        cache[key] = value


def _weightiest(items: Iterable[tuple[Key, tuple[Key, float]]], limit: int) -> list[tuple[Key, tuple[Key, float]]]:
    """At most `limit` of them, in their order: those of most weight, then the longest, which are the rarest mostly."""
    given = list(items)
    if len(given) <= limit:
        return given
    kept = {key for key, _ in sorted(given, key=lambda item: (-item[1][1], -len("".join(item[0])), item[0]))[:limit]}
    return [item for item in given if item[0] in kept]


def _saturated(weight: float) -> float:
    """1 stays 1, and no sum of weights reaches 2."""
    return 2 * weight / (weight + 1)
